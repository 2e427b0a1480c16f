//! A message or a span that a callsite repeats is hidden if it must be, whatever the lines before
//! it show.

use crate::support_gate::{Body, Buffer, DEADLINE, Fixture};
use dashcam::lifecycle::RequestBody;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use std::convert::Infallible;
use tower::{Layer as _, ServiceExt, service_fn};
use tracing_subscriber::{EnvFilter, prelude::*};

/// No detector can recognize it.
const WORD: &str = "walnut grove";

#[inline(never)]
fn say() {
    let word = WORD.to_owned(); // a literal would stay
    let _span = tracing::info_span!("work", note = word).entered();
    tracing::info!(field = word, "got {word}");
}

fn request(header: &str) -> Request<Body> {
    let request = Request::get("/").header("authorization", header);
    request.body(Body::default()).unwrap()
}

/// Returns whether the word is on a line, in all of its places or in none.
fn shows(line: &Value) -> bool {
    let places = [
        &line["message"],
        &line["fields"]["field"],
        &line["spans"][0]["fields"]["note"],
    ];
    let shown = places.map(|place| place.as_str().unwrap().contains(WORD));
    assert!(shown.iter().all(|s| *s == shown[0]), "{line}");
    shown[0]
}

#[test]
fn what_was_shown_before_is_hidden_in_the_request_that_hides_it() {
    let (fixture, buffer) = (Fixture::new(), Buffer::default());
    let subscriber = tracing_subscriber::registry()
        .with(fixture.dashcam.gate(EnvFilter::new("info")))
        .with(fixture.dashcam.json_log_to(buffer.clone()).unwrap());
    tracing::subscriber::with_default(subscriber, || {
        let call = |header: &str| {
            fixture.call(request(header), StatusCode::OK, || {
                say();
                say();
            });
        };
        say();
        call("Bearer other-value-0");
        call(&format!("Bearer {WORD}"));
        call("Bearer other-value-1");
        call(&format!("Bearer {WORD}"));
        say();
    });
    assert!(fixture.dashcam.flush(DEADLINE));
    let mut lines = buffer.lines();
    lines.retain(|line| line["target"] == module_path!());
    let shown: Vec<_> = lines.iter().map(shows).collect();
    let expected = [
        true, true, true, false, false, true, true, false, false, true,
    ];
    assert_eq!(shown, expected);
    let hidden = [3, 4, 7, 8].map(|n| lines[n]["fields"]["field"].clone());
    assert!(hidden.iter().all(|h| *h == hidden[0]), "{hidden:?}");
}

#[test]
fn what_becomes_known_while_a_request_runs_is_hidden_from_then_on() {
    let (fixture, buffer) = (Fixture::new(), Buffer::default());
    let subscriber = tracing_subscriber::registry()
        .with(fixture.dashcam.gate(EnvFilter::new("info")))
        .with(fixture.dashcam.json_log_to(buffer.clone()).unwrap());
    let dashcam = &fixture.dashcam;
    let service = dashcam.layer().layer(service_fn(
        |request: Request<RequestBody<Body>>| async move {
            say();
            // The line is written before the body comes.
            assert!(dashcam.flush(DEADLINE));
            request.into_body().collect().await.unwrap();
            say();
            Ok::<_, Infallible>(Response::new(Body::default()))
        },
    ));
    let request = Request::post("/")
        .header("content-type", "application/json")
        .body(Body::from(format!(r#"{{"comment":"{WORD}"}}"#)))
        .unwrap();
    tracing::subscriber::with_default(subscriber, || {
        tokio_test::block_on(service.oneshot(request)).unwrap();
    });
    assert!(fixture.dashcam.flush(DEADLINE));
    let mut lines = buffer.lines();
    lines.retain(|line| line["target"] == module_path!());
    assert_eq!(lines.iter().map(shows).collect::<Vec<_>>(), [true, false]);
}
