//! The ready-made stack over axum, in process.

use axum::{
    Json, Router,
    body::Body,
    http::{Request, Response, StatusCode, header},
    response::IntoResponse,
    routing::{get, post},
};
use dashcam::{
    correlation::CorrelationId,
    exchange::{BodyState, Content, KeepReason, Mode, Outcome},
    lifecycle::{PanicResponse, RequestBody},
    testing::TestDashcam,
};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::{
    convert::Infallible,
    future::Ready,
    sync::atomic::{AtomicBool, Ordering::SeqCst},
};
use tower::ServiceExt;

async fn send(app: Router, request: Request<Body>) -> (StatusCode, axum::http::HeaderMap, String) {
    let response = app.oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (
        parts.status,
        parts.headers,
        String::from_utf8_lossy(&body).into_owned(),
    )
}

fn get_request(uri: &str) -> Request<Body> {
    Request::get(uri).body(Body::empty()).unwrap()
}

#[tokio::test]
async fn a_failing_request_leaves_its_exchange() {
    let dashcam = TestDashcam::new();
    async fn order(Json(body): Json<Value>) -> (StatusCode, Json<Value>) {
        tracing::debug!(items = 2, "looked up");
        dashcam::decision!("pricing", rule = "vip", discount = 15);
        tracing::info!("done");
        (StatusCode::SERVICE_UNAVAILABLE, Json(json!({"echo": body})))
    }
    let app = Router::new()
        .route("/orders/{id}", post(order))
        .layer(dashcam.layer());
    let request = Request::post("/orders/42?access_token=hunter2hunter2")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(r#"{"customer":"Zoë Example","n":7}"#))
        .unwrap();
    let (status, headers, _) = send(app, request).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    let id = headers["x-request-id"].to_str().unwrap();

    let kept = dashcam.only();
    println!("{}", serde_json::to_string_pretty(&kept).unwrap());
    assert_eq!(kept.correlation.id, id);
    assert_eq!(kept.outcome.as_str(), "failed");
    assert_eq!(kept.keep, [KeepReason::Outcome]);
    assert_eq!(kept.mode, Mode::Recorded);
    assert_eq!(kept.request.route.as_deref(), Some("/orders/{id}"));
    assert_eq!(kept.request.path, "/orders/42");
    assert_eq!(kept.request.body.state, BodyState::Complete);
    let Some(Content::Text { text, .. }) = &kept.request.body.content else {
        panic!("{:?}", kept.request.body)
    };
    assert!(text.contains(r#""n":7"#) && !text.contains("Zoë"));
    let messages: Vec<_> = kept.events.iter().map(|e| e.message.as_deref()).collect();
    assert_eq!(messages, [Some("looked up"), Some("done")]);
    assert_eq!(kept.decisions[0].name, "pricing");
    assert_eq!(kept.decisions[0].fields["discount"], 15);
    let all = serde_json::to_string(&kept).unwrap();
    assert!(!all.contains("hunter2"));
}

#[tokio::test]
async fn a_panic_is_answered_and_kept() {
    async fn cut() -> &'static str {
        panic!("cut inside of a character")
    }
    let dashcam = TestDashcam::new();
    let app = Router::new().route("/", get(cut)).layer(dashcam.layer());
    let (status, headers, body) = send(app, get_request("/")).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(headers[header::CONTENT_TYPE], "application/problem+json");
    let problem: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        problem["correlation_id"],
        headers["x-request-id"].to_str().unwrap()
    );
    let kept = dashcam.only();
    assert_eq!(kept.outcome, Outcome::Panicked);
    assert_eq!(kept.panic.unwrap().message, "cut inside of a character");
    assert_eq!(kept.response.unwrap().status, 500);
}

struct Envelope(fn(&CorrelationId) -> Option<Response<Body>>);

impl PanicResponse<Body> for Envelope {
    fn respond(&self, id: &CorrelationId) -> Option<Response<Body>> {
        (self.0)(id)
    }
}

/// Its drop panics, which its author did not intend.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

/// A service's own envelope. If it cannot be made, the plain response is sent.
#[tokio::test]
async fn a_panic_is_answered_as_the_service_says() {
    async fn cut() -> &'static str {
        panic!("cut inside of a character")
    }
    fn own(id: &CorrelationId) -> Option<Response<Body>> {
        let current = dashcam::current().unwrap();
        assert_eq!(current.correlation_id(), id);
        let body = Json(json!({ "error": { "request": id.as_str() } }));
        Some((StatusCode::BAD_GATEWAY, body).into_response())
    }
    let ask = |respond: fn(&CorrelationId) -> Option<Response<Body>>| async move {
        let dashcam = TestDashcam::new();
        let app = Router::new()
            .route("/", get(cut))
            .layer(dashcam.layer().panic_response(Envelope(respond)));
        let (status, headers, body) = send(app, get_request("/")).await;
        let kept = dashcam.only();
        assert_eq!(kept.outcome, Outcome::Panicked);
        assert_eq!(kept.panic.unwrap().message, "cut inside of a character");
        assert_eq!(kept.response.unwrap().status, status);
        assert_eq!(dashcam.status().in_flight, 0);
        (
            status,
            headers,
            serde_json::from_str::<Value>(&body).unwrap(),
        )
    };
    let (status, headers, body) = ask(own).await;
    assert_eq!(status, StatusCode::BAD_GATEWAY);
    let id = headers["x-request-id"].to_str().unwrap();
    assert_eq!(body, json!({ "error": { "request": id } }));

    let broken: [fn(&CorrelationId) -> Option<Response<Body>>; 3] = [
        |_| panic!("no envelope either"),
        |_| std::panic::panic_any(Bomb),
        |_| None,
    ];
    for respond in broken {
        let (status, headers, body) = ask(respond).await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(headers[header::CONTENT_TYPE], "application/problem+json");
        let id = headers["x-request-id"].to_str().unwrap();
        assert_eq!(body["correlation_id"], id);
    }
}

