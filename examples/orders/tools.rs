//! Endpoints to try. They do on purpose what other services do by accident.

use crate::client::HttpClient;
use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
    response::{
        Response,
        sse::{Event, Sse},
    },
    routing::{get, post},
};
use futures_util::stream::{self, Stream};
use serde::Deserialize;
use serde_json::Value;
use std::{convert::Infallible, time::Duration};
use tracing::{debug, warn};

pub(crate) fn routes() -> Router {
    Router::new()
        .route("/echo", get(echo).post(echo))
        .route("/panic", get(panics))
        .route("/events", get(events))
        .route("/fanout", post(fanout))
        .with_state(HttpClient::new())
}

#[derive(Deserialize)]
struct Echo {
    status: Option<u16>,
    delay_ms: Option<u64>,
}

/// Returns the request body, with this status, after this delay.
async fn echo(
    Query(wanted): Query<Echo>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, StatusCode> {
    let status = StatusCode::from_u16(wanted.status.unwrap_or(200))
        .ok()
        .filter(|status| !status.is_informational())
        .ok_or(StatusCode::BAD_REQUEST)?;
    debug!(body.bytes = body.len(), delay_ms = wanted.delay_ms, "echo");
    if let Some(delay) = wanted.delay_ms {
        tokio::time::sleep(Duration::from_millis(delay)).await;
    }
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    if let Some(content_type) = headers.get(CONTENT_TYPE) {
        let content_type = content_type.clone();
        response.headers_mut().insert(CONTENT_TYPE, content_type);
    }
    Ok(response)
}

async fn panics() {
    debug!("about to panic");
    panic!("asked for by GET /panic");
}

/// Sends one event per second until the client leaves.
async fn events() -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let clock = tokio::time::interval(Duration::from_secs(1));
    Sse::new(stream::unfold((clock, 0), |(mut clock, n)| async move {
        clock.tick().await;
        Some((
            Ok(Event::default().data(format!("tick {n}"))),
            (clock, n + 1),
        ))
    }))
}

#[derive(Deserialize)]
struct Call {
    url: String,
    #[serde(default)]
    arguments: Value,
}

/// Calls other services, one after the other, with the correlation ID and the trace of
/// this request. The W3C's conformance suite for Trace Context expects this endpoint:
/// `python test.py http://127.0.0.1:3000/fanout`, from `test/` of
/// <https://github.com/w3c/trace-context>.
/// Whoever can reach it can make it call any URL: do not copy it into a public service.
async fn fanout(State(client): State<HttpClient>, Json(calls): Json<Vec<Call>>) -> StatusCode {
    for call in calls {
        match client.post_json(&call.url, &call.arguments).await {
            Ok(answer) => debug!(status = answer.status().as_u16(), "called"),
            Err(error) => warn!(%error, "a call failed"),
        }
    }
    StatusCode::OK
}
