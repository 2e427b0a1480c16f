//! Options on a builder, a route, a request and a response.

use super::{capture, kept, text};
use axum::{
    Extension, Router,
    body::Body,
    response::IntoResponse,
    routing::{get, post},
};
use dashcam::{
    capture::CaptureOptions,
    exchange::{BodyState, Exchange, KeepReason},
};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use tower::ServiceExt;

fn app() -> Router {
    Router::new()
        .route("/echo", post(|body: String| async { body }))
        .route(
            "/off",
            post(|body: String| async { body }).route_layer(CaptureOptions::off()),
        )
        .route(
            "/short",
            post(|body: String| async { body })
                .route_layer(CaptureOptions::new().request_body(3).response_body(5)),
        )
        .route(
            "/answer",
            get(|| async {
                dashcam::keep("never mind");
                (Extension(CaptureOptions::off()), "secret")
            }),
        )
        .route(
            "/image",
            get(|| async { ([("content-type", "image/png")], "png").into_response() }),
        )
        .route("/health", get(|| async { StatusCode::SERVICE_UNAVAILABLE }))
}

async fn send(app: Router, method: &str, path: &str, body: &'static str) -> StatusCode {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", "application/json")
        .body(Body::from(body))
        .unwrap();
    let response = app.oneshot(request).await.unwrap();
    let status = response.status();
    response.into_body().collect().await.unwrap();
    status
}

fn states(exchange: &Exchange) -> (BodyState, u64, BodyState, u64) {
    let response = exchange.response.as_ref().unwrap();
    let (request, response) = (&exchange.request.body, &response.body);
    (
        request.state.clone(),
        request.kept,
        response.state.clone(),
        response.kept,
    )
}

fn skipped() -> BodyState {
    BodyState::Skipped {
        why: "options".to_owned(),
    }
}

#[tokio::test]
async fn a_route_says_how_much_of_it_is_captured() {
    let (layer, memory) = capture(|builder| builder.baseline(1.0));
    let app = app().layer(layer.clone());
    for path in ["/echo", "/off", "/short"] {
        send(app.clone(), "POST", path, "[1,2,3]").await;
    }
    let kept = kept(&layer, &memory);
    assert_eq!(kept.len(), 2, "the route that is off is not kept");
    let complete = BodyState::Complete;
    assert_eq!(states(&kept[0]), (complete.clone(), 7, complete, 7));
    let truncated = BodyState::Truncated;
    assert_eq!(states(&kept[1]), (truncated.clone(), 3, truncated, 5));
    assert_eq!(kept[1].request.body.seen, 7, "the rest is counted");
}

#[tokio::test]
#[cfg_attr(not(feature = "axum"), ignore = "needs routes of axum")]
async fn a_handler_says_so_in_its_answer_and_keep_does_not_win_over_it() {
    let (layer, memory) = capture(|builder| builder.baseline(1.0));
    let app = app().layer(layer.clone());
    assert_eq!(send(app.clone(), "GET", "/answer", "").await, 200);
    assert_eq!(send(app, "GET", "/image", "").await, 200);
    let kept = kept(&layer, &memory);
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].request.path, "/image");
}

#[tokio::test]
async fn paths_and_media_types_are_left_out() {
    let (layer, memory) = capture(|builder| {
        builder
            .baseline(1.0)
            .for_path("/health", CaptureOptions::off())
            .for_path("/im*", CaptureOptions::new().content_types(["text/*"]))
    });
    let app = app().layer(layer.clone());
    assert_eq!(send(app.clone(), "GET", "/health", "").await, 503);
    send(app.clone(), "GET", "/image", "").await;
    send(app, "POST", "/echo", "[1]").await;
    let kept = kept(&layer, &memory);
    assert_eq!(kept.len(), 2);
    assert_eq!(kept[0].response.as_ref().unwrap().body.state, skipped());
    assert_eq!(kept[0].response.as_ref().unwrap().body.seen, 3);
    assert_eq!(text(&kept[1].request.body), "[1]");
}

#[tokio::test]
async fn a_layer_further_out_says_it_with_an_extension() {
    let (layer, memory) = capture(|builder| builder.baseline(1.0));
    let app = app()
        .layer(layer.clone())
        .layer(CaptureOptions::heads())
        .layer(Extension(CaptureOptions::new().body(1)));
    send(app, "POST", "/echo", "[1,2,3]").await;
    let kept = kept(&layer, &memory);
    assert_eq!(states(&kept[0]), (skipped(), 0, skipped(), 0));
    assert_eq!(kept[0].request.body.seen, 7);
}

#[tokio::test]
async fn what_was_captured_before_the_answer_forbids_it_is_given_back() {
    let (layer, memory) = capture(|builder| builder.baseline(1.0));
    let app = Router::new()
        .route(
            "/",
            post(|_: String| async { (Extension(CaptureOptions::heads()), "answer") }),
        )
        .layer(layer.clone());
    send(app, "POST", "/", "[1,2,3]").await;
    let kept = kept(&layer, &memory);
    assert_eq!(states(&kept[0]), (skipped(), 0, skipped(), 0));
}

#[tokio::test]
async fn a_closure_keeps_what_nothing_else_would() {
    let (layer, memory) = capture(|builder| {
        builder.keep_when(|request| match request.path() {
            "/panics" => panic!("no opinion"),
            "/echo" => (request.request_bytes() == 7 && request.status()? == 200)
                .then(|| format!("seven bytes on {}", request.route().unwrap_or("?"))),
            _ => None,
        })
    });
    let app = app()
        .route("/panics", get(|| async { "fine" }))
        .layer(layer.clone());
    for (method, path, body) in [
        ("POST", "/echo", "[1,2,3]"),
        ("POST", "/echo", "[1,2]"),
        ("POST", "/short", "[1,2,3]"),
        ("GET", "/panics", ""),
    ] {
        assert_eq!(send(app.clone(), method, path, body).await, 200);
    }
    let kept = kept(&layer, &memory);
    assert_eq!(kept.len(), 1);
    let KeepReason::Condition { why } = &kept[0].keep[0] else {
        panic!("{:?}", kept[0].keep);
    };
    assert!(why.starts_with("seven bytes on"), "{why}");
}

#[tokio::test]
async fn a_closure_sees_the_headers_of_the_response() {
    let (layer, memory) = capture(|builder| {
        builder.keep_when(|request| {
            assert_eq!(request.response_header("x-not-there"), None);
            request.response_header("x-fallback")
        })
    });
    let answer = |said: Option<&'static str>| {
        let headers = said.map(|said| [("x-fallback", said)]);
        move || async move { (headers.map(axum::response::AppendHeaders), "fine") }
    };
    let app = Router::new()
        .route("/with", get(answer(Some("cache"))))
        .route("/without", get(answer(None)))
        .layer(layer.clone());
    for path in ["/without", "/with"] {
        assert_eq!(send(app.clone(), "GET", path, "").await, 200);
    }
    let kept = kept(&layer, &memory);
    assert_eq!(kept.len(), 1);
    // A value of the response is hidden as such, wherever it is.
    let KeepReason::Condition { why } = &kept[0].keep[0] else {
        panic!("{:?}", kept[0].keep);
    };
    assert!(why.starts_with("[~"), "{why}");
}
