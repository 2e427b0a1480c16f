//! The service's formatting code runs once for an event, however many layers need it.

use crate::support_gate::Buffer;
use axum::{Router, body::Body, http::Request, routing::get};
use dashcam::{Dashcam, context::RequestContext, export::Memory};
use std::{
    fmt,
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};
use tower::ServiceExt;
use tracing::{
    Event,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, filter::dynamic_filter_fn, layer::Context, prelude::*};

static FORMATTED: AtomicUsize = AtomicUsize::new(0);

struct Counted(&'static str);

impl fmt::Debug for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        FORMATTED.fetch_add(1, SeqCst);
        f.write_str(self.0)
    }
}

/// A value that logs while it is formatted.
struct Logs;

impl fmt::Debug for Logs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        tracing::info!(inner = ?Counted("inner"), "within");
        f.write_str("logs")
    }
}

fn say(n: usize) {
    tracing::info!(value = ?Counted("said"), n, "said");
}

async fn work() {
    tracing::info!(value = ?Counted("shown"), "shown");
    tracing::debug!(value = ?Counted("recorded"), "recorded");
    // One callsite and one place on the stack, but another value each time.
    for n in 0..3 {
        say(n);
    }
    tracing::info!(outer = ?Logs, "around");
    dashcam::keep("to see it");
}

#[tokio::test]
async fn an_event_is_formatted_once() {
    alone!();
    let lines = Buffer::default();
    let dashcam = Dashcam::builder().in_memory(4).build().unwrap();
    let json = dashcam.json_log_to(lines.clone()).unwrap();
    let log = json.clone();
    let subscriber = tracing_subscriber::registry()
        .with(dashcam.gate(tracing::level_filters::LevelFilter::INFO))
        .with(json);
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let app: Router = Router::new().route("/", get(work)).layer(dashcam.layer());
    let answer = app.oneshot(Request::new(Body::empty())).await.unwrap();
    axum::body::to_bytes(answer.into_body(), 100).await.unwrap();

    // `shown`, `recorded`, three times `said`, and `inner`.
    assert_eq!(FORMATTED.load(SeqCst), 6);

    // Outside of requests nothing is recorded, and encoded fields cannot be reused there.
    say(3);
    assert!(log.flush(Duration::from_secs(10)));
    let text = lines.text();
    for n in 0..4 {
        assert_eq!(text.matches(&format!("\"n\":{n}")).count(), 1, "{text}");
    }
    assert!(text.contains("inner") && text.contains("around"), "{text}");
    assert!(!text.contains("recorded"), "{text}");
}

/// Whether the gate sees an event. The log sees the others.
static RECORDS: AtomicBool = AtomicBool::new(true);

/// One callsite, and one place on the stack for all its events.
#[inline(never)]
fn turn(n: usize) {
    RECORDS.store(n & 1 == 0, SeqCst);
    tracing::info!(n, "turn");
}

async fn turns() {
    for n in 0..4 {
        turn(n);
    }
    RECORDS.store(true, SeqCst);
    dashcam::keep("to see it");
}

async fn lines_where_the_gate_has_a_filter(outside: bool) {
    let lines = Buffer::default();
    let kept = Memory::new(4);
    let dashcam = Dashcam::builder().exporter(kept.clone()).build().unwrap();
    let json = dashcam.json_log_to(lines.clone()).unwrap();
    let log = json.clone();
    let gate = dashcam.gate(tracing::level_filters::LevelFilter::INFO);
    macro_rules! layered {
        ($first:expr, $second:expr) => {
            tracing_subscriber::registry()
                .with($first)
                .with($second)
                .init()
        };
    }
    macro_rules! gate {
        () => {
            gate.with_filter(dynamic_filter_fn(|_, _| RECORDS.load(SeqCst)))
        };
    }
    macro_rules! json {
        () => {
            json.with_filter(dynamic_filter_fn(|_, _| !RECORDS.load(SeqCst)))
        };
    }
    if outside {
        layered!(json!(), gate!());
    } else {
        layered!(gate!(), json!());
    }
    let app: Router = Router::new().route("/", get(turns)).layer(dashcam.layer());
    let answer = app.oneshot(Request::new(Body::empty())).await.unwrap();
    axum::body::to_bytes(answer.into_body(), 100).await.unwrap();
    assert!(log.flush(Duration::from_secs(10)));
    let text = lines.text();
    let said: Vec<_> = (0..4)
        .map(|n| text.matches(&format!("\"n\":{n}")).count())
        .collect();
    assert_eq!(said, [0, 1, 0, 1], "{text}");
    assert!(dashcam.flush(Duration::from_secs(10)));
    assert_eq!(kept.exchanges()[0].events.len(), 2);
}

#[tokio::test]
async fn a_line_has_its_own_values_where_the_gate_inside_has_a_filter() {
    alone!();
    lines_where_the_gate_has_a_filter(false).await;
}

#[tokio::test]
async fn a_line_has_its_own_values_where_the_gate_outside_has_a_filter() {
    alone!();
    lines_where_the_gate_has_a_filter(true).await;
}

/// A layer that refuses one event after the gate has recorded it, and panics at another.
struct Hostile;

impl<S: tracing::Subscriber> Layer<S> for Hostile {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        !is_turn(event, 1)
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        assert!(!is_turn(event, 3), "not this one");
    }
}

fn is_turn(event: &Event<'_>, wanted: u64) -> bool {
    struct Find(u64, bool);
    impl Visit for Find {
        fn record_u64(&mut self, _: &Field, value: u64) {
            self.1 |= value == self.0;
        }
        fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
    }
    let mut find = Find(wanted, false);
    event.record(&mut find);
    find.1
}

static REQUEST: OnceLock<RequestContext> = OnceLock::new();

async fn lend_request() -> &'static str {
    let request = dashcam::current().unwrap();
    request.keep("to see it");
    REQUEST.set(request).unwrap();
    "in flight until this is read"
}

#[tokio::test]
async fn what_no_line_was_made_of_is_in_no_other_line() {
    alone!();
    let outputs = [Buffer::default(), Buffer::default()];
    let kept = Memory::new(4);
    let dashcam = Dashcam::builder().exporter(kept.clone()).build().unwrap();
    let [first, second] = outputs.clone().map(|out| dashcam.json_log_to(out).unwrap());
    tracing_subscriber::registry()
        .with(Hostile)
        .with(first)
        .with(dashcam.gate(tracing::level_filters::LevelFilter::INFO))
        .with(second)
        .init();
    let app: Router = Router::new()
        .route("/", get(lend_request))
        .layer(dashcam.layer());
    let answer = app.oneshot(Request::new(Body::empty())).await.unwrap();
    // The request's encoded events are at the same address as those outside.
    for n in 0..6 {
        let turn = || std::panic::catch_unwind(|| turn(n)).is_err();
        let panicked = if n % 2 == 1 {
            REQUEST.get().unwrap().in_scope(turn)
        } else {
            turn()
        };
        assert_eq!(panicked, n == 3);
    }
    axum::body::to_bytes(answer.into_body(), 100).await.unwrap();
    assert!(dashcam.flush(Duration::from_secs(10)));
    for output in outputs {
        let text = output.text();
        let said = [0, 1, 2, 3, 4, 5].map(|n| text.matches(&format!("\"n\":{n}")).count());
        assert_eq!(said, [1, 0, 1, 0, 1, 1], "{text}");
    }
    assert_eq!(kept.exchanges()[0].events.len(), 3);
}
