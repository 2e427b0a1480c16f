//! Everything fails at once, and so does the exporter.

use crate::support_net::{DEADLINE, Growth, Server, Wire, ended, field, holds, no_storm, soon};
use axum::{
    Router,
    body::Body,
    extract::Path,
    http::{Request, StatusCode},
    routing::post,
};
use bytes::Bytes;
use dashcam::{
    Dashcam,
    capture::{Limits, StormLimits},
    exchange::{BodyState, Depth, Exchange, KeepReason},
    export::{ExportError, Exporter, Health, JsonLines, Memory},
    kit::DashcamBuilder,
    testing::TestDashcam,
};
use http_body_util::BodyExt;
use std::{
    collections::BTreeMap,
    sync::mpsc::{Receiver, Sender, channel},
    time::Duration,
};
use tower::ServiceExt;

/// Waits for its channel before every exchange, until the channel is closed.
struct Stalled {
    open: Receiver<()>,
    kept: Memory,
}

impl Exporter for Stalled {
    fn export(&mut self, exchange: &Exchange) -> Result<(), ExportError> {
        let _ = self.open.recv();
        self.kept.export(exchange)
    }
}

/// A dashcam whose exporter blocks until the sender is dropped.
fn stalled(change: impl FnOnce(DashcamBuilder) -> DashcamBuilder) -> (Dashcam, Sender<()>, Memory) {
    let (release, open) = channel();
    let kept = Memory::new(100_000);
    let exporter = Stalled {
        open,
        kept: kept.clone(),
    };
    (built(change, exporter), release, kept)
}

fn built(
    change: impl FnOnce(DashcamBuilder) -> DashcamBuilder,
    exporter: impl Exporter,
) -> Dashcam {
    // Events are recorded once a first one has installed the gate.
    drop(TestDashcam::new());
    let builder = Dashcam::builder().service("storm", "1");
    change(builder).exporter(exporter).build().unwrap()
}

fn flush(dashcam: &Dashcam) {
    assert!(dashcam.flush(DEADLINE), "the exporter is stuck");
}

const ANSWER: usize = 3000;

async fn fail(Path(code): Path<u16>, body: Bytes) -> (StatusCode, String) {
    tracing::debug!(bytes = body.len(), "about to fail");
    (StatusCode::from_u16(code).unwrap(), "x".repeat(ANSWER))
}

async fn log_an_error(_: Bytes) -> String {
    tracing::error!("something is wrong");
    "x".repeat(ANSWER)
}

fn failing(dashcam: &Dashcam) -> Router {
    Router::new()
        .route("/first/{code}", post(fail))
        .route("/second/{code}", post(fail))
        .route("/third/{code}", post(fail))
        .route("/logged/200", post(log_an_error))
        .layer(dashcam.layer())
}

/// Ten ways to fail without anything in common.
const PATHS: [&str; 10] = [
    "/first/500",
    "/first/502",
    "/first/503",
    "/second/500",
    "/second/502",
    "/second/503",
    "/third/500",
    "/third/502",
    "/third/503",
    "/logged/200",
];

fn status_of(path: &str) -> u16 {
    path.rsplit('/').next().unwrap().parse().unwrap()
}

/// Sends a request and checks the whole response.
async fn assert_answered(app: &Router, path: &str, n: usize) {
    let id = format!("storm-{n}");
    let request = Request::post(path)
        .header("x-request-id", &id)
        .header("content-type", "text/plain")
        .body(Body::from("y".repeat(4000)))
        .unwrap();
    let response = app.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), status_of(path));
    assert_eq!(response.headers()["x-request-id"], id);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body.len(), ANSWER);
}

/// The results of the failing requests.
fn accounted(dashcam: &Dashcam) -> u64 {
    let status = dashcam.status();
    status.kept + status.dropped.suppressed + status.dropped.queue_full
}

/// The most by which the memory in use may rise once the storm's share of it is reserved:
/// bookkeeping of the test and its threads, far below what ten requests hold.
const FLAT: usize = 64 * 1024;

