//! An event belongs to the request in whose span it is emitted, on a thread without a current
//! request, such as a driver's own.

use crate::support_gate::{Buffer, DEADLINE, FAILED, Fixture, messages, request};
use dashcam::exchange::Exchange;
use serde_json::Value;
use std::thread;
use tracing::{Level, Span};
use tracing_subscriber::{EnvFilter, prelude::*};

/// The lines' output: the threads here share a subscriber.
fn installed() -> (Fixture, Buffer) {
    let (fixture, buffer) = (Fixture::new(), Buffer::default());
    tracing_subscriber::registry()
        .with(fixture.dashcam.gate(EnvFilter::new("info")))
        .with(fixture.dashcam.json_log_to(buffer.clone()).unwrap())
        .init();
    (fixture, buffer)
}

fn on_a_thread<R: Send>(f: impl FnOnce() -> R + Send) -> R {
    thread::scope(|scope| scope.spawn(f).join().unwrap())
}

fn ids(buffer: &Buffer, message: &str) -> Vec<Value> {
    let lines = buffer.with_message(message);
    lines.iter().map(|l| l["correlation_id"].clone()).collect()
}

fn id(exchange: &Exchange) -> Value {
    exchange.correlation.id.clone().into()
}

#[test]
fn a_drivers_thread_inside_the_callers_span() {
    alone!();
    let (fixture, buffer) = installed();
    let exchange = fixture.failing(|| {
        let span = tracing::info_span!("caller", table = "orders");
        on_a_thread(move || {
            tracing::info!("before the span");
            span.in_scope(|| {
                assert!(tracing::enabled!(Level::DEBUG));
                tracing::debug!(rows = 2, "statement");
                tracing::info_span!("inner").in_scope(|| tracing::info!("deeper"));
                // A span outside of requests, in which the thread is now.
                let _nobody = tracing::info_span!(parent: None, "nobody").entered();
                tracing::info!("of nobody");
            });
            tracing::debug!("after the span");
            tracing::info!("out again");
        });
    });
    assert!(fixture.dashcam.flush(DEADLINE));
    assert_eq!(messages(&exchange), ["statement", "deeper"]);
    let [statement, deeper] = &exchange.events[..] else {
        panic!("{exchange:#?}")
    };
    assert_eq!(statement.fields["rows"], 2);
    assert_eq!(statement.spans[0].name, "caller");
    assert_eq!(statement.spans[0].fields["table"], "orders");
    assert_eq!(deeper.spans[1].name, "inner");
    assert_ne!(statement.thread, None);
    assert_eq!(exchange.losses.events_late, 0);
    assert_eq!(ids(&buffer, "deeper"), [id(&exchange)]);
    for message in ["before the span", "of nobody", "out again"] {
        assert_eq!(ids(&buffer, message), [Value::Null], "{message}");
    }
}

#[test]
fn an_event_that_names_the_span_around_it() {
    alone!();
    let (fixture, buffer) = installed();
    let exchange = fixture.failing(|| {
        let span = Span::current();
        on_a_thread(move || {
            tracing::info!(parent: &span, "named");
            tracing::error!(parent: &span, "named error");
            tracing::info!("not named");
        });
    });
    assert!(fixture.dashcam.flush(DEADLINE));
    assert_eq!(messages(&exchange), ["named", "named error"]);
    let reasons: Vec<_> = exchange.keep.iter().map(ToString::to_string).collect();
    assert_eq!(reasons.len(), 2, "its status and the error: {reasons:?}");
    assert_eq!(ids(&buffer, "named"), [id(&exchange)]);
    assert_eq!(ids(&buffer, "not named"), [Value::Null]);
}

#[test]
fn a_task_of_the_runtime_in_the_requests_span() {
    alone!();
    use tracing::Instrument;
    let (fixture, _) = installed();
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    runtime.block_on(async {
        let handler = async {
            let work = async {
                tracing::debug!("first");
                tokio::task::yield_now().await;
                tracing::debug!("second");
            };
            tokio::spawn(work.in_current_span()).await.unwrap();
            FAILED
        };
        fixture.serve(request(), handler).await;
    });
    assert_eq!(messages(&fixture.only()), ["first", "second"]);
}

#[test]
fn the_current_request_goes_before_the_span() {
    alone!();
    let (fixture, _) = installed();
    let mut other = None;
    fixture.healthy(|| other = Some(tracing::info_span!("other")));
    let other = other.unwrap();
    let exchange = fixture.failing(|| other.in_scope(|| tracing::debug!("mine")));
    assert_eq!(messages(&exchange), ["mine"]);
}

/// Events after the end of the request are not its own, and a span that lives on holds nothing of
/// it.
#[test]
fn after_the_request_it_is_nobodys() {
    alone!();
    let (fixture, buffer) = installed();
    let late = fixture.dashcam.status().late_events;
    let (go, wait) = std::sync::mpsc::channel();
    let there = std::sync::Arc::new(std::sync::Barrier::new(2));
    let arrived = std::sync::Arc::clone(&there);
    let mut thread = None;
    let mut context = None;
    let exchange = fixture.failing(|| {
        let span = tracing::info_span!("outlives");
        context = dashcam::current();
        thread = Some(thread::spawn(move || {
            let entered = span.enter();
            tracing::debug!("in time");
            there.wait();
            wait.recv().unwrap();
            tracing::info!("too late");
            tracing::debug!("nobody records this");
            assert!(dashcam::current().is_none());
            drop(entered);
            span
        }));
        arrived.wait();
    });
    assert_eq!(messages(&exchange), ["in time"]);
    go.send(()).unwrap();
    let span = thread.unwrap().join().unwrap();
    span.in_scope(|| tracing::info!("much too late"));
    assert!(fixture.dashcam.flush(DEADLINE));
    assert_eq!(fixture.dashcam.status().late_events - late, 1);
    for message in ["too late", "much too late"] {
        assert_eq!(ids(&buffer, message), [Value::Null], "{message}");
    }
    drop(span);
}
