//! Calls that a service makes, over connections.

use super::{capture, chunks, kept};
use axum::{
    Router,
    body::Body,
    routing::{get, post},
};
use bytes::Bytes;
use dashcam::{
    capture::CaptureLayer,
    correlation::PropagateCorrelationIdLayer,
    exchange::{BodyState, Direction, Exchange, KeepReason, Outcome},
    lifecycle::RequestBody,
};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use std::net::SocketAddr;
use tower::{ServiceBuilder, ServiceExt};

/// A called service: it responds with its path, fails, or streams.
async fn upstream() -> SocketAddr {
    let app = Router::new()
        .route("/echo", post(|body: String| async { body }))
        .route("/fails", get(|| async { StatusCode::BAD_GATEWAY }))
        .route(
            "/long",
            get(|| async { Body::new(chunks(["one", "two", "three"])) }),
        );
    serve(app).await
}

async fn serve(app: Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    address
}

/// Sends one call through the client's stack, and reads this much of the response.
async fn call(layer: CaptureLayer, method: &str, uri: String, read: bool) -> Option<StatusCode> {
    let client = Client::builder(TokioExecutor::new()).build_http::<RequestBody<Full<Bytes>>>();
    let client = ServiceBuilder::new()
        .layer(PropagateCorrelationIdLayer::new())
        .layer(layer)
        .service(client);
    let request = Request::builder()
        .method(method)
        .uri(uri)
        .header("content-type", "application/json")
        .body(Full::from("[1,2,3]"))
        .unwrap();
    let response = client.oneshot(request).await.ok()?;
    let status = response.status();
    let mut body = response.into_body();
    if read {
        body.collect().await.unwrap();
    } else {
        body.frame().await.unwrap().unwrap();
    }
    Some(status)
}

/// A service behind the layer that makes these calls and responds with `status`.
fn caller(
    layer: &CaptureLayer,
    calls: &'static [(&str, &str)],
    to: SocketAddr,
    status: u16,
) -> Router {
    let client = layer.client();
    let handler = move || async move {
        for (method, path) in calls {
            call(client.clone(), method, format!("http://{to}{path}"), true).await;
        }
        StatusCode::from_u16(status).unwrap()
    };
    Router::new().route("/", get(handler)).layer(layer.clone())
}

async fn visit(app: Router) {
    let request = Request::get("/").header("x-request-id", "journey-1");
    let response = app
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    response.into_body().collect().await.unwrap();
}

fn of(exchanges: &[Exchange], direction: Direction) -> Vec<&Exchange> {
    let of = |exchange: &&Exchange| exchange.direction == direction;
    exchanges.iter().filter(of).collect()
}

#[tokio::test]
async fn a_call_is_kept_with_its_request() {
    let (layer, memory) = capture(|builder| builder);
    let to = upstream().await;
    visit(caller(&layer, &[("POST", "/echo")], to, 200)).await;
    assert!(kept(&layer, &memory).is_empty(), "nothing went wrong");
    visit(caller(&layer, &[("POST", "/echo")], to, 500)).await;
    let kept = kept(&layer, &memory);
    let [server] = of(&kept, Direction::Server)[..] else {
        panic!("{kept:#?}");
    };
    let [client] = of(&kept, Direction::Client)[..] else {
        panic!("{kept:#?}");
    };
    assert_eq!(client.keep, [KeepReason::Caller]);
    assert_eq!(client.outcome, Outcome::Completed);
    assert_eq!(client.correlation.id, "journey-1");
    assert_eq!(client.correlation.trace_id, server.correlation.trace_id);
    assert_eq!(client.correlation.parent_id, server.correlation.span_id);
    // The span is the one that the called service got.
    let sent = client.request.headers.iter().find(|h| h.0 == "traceparent");
    let span = client.correlation.span_id.as_deref().unwrap();
    assert!(sent.is_some_and(|sent| sent.1.contains(span)), "{sent:?}");
    let request = &client.request;
    assert_eq!(request.scheme.as_deref(), Some("http"));
    assert_eq!(request.authority, Some(to.to_string()));
    assert_eq!(request.method, "POST");
    assert!(request.path.starts_with("/[~"), "no template, so redacted");
    assert_eq!(
        (&request.body.state, request.body.seen),
        (&BodyState::Complete, 7)
    );
    let response = client.response.as_ref().unwrap();
    assert_eq!((response.status, response.body.seen), (200, 7));
    let timing = &client.timing;
    let points = [
        timing.request_first_byte_us,
        timing.request_last_byte_us,
        timing.headers_us,
        timing.first_byte_us,
        timing.last_byte_us,
        Some(timing.duration_us),
    ];
    assert!(points.iter().all(Option::is_some), "{timing:?}");
    assert!(points[2..].is_sorted(), "{timing:?}");
    assert!(points[..2].is_sorted(), "{timing:?}");
}

