//! A server for every kind of traffic, with and without the layer. Checks compare the two
//! and put load on them.
//!
//! `BARE=1` removes the layer, `KEEP=1` keeps every exchange, and `STALL=1` makes the
//! exporter wait forever. `MEMORY` sets the limit of memory in MiB, `PORT` the port (default:
//! 0, any), `DASHCAM_DIR` the directory of exchanges.

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{
        Query, State,
        ws::{Message, WebSocketUpgrade},
    },
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use dashcam::{
    Dashcam,
    capture::{Limits, StormLimits},
    exchange::Exchange,
    export::{ExportError, Exporter},
    kit::DashcamHandle,
};
use futures_util::{StreamExt, stream};
use http_body::Frame;
use http_body_util::StreamBody;
use std::{convert::Infallible, net::SocketAddr, time::Duration};

#[tokio::main]
pub(crate) async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let is_set = |name| std::env::var_os(name).is_some();
    let port = std::env::var("PORT").unwrap_or_else(|_| "0".to_owned());
    let app = Router::new()
        .route("/echo", any(echo))
        .route("/upload", post(upload))
        .route("/download", get(download))
        .route("/range", get(range))
        .route("/refuses", post(|| async { StatusCode::PAYLOAD_TOO_LARGE }))
        .route("/fails", any(|| async { StatusCode::BAD_GATEWAY }))
        .route("/empty", get(|| async { StatusCode::NO_CONTENT }))
        .route("/trailers", get(trailers))
        .route("/events", get(events))
        .route("/lines", get(lines))
        .route("/slow", get(slow))
        .route("/socket", any(socket));
    if is_set("BARE") {
        return serve(app.route("/memory", get(|| async { memory(None) })), &port).await;
    }
    let mut builder = Dashcam::builder().service("traffic", env!("CARGO_PKG_VERSION"));
    if is_set("KEEP") {
        let mut storm = StormLimits::default();
        storm.full = u64::MAX;
        storm.per_second = u64::MAX;
        builder = builder.storm(storm).keep_when(|_| Some("every exchange"));
    }
    if let Some(mib) = std::env::var("MEMORY")
        .ok()
        .and_then(|mib| mib.parse::<usize>().ok())
    {
        let mut limits = Limits::default();
        limits.memory = mib * 1024 * 1024;
        builder = builder.limits(limits);
    }
    if is_set("STALL") {
        builder = builder.exporter(Stalled);
    }
    let dashcam = builder.build()?;
    dashcam.init_tracing()?;
    let memory = get(|State(handle): State<DashcamHandle>| async move { memory(Some(&handle)) });
    let memory = memory.with_state(dashcam.handle());
    serve(app.layer(dashcam.layer()).route("/memory", memory), &port).await
}

async fn serve(app: Router, port: &str) -> Result<(), Box<dyn std::error::Error>> {
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    eprintln!("listening on {}", listener.local_addr()?);
    axum::serve(
        listener,
        app.into_make_service_with_connect_info::<SocketAddr>(),
    )
    .await?;
    Ok(())
}

/// Never returns from `export`.
struct Stalled;

impl Exporter for Stalled {
    fn export(&mut self, _: &Exchange) -> Result<(), ExportError> {
        loop {
            std::thread::park();
        }
    }
}

/// Returns the peak of resident memory in KiB, if the system reports it, and the layer's
/// status.
fn memory(handle: Option<&DashcamHandle>) -> Json<serde_json::Value> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let number = |label: &str| {
        let line = status.lines().find(|line| line.starts_with(label));
        line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok())
    };
    let dashcam = handle.map(|handle| {
        let status = handle.status();
        serde_json::json!({
            "in_flight": status.in_flight,
            "finished": status.finished,
            "kept": status.kept,
            "exported": status.exported,
            "queued": status.queued,
            "exporter_ok": status.exporter.is_ok(),
            "suppressed": status.dropped.suppressed,
            "queue_full": status.dropped.queue_full,
            "export_failed": status.dropped.export_failed,
            "bytes_held": status.bytes_held,
            "memory_refused": status.memory_refused,
        })
    });
    Json(serde_json::json!({
        "peak_kib": number("VmHWM:"),
        "resident_kib": number("VmRSS:"),
        "dashcam": dashcam,
    }))
}