#[tokio::test]
async fn ten_thousand_failures_with_a_stalled_exporter() {
    const REQUESTS: usize = 10_000;
    alone!();
    let mut limits = StormLimits::default();
    limits.window = Duration::from_secs(24 * 3600);
    limits.per_second = u64::MAX;
    let (dashcam, release, kept) = stalled(|builder| builder.storm(limits));
    let app = failing(&dashcam);
    let path = |n: usize| PATHS[n % PATHS.len()];
    for n in 0..500 {
        assert_answered(&app, path(n), n).await;
    }
    // The exporter holds one exchange, whose reservation is given back.
    let held = PATHS.len() * (limits.full + limits.heads) as usize - 1;
    let held = held * (4000 + ANSWER);
    holds("the exporter is stalled", || {
        dashcam.status().bytes_held == held
    })
    .await;
    let growth = Growth::start();
    for n in 500..REQUESTS {
        assert_answered(&app, path(n), n).await;
        assert_eq!(dashcam.status().bytes_held, held);
    }
    println!("{held} bytes held, {} bytes more in use", growth.peak());
    assert!(growth.now() < FLAT, "{} bytes more", growth.now());
    assert!(growth.peak() < 2 * FLAT, "{} bytes more", growth.peak());

    let status = dashcam.status();
    let each = limits.full + limits.heads;
    assert_eq!(status.kept, each * PATHS.len() as u64);
    assert_eq!(status.dropped.queue_full, 0);
    assert_eq!(accounted(&dashcam), REQUESTS as u64);
    assert_eq!((status.finished, status.in_flight), (REQUESTS as u64, 0));
    assert_eq!(status.exported, 0);
    assert!(kept.is_empty());

    drop(release);
    flush(&dashcam);
    assert_eq!(dashcam.status().exported, status.kept);
    assert_eq!(dashcam.status().bytes_held, 0);
    let mut by_path = BTreeMap::<String, Vec<Exchange>>::new();
    for kept in kept.take() {
        by_path
            .entry(kept.request.path.clone())
            .or_default()
            .push(kept);
    }
    assert_eq!(by_path.len(), PATHS.len());
    for (first, path) in PATHS.iter().enumerate() {
        let kept = &by_path[*path];
        assert_eq!(kept.len() as u64, each);
        for (at, kept) in kept.iter().enumerate() {
            let n = first + at * PATHS.len();
            assert_eq!(kept.correlation.id, format!("storm-{n}"));
            assert_is_right(kept, status_of(path), (at as u64) < limits.full);
        }
    }
}

fn assert_is_right(kept: &Exchange, status: u16, full: bool) {
    let response = kept.response.as_ref().unwrap();
    assert_eq!(response.status, status);
    assert_eq!(kept.losses.suppressed_before, 0);
    let reason = if status == 200 {
        KeepReason::ErrorEvent
    } else {
        KeepReason::Outcome
    };
    assert_eq!(kept.keep, [reason]);
    let bodies = [&kept.request.body, &response.body];
    assert_eq!(bodies.map(|body| body.seen), [4000, ANSWER as u64]);
    let levels: Vec<_> = kept
        .events
        .iter()
        .map(|event| event.level.as_str())
        .collect();
    if full {
        assert_eq!(kept.depth, Depth::Full);
        assert!(bodies.iter().all(|body| body.content.is_some()));
        assert!(kept.missing.is_empty());
        assert_eq!(levels, [if status == 200 { "ERROR" } else { "DEBUG" }]);
    } else {
        assert_eq!(kept.depth, Depth::Heads);
        assert!(
            bodies
                .iter()
                .all(|body| body.content.is_none() && body.kept == 0)
        );
        assert_eq!(kept.missing[0].why, "failure_storm");
        assert!(!levels.contains(&"DEBUG"));
    }
}

