//! One request through an axum router.

use crate::Case;
use axum::{
    Json, Router,
    body::Body,
    middleware::{Next, from_fn},
    routing::{get, post},
};
use dashcam::{Dashcam, capture::CaptureLayer, correlation::CorrelationIdLayer, export::Memory};
use http::{Request, Response};
use http_body_util::BodyExt;
use std::{
    future::Future,
    pin::pin,
    task::{self, Poll},
};
use tower::{Layer, Service, ServiceBuilder};
use tower_http::{
    request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer},
    trace::{DefaultMakeSpan, DefaultOnResponse, TraceLayer},
};
use tracing::Level;
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt};

pub(crate) fn cases() -> Vec<Case> {
    macro_rules! cases {
        ($($name:literal => $run:expr,)*) => { vec![$(Case { name: $name, run: $run },)*] };
    }
    cases! {
        "get/bare" => |go| drive(router(), get_request, go),
        "get/pass-through" => |go| drive(router().layer(PassThrough), get_request, go),
        "get/tower-http ids" => |go| drive(router().layer(ids()), get_request, go),
        "get/correlation ID" => |go| drive(router().layer(CorrelationIdLayer::new()), get_request, go),
        "get/tower-http ids, trace, one fmt JSON line" => |go| {
            fmt_json();
            drive(traced(), get_request, go);
        },
        "get/tower-http ids, trace, one json-subscriber line" => |go| {
            json_subscriber();
            drive(traced(), get_request, go);
        },
        "get/whole stack, recording, fmt JSON kept" => |go| {
            let (cam, app) = beside_fmt();
            drive(app, get_request, go);
            let _ = cam.flush(std::time::Duration::from_secs(60));
        },
        "get/whole stack, recording, one JSON line" => |go| {
            let (cam, app) = whole();
            drive(app, get_request, go);
            let _ = cam.flush(std::time::Duration::from_secs(60));
        },
        "post/bare" => |go| drive(router(), post_request, go),
        "post/pass-through" => |go| drive(router().layer(PassThrough), post_request, go),
        "post/captured, not kept" => |go| {
            let capture = CaptureLayer::builder("bench", "0").build(Memory::new(1)).unwrap();
            drive(router().layer(capture), post_request, go);
        },
        "post/both bodies buffered" => |go| {
            drive(router().layer(from_fn(print_bodies)), post_request, go);
        },
        "post/both bodies buffered and printed" => |go| {
            let subscriber = tracing_subscriber::registry()
                .with(EnvFilter::new("debug"))
                .with(fmt::layer().with_writer(std::io::sink));
            tracing::subscriber::set_global_default(subscriber).unwrap();
            drive(router().layer(from_fn(print_bodies)), post_request, go);
        },
        "post/tower-http ids, trace, one fmt JSON line" => |go| {
            fmt_json();
            drive(traced(), post_request, go);
        },
        "post/tower-http ids, trace, one json-subscriber line" => |go| {
            json_subscriber();
            drive(traced(), post_request, go);
        },
        "post/whole stack, recording, one JSON line" => |go| {
            let (cam, app) = whole();
            drive(app, post_request, go);
            let _ = cam.flush(std::time::Duration::from_secs(60));
        },
    }
}

fn router() -> Router {
    Router::new()
        .route("/orders/{id}", get(|| async { "an order" }))
        .route(
            "/orders",
            post(|Json(order): Json<serde_json::Value>| async move {
                order["lines"].as_array().map_or(0, Vec::len).to_string()
            }),
        )
}

fn ids() -> impl Layer<
    axum::routing::Route,
    Service = impl Service<
        Request<Body>,
        Response = Response<Body>,
        Error = std::convert::Infallible,
        Future = impl Future<Output = Result<Response<Body>, std::convert::Infallible>> + Send + 'static,
    > + Clone
              + Send
              + Sync
              + 'static,
> + Clone
+ Send
+ Sync
+ 'static {
    ServiceBuilder::new()
        .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
        .layer(PropagateRequestIdLayer::x_request_id())
}

/// Request IDs and one line per request, the usual setup of tower-http.
fn traced() -> Router {
    router().layer(
        ServiceBuilder::new()
            .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
            .layer(
                TraceLayer::new_for_http()
                    .make_span_with(DefaultMakeSpan::new().level(Level::INFO))
                    .on_request(())
                    .on_response(DefaultOnResponse::new().level(Level::INFO)),
            )
            .layer(PropagateRequestIdLayer::x_request_id()),
    )
}

