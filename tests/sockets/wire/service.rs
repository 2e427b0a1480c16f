//! A service whose handlers read, respond and fail in every permitted way.

use crate::support_net::app::{app, length};
use axum::{
    Router,
    body::Body,
    extract::{Path, Request},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version, header},
    response::{IntoResponse, Response},
    routing::any,
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper_util::rt::TokioIo;
use std::{
    convert::Infallible,
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower::util::MapRequestLayer;

/// The requests of the service, without the ID, which only one of the two gets.
async fn head(request: Request) -> String {
    let mut text = format!(
        "{} {} {:?}\n",
        request.method(),
        request.uri(),
        request.version()
    );
    for (name, value) in request.headers() {
        if name != "x-request-id" {
            text += &format!("{name}: {}\n", value.as_bytes().escape_ascii());
        }
    }
    text
}

/// Drops the body before it responds.
async fn dropped(body: Body) -> &'static str {
    drop(body);
    "dropped"
}

fn chunks(parts: Vec<&'static str>) -> impl futures_util::Stream<Item = Result<Bytes, Infallible>> {
    stream::iter(parts).map(|part| Ok(Bytes::from_static(part.as_bytes())))
}

/// Holds the unread body as long as the response lasts.
async fn held(body: Body) -> Body {
    let parts = chunks(vec!["he", "ld"]).map(move |part| {
        let _ = &body;
        part
    });
    Body::from_stream(parts)
}

/// Reads four bytes and responds.
async fn some(mut body: Body) -> String {
    let mut read = Vec::new();
    while read.len() < 4 {
        match body.frame().await {
            Some(Ok(frame)) => read.extend(frame.into_data().unwrap_or_default()),
            Some(Err(_)) => return "broken".to_owned(),
            None => break,
        }
    }
    format!("{} read", read.len().min(4))
}

/// Begins its response before it reads.
async fn early(body: Body) -> Body {
    let read = stream::once(async move {
        let read = match body.collect().await {
            Ok(read) => format!("{} read", read.to_bytes().len()),
            Err(_) => "broken".to_owned(),
        };
        Ok::<_, Infallible>(Bytes::from(read))
    });
    Body::from_stream(chunks(vec!["early;"]).chain(read))
}

/// Responds with what it read, or why it could not.
async fn read(body: Body) -> String {
    match body.collect().await {
        Ok(read) => {
            let trailers = read.trailers().cloned().unwrap_or_default();
            let mut text = String::new();
            for (name, value) in &trailers {
                text += &format!("{name}: {}\n", value.as_bytes().escape_ascii());
            }
            let read = read.to_bytes();
            let start = &read[..read.len().min(10)];
            format!("{} read {}\n{text}", read.len(), start.escape_ascii())
        }
        Err(error) => format!("broken: {error}"),
    }
}

/// Claims a length for a body of five bytes without a known length.
async fn lying(Path(length): Path<String>) -> Response {
    let mut response = Body::from_stream(chunks(vec!["he", "llo"])).into_response();
    let length = HeaderValue::from_str(&length).unwrap();
    response
        .headers_mut()
        .insert(header::CONTENT_LENGTH, length);
    response
}

fn pieces(
    count: usize,
    last: impl Fn() -> Result<Bytes, std::io::Error> + Send + 'static,
) -> Response {
    let pieces = stream::iter(0..count).map(|_| Ok(Bytes::from_static(b"piece")));
    // The earlier frames are sent first.
    let last = stream::once(async move {
        if count > 0 {
            tokio::task::yield_now().await;
        }
        last()
    });
    Body::from_stream(pieces.chain(last)).into_response()
}

async fn broken(Path(count): Path<usize>) -> Response {
    pieces(count, || Err(std::io::Error::other("broken on purpose")))
}

/// Echoes, and fails or panics when told to.
async fn told(body: Body) -> Body {
    Body::from_stream(body.into_data_stream().map(|part| match part {
        Ok(part) if part == "fail" => Err(axum::Error::new("failed as told")),
        Ok(part) if part == "panic" => panic!("as told, in the body"),
        part => part,
    }))
}

async fn panicking(Path(count): Path<usize>) -> Response {
    pieces(count, || panic!("on purpose, in the body"))
}

async fn panics(Path(read): Path<bool>, body: Body) -> Response {
    if read {
        let _ = body.collect().await;
    }
    panic!("on purpose, before the head")
}

/// One piece, and then nothing for ever.
async fn endless() -> Body {
    let first = chunks(vec!["first"]);
    Body::from_stream(first.chain(stream::once(pending())))
}

fn with_trailers(data: Vec<&'static str>, trailers: HeaderMap) -> Body {
    let data = chunks(data).map(|part| part.map(Frame::data));
    let last = stream::once(async { Ok::<_, Infallible>(Frame::trailers(trailers)) });
    Body::new(StreamBody::new(data.chain(last)))
}

fn sums() -> HeaderMap {
    let mut map = HeaderMap::new();
    map.insert("x-sum", HeaderValue::from_static("17"));
    map.append("x-sum", HeaderValue::from_static("18"));
    map.insert("x-other", HeaderValue::from_static(""));
    map
}

async fn trailers(Path(kind): Path<String>) -> Response {
    let body = match kind.as_str() {
        "only" => with_trailers(vec![], sums()),
        "empty" => with_trailers(vec!["body"], HeaderMap::new()),
        _ => with_trailers(vec!["bo", "dy"], sums()),
    };
    let mut response = body.into_response();
    if kind != "undeclared" {
        let names = HeaderValue::from_static("x-sum, x-other");
        response.headers_mut().insert(header::TRAILER, names);
    }
    response
}

