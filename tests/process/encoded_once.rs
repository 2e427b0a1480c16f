//! The service's own formatting code runs once for an event, whoever wants it.

use crate::support_gate::Buffer;
use axum::{Router, body::Body, http::Request, routing::get};
use dashcam::Dashcam;
use std::{
    fmt,
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
    time::Duration,
};
use tower::ServiceExt;
use tracing_subscriber::layer::SubscriberExt;

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
    // One callsite, one place on the stack, and another value each time.
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
    let log = json.handle();
    let subscriber = tracing_subscriber::registry()
        .with(dashcam.gate(tracing::level_filters::LevelFilter::INFO))
        .with(json);
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let app: Router = Router::new().route("/", get(work)).layer(dashcam.layer());
    let answer = app.oneshot(Request::new(Body::empty())).await.unwrap();
    axum::body::to_bytes(answer.into_body(), 100).await.unwrap();

    // `shown`, `recorded`, three times `said`, and `inner`.
    assert_eq!(FORMATTED.load(SeqCst), 6);

    // Outside of requests nobody records, and what was in hand is of no use there.
    say(3);
    assert!(log.flush(Duration::from_secs(10)));
    let text = lines.text();
    for n in 0..4 {
        assert_eq!(text.matches(&format!("\"n\":{n}")).count(), 1, "{text}");
    }
    assert!(text.contains("inner") && text.contains("around"), "{text}");
    assert!(!text.contains("recorded"), "{text}");
}