/// A common middleware to see bodies: it reads both to the end, and prints them at DEBUG.
async fn print_bodies(request: Request<Body>, next: Next) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let bytes = print("request", body).await;
    let response = next
        .run(Request::from_parts(parts, Body::from(bytes)))
        .await;
    let (parts, body) = response.into_parts();
    let bytes = print("response", body).await;
    Response::from_parts(parts, Body::from(bytes))
}

async fn print(direction: &str, body: Body) -> bytes::Bytes {
    let bytes = body.collect().await.unwrap().to_bytes();
    if let Ok(text) = std::str::from_utf8(&bytes) {
        tracing::debug!("{direction} body = {text:?}");
    }
    bytes
}

fn fmt_json() {
    let subscriber = tracing_subscriber::registry()
        .with(EnvFilter::new("info"))
        .with(fmt::layer().json().with_writer(std::io::sink));
    tracing::subscriber::set_global_default(subscriber).unwrap();
}

fn json_subscriber() {
    let subscriber = tracing_subscriber::registry()
        .with(EnvFilter::new("info"))
        .with(json_subscriber::layer().with_writer(std::io::sink));
    tracing::subscriber::set_global_default(subscriber).unwrap();
}

/// A service that came from `EnvFilter`, `fmt` and `TraceLayer`, and keeps `fmt`.
fn beside_fmt() -> (Dashcam, Router) {
    let cam = Dashcam::builder().in_memory(1).build().unwrap();
    let subscriber = tracing_subscriber::registry()
        .with(cam.gate(EnvFilter::new("info")))
        .with(fmt::layer().json().with_writer(std::io::sink));
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let app = router().layer(cam.layer());
    (cam, app)
}

fn whole() -> (Dashcam, Router) {
    let cam = Dashcam::builder().in_memory(1).build().unwrap();
    let lines = cam.json_log_to(std::io::sink()).unwrap();
    let subscriber = tracing_subscriber::registry()
        .with(cam.gate(EnvFilter::new("info")))
        .with(lines);
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let app = router().layer(cam.layer());
    (cam, app)
}

fn get_request() -> Request<Body> {
    Request::get("/orders/42")
        .header("host", "localhost:3000")
        .header("user-agent", "bench/1.0")
        .header("accept", "*/*")
        .body(Body::empty())
        .unwrap()
}

fn post_request() -> Request<Body> {
    static BODY: std::sync::LazyLock<bytes::Bytes> = std::sync::LazyLock::new(|| {
        let line = r#"{"sku":"A-1042","quantity":3,"price":1999,"gift":false}"#;
        let lines = vec![line; 17].join(",");
        format!(r#"{{"customer":81023,"lines":[{lines}]}}"#).into()
    });
    Request::post("/orders")
        .header("host", "localhost:3000")
        .header("user-agent", "bench/1.0")
        .header("content-type", "application/json")
        .header("content-length", BODY.len())
        .body(Body::from(BODY.clone()))
        .unwrap()
}

/// Nothing in these stacks waits, so one poll is enough and no runtime counts.
fn drive(app: Router, request: fn() -> Request<Body>, go: &mut dyn FnMut(&mut dyn FnMut())) {
    // As with `axum::serve`: otherwise axum creates the layers anew for each request.
    let mut app = app.with_state(());
    let mut context = task::Context::from_waker(task::Waker::noop());
    go(&mut || {
        let response = {
            let mut future = pin!(app.call(request()));
            match future.as_mut().poll(&mut context) {
                Poll::Ready(response) => response.unwrap(),
                Poll::Pending => panic!("waits"),
            }
        };
        assert_eq!(response.status(), 200);
        let mut body = pin!(response.into_body().collect());
        match body.as_mut().poll(&mut context) {
            Poll::Ready(body) => drop(body.unwrap()),
            Poll::Pending => panic!("waits"),
        }
    });
}

/// A layer that does nothing: the cost of `Router::layer` itself.
#[derive(Clone)]
struct PassThrough;

impl<S> Layer<S> for PassThrough {
    type Service = PassService<S>;

    fn layer(&self, inner: S) -> PassService<S> {
        PassService(inner)
    }
}

#[derive(Clone)]
struct PassService<S>(S);

impl<S: Service<R>, R> Service<R> for PassService<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut task::Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> S::Future {
        self.0.call(request)
    }
}
