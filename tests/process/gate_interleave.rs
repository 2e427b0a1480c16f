//! Concurrent requests, and work that outlives them.

use crate::support_gate::{Fixture, Output, Seen, messages, request};
use dashcam::context::{InRequestExt, in_request};
use http::{Request, StatusCode};
use std::sync::{Arc, OnceLock, mpsc};
use tokio::{sync::oneshot, task::yield_now};
use tracing::Level;
use tracing_subscriber::{EnvFilter, prelude::*};

const FAILED: StatusCode = StatusCode::BAD_GATEWAY;

/// One subscriber for the process, whichever test comes first.
fn outputs() -> &'static Seen {
    static SEEN: OnceLock<Seen> = OnceLock::new();
    SEEN.get_or_init(|| {
        let seen = Seen::default();
        tracing_subscriber::registry()
            .with(seen.clone())
            .with(dashcam::gate::Gate::new(EnvFilter::new("info")))
            .init();
        seen
    })
}

fn numbered(request: u64) -> Request<crate::support_gate::Body> {
    Request::get(format!("/{request}"))
        .header("x-request-id", format!("request-{request}"))
        .body(crate::support_gate::Body::default())
        .unwrap()
}

/// The work of each request: events that name it, with pauses between.
async fn work(request: u64, steps: u64) -> StatusCode {
    for step in 0..steps {
        if step % 3 == 0 {
            tracing::info!(request, step, "step");
        } else {
            tracing::debug!(request, step, "step");
        }
        for _ in 0..=(request + step) % 3 {
            yield_now().await;
        }
        // After a pause, this must still be the same request.
        let id = dashcam::current().unwrap().correlation_id().to_string();
        assert_eq!(id, format!("request-{request}"));
    }
    if request % 3 == 2 {
        StatusCode::OK
    } else {
        FAILED
    }
}

fn check(fixture: &Fixture, requests: u64, steps: u64) {
    let kept = fixture.take();
    let mut seen: Vec<u64> = Vec::new();
    for exchange in &kept {
        let id = exchange.correlation.id.strip_prefix("request-").unwrap();
        let request: u64 = id.parse().unwrap();
        seen.push(request);
        let events: Vec<_> = exchange
            .events
            .iter()
            .map(|e| (e.fields["request"].as_u64(), e.fields["step"].as_u64()))
            .collect();
        let own: Vec<_> = (0..steps).map(|step| (Some(request), Some(step))).collect();
        assert_eq!(events, own, "request {request}");
        assert!(exchange.events.is_sorted_by_key(|e| e.at_us));
    }
    seen.sort_unstable();
    let failed: Vec<_> = (0..requests).filter(|r| r % 3 != 2).collect();
    assert_eq!(seen, failed);
    assert_eq!(fixture.dashcam.status().in_flight, 0);
    assert_eq!(fixture.dashcam.status().bytes_held, 0);
}

#[tokio::test]
async fn two_requests_on_one_thread() {
    alone!();
    outputs();
    let fixture = Fixture::new();
    futures_util::future::join(
        fixture.serve(numbered(0), work(0, 20)),
        fixture.serve(numbered(1), work(1, 20)),
    )
    .await;
    check(&fixture, 2, 20);
}

