//! A layer of the service's own that panics wherever dashcam calls it.

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, StatusCode},
    routing::get,
};
use dashcam::testing::TestDashcam;
use std::{
    panic::panic_any,
    sync::{Arc, Mutex, OnceLock},
};
use tower::ServiceExt;
use tracing::{Event, Id, Subscriber, span::Attributes};
use tracing_subscriber::{
    EnvFilter,
    layer::{Context, Layer},
    prelude::*,
    registry::LookupSpan,
};

/// Panics as it is dropped, too.
struct Bomb(#[allow(dead_code, reason = "tells what leaks")] Arc<()>);

impl Drop for Bomb {
    fn drop(&mut self) {
        panic_any("dropped");
    }
}

static HELD: OnceLock<Arc<()>> = OnceLock::new();
static WHERE: Mutex<&str> = Mutex::new("");
static SEEN: Mutex<Vec<&str>> = Mutex::new(Vec::new());

struct Panicking;

fn at(place: &'static str) {
    if *WHERE.lock().unwrap() == place {
        SEEN.lock().unwrap().push(place);
        panic_any(Bomb(Arc::clone(HELD.get_or_init(Arc::default))));
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Panicking {
    fn on_new_span(&self, _: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        at("new span");
    }

    fn on_enter(&self, _: &Id, _: Context<'_, S>) {
        at("enter");
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "dashcam::request" {
            at("line");
        }
    }

    fn on_exit(&self, _: &Id, _: Context<'_, S>) {
        at("exit");
    }

    fn on_close(&self, _: Id, _: Context<'_, S>) {
        at("close");
    }
}

#[tokio::test]
async fn every_request_is_answered_and_kept() {
    alone!();
    let gate = dashcam::gate::Gate::new(EnvFilter::new("info"));
    tracing_subscriber::registry()
        .with(Panicking)
        .with(gate)
        .init();
    for place in ["new span", "enter", "line", "exit", "close"] {
        for answers in [true, false] {
            let dashcam = TestDashcam::new();
            let app = Router::new()
                .route(
                    "/",
                    get(move || async move {
                        tracing::debug!("on the way");
                        if !answers {
                            panic_any(Bomb(Arc::clone(HELD.get_or_init(Arc::default))));
                        }
                        StatusCode::BAD_GATEWAY
                    }),
                )
                .layer(dashcam.layer());
            *WHERE.lock().unwrap() = place;
            let response = app.oneshot(Request::new(Body::empty())).await.unwrap();
            let (parts, body) = response.into_parts();
            to_bytes(body, 1024).await.unwrap();
            *WHERE.lock().unwrap() = "";
            let status = if answers { 502 } else { 500 };
            assert_eq!(parts.status, status, "{place}");
            assert!(parts.headers.contains_key("x-request-id"));
            let outcome = if answers { "failed" } else { "panicked" };
            let kept = dashcam.only();
            assert_eq!(kept.outcome.as_str(), outcome, "{place}");
            assert_eq!(kept.events[0].message.as_deref(), Some("on the way"));
            assert_eq!(dashcam.status().in_flight, 0, "{place}");
            assert!(std::mem::take(&mut *SEEN.lock().unwrap()).contains(&place));
            // Nothing of the request is left on the thread.
            assert!(dashcam::current().is_none());
            assert!(tracing::Span::current().is_none(), "{place}");
        }
    }
    assert_eq!(HELD.get().map(Arc::strong_count), Some(1), "they leak");
}