/// Its last clone is dropped with a request here, while the response is being made.
#[tokio::test]
async fn an_envelope_that_panics_as_it_goes_takes_no_answer_away() {
    struct Last(#[allow(dead_code, reason = "panics as it is dropped")] Bomb);
    impl PanicResponse<Body> for Last {
        fn respond(&self, _: &CorrelationId) -> Option<Response<Body>> {
            Some(StatusCode::BAD_GATEWAY.into_response())
        }
    }
    async fn fails() -> &'static str {
        panic!("on purpose")
    }
    let dashcam = TestDashcam::new();
    let layer = dashcam.layer().panic_response(Last(Bomb));
    let app = Router::new().route("/", get(fails)).layer(layer);
    let (status, ..) = send(app, get_request("/")).await;
    assert_eq!(status, StatusCode::BAD_GATEWAY);
    assert_eq!(dashcam.only().outcome, Outcome::Panicked);
}

/// Answers panics at first, and then does not: the request ends.
#[tokio::test]
async fn who_changes_his_mind_hangs_nobody() {
    struct Fickle(AtomicBool);
    impl PanicResponse<Body> for Fickle {
        fn answers(&self) -> bool {
            self.0.swap(false, SeqCst)
        }

        fn respond(&self, _: &CorrelationId) -> Option<Response<Body>> {
            None
        }
    }
    fn panics(_: Request<RequestBody<Body>>) -> Ready<Result<Response<Body>, Infallible>> {
        panic!("in call")
    }
    let dashcam = TestDashcam::new();
    let layer = dashcam
        .layer()
        .panic_response(Fickle(AtomicBool::new(true)));
    let service = tower::Layer::layer(&layer, tower::service_fn(panics));
    let panicked = tokio::spawn(service.oneshot(get_request("/"))).await;
    assert!(panicked.unwrap_err().is_panic());
    assert_eq!(dashcam.only().outcome, Outcome::Panicked);
}

