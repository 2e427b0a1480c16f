//! The sample of healthy requests has a budget of its own.

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode},
    routing::get,
};
use dashcam::{
    Dashcam,
    capture::{CaptureOptions, Limits, StormLimits},
    exchange::{Depth, Exchange, KeepReason},
    export::{ExportError, Exporter, Memory},
    kit::DashcamBuilder,
    testing::TestDashcam,
};
use std::{
    sync::mpsc::{Receiver, channel},
    time::{Duration, Instant},
};
use tower::ServiceExt;

const DEADLINE: Duration = Duration::from_secs(60);

async fn send(dashcam: &Dashcam, path: &str, times: usize) {
    let fails = || get(|| async { StatusCode::INTERNAL_SERVER_ERROR });
    let app = Router::new()
        .route("/ok", get(|| async { "hello" }))
        .route("/fails", fails())
        .route("/fails/too", fails())
        .route(
            "/asked",
            get(|| async {
                tracing::error!("not that bad");
                dashcam::keep("why");
                "hello"
            }),
        )
        .layer(dashcam.layer());
    for _ in 0..times {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        axum::body::to_bytes(response.into_body(), 1024)
            .await
            .unwrap();
    }
}

fn all(change: impl FnOnce(DashcamBuilder) -> DashcamBuilder) -> TestDashcam {
    let slow = Duration::from_secs(100_000);
    TestDashcam::with(|builder| change(builder.baseline(1.0).slow(slow)))
}

#[tokio::test]
async fn a_baseline_of_all_keeps_all_in_full() {
    let dashcam = all(|builder| builder);
    // In steps that the queue accepts, so that the exporter's speed does not matter.
    for _ in 0..10 {
        send(&dashcam, "/ok", 100).await;
        assert!(dashcam.flush(DEADLINE));
    }
    let kept = dashcam.kept();
    assert_eq!(kept.len(), 1_000);
    for exchange in &kept {
        assert_eq!(exchange.keep, [KeepReason::Baseline]);
        assert_eq!(exchange.depth, Depth::Full);
        assert_eq!(exchange.losses.suppressed_before, 0);
    }
    assert_eq!(dashcam.status().dropped, Default::default());
}

#[tokio::test]
#[cfg_attr(not(feature = "axum"), ignore = "needs routes of axum")]
async fn the_sample_takes_no_place_from_failures_nor_they_from_it() {
    let mut storm = StormLimits::default();
    (storm.full, storm.heads, storm.per_second) = (1, 1, 2);
    // The first of a signature is free. One more per second is not.
    let dashcam = all(|builder| builder.storm(storm));
    send(&dashcam, "/ok", 100).await;
    send(&dashcam, "/fails", 2).await;
    send(&dashcam, "/ok", 100).await;
    send(&dashcam, "/fails", 100).await;
    send(&dashcam, "/ok", 100).await;
    let kept = dashcam.kept();
    let of = |wanted| kept.iter().filter(|e| e.request.path == wanted).count();
    assert_eq!((of("/ok"), of("/fails")), (300, 2));
    let dropped = dashcam.status().dropped;
    assert_eq!((dropped.suppressed, dropped.sampled_out), (100, 0));
}

/// Other reasons have smaller budgets, and take nothing from the sample.
#[tokio::test]
async fn what_is_kept_for_something_else_is_of_the_sample_too() {
    let mut storm = StormLimits::default();
    (storm.full, storm.heads, storm.per_second) = (1, 1, 2);
    let dashcam = all(|builder| builder.storm(storm).slow(Duration::ZERO));
    send(&dashcam, "/asked", 100).await;
    send(&dashcam, "/ok", 100).await;
    let kept = dashcam.kept();
    assert_eq!(kept.len(), 200);
    for exchange in &kept {
        assert!(exchange.keep.len() > 1 && exchange.keep.contains(&KeepReason::Baseline));
        assert_eq!(exchange.depth, Depth::Full);
    }
    assert_eq!(dashcam.status().dropped, Default::default());
    // Over its own budget it has the chance of the others.
    let mut limits = Limits::default();
    limits.baseline_per_second = 0;
    let dashcam = all(|builder| builder.limits(limits).slow(Duration::ZERO));
    send(&dashcam, "/asked", 3).await;
    let kept = dashcam.kept();
    assert_eq!(kept.len(), 3);
    let drawn = |e: &&Exchange| e.keep.contains(&KeepReason::Baseline);
    assert_eq!(kept.iter().filter(drawn).count(), 0);
    assert_eq!(dashcam.status().dropped.sampled_out, 0);
}

#[tokio::test]
async fn what_is_over_its_own_limits_is_counted_under_its_own_name() {
    let mut limits = Limits::default();
    limits.baseline_per_second = 5;
    let dashcam = all(|builder| builder.limits(limits));
    let began = Instant::now();
    send(&dashcam, "/ok", 200).await;
    let seconds = began.elapsed().as_secs() + 1;
    send(&dashcam, "/fails", 1).await;
    let kept = dashcam.kept();
    let sampled = kept.len() as u64 - 1;
    assert!(
        (5..=5 * (seconds + 1)).contains(&sampled),
        "{sampled} in {seconds} s"
    );
    assert_eq!(kept.last().unwrap().keep, [KeepReason::Outcome]);
    let dropped = dashcam.status().dropped;
    assert_eq!(
        (dropped.sampled_out, dropped.suppressed),
        (200 - sampled, 0)
    );

    let mut limits = Limits::default();
    limits.baseline_bytes_per_second = 1;
    let dashcam = all(|builder| builder.limits(limits));
    send(&dashcam, "/ok", 50).await;
    assert!(dashcam.status().dropped.sampled_out > 0);
}

/// Waits for its channel before every exchange, until the channel is closed.
struct Stalled(Receiver<()>, Memory);

impl Exporter for Stalled {
    fn export(&mut self, exchange: &Exchange) -> Result<(), ExportError> {
        let _ = self.0.recv();
        self.1.export(exchange)
    }
}

#[tokio::test]
#[cfg_attr(not(feature = "axum"), ignore = "needs routes of axum")]
async fn the_sample_leaves_half_of_the_queue_to_failures() {
    let (release, open) = channel();
    let kept = Memory::new(100);
    let mut limits = Limits::default();
    limits.queue = 8;
    let dashcam = Dashcam::builder()
        .service("test", "1")
        .limits(limits)
        .baseline(1.0);
    let dashcam = dashcam
        .exporter(Stalled(open, kept.clone()))
        .build()
        .unwrap();
    send(&dashcam, "/ok", 100).await;
    send(&dashcam, "/fails", 2).await;
    send(&dashcam, "/fails/too", 2).await;
    let dropped = dashcam.status().dropped;
    assert_eq!(dropped.queue_full, 0, "no failure is lost");
    assert!((95..=96).contains(&dropped.sampled_out), "{dropped:?}");
    drop(release);
    assert!(dashcam.flush(DEADLINE));
    let failures = kept
        .exchanges()
        .iter()
        .filter(|e| e.request.path != "/ok")
        .count();
    assert_eq!(failures, 4);
}

#[tokio::test]
async fn nothing_is_drawn_of_what_the_service_wants_not_kept() {
    let dashcam = all(|builder| builder.for_path("/ok", CaptureOptions::off()));
    send(&dashcam, "/ok", 10).await;
    assert!(dashcam.kept().is_empty());
}