/// "name=value" as one field of the response.
async fn with_field(Path((name, value)): Path<(String, String)>) -> Response {
    let mut response = Body::from_stream(chunks(vec!["he", "llo"])).into_response();
    let value = HeaderValue::from_str(&value).unwrap();
    let name = HeaderName::try_from(name).unwrap();
    response.headers_mut().insert(name, value);
    response
}

async fn fields(Path(kind): Path<String>) -> Response {
    let mut response = "fields".into_response();
    let map = response.headers_mut();
    match kind.as_str() {
        "many" => {
            for n in 0..300 {
                let name = HeaderName::try_from(format!("x-many-{n}")).unwrap();
                map.insert(name, HeaderValue::from(n));
            }
        }
        "long" => {
            let long = HeaderValue::try_from("v".repeat(40_000)).unwrap();
            map.insert("x-long", long);
        }
        "repeated" => {
            for value in ["a=1", "b=2", "a=1"] {
                map.append(header::SET_COOKIE, HeaderValue::from_static(value));
            }
        }
        "bytes" => {
            let bytes = HeaderValue::from_bytes(b"\xff\xfe \xe9\t.").unwrap();
            map.insert("x-bytes", bytes);
            map.insert("x-empty", HeaderValue::from_static(""));
        }
        "date" => {
            map.insert("x-date", HeaderValue::from_static("never"));
            map.insert(header::DATE, HeaderValue::from_static("never"));
        }
        "reason" => {
            let reason = hyper::ext::ReasonPhrase::from_static(b"Quite Well");
            response.extensions_mut().insert(reason);
        }
        "http10" => *response.version_mut() = Version::HTTP_10,
        _ => *response.version_mut() = Version::HTTP_2,
    }
    response
}

async fn status(Path(code): Path<u16>) -> Response {
    let mut response = "no body wanted".into_response();
    *response.status_mut() = StatusCode::from_u16(code).unwrap();
    response
}

async fn streamed_status(Path(code): Path<u16>) -> Response {
    let mut response = Body::from_stream(chunks(vec!["he", "llo"])).into_response();
    *response.status_mut() = StatusCode::from_u16(code).unwrap();
    response
}

async fn tunnel(on_upgrade: hyper::upgrade::OnUpgrade) {
    let Ok(upgraded) = on_upgrade.await else {
        return;
    };
    let mut io = TokioIo::new(upgraded);
    io.write_all(b"welcome;").await.unwrap();
    let mut buffer = [0; 1024];
    while let Ok(length) = io.read(&mut buffer).await {
        if length == 0 || io.write_all(&buffer[..length]).await.is_err() {
            break;
        }
    }
    let _ = io.write_all(b";bye").await;
    let _ = io.shutdown().await;
}

/// Echoes the rest, whatever its status.
async fn upgrade(Path(code): Path<u16>, mut request: Request) -> Response {
    tokio::spawn(tunnel(hyper::upgrade::on(&mut request)));
    let fields = [(header::CONNECTION, "upgrade"), (header::UPGRADE, "echo")];
    (StatusCode::from_u16(code).unwrap(), fields).into_response()
}

async fn fallback(mut request: Request) -> Response {
    if request.method() == Method::CONNECT {
        tokio::spawn(tunnel(hyper::upgrade::on(&mut request)));
        return StatusCode::OK.into_response();
    }
    (StatusCode::NOT_FOUND, head(request).await).into_response()
}

/// Responds once the task that it started does.
async fn handed_over(body: Body) -> String {
    tokio::spawn(read(body)).await.unwrap()
}

/// Yields many times before its head and between its pieces.
async fn yielding() -> Body {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    Body::from_stream(chunks(vec!["a", "b", "c"]).then(|part| async move {
        for _ in 0..5 {
            tokio::task::yield_now().await;
        }
        part
    }))
}

/// All endpoints. `asked` counts the requests.
pub(crate) fn service(asked: &Arc<AtomicU64>) -> Router {
    let asked = Arc::clone(asked);
    app()
        .route("/head", any(head))
        .route("/head/{*rest}", any(head))
        .route("/drop", any(dropped))
        .route("/held", any(held))
        .route("/some", any(some))
        .route("/early", any(early))
        .route("/read", any(read))
        .route("/task", any(handed_over))
        .route("/length-of-any", any(length))
        .route("/back", any(|body: Body| async { body }))
        .route("/wait", any(pending::<()>))
        .route(
            "/read-and-wait",
            any(|body: Body| async {
                let _ = body.collect().await;
                pending::<()>().await;
            }),
        )
        .route("/yielding", any(yielding))
        .route("/lying/{length}", any(lying))
        .route("/broken/{count}", any(broken))
        .route("/told", any(told))
        .route("/panicking/{count}", any(panicking))
        .route("/panics/{read}", any(panics))
        .route("/endless", any(endless))
        .route("/trailers/{kind}", any(trailers))
        .route("/field/{name}/{value}", any(with_field))
        .route("/fields/{kind}", any(fields))
        .route("/answer/{code}", any(status))
        .route("/answer-streamed/{code}", any(streamed_status))
        .route("/upgrade/{code}", any(upgrade))
        .route(
            "/empties",
            any(|| async { Body::from_stream(chunks(vec!["", "one", "", "", "two", ""])) }),
        )
        .route(
            "/nothing",
            any(|| async { Body::from_stream(chunks(vec![])) }),
        )
        .route("/large", any(|| async { Bytes::from(vec![b'x'; 200_000]) }))
        .route(
            "/large-streamed",
            any(|| async {
                let piece = Bytes::from(vec![b'y'; 20_000]);
                Body::from_stream(stream::iter(vec![Ok::<_, Infallible>(piece); 10]))
            }),
        )
        .fallback(fallback)
        .layer(MapRequestLayer::new(move |request: Request| {
            asked.fetch_add(1, Ordering::Relaxed);
            request
        }))
}