/// Describes the request in a header, and returns its body as it arrives.
async fn echo(method: Method, uri: Uri, headers: HeaderMap, body: Body) -> Response {
    let mut response = Response::new(body);
    let length = headers.len() - usize::from(headers.contains_key("x-request-id"));
    let seen = format!("{method} {} with {length} fields", uri.path());
    if let Ok(seen) = HeaderValue::from_str(&seen) {
        response.headers_mut().insert("x-seen", seen);
    }
    if let Some(content_type) = headers.get(header::CONTENT_TYPE) {
        let name = header::CONTENT_TYPE;
        response.headers_mut().insert(name, content_type.clone());
    }
    response
}

/// Counts and sums the bytes of the body.
async fn upload(body: Body) -> String {
    let mut body = body.into_data_stream();
    let (mut length, mut sum) = (0, 0_u64);
    while let Some(Ok(chunk)) = body.next().await {
        length += chunk.len();
        sum = chunk
            .iter()
            .fold(sum, |sum, &b| sum.rotate_left(5) ^ u64::from(b));
    }
    format!("{length} bytes, {sum:016x}\n")
}

#[derive(serde::Deserialize)]
struct Size {
    bytes: usize,
}

/// Returns a number of bytes, in chunks.
async fn download(Query(size): Query<Size>) -> Response {
    static CHUNK: [u8; 16 * 1024] = [b'x'; 16 * 1024];
    let whole = stream::repeat(Bytes::from_static(&CHUNK)).take(size.bytes / CHUNK.len());
    let rest = Bytes::from_static(&CHUNK[..size.bytes % CHUNK.len()]);
    let chunks = whole.chain(stream::iter([rest])).map(Ok::<_, Infallible>);
    Body::from_stream(chunks).into_response()
}

/// Returns the requested range.
async fn range(headers: HeaderMap) -> Response {
    const TEXT: &str = "0123456789abcdefghijklmnopqrstuvwxyz";
    let asked = headers.get(header::RANGE).and_then(|range| {
        let (from, to) = range
            .to_str()
            .ok()?
            .strip_prefix("bytes=")?
            .split_once('-')?;
        Some((from.parse::<usize>().ok()?, to.parse::<usize>().ok()?))
    });
    match asked.and_then(|(from, to)| Some((from, to, TEXT.get(from..=to)?))) {
        Some((from, to, part)) => {
            let range = format!("bytes {from}-{to}/{}", TEXT.len());
            let head = [(header::CONTENT_RANGE, range)];
            (StatusCode::PARTIAL_CONTENT, head, part).into_response()
        }
        None => TEXT.into_response(),
    }
}

async fn trailers() -> Response {
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", HeaderValue::from_static("42"));
    let frames = stream::iter([
        Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"body"))),
        Ok(Frame::trailers(trailers)),
    ]);
    let head = [(header::TRAILER, "x-sum")];
    (head, Body::new(StreamBody::new(frames))).into_response()
}

/// Sends ten events, with pauses.
async fn events() -> Response {
    let events = paced(|n| format!("id: {n}\ndata: {{\"n\":{n}}}\n\n"));
    let head = [(header::CONTENT_TYPE, "text/event-stream")];
    (head, events).into_response()
}

async fn lines() -> Response {
    let head = [(header::CONTENT_TYPE, "application/x-ndjson")];
    (head, paced(|n| format!("{{\"n\":{n}}}\n"))).into_response()
}

fn paced(item: fn(u32) -> String) -> Body {
    Body::from_stream(stream::iter(0..10).then(move |n| async move {
        tokio::time::sleep(Duration::from_millis(5)).await;
        Ok::<_, Infallible>(item(n))
    }))
}

/// Sends data until the client leaves.
async fn slow() -> Response {
    let items = stream::repeat(()).then(|()| async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        Ok::<_, Infallible>(Bytes::from_static(b"tick\n"))
    });
    Body::from_stream(items).into_response()
}

/// A WebSocket that echoes every message.
async fn socket(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(|mut socket| async move {
        while let Some(Ok(message)) = socket.recv().await {
            let back = match message {
                Message::Text(_) | Message::Binary(_) => socket.send(message).await,
                _ => Ok(()),
            };
            if back.is_err() {
                return;
            }
        }
    })
}