#[tokio::test]
async fn what_does_not_fit_into_the_queue_is_counted() {
    const REQUESTS: usize = 2_000;
    const QUEUE: usize = 8;
    alone!();
    let mut limits = Limits::default();
    limits.queue = QUEUE;
    let (dashcam, release, kept) = stalled(|builder| builder.limits(limits).storm(no_storm()));
    let app = failing(&dashcam);
    assert_answered(&app, PATHS[0], 0).await;
    holds("the exporter has the first", || {
        dashcam.status().queued == 0
    })
    .await;
    for n in 1..100 {
        assert_answered(&app, PATHS[0], n).await;
    }
    let growth = Growth::start();
    for n in 100..REQUESTS {
        assert_answered(&app, PATHS[0], n).await;
    }
    println!("{} bytes more in use", growth.peak());
    assert!(growth.peak() < 2 * FLAT, "{} bytes more", growth.peak());
    let status = dashcam.status();
    assert_eq!(status.kept, 1 + QUEUE as u64);
    assert_eq!(status.dropped.suppressed, 0);
    assert_eq!(accounted(&dashcam), REQUESTS as u64);
    drop(release);
    flush(&dashcam);
    assert_eq!(kept.len() as u64, status.kept);

    // The next exchange reports all that were lost.
    assert_answered(&app, PATHS[0], REQUESTS).await;
    flush(&dashcam);
    let last = kept.take().pop().unwrap();
    assert_eq!(last.losses.suppressed_before, status.dropped.queue_full);
}