#[tokio::test]
async fn a_call_that_fails_is_kept_whatever_becomes_of_its_request() {
    let (layer, memory) = capture(|builder| builder);
    let to = upstream().await;
    visit(caller(&layer, &[("GET", "/fails")], to, 200)).await;
    let nobody = "127.0.0.1:1".parse().unwrap();
    visit(caller(&layer, &[("GET", "/echo")], nobody, 200)).await;
    let kept = kept(&layer, &memory);
    let clients = of(&kept, Direction::Client);
    assert_eq!((kept.len(), clients.len()), (2, 2));
    assert_eq!(clients[0].response.as_ref().unwrap().status, 502);
    assert!(clients[1].response.is_none());
    assert!(clients[1].error.is_some(), "the client's error");
    assert!(
        clients
            .iter()
            .all(|call| call.keep == [KeepReason::Outcome])
    );
}

#[tokio::test]
async fn of_many_calls_the_first_wait_and_the_rest_are_told() {
    static CALLS: [(&str, &str); 18] = [("POST", "/echo"); 18];
    let (layer, memory) = capture(|builder| builder);
    let to = upstream().await;
    visit(caller(&layer, &CALLS, to, 500)).await;
    let kept = kept(&layer, &memory);
    assert_eq!(of(&kept, Direction::Client).len(), 16);
    let missing = &of(&kept, Direction::Server)[0].missing;
    assert!(
        missing.iter().any(|m| m.what.starts_with("2 calls")),
        "{missing:?}"
    );
}

#[tokio::test]
async fn a_call_outside_of_any_request_and_an_answer_that_is_not_read_out() {
    let (layer, memory) = capture(|builder| builder);
    let to = upstream().await;
    let uri = |path| format!("http://{to}{path}");
    let status = call(layer.client(), "GET", uri("/long"), false).await;
    assert_eq!(status, Some(StatusCode::OK));
    assert_eq!(
        call(layer.client(), "GET", uri("/fails"), true)
            .await
            .unwrap(),
        502
    );
    let kept = kept(&layer, &memory);
    assert_eq!(kept.len(), 1, "reading as much as is wanted is no failure");
    assert_eq!(kept[0].response.as_ref().unwrap().status, 502);
}

#[tokio::test]
async fn the_code_inside_of_a_call_is_the_requests() {
    let (layer, memory) = capture(|builder| builder);
    let client = layer.client();
    let inside = move || async move {
        let seen = tower::service_fn(|_: Request<RequestBody<Full<Bytes>>>| async {
            dashcam::keep("from inside of the call");
            Ok::<_, std::convert::Infallible>(http::Response::new(Full::<Bytes>::default()))
        });
        let service = ServiceBuilder::new().layer(client).service(seen);
        service
            .oneshot(Request::new(Full::default()))
            .await
            .unwrap();
        "fine"
    };
    visit(Router::new().route("/", get(inside)).layer(layer.clone())).await;
    let kept = kept(&layer, &memory);
    let servers = of(&kept, Direction::Server);
    assert!(matches!(servers[0].keep[0], KeepReason::Asked { .. }));
    assert_eq!(of(&kept, Direction::Client)[0].keep, [KeepReason::Caller]);
}
