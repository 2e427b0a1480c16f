//! The layers of tower-http, in both versions in use.

use crate::{
    support_net::{assert_completed, keeping_all, keeping_all_with},
    world::{ask, assert_failed, assert_none_kept, field, get, messages, only, text},
};
use ::tower_http as tower_http_07;
use axum::{
    Extension, Json, Router,
    body::Body,
    http::{HeaderName, Request, StatusCode},
    middleware::map_request,
    routing::{any, post},
};
use bytes::Bytes;
use dashcam::{
    correlation::{CorrelationId, CorrelationIdLayer},
    exchange::{BodyState, CorrelationSource, KeepReason, Outcome},
    redact::Policy,
    testing::TestDashcam,
};
use flate2::{Compression, write::GzEncoder};
use futures_util::stream;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::{convert::Infallible, future::pending, io::Write, time::Duration};

fn hello() -> Router {
    Router::new()
        .route("/hello", any(|| async { "hello" }))
        .route("/fails", any(|| async { StatusCode::BAD_GATEWAY }))
        .route("/panics", any(panics))
        .route("/waits", any(pending::<()>))
        .route(
            "/length",
            post(|body: Bytes| async move { body.len().to_string() }),
        )
        .route(
            "/json",
            post(|Json(value): Json<Value>| async { Json(value) }),
        )
}

async fn panics() -> &'static str {
    panic!("before the answer")
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn post_json(path: &str, value: &Value) -> Request<Body> {
    Request::post(path)
        .header("content-type", "application/json")
        .body(Body::from(value.to_string()))
        .unwrap()
}

/// A body without a known length.
fn post_chunks(path: &str, chunks: usize) -> Request<Body> {
    let chunks = (0..chunks).map(|_| Ok::<_, Infallible>(Bytes::from_static(&[b'x'; 100])));
    let body = Body::from_stream(stream::iter(chunks));
    Request::post(path).body(body).unwrap()
}

/// A number is not hidden in an exchange.
fn order() -> Value {
    json!({ "quantity": 12 })
}

const STARTED: &str = "started processing request";
const FINISHED: &str = "finished processing request";