#[tokio::test]
async fn a_later_exchange_tells_how_many_were_not_written() {
    let mut limits = StormLimits::default();
    limits.window = Duration::from_millis(50);
    limits.full = 2;
    limits.heads = 1;
    limits.per_second = u64::MAX;
    let (dashcam, release, kept) = stalled(|builder| builder.storm(limits));
    let app = failing(&dashcam);
    let mut n = 0;
    // However long the machine takes, at least one is counted in some window.
    while dashcam.status().dropped.suppressed == 0 {
        assert_answered(&app, PATHS[0], n).await;
        n += 1;
    }
    drop(release);
    let counted = dashcam.status().dropped.suppressed;
    let told = || -> u64 {
        flush(&dashcam);
        let kept = kept.exchanges();
        kept.iter().map(|kept| kept.losses.suppressed_before).sum()
    };
    assert_eq!(told(), 0);
    // In the next window the first one reports it.
    soon(async {
        while told() == 0 {
            assert_answered(&app, PATHS[0], n).await;
            n += 1;
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(told() >= counted);
    assert_eq!(told(), dashcam.status().dropped.suppressed);
    assert_eq!(accounted(&dashcam), n as u64);
    let last = kept.take().pop().unwrap();
    assert_eq!(
        (last.depth, last.losses.suppressed_before > 0),
        (Depth::Full, true)
    );
}

#[tokio::test]
async fn what_was_to_be_told_is_not_lost_with_a_full_queue() {
    let mut limits = Limits::default();
    limits.queue = 1;
    let mut storm = StormLimits::default();
    storm.window = Duration::from_millis(50);
    storm.full = 1;
    storm.heads = 0;
    storm.per_second = u64::MAX;
    let (dashcam, release, kept) = stalled(|builder| builder.limits(limits).storm(storm));
    let app = failing(&dashcam);
    // One is with the exporter and one in the queue.
    let mut n = 0;
    for path in &PATHS[..2] {
        assert_answered(&app, path, n).await;
        n += 1;
        holds("taken", || {
            let status = dashcam.status();
            status.queued as u64 + 1 == status.kept
        })
        .await;
    }
    // In the first window they are counted. In the later ones they do not fit.
    soon(async {
        let lost = || dashcam.status().dropped;
        while lost().suppressed == 0 || lost().queue_full < 3 {
            assert_answered(&app, PATHS[0], n).await;
            n += 1;
        }
    })
    .await;
    drop(release);
    flush(&dashcam);
    let before = dashcam.status().kept;
    soon(async {
        while dashcam.status().kept == before {
            assert_answered(&app, PATHS[0], n).await;
            n += 1;
        }
    })
    .await;
    flush(&dashcam);
    let last = kept.take().pop().unwrap();
    assert_eq!(last.request.path, PATHS[0]);
    let lost = dashcam.status().dropped;
    assert_eq!(
        last.losses.suppressed_before,
        lost.queue_full + lost.suppressed
    );
    assert_eq!(accounted(&dashcam), n as u64);
}

#[tokio::test]
async fn a_storm_over_connections() {
    const CONNECTIONS: usize = 8;
    let long = std::env::var_os("DASHCAM_LONG").is_some_and(|value| value == "1");
    let requests: usize = if long { 10_000 } else { 2_000 };
    let (dashcam, release, kept) = stalled(|builder| builder);
    let server = Server::start(failing(&dashcam)).await;
    let clients = (0..CONNECTIONS).map(async |client| {
        let mut wire = Wire::open(&server).await;
        for n in 0..requests / CONNECTIONS {
            let path = PATHS[(client + n) % PATHS.len()];
            wire.send(format!(
                "POST {path} HTTP/1.1\r\nhost: test\r\ncontent-length: 4\r\n\r\nbody"
            ))
            .await;
            let answer = wire.answer().await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {} ", status_of(path))));
            assert!(field(&answer, "x-request-id").is_some());
        }
    });
    futures_util::future::join_all(clients).await;
    ended(&dashcam, requests as u64).await;
    assert_eq!(accounted(&dashcam), requests as u64);
    let status = dashcam.status();
    assert!(
        status.kept >= PATHS.len() as u64,
        "the first of each: {status:?}"
    );
    drop(release);
    flush(&dashcam);
    assert_eq!(
        (kept.len() as u64, dashcam.status().bytes_held),
        (status.kept, 0)
    );
    for path in PATHS {
        let kept = kept.exchanges();
        let first = kept.iter().find(|kept| kept.request.path == path).unwrap();
        assert_eq!(first.depth, Depth::Full);
    }
}

/// Panics this many times, then works.
struct Panics(u64, Memory);

impl Exporter for Panics {
    fn export(&mut self, exchange: &Exchange) -> Result<(), ExportError> {
        if self.0 > 0 {
            self.0 -= 1;
            panic!("the exporter is broken");
        }
        self.1.export(exchange)
    }
}

#[tokio::test]
async fn an_exporter_that_panics_loses_its_exchange_only() {
    let kept = Memory::new(100);
    let dashcam = built(|builder| builder.storm(no_storm()), Panics(3, kept.clone()));
    let app = failing(&dashcam);
    for n in 0..10 {
        assert_answered(&app, PATHS[0], n).await;
    }
    flush(&dashcam);
    let status = dashcam.status();
    assert_eq!(
        (status.kept, status.exported, status.exporter_panics),
        (10, 7, 3)
    );
    assert_eq!((kept.len(), status.bytes_held, status.in_flight), (7, 0, 0));
    assert_eq!(kept.exchanges()[0].correlation.id, "storm-3");
}

struct Fails;

impl Exporter for Fails {
    fn export(&mut self, _: &Exchange) -> Result<(), ExportError> {
        Err(ExportError::new("no"))
    }

    fn flush(&mut self) -> Result<(), ExportError> {
        Err(ExportError::new("not that either"))
    }

    fn health(&self) -> Health {
        Health::Degraded {
            why: "nothing works".to_owned(),
        }
    }
}

#[tokio::test]
async fn an_exporter_that_fails_is_counted() {
    let dashcam = built(|builder| builder.storm(no_storm()), Fails);
    let app = failing(&dashcam);
    for n in 0..10 {
        assert_answered(&app, PATHS[0], n).await;
    }
    assert!(!dashcam.flush(DEADLINE), "it cannot flush");
    let status = dashcam.status();
    assert_eq!((status.kept, status.exported), (10, 0));
    assert_eq!(status.dropped.export_failed, 10);
    assert_eq!((status.bytes_held, status.in_flight), (0, 0));
    assert!(matches!(status.exporter, Health::Degraded { why } if why == "nothing works"));
}

#[tokio::test]
async fn over_the_memory_limit_heads_are_kept() {
    let mut limits = Limits::default();
    limits.memory = 1024;
    let kept = Memory::new(100);
    let dashcam = built(
        |builder| builder.limits(limits).storm(no_storm()),
        kept.clone(),
    );
    let app = failing(&dashcam);
    for n in 0..10 {
        assert_answered(&app, PATHS[0], n).await;
        assert!(dashcam.status().bytes_held <= 1024);
    }
    flush(&dashcam);
    assert!(dashcam.status().memory_refused >= 20);
    assert_eq!(kept.len(), 10);
    for kept in kept.take() {
        let response = kept.response.unwrap();
        assert_eq!(
            (kept.request.path.as_str(), response.status),
            (PATHS[0], 500)
        );
        assert!(
            kept.request
                .headers
                .iter()
                .any(|field| field.0 == "x-request-id")
        );
        for (body, seen) in [(&kept.request.body, 4000), (&response.body, ANSWER as u64)] {
            let skipped = BodyState::Skipped {
                why: "memory_budget".to_owned(),
            };
            assert_eq!(body.state, skipped);
            assert_eq!((body.seen, body.kept, &body.content), (seen, 0, &None));
        }
        let missing: Vec<_> = kept
            .missing
            .iter()
            .map(|missing| (missing.what.as_str(), missing.why.as_str()))
            .collect();
        assert_eq!(
            missing,
            [
                ("request.body", "memory_budget"),
                ("response.body", "memory_budget")
            ]
        );
        // Every request has room for a few events, whatever the others hold.
        assert_eq!(kept.events.len(), 1);
        assert_eq!(kept.losses.events_dropped, 0);
    }
}

#[tokio::test]
async fn a_directory_that_cannot_be_written() {
    let place = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("storm-{}", std::process::id()));
    std::fs::write(&place, "a file, not a directory").unwrap();
    let builder = Dashcam::builder().service("storm", "1").storm(no_storm());
    let dashcam = builder.directory(&place).build().unwrap();
    let is_degraded = || {
        let exporter = dashcam.status().exporter;
        matches!(exporter, Health::Degraded { why } if why.contains("storm-"))
    };
    assert!(is_degraded(), "from the start");
    let app = failing(&dashcam);
    for n in 0..10 {
        assert_answered(&app, PATHS[0], n).await;
    }
    assert!(!dashcam.flush(DEADLINE), "all are held");
    assert!(is_degraded());
    assert_eq!(std::fs::read(&place).unwrap(), b"a file, not a directory");
    assert_eq!(dashcam.status().kept, 10);

    // Once it can be written, nothing is lost.
    std::fs::remove_file(&place).unwrap();
    holds("the exporter has recovered", || {
        assert!(dashcam.flush(DEADLINE));
        dashcam.status().exporter.is_ok()
    })
    .await;
    let written: Vec<_> = JsonLines::read(&place)
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let ids: Vec<_> = written
        .iter()
        .map(|kept| kept.correlation.id.clone())
        .collect();
    let expected: Vec<_> = (0..10).map(|n| format!("storm-{n}")).collect();
    assert_eq!(ids, expected);
    drop(dashcam);
    std::fs::remove_dir_all(&place).unwrap();
}

#[tokio::test]
async fn what_waits_for_the_exporter_holds_no_more_than_is_counted() {
    const BODY: usize = 1_000_000;
    alone!();
    let (dashcam, release, _kept) = stalled(|builder| builder.storm(no_storm()));
    let app = failing(&dashcam);
    let server = Server::start(app).await;
    let mut wire = Wire::open(&server).await;
    let body = "y".repeat(BODY);
    let mut send = async || {
        let head = "POST /first/500 HTTP/1.1\r\nhost: test\r\nx-request-id: from-outside\r\n";
        wire.send(format!("{head}content-length: {BODY}\r\n\r\n{body}"))
            .await;
        assert!(wire.answer().await.starts_with("HTTP/1.1 500 "));
    };
    // The server's buffers grow to their final size.
    for _ in 0..5 {
        send().await;
    }
    let growth = Growth::start();
    let before = dashcam.status().bytes_held;
    for _ in 0..50 {
        send().await;
    }
    let held = dashcam.status().bytes_held - before;
    println!("{} bytes more in use, {held} counted", growth.now());
    assert!(
        growth.now() < 2 * held,
        "{} bytes in use, {held} counted",
        growth.now()
    );
    drop(release);
    flush(&dashcam);
}