#[tokio::test]
async fn who_leaves_a_stream_of_events_ends_it_well() {
    let dashcam = TestDashcam::new();
    let endless = || futures_util::stream::pending::<Result<axum::body::Bytes, Infallible>>();
    let app = Router::new()
        .route(
            "/events",
            get(move || async move {
                let kind = [(header::CONTENT_TYPE, "text/event-stream")];
                (kind, Body::from_stream(endless()))
            }),
        )
        .route(
            "/file",
            get(move || async move { Body::from_stream(endless()) }),
        )
        .layer(dashcam.layer());
    drop(app.clone().oneshot(get_request("/events")).await.unwrap());
    assert!(dashcam.kept().is_empty());
    drop(app.oneshot(get_request("/file")).await.unwrap());
    assert_eq!(dashcam.only().outcome, Outcome::Abandoned);
}

#[tokio::test]
async fn healthy_requests_leave_nothing_and_every_answer_has_an_id() {
    let dashcam = TestDashcam::new();
    let app = Router::new()
        .route("/", get(|id: CorrelationId| async move { id.to_string() }))
        .layer(dashcam.layer());
    let (status, headers, body) = send(app.clone(), get_request("/")).await;
    assert_eq!(
        (status, body.as_str()),
        (StatusCode::OK, headers["x-request-id"].to_str().unwrap())
    );
    let (status, headers, _) = send(app, get_request("/nowhere")).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(headers.contains_key("x-request-id"));
    assert!(dashcam.kept().is_empty());
    assert_eq!(dashcam.status().in_flight, 0);
}

#[tokio::test]
async fn a_body_that_http_does_not_send_is_not_missed() {
    let dashcam = TestDashcam::new();
    let service = tower::ServiceBuilder::new()
        .layer(dashcam.layer())
        .service(tower::service_fn(async |request: Request<_>| {
            let _: Request<dashcam::lifecycle::RequestBody<Body>> = request;
            Ok::<_, Infallible>(Response::new(Body::from("not sent")))
        }));
    let head = Request::head("/").body(Body::empty()).unwrap();
    // As in hyper: the head is sent, the body dropped.
    drop(service.oneshot(head).await.unwrap());
    for status in [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED] {
        let app = Router::new()
            .route("/", get(move || async move { (status, "not sent") }))
            .layer(dashcam.layer());
        drop(app.oneshot(get_request("/")).await.unwrap());
    }
    assert!(dashcam.kept().is_empty());
    assert_eq!(dashcam.status().finished, 3);
}

#[tokio::test]
async fn an_answer_without_a_body_by_protocol_is_not_abandoned() {
    let dashcam = TestDashcam::new();
    let empty = [(header::ETAG, "\"1\"")];
    let app = Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/204", get(|| async { (StatusCode::NO_CONTENT, "gone") }))
        .route(
            "/304",
            get(move || async move { (StatusCode::NOT_MODIFIED, empty, "old") }),
        )
        .layer(dashcam.layer());
    for (method, path) in [
        ("HEAD", "/"),
        ("HEAD", "/304"),
        ("GET", "/204"),
        ("GET", "/304"),
    ] {
        let request = Request::builder().method(method).uri(path);
        let request = request.body(Body::empty()).unwrap();
        // As on a server: the body is not polled.
        drop(app.clone().oneshot(request).await.unwrap());
    }
    let kept = dashcam.kept();
    assert!(kept.is_empty(), "{kept:#?}");
    assert_eq!(dashcam.status().finished, 4);

    let request = get_request("/");
    drop(app.oneshot(request).await.unwrap());
    assert_eq!(dashcam.only().outcome, Outcome::Abandoned);
}

#[tokio::test]
async fn an_answered_panic_is_one_whoever_reads_the_answer() {
    async fn cut() -> &'static str {
        panic!("cut")
    }
    let dashcam = TestDashcam::new();
    let app = Router::new().route("/", get(cut)).layer(dashcam.layer());
    let request = Request::head("/").body(Body::empty()).unwrap();
    drop(app.clone().oneshot(request).await.unwrap());
    drop(app.oneshot(get_request("/")).await.unwrap());
    let outcomes = dashcam.kept().into_iter().map(|kept| kept.outcome);
    assert_eq!(
        outcomes.collect::<Vec<_>>(),
        [Outcome::Panicked, Outcome::Panicked]
    );
}
