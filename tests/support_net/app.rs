//! The service for most exchanges.

use axum::{
    Json, Router,
    body::Body,
    extract::Path,
    http::{HeaderValue, StatusCode, header},
    response::Response,
    routing::{get, post},
};
use bytes::Bytes;
use http_body_util::BodyExt;
use serde::Deserialize;
use std::{convert::Infallible, future::pending, time::Duration};
use tower_http::timeout::TimeoutLayer;

#[derive(Deserialize)]
struct Order {
    n: u32,
}

async fn echo(body: Body) -> Body {
    body
}

pub(crate) async fn length(body: Bytes) -> String {
    format!("{} bytes", body.len())
}

async fn panics() -> &'static str {
    panic!("before the answer")
}

/// Reads one frame and responds.
async fn one_frame(body: Body) -> String {
    let mut body = body;
    let frame = body.frame().await.unwrap().unwrap();
    format!("{} first", frame.into_data().unwrap().len())
}

fn no_content_with(status: StatusCode, length: Option<&'static str>, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    if let Some(length) = length {
        let length = HeaderValue::from_static(length);
        response
            .headers_mut()
            .insert(header::CONTENT_LENGTH, length);
    }
    response
}

fn streamed() -> Body {
    let parts = ["one", "two", "three"].map(Ok::<_, Infallible>);
    Body::from_stream(futures_util::stream::iter(parts))
}

pub(crate) fn app() -> Router {
    Router::new()
        .route("/hello", get(|| async { "hello" }))
        .route("/echo", post(echo))
        .route("/length", post(length))
        .route("/streamed", get(|| async { streamed() }))
        .route("/one-frame", post(one_frame))
        .route(
            "/order",
            post(|Json(order): Json<Order>| async move { order.n.to_string() }),
        )
        .route(
            "/status/{code}",
            get(|Path(code): Path<u16>| async move { StatusCode::from_u16(code).unwrap() }).post(
                |Path(code): Path<u16>| async move {
                    (StatusCode::from_u16(code).unwrap(), "no, thank you")
                },
            ),
        )
        .route("/panic", get(panics))
        .route(
            "/204",
            get(|| async { no_content_with(StatusCode::NO_CONTENT, None, Body::empty()) }),
        )
        .route(
            "/204-with-body",
            get(|| async { no_content_with(StatusCode::NO_CONTENT, None, Body::from("body")) }),
        )
        .route(
            "/304",
            get(|| async { no_content_with(StatusCode::NOT_MODIFIED, None, Body::empty()) }),
        )
        .route(
            "/304-with-body",
            get(|| async { no_content_with(StatusCode::NOT_MODIFIED, Some("11"), streamed()) }),
        )
        .route(
            "/never",
            get(pending::<()>).layer(TimeoutLayer::with_status_code(
                StatusCode::REQUEST_TIMEOUT,
                Duration::from_millis(20),
            )),
        )
}

/// Reads a body without keeping it.
pub(crate) async fn count(body: Body) -> String {
    let mut body = body;
    let mut bytes = 0;
    while let Some(frame) = body.frame().await {
        bytes += frame.unwrap().into_data().unwrap().len();
    }
    bytes.to_string()
}