#[tokio::test]
async fn many_requests_on_one_thread() {
    alone!();
    outputs();
    let fixture = Fixture::new();
    // More than once, so that contexts are reused.
    for _ in 0..3 {
        let requests = (0..100).map(|n| fixture.serve(numbered(n), work(n, 10)));
        futures_util::future::join_all(requests).await;
        check(&fixture, 100, 10);
        assert!(!tracing::enabled!(Level::DEBUG), "between the requests");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_requests_on_many_threads() {
    alone!();
    outputs();
    let fixture = Arc::new(Fixture::new());
    for _ in 0..3 {
        let requests: Vec<_> = (0..100)
            .map(|n| {
                let fixture = Arc::clone(&fixture);
                tokio::spawn(async move { fixture.serve(numbered(n), work(n, 20)).await })
            })
            .collect();
        for request in requests {
            request.await.unwrap();
        }
        check(&fixture, 100, 20);
    }
}

#[tokio::test]
async fn abandoned_requests_keep_to_themselves() {
    alone!();
    outputs();
    let fixture = Fixture::new();
    for n in 0..20 {
        let mut abandoned = tokio_test::task::spawn(fixture.serve(numbered(n), async {
            tracing::debug!("begun");
            std::future::pending().await
        }));
        assert!(abandoned.poll().is_pending());
        assert!(!tracing::enabled!(Level::DEBUG), "between its polls");
        drop(abandoned);
        let exchange = fixture.only();
        assert_eq!(exchange.outcome.as_str(), "abandoned");
        assert_eq!(messages(&exchange), ["begun"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_elsewhere_joins_only_where_asked_to() {
    alone!();
    let seen = outputs();
    let fixture = Fixture::new();
    fixture
        .serve(request(), async {
            tracing::debug!("here");
            let task = async {
                yield_now().await;
                tracing::debug!("in a task");
            };
            tokio::spawn(task.in_request()).await.unwrap();
            tokio::task::spawn_blocking(in_request(|| tracing::debug!("blocking")))
                .await
                .unwrap();
            let thread = in_request(|| tracing::debug!("in a thread"));
            std::thread::spawn(thread).join().unwrap();
            tokio::spawn(async {
                assert!(!tracing::enabled!(Level::DEBUG));
                assert!(dashcam::current().is_none());
                tracing::debug!("plain task");
                tracing::info!("plain task, told");
            })
            .await
            .unwrap();
            std::thread::spawn(|| tracing::error!("plain thread"))
                .join()
                .unwrap();
            tracing::debug!("here again");
            FAILED
        })
        .await;
    assert_eq!(
        messages(&fixture.only()),
        ["here", "in a task", "blocking", "in a thread", "here again"]
    );
    assert_eq!(seen.count("plain task"), 0);
    assert_eq!(seen.count("plain task, told"), 1);
    assert_eq!(seen.count("plain thread"), 1);
    // Without a request there is nothing to join.
    async { assert!(dashcam::current().is_none()) }
        .in_request()
        .await;
    in_request(|| assert!(dashcam::current().is_none()))();
}

/// The only test here with late events: their count is per process.
#[tokio::test]
async fn late_events_are_counted_and_reach_nobody() {
    alone!();
    let seen = outputs();
    let fixture = Fixture::new();
    let late = || fixture.dashcam.status().late_events;
    assert_eq!(late(), 0);

    let mut strays = Vec::new();
    for _ in 0..10 {
        let (go, wait) = oneshot::channel::<()>();
        let stray = async move {
            wait.await.unwrap();
            assert!(dashcam::current().is_some());
            tracing::debug!("late debug");
            tracing::info!("late info");
        };
        let mut task = None;
        fixture
            .serve(request(), async {
                task = Some(tokio::spawn(stray.in_request()));
                yield_now().await;
                tracing::debug!("in time");
                FAILED
            })
            .await;
        assert_eq!(messages(&fixture.only()), ["in time"]);
        strays.push((go, task.unwrap()));
    }
    for (n, (go, task)) in strays.into_iter().enumerate() {
        // Another request runs while the stray emits events.
        fixture
            .serve(request(), async {
                tracing::debug!("before");
                go.send(()).unwrap();
                task.await.unwrap();
                tracing::debug!("after");
                FAILED
            })
            .await;
        assert_eq!(messages(&fixture.only()), ["before", "after"]);
        assert_eq!(late(), 2 * (n as u64 + 1));
    }
    assert_eq!(seen.count("late debug"), 0);
    assert_eq!(seen.count("late info"), 10, "the output does not lose it");

    // The same for a closure that still ran at the end of its request.
    let (go, wait) = mpsc::channel::<()>();
    let (begun, has_begun) = mpsc::channel::<()>();
    let mut thread = None;
    let slot = &mut thread;
    fixture
        .serve(request(), async move {
            *slot = Some(std::thread::spawn(in_request(move || {
                tracing::debug!("thread in time");
                begun.send(()).unwrap();
                wait.recv().unwrap();
                tracing::debug!("thread late");
                tracing::error!("thread late, told");
            })));
            has_begun.recv().unwrap();
            FAILED
        })
        .await;
    assert_eq!(messages(&fixture.only()), ["thread in time"]);
    go.send(()).unwrap();
    thread.unwrap().join().unwrap();
    assert_eq!(late(), 22);
    assert_eq!(seen.count("thread late"), 0);
    assert_eq!(seen.count("thread late, told"), 1);

    // Their contexts are free now, and clean.
    for n in 0..30 {
        let exchange = {
            fixture.serve(numbered(n), work(n, 0)).await;
            fixture
                .serve(request(), async {
                    tracing::debug!("clean");
                    FAILED
                })
                .await;
            fixture.take().pop().unwrap()
        };
        assert_eq!(messages(&exchange), ["clean"]);
        assert_eq!(exchange.losses.events_late, 0);
    }
    assert_eq!(late(), 22);
}
