//! `sentry-tower`: the request's data in Sentry's events.

use crate::{
    support_net::keeping_all,
    world::{ask, assert_failed, get, only},
};
use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode},
    routing::any,
};
use dashcam::testing::TestDashcam;
use sentry_core::{
    Level, capture_message, configure_scope, protocol::Event, test::with_captured_events,
};
use sentry_tower::{NewSentryLayer, SentryHttpLayer};

/// A handler that reports a failure to Sentry.
fn app() -> Router {
    let handler = || async {
        if let Some(request) = dashcam::current() {
            let id = request.correlation_id().to_string();
            configure_scope(|scope| scope.set_tag("correlation_id", id));
        }
        capture_message("no stock", Level::Error);
        StatusCode::BAD_GATEWAY
    };
    Router::new().route("/", any(handler))
}

/// Sends a request in a process that has Sentry. Returns what Sentry got, the ID that the client
/// got, and what was kept.
fn told(place: impl FnOnce(&TestDashcam) -> Router) -> (Vec<Event<'static>>, String) {
    let mut id = String::new();
    let events = with_captured_events(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(async {
            let dashcam = keeping_all();
            let answer = ask(place(&dashcam), get("/")).await;
            let kept = only(&dashcam).await;
            answer.assert_id_of(&kept);
            assert_failed(&kept, 502);
            id = kept.correlation.id;
        });
    });
    (events, id)
}

fn header<'a>(event: &'a Event<'_>, name: &str) -> Option<&'a str> {
    let request = event.request.as_ref().unwrap();
    Some(request.headers.get(name)?)
}

#[test]
fn inside_sentry_sees_the_id_among_the_headers() {
    let (events, id) = told(|dashcam| {
        app()
            .layer(SentryHttpLayer::new())
            .layer(NewSentryLayer::<Request<Body>>::new_from_top())
            .layer(dashcam.layer())
    });
    assert_eq!(events.len(), 1);
    assert_eq!(header(&events[0], "x-request-id"), Some(id.as_str()));
    assert_eq!(events[0].tags["correlation_id"], id);
}

#[test]
fn outside_sentry_does_not_see_an_id_that_was_minted() {
    let (events, id) = told(|dashcam| {
        app()
            .layer(dashcam.layer())
            .layer(SentryHttpLayer::new())
            .layer(NewSentryLayer::<Request<Body>>::new_from_top())
    });
    assert_eq!(events.len(), 1);
    assert_eq!(header(&events[0], "x-request-id"), None);
    // The handler can still add it.
    assert_eq!(events[0].tags["correlation_id"], id);
}