macro_rules! each_version {
    ($($name:ident: $version:ident),* $(,)?) => {$(
        mod $name {
            use super::*;
            use $version::{
                catch_panic::CatchPanicLayer,
                compression::CompressionLayer,
                decompression::RequestDecompressionLayer,
                limit::RequestBodyLimitLayer,
                request_id::{
                    MakeRequestUuid, PropagateRequestIdLayer, RequestId, SetRequestIdLayer,
                },
                sensitive_headers::{
                    SetSensitiveRequestHeadersLayer, SetSensitiveResponseHeadersLayer,
                },
                timeout::TimeoutLayer,
                trace::TraceLayer,
            };

            #[tokio::test]
            async fn events_of_trace_inside_belong_to_the_request() {
                let dashcam = keeping_all();
                let app = hello().layer(TraceLayer::new_for_http()).layer(dashcam.layer());
                let answer = ask(app, get("/hello")).await;
                let kept = only(&dashcam).await;
                answer.assert_id_of(&kept);
                assert_completed(&kept);
                assert_eq!(messages(&kept)[..2], [STARTED, FINISHED]);
            }

            #[tokio::test]
            async fn a_failure_seen_by_trace_inside_is_an_error_event_too() {
                let dashcam = TestDashcam::new();
                let app = hello().layer(TraceLayer::new_for_http()).layer(dashcam.layer());
                ask(app, get("/fails")).await;
                let kept = only(&dashcam).await;
                assert_failed(&kept, 502);
                assert_eq!(kept.keep, [KeepReason::Outcome, KeepReason::ErrorEvent]);
            }

            #[tokio::test]
            async fn trace_without_its_events_adds_none() {
                let dashcam = TestDashcam::new();
                let trace = TraceLayer::new_for_http();
                let trace = trace.on_request(()).on_response(()).on_failure(());
                let app = hello().layer(trace).layer(dashcam.layer());
                ask(app, get("/fails")).await;
                let kept = only(&dashcam).await;
                assert_failed(&kept, 502);
                assert!(kept.events.is_empty(), "{kept:#?}");
                assert_eq!(kept.keep, [KeepReason::Outcome]);
            }

            #[tokio::test]
            async fn events_of_trace_outside_belong_to_no_request() {
                let dashcam = TestDashcam::new();
                let app = hello().layer(dashcam.layer()).layer(TraceLayer::new_for_http());
                let answer = ask(app, get("/fails")).await;
                let kept = only(&dashcam).await;
                answer.assert_id_of(&kept);
                assert_failed(&kept, 502);
                assert!(kept.events.is_empty(), "{kept:#?}");
                assert_eq!(kept.keep, [KeepReason::Outcome]);
            }

            #[tokio::test]
            async fn a_panic_caught_inside_is_an_answer_like_others() {
                let dashcam = TestDashcam::new();
                let app = hello().layer(CatchPanicLayer::new()).layer(dashcam.layer());
                let answer = ask(app, get("/panics")).await;
                let kept = only(&dashcam).await;
                assert_eq!(answer.body, "Service panicked");
                answer.assert_id_of(&kept);
                assert_failed(&kept, 500);
                assert_eq!(kept.panic, None);
            }

            #[tokio::test]
            async fn a_panic_never_gets_to_a_layer_outside() {
                let dashcam = TestDashcam::new();
                let app = hello().layer(dashcam.layer()).layer(CatchPanicLayer::new());
                let answer = ask(app, get("/panics")).await;
                let kept = only(&dashcam).await;
                assert_eq!(answer.headers["content-type"], "application/problem+json");
                answer.assert_id_of(&kept);
                assert_eq!(kept.outcome, Outcome::Panicked);
            }

            #[tokio::test]
            async fn a_panic_that_goes_on_is_caught_outside() {
                let dashcam = TestDashcam::new();
                let layer = dashcam.layer().propagate_panics();
                let app = hello().layer(layer).layer(CatchPanicLayer::new());
                let answer = ask(app, get("/panics")).await;
                let kept = only(&dashcam).await;
                assert_eq!(answer.body, "Service panicked");
                assert_eq!(answer.id(), None);
                assert_eq!(kept.outcome, Outcome::Panicked);
                assert!(kept.panic.is_some());
            }

            fn timeout(status: StatusCode) -> TimeoutLayer {
                TimeoutLayer::with_status_code(status, Duration::from_millis(20))
            }

            #[tokio::test]
            async fn a_timeout_inside_is_an_answer_with_its_status() {
                let dashcam = keeping_all();
                let layer = timeout(StatusCode::REQUEST_TIMEOUT);
                let app = hello().layer(layer).layer(dashcam.layer());
                let answer = ask(app, get("/waits")).await;
                let kept = only(&dashcam).await;
                answer.assert_id_of(&kept);
                // The status is a client's fault, and so no reason to keep the exchange.
                assert_eq!(answer.status, StatusCode::REQUEST_TIMEOUT);
                assert_completed(&kept);
                assert_eq!(kept.keep, [KeepReason::Baseline]);

                let dashcam = TestDashcam::new();
                let layer = timeout(StatusCode::GATEWAY_TIMEOUT);
                let app = hello().layer(layer).layer(dashcam.layer());
                let answer = ask(app, get("/waits")).await;
                let kept = only(&dashcam).await;
                answer.assert_id_of(&kept);
                assert_failed(&kept, 504);
            }

            #[tokio::test]
            async fn a_timeout_outside_abandons_the_request() {
                let dashcam = TestDashcam::new();
                let layer = timeout(StatusCode::REQUEST_TIMEOUT);
                let app = hello().layer(dashcam.layer()).layer(layer);
                let answer = ask(app, get("/waits")).await;
                assert_eq!(answer.status, StatusCode::REQUEST_TIMEOUT);
                assert_eq!(answer.id(), None);
                let kept = only(&dashcam).await;
                assert_eq!(kept.outcome, Outcome::Abandoned);
                assert_eq!(kept.response, None);
            }

            #[tokio::test]
            async fn a_body_limit_inside_answers_with_the_id() {
                for request in [post_json("/length", &json!("x".repeat(200))), post_chunks("/length", 3)] {
                    let dashcam = keeping_all();
                    let app = hello().layer(RequestBodyLimitLayer::new(150)).layer(dashcam.layer());
                    let answer = ask(app, request).await;
                    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
                    let kept = only(&dashcam).await;
                    answer.assert_id_of(&kept);
                    assert_completed(&kept);
                    let state = &kept.request.body.state;
                    let unread = [BodyState::Unread, BodyState::PartlyRead];
                    assert!(unread.contains(state), "{state:?}");
                }
            }

            #[tokio::test]
            async fn a_body_limit_outside_answers_what_is_declared_without_a_trace() {
                let dashcam = keeping_all();
                let app = hello().layer(dashcam.layer()).layer(RequestBodyLimitLayer::new(150));
                let answer = ask(app, post_json("/length", &json!("x".repeat(200)))).await;
                assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
                assert_eq!(answer.id(), None);
                assert_none_kept(&dashcam, 0).await;
            }

            #[tokio::test]
            async fn a_body_limit_outside_is_an_error_of_a_body_that_grows() {
                let dashcam = keeping_all();
                let app = hello().layer(dashcam.layer()).layer(RequestBodyLimitLayer::new(150));
                let answer = ask(app, post_chunks("/length", 3)).await;
                // axum looks for the cause two errors deep, and no deeper, ...
                assert_eq!(answer.status, StatusCode::BAD_REQUEST);
                let kept = only(&dashcam).await;
                answer.assert_id_of(&kept);
                let state = &kept.request.body.state;
                assert!(matches!(state, BodyState::Error { .. }), "{state:?}");
                // ... whichever layer between them wraps the body.
                let wrap = map_request(|request: Request<Body>| async {
                    request.map(|body| Body::new(body.map_err(|error| error)))
                });
                let app = hello().layer(wrap).layer(RequestBodyLimitLayer::new(150));
                let answer = ask(app, post_chunks("/length", 3)).await;
                assert_eq!(answer.status, StatusCode::BAD_REQUEST);
            }

            #[tokio::test]
            async fn inside_of_compression_the_body_is_plain() {
                let dashcam = keeping_all();
                let app = hello().layer(dashcam.layer()).layer(CompressionLayer::new());
                let value = json!({ "quantity": 12, "padding": vec![0; 100] });
                let mut request = post_json("/json", &value);
                request.headers_mut().insert("accept-encoding", "gzip".parse().unwrap());
                let answer = ask(app, request).await;
                assert_eq!(answer.headers["content-encoding"], "gzip");
                let kept = only(&dashcam).await;
                answer.assert_id_of(&kept);
                let body = &kept.response.as_ref().unwrap().body;
                assert_eq!(body.content_encoding, None);
                assert!(text(body).unwrap().contains(r#""quantity":12"#));
            }

            #[tokio::test]
            async fn outside_of_compression_the_body_is_decoded_for_the_exchange() {
                let dashcam = keeping_all();
                let app = hello().layer(CompressionLayer::new()).layer(dashcam.layer());
                let value = json!({ "quantity": 12, "padding": vec![0; 100] });
                let mut request = post_json("/json", &value);
                request.headers_mut().insert("accept-encoding", "gzip".parse().unwrap());
                let answer = ask(app, request).await;
                assert_eq!(answer.headers["content-encoding"], "gzip");
                let kept = only(&dashcam).await;
                let body = &kept.response.as_ref().unwrap().body;
                assert_eq!(body.content_encoding.as_deref(), Some("gzip"));
                assert_eq!(body.seen, answer.body.len() as u64);
                assert!(text(body).unwrap().contains(r#""quantity":12"#));
            }

            fn encoded() -> Request<Body> {
                let mut request = post_json("/json", &order());
                let headers = request.headers_mut();
                headers.insert("content-encoding", "gzip".parse().unwrap());
                *request.body_mut() = Body::from(gzip(order().to_string().as_bytes()));
                request
            }

            #[tokio::test]
            async fn inside_of_decompression_the_body_is_plain() {
                let dashcam = keeping_all();
                let app = hello().layer(dashcam.layer()).layer(RequestDecompressionLayer::new());
                let answer = ask(app, encoded()).await;
                assert_eq!(answer.body, order().to_string());
                let kept = only(&dashcam).await;
                let body = &kept.request.body;
                assert_eq!(body.content_encoding, None);
                assert_eq!(text(body).unwrap(), order().to_string());
            }

            #[tokio::test]
            async fn outside_of_decompression_the_body_is_decoded_for_the_exchange() {
                let dashcam = keeping_all();
                let app = hello().layer(RequestDecompressionLayer::new()).layer(dashcam.layer());
                let answer = ask(app, encoded()).await;
                assert_eq!(answer.body, order().to_string());
                let kept = only(&dashcam).await;
                let body = &kept.request.body;
                assert_eq!(body.content_encoding.as_deref(), Some("gzip"));
                assert_eq!(text(body).unwrap(), order().to_string());
            }

            const NAME: HeaderName = HeaderName::from_static("x-region");

            /// Returns what the exchange has of one field of each head.
            async fn regions(change: impl FnOnce(Router, &TestDashcam) -> Router) -> [String; 2] {
                // A policy that shows values unless a name or a detector hides them.
                let dashcam = keeping_all_with(|builder| builder.policy(Policy::by_name()));
                let handler = || async { [(NAME, "north")] };
                let app = Router::new().route("/", any(handler));
                let request = Request::get("/").header(NAME, "south").body(Body::empty());
                ask(change(app, &dashcam), request.unwrap()).await;
                let kept = only(&dashcam).await;
                let response = kept.response.as_ref().unwrap();
                [&kept.request.headers, &response.headers]
                    .map(|fields| field(fields, NAME.as_str()).unwrap().to_owned())
            }

            fn marked() -> (SetSensitiveRequestHeadersLayer, SetSensitiveResponseHeadersLayer) {
                let names = [NAME];
                (
                    SetSensitiveRequestHeadersLayer::new(names.clone()),
                    SetSensitiveResponseHeadersLayer::new(names),
                )
            }

            #[tokio::test]
            async fn fields_that_nobody_marks_are_shown_by_that_policy() {
                let seen = regions(|app, dashcam| app.layer(dashcam.layer())).await;
                assert_eq!(seen, ["south", "north"]);
            }

            #[tokio::test]
            async fn requests_are_marked_outside_and_responses_inside() {
                let (request, response) = marked();
                let seen = regions(|app, dashcam| {
                    app.layer(response).layer(dashcam.layer()).layer(request)
                });
                let seen = seen.await;
                assert!(seen.iter().all(|value| value.starts_with("[~")), "{seen:?}");
            }

            #[tokio::test]
            async fn marks_on_the_other_side_come_too_late() {
                let (request, response) = marked();
                let seen = regions(|app, dashcam| {
                    app.layer(request).layer(dashcam.layer()).layer(response)
                });
                assert_eq!(seen.await, ["south", "north"]);
            }

            fn ids() -> Router {
                let handler = |Extension(id): Extension<RequestId>, ours: CorrelationId| async move {
                    let theirs = id.header_value().to_str().unwrap();
                    format!("{theirs} {ours}")
                };
                Router::new().route("/", any(handler))
            }

            #[tokio::test]
            async fn set_inside_the_request_id_is_the_correlation_id() {
                let dashcam = keeping_all();
                let app = ids()
                    .layer(PropagateRequestIdLayer::x_request_id())
                    .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
                    .layer(dashcam.layer());
                let answer = ask(app, get("/")).await;
                let kept = only(&dashcam).await;
                answer.assert_id_of(&kept);
                let id = &kept.correlation.id;
                assert_eq!(answer.body, format!("{id} {id}"));
                assert_eq!(kept.correlation.source, CorrelationSource::Minted);
                assert_eq!(answer.headers.get_all("x-request-id").iter().count(), 1);
            }

            #[tokio::test]
            async fn set_outside_the_request_id_becomes_the_correlation_id() {
                let dashcam = keeping_all();
                let app = ids()
                    .layer(dashcam.layer())
                    .layer(PropagateRequestIdLayer::x_request_id())
                    .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid));
                let answer = ask(app, get("/")).await;
                let kept = only(&dashcam).await;
                answer.assert_id_of(&kept);
                let id = &kept.correlation.id;
                assert_eq!(answer.body, format!("{id} {id}"));
                assert_eq!(kept.correlation.source, CorrelationSource::Header);
            }

            #[tokio::test]
            async fn at_the_edge_an_id_set_outside_is_that_of_a_client() {
                let layer = CorrelationIdLayer::new().edge(true);
                let dashcam = keeping_all_with(|builder| builder.correlation(layer));
                let app = ids()
                    .layer(dashcam.layer())
                    .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid));
                let answer = ask(app, get("/")).await;
                let kept = only(&dashcam).await;
                answer.assert_id_of(&kept);
                // The extension is unchanged.
                let theirs = kept.correlation.client_id.as_ref().unwrap();
                assert_eq!(answer.body, format!("{theirs} {}", kept.correlation.id));
            }
        }
    )*};
}

each_version! {
    v0_6: tower_http_06,
    v0_7: tower_http_07,
}

#[tokio::test]
async fn the_correlation_id_converts_into_a_request_id() {
    use tower_http_07::request_id::RequestId;
    let dashcam = keeping_all();
    let handler = |id: CorrelationId| async move {
        let id = RequestId::from(&id);
        id.header_value().to_str().unwrap().to_owned()
    };
    let app = Router::new()
        .route("/", any(handler))
        .layer(dashcam.layer());
    let answer = ask(app, get("/")).await;
    assert_eq!(answer.body, answer.id().unwrap());
}
