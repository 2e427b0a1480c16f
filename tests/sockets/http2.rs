//! `Dashcam` under a real server, over HTTP/2 without TLS.

use crate::support_net::{
    FLAT, Growth, HELD, PIECE, PIECES, Server, answer_once,
    app::{app, count},
    assert_completed, ended, fed, field, holds, keeping_all, kept_of, large_body, outcomes, soon,
    the_only, trailers,
};
use axum::{
    Router,
    body::Body,
    extract::{DefaultBodyLimit, Path, Request},
    http::{HeaderMap, HeaderValue, StatusCode},
    response::{
        IntoResponse, Response,
        sse::{Event, Sse},
    },
    routing::{any, get, post},
};
use bytes::Bytes;
use dashcam::{
    Dashcam,
    exchange::{BodyState, Failure, KeepReason, Outcome},
    testing::TestDashcam,
};
use http_body::Frame;
use http_body_util::BodyExt;
use hyper::{body::Incoming, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::{
    convert::Infallible,
    future::pending,
    sync::{Arc, Mutex},
};
use tokio::{
    net::TcpStream,
    sync::{Barrier, mpsc},
};
use tower_http::limit::RequestBodyLimitLayer;

type Client = http2::SendRequest<Body>;

async fn connect(server: &Server) -> Client {
    let stream = TcpStream::connect(server.address).await.unwrap();
    let (client, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    client
}

async fn send(client: &Client, request: Request) -> Response<Incoming> {
    let mut client = client.clone();
    soon(client.send_request(request)).await.unwrap()
}

fn request(method: &str, path: &str, body: Body) -> Request {
    Request::builder()
        .method(method)
        .uri(format!("http://test{path}"))
        .body(body)
        .unwrap()
}

/// The next bytes of a body.
async fn data(body: &mut Incoming) -> Bytes {
    let frame = soon(body.frame()).await.unwrap().unwrap();
    frame.into_data().unwrap()
}

/// A response as the client got it, without the fields that differ every time.
#[derive(Debug, PartialEq)]
struct Seen {
    status: StatusCode,
    fields: HeaderMap,
    body: String,
    trailers: Option<HeaderMap>,
    error: Option<String>,
}

async fn see(response: Response<Incoming>) -> (Option<HeaderValue>, Seen) {
    let (mut head, mut body) = response.into_parts();
    let id = head.headers.remove("x-request-id");
    head.headers.remove("date");
    let mut seen = Seen {
        status: head.status,
        fields: head.headers,
        body: String::new(),
        trailers: None,
        error: None,
    };
    while let Some(frame) = soon(body.frame()).await {
        match frame.map(Frame::into_data) {
            Ok(Ok(data)) => seen.body += &String::from_utf8_lossy(&data),
            Ok(Err(frame)) => seen.trailers = frame.into_trailers().ok(),
            Err(error) => {
                seen.error = Some(error.to_string());
                break;
            }
        }
    }
    (id, seen)
}

/// Sends the same request without the layer and with it.
async fn same_with_layer(
    dashcam: &Dashcam,
    app: impl Fn() -> Router,
    request: impl Fn() -> Request,
) -> Seen {
    let bare = Server::start(app()).await;
    let (id, bare) = see(send(&connect(&bare).await, request()).await).await;
    assert_eq!(id, None);
    let layered = Server::start(app().layer(dashcam.layer())).await;
    let (id, layered) = see(send(&connect(&layered).await, request()).await).await;
    assert!(id.is_some());
    assert_eq!(bare, layered);
    layered
}

#[tokio::test]
async fn every_answer_is_the_same_and_has_the_id() {
    let usual = TestDashcam::new();
    let all = keeping_all();
    type Limit = fn(Router) -> Router;
    let axum: Limit = |app| app.layer(DefaultBodyLimit::max(3));
    let tower: Limit = |app| app.layer(RequestBodyLimitLayer::new(3));
    let table = [
        (200, "GET", "/hello", "", axum, BodyState::Complete),
        (200, "GET", "/streamed", "", axum, BodyState::Complete),
        (200, "HEAD", "/hello", "", axum, BodyState::None),
        (200, "HEAD", "/streamed", "", axum, BodyState::None),
        (204, "GET", "/204", "", axum, BodyState::None),
        (304, "GET", "/304", "", axum, BodyState::None),
        (404, "GET", "/nowhere", "", axum, BodyState::None),
        (405, "POST", "/hello", "", axum, BodyState::None),
        (408, "GET", "/never", "", axum, BodyState::None),
        (413, "POST", "/length", "four", axum, BodyState::Complete),
        (413, "POST", "/length", "four", tower, BodyState::Complete),
        (415, "POST", "/order", "{}", axum, BodyState::Complete),
        (422, "POST", "/json-order", "{}", axum, BodyState::Complete),
        (500, "GET", "/status/500", "", axum, BodyState::None),
        (503, "POST", "/status/503", "{}", axum, BodyState::Complete),
    ];
    for dashcam in [&usual, &all] {
        for (status, method, path, body, limit, state) in &table {
            let make = || {
                let path = path.replace("json-", "");
                let mut request = request(method, &path, Body::from(*body));
                if path == "/order" && *status == 422 {
                    let json = HeaderValue::from_static("application/json");
                    request.headers_mut().insert("content-type", json);
                }
                request
            };
            let seen = same_with_layer(dashcam, || limit(app()), make).await;
            assert_eq!(seen.status, *status, "{method} {path}");
            let empty = *state == BodyState::None;
            assert_eq!(seen.body.is_empty(), empty, "{method} {path}: {seen:?}");
        }
    }
    let kept = kept_of(&all, table.len() as u64).await;
    for (kept, (status, method, path, _, _, state)) in kept.iter().zip(&table) {
        let expected = if *status < 500 {
            Outcome::Completed
        } else {
            Outcome::Failed {
                failure: Failure::Status(*status),
            }
        };
        assert_eq!(kept.outcome, expected, "{method} {path}");
        assert_eq!(kept.request.version, "HTTP/2.0");
        let response = kept.response.as_ref().unwrap();
        assert_eq!(response.status, *status);
        // An empty response that may have a body by protocol can be either.
        if *state == BodyState::Complete || *status < 400 {
            assert_eq!(response.body.state, *state, "{method} {path}");
        } else {
            assert_eq!(response.body.seen, 0);
        }
    }
    let kept = kept_of(&usual, table.len() as u64).await;
    assert_eq!(outcomes(&kept), ["failed", "failed"]);
}

#[tokio::test]
async fn streams_of_one_connection_run_side_by_side() {
    const STREAMS: usize = 50;
    let dashcam = keeping_all();
    let barrier = Arc::new(Barrier::new(STREAMS));
    let handler = move |Path(n): Path<usize>, body: String| {
        let barrier = Arc::clone(&barrier);
        async move {
            tracing::debug!(n, "before");
            // Passes only when all of them are here.
            barrier.wait().await;
            tracing::debug!(n, "after");
            (StatusCode::BAD_GATEWAY, format!("{n} has {body}"))
        }
    };
    let app = Router::new()
        .route("/{n}", post(handler))
        .layer(dashcam.layer());
    let server = Server::start(app).await;
    let client = connect(&server).await;
    let calls = (0..STREAMS).map(|n| {
        let mut request = request("POST", &format!("/{n}"), Body::from(format!("body {n}")));
        let id = HeaderValue::from_str(&format!("stream-{n}")).unwrap();
        request.headers_mut().insert("x-request-id", id);
        let client = &client;
        async move { see(send(client, request).await).await }
    });
    let answers = futures_util::future::join_all(calls).await;
    for (n, (id, seen)) in answers.iter().enumerate() {
        assert_eq!(id.as_ref().unwrap(), &format!("stream-{n}"));
        assert_eq!(seen.body, format!("{n} has body {n}"));
    }
    let kept = kept_of(&dashcam, STREAMS as u64).await;
    assert_eq!(kept.len(), STREAMS);
    let most = kept.iter().map(|kept| kept.in_flight).max();
    assert_eq!(most, Some(STREAMS as u64));
    for kept in kept {
        let n: usize = kept
            .correlation
            .id
            .strip_prefix("stream-")
            .unwrap()
            .parse()
            .unwrap();
        let seen: Vec<_> = kept
            .events
            .iter()
            .map(|event| event.fields["n"].clone())
            .collect();
        assert_eq!(seen, [n, n]);
        assert_eq!(kept.request.body.seen, format!("body {n}").len() as u64);
        assert_eq!(
            kept.response.unwrap().body.seen,
            format!("{n} has body {n}").len() as u64
        );
    }
}

#[tokio::test]
async fn frames_and_trailers_pass_in_both_directions_at_once() {
    let dashcam = keeping_all();
    let app = Router::new()
        .route("/", any(|body: Body| async { body }))
        .layer(dashcam.layer());
    let server = Server::start(app).await;
    let client = connect(&server).await;
    let (feed, body) = fed(vec![]);
    let response = send(&client, request("POST", "/", body)).await;
    let mut body = response.into_body();
    for part in ["one", "two", "three"] {
        feed.send(Some(Frame::data(Bytes::from(part)))).unwrap();
        assert_eq!(data(&mut body).await, part);
    }
    feed.send(Some(trailers("x-sum", "17"))).unwrap();
    drop(feed);
    let end = soon(body.frame()).await.unwrap().unwrap();
    assert_eq!(end.into_trailers().unwrap()["x-sum"], "17");
    assert!(soon(body.frame()).await.is_none());
    let kept = the_only(&dashcam).await;
    assert_completed(&kept);
    let response = kept.response.unwrap();
    assert_eq!(kept.request.trailers[0].0, "x-sum");
    assert_eq!(response.trailers[0].0, "x-sum");
    for body in [&kept.request.body, &response.body] {
        assert_eq!(
            (&body.state, body.seen, body.declared),
            (&BodyState::Complete, 11, None)
        );
    }
}

#[tokio::test]
async fn events_arrive_before_the_next_is_made() {
    let dashcam = keeping_all();
    let (feed, receive) = mpsc::unbounded_channel::<String>();
    let receive = Arc::new(Mutex::new(Some(receive)));
    let events = move || {
        let receive = receive.lock().unwrap().take().expect("asked once");
        let events = futures_util::stream::unfold(receive, |mut receive| async move {
            let text = receive.recv().await?;
            Some((Ok::<_, Infallible>(Event::default().data(text)), receive))
        });
        async move { Sse::new(events) }
    };
    let app = Router::new()
        .route("/events", get(events))
        .layer(dashcam.layer());
    let server = Server::start(app).await;
    let client = connect(&server).await;
    let response = send(&client, request("GET", "/events", Body::empty())).await;
    let mut body = response.into_body();
    for n in 0..20 {
        feed.send(format!("event {n}")).unwrap();
        assert_eq!(data(&mut body).await, format!("data: event {n}\n\n"));
        let status = dashcam.status();
        assert_eq!((status.in_flight, status.finished), (1, 0));
    }
    drop(feed);
    let rest = soon(body.collect()).await.unwrap();
    assert!(rest.to_bytes().is_empty());
    let kept = the_only(&dashcam).await;
    assert_completed(&kept);
    assert_eq!(kept.response.unwrap().body.state, BodyState::Stream);
}

#[tokio::test]
async fn twenty_megabytes_pass_without_being_held() {
    alone!();
    let dashcam = keeping_all();
    let app = Router::new()
        .route("/in", post(count))
        .route("/out", get(|| async { large_body() }))
        .layer(dashcam.layer());
    let server = Server::start(app).await;
    let client = connect(&server).await;
    let total = PIECE * PIECES;

    let growth = Growth::start();
    let response = send(&client, request("POST", "/in", large_body())).await;
    assert_eq!(see(response).await.1.body, total.to_string());
    println!("20 MB in: {} KiB more in use", growth.peak() / 1024);
    assert!(growth.peak() < FLAT, "{} bytes", growth.peak());
    holds("the first is exported", || dashcam.status().bytes_held == 0).await;

    let growth = Growth::start();
    let response = send(&client, request("GET", "/out", Body::empty())).await;
    let mut body = response.into_body();
    let mut bytes = 0;
    while let Some(frame) = soon(body.frame()).await {
        bytes += frame.unwrap().into_data().unwrap().len();
        assert!(dashcam.status().bytes_held <= HELD);
    }
    assert_eq!(bytes, total);
    println!("20 MB out: {} KiB more in use", growth.peak() / 1024);
    assert!(growth.peak() < FLAT, "{} bytes", growth.peak());

    let kept = kept_of(&dashcam, 2).await;
    assert_eq!(outcomes(&kept), ["completed", "completed"]);
    for body in [
        &kept[0].request.body,
        &kept[1].response.as_ref().unwrap().body,
    ] {
        assert_eq!(body.state, BodyState::Truncated);
        assert_eq!((body.seen, body.kept), (total as u64, 64 * 1024));
    }
}

#[tokio::test]
async fn a_stream_reset_while_the_client_waits() {
    let dashcam = TestDashcam::new();
    let (started, mut has_started) = mpsc::unbounded_channel();
    let wait = move |_: Bytes| {
        started.send(()).unwrap();
        pending::<()>()
    };
    let app = app().route("/wait", post(wait)).layer(dashcam.layer());
    let server = Server::start(app).await;
    let client = connect(&server).await;
    let mut sender = client.clone();
    let call = tokio::spawn(async move {
        let _ = sender
            .send_request(request("POST", "/wait", Body::from("body")))
            .await;
    });
    soon(has_started.recv()).await.unwrap();
    assert_eq!(dashcam.status().in_flight, 1);
    call.abort();
    let kept = the_only(&dashcam).await;
    assert_eq!(kept.outcome, Outcome::Abandoned);
    assert_eq!(kept.keep, [KeepReason::Outcome]);
    assert_eq!(
        (&kept.request.body.state, kept.request.body.seen),
        (&BodyState::Complete, 4)
    );
    assert!(kept.response.is_none());
    // The connection is unaffected.
    let (_, seen) = see(send(&client, request("GET", "/hello", Body::empty())).await).await;
    assert_eq!(seen.body, "hello");
}

#[tokio::test]
async fn a_stream_reset_in_the_request_body() {
    let dashcam = TestDashcam::new();
    let (read, mut was_read) = mpsc::unbounded_channel();
    let read_all = move |body: Body| {
        let read = read.clone();
        async move {
            let mut body = body;
            body.frame().await.unwrap().unwrap();
            read.send(()).unwrap();
            let error = body.frame().await.unwrap().unwrap_err();
            (StatusCode::BAD_REQUEST, error.to_string())
        }
    };
    let app = Router::new()
        .route("/", post(read_all))
        .layer(dashcam.layer());
    let server = Server::start(app).await;
    let stream = TcpStream::connect(server.address).await.unwrap();
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let mut client = soon(client.ready()).await.unwrap();
    let head = axum::http::Request::post("http://test/")
        .header("content-length", 9)
        .body(())
        .unwrap();
    let (response, mut body) = client.send_request(head, false).unwrap();
    body.send_data(Bytes::from_static(b"body"), false).unwrap();
    soon(was_read.recv()).await.unwrap();
    body.send_reset(h2::Reason::CANCEL);
    assert!(soon(response).await.is_err());
    let kept = the_only(&dashcam).await;
    // The handler responded after the client had left.
    assert_eq!(kept.outcome, Outcome::Abandoned);
    let body = &kept.request.body;
    assert!(matches!(&body.state, BodyState::Error { message } if !message.is_empty()));
    assert_eq!((body.seen, body.declared), (4, Some(9)));
    let response = kept.response.unwrap();
    assert_eq!(
        (response.status, response.body.state),
        (400, BodyState::Aborted)
    );
}

#[tokio::test]
async fn a_stream_reset_in_the_answer() {
    let dashcam = TestDashcam::new();
    let (feed, body) = fed(vec![Frame::data(Bytes::from_static(b"first"))]);
    let app = app()
        .route("/fed", answer_once(Response::new(body)))
        .layer(dashcam.layer());
    let server = Server::start(app).await;
    let client = connect(&server).await;
    let response = send(&client, request("GET", "/fed", Body::empty())).await;
    let mut body = response.into_body();
    assert_eq!(data(&mut body).await, "first");
    drop(body);
    ended(&dashcam, 1).await;
    assert!(feed.is_closed(), "the service's body is still there");
    let kept = dashcam.only();
    assert_eq!(kept.outcome, Outcome::Abandoned);
    let response = kept.response.unwrap();
    assert_eq!(
        (response.body.state, response.body.seen),
        (BodyState::Aborted, 5)
    );
    let (_, seen) = see(send(&client, request("GET", "/hello", Body::empty())).await).await;
    assert_eq!(seen.body, "hello");
}

#[tokio::test]
async fn a_connection_that_goes_away_abandons_all_its_streams() {
    let dashcam = TestDashcam::new();
    let (started, mut has_started) = mpsc::unbounded_channel();
    let wait = move || {
        started.send(()).unwrap();
        pending::<()>()
    };
    let app = Router::new().route("/", get(wait)).layer(dashcam.layer());
    let server = Server::start(app).await;
    let stream = TcpStream::connect(server.address).await.unwrap();
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    let connection = tokio::spawn(connection);
    let mut client = soon(client.ready()).await.unwrap();
    let mut answers = Vec::new();
    for _ in 0..3 {
        let head = axum::http::Request::get("http://test/").body(()).unwrap();
        answers.push(client.send_request(head, true).unwrap());
        soon(has_started.recv()).await.unwrap();
    }
    assert_eq!(dashcam.status().in_flight, 3);
    connection.abort();
    let kept = kept_of(&dashcam, 3).await;
    assert_eq!(outcomes(&kept), ["abandoned"; 3]);
}

#[tokio::test]
async fn a_panic_ends_its_stream_only() {
    let dashcam = TestDashcam::new();
    let mut seen = Vec::new();
    for layered in [false, true] {
        let (feed, body) = fed(vec![Frame::data(Bytes::from_static(b"first"))]);
        let mut app = app().route("/fed", answer_once(Response::new(body)));
        if layered {
            app = app.layer(dashcam.layer());
        }
        let server = Server::start(app).await;
        let client = connect(&server).await;
        let response = send(&client, request("GET", "/fed", Body::empty())).await;
        let mut body = response.into_body();
        assert_eq!(data(&mut body).await, "first");
        feed.send(None).unwrap();
        let error = soon(body.frame()).await.unwrap().unwrap_err();
        seen.push(error.to_string());
        let (_, hello) = see(send(&client, request("GET", "/hello", Body::empty())).await).await;
        assert_eq!(hello.body, "hello");
        if layered {
            let (id, panicked) =
                see(send(&client, request("GET", "/panic", Body::empty())).await).await;
            assert_eq!(panicked.status, 500);
            assert_eq!(panicked.fields["content-type"], "application/problem+json");
            assert!(panicked.body.contains(id.unwrap().to_str().unwrap()));
        }
    }
    assert_eq!(seen[0], seen[1]);
    let kept = kept_of(&dashcam, 3).await;
    assert_eq!(outcomes(&kept), ["panicked", "panicked"]);
    let bodies: Vec<_> = kept
        .iter()
        .map(|kept| kept.response.as_ref().unwrap().body.state.clone())
        .collect();
    assert_eq!(
        bodies,
        [
            BodyState::Aborted,
            BodyState::Skipped {
                why: "answer_to_panic".to_owned()
            }
        ]
    );
    assert_eq!(
        kept[0].panic.as_ref().unwrap().message,
        "told to, while streaming"
    );
    assert_eq!(kept[1].panic.as_ref().unwrap().message, "before the answer");
}

#[tokio::test]
async fn what_the_handler_did_not_read_is_not_captured() {
    let dashcam = keeping_all();
    let server = Server::start(app().layer(dashcam.layer())).await;
    let client = connect(&server).await;
    for path in ["/status/503", "/one-frame"] {
        let (feed, body) = fed(vec![Frame::data(Bytes::from_static(b"first"))]);
        let response = send(&client, request("POST", path, body)).await;
        assert!(!see(response).await.1.body.is_empty());
        drop(feed);
    }
    let kept = kept_of(&dashcam, 2).await;
    assert_eq!(outcomes(&kept), ["failed", "completed"]);
    let body = &kept[0].request.body;
    assert_eq!((&body.state, body.seen), (&BodyState::Unread, 0));
    let body = &kept[1].request.body;
    assert_eq!((&body.state, body.seen), (&BodyState::PartlyRead, 5));
}

/// A gRPC response; in the head if there is no message.
async fn grpc(Path((code, message)): Path<(String, bool)>) -> Response {
    let code = HeaderValue::from_str(&code).unwrap();
    let mut status = HeaderMap::new();
    status.insert("grpc-status", code);
    let mut response = if message {
        let (_, body) = fed(vec![
            Frame::data(Bytes::from_static(&[0, 0, 0, 0, 2, 8, 1])),
            Frame::trailers(status),
        ]);
        body.into_response()
    } else {
        (status, Body::empty()).into_response()
    };
    let grpc = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert("content-type", grpc);
    response
}

#[tokio::test]
async fn grpc_failures_are_in_the_trailers_or_in_the_head() {
    let usual = TestDashcam::new();
    let all = keeping_all();
    let app = || Router::new().route("/{code}/{message}", post(grpc));
    let table = [
        ("0", true, None),
        ("13", true, Some(13)),
        ("14", true, Some(14)),
        ("5", true, None),
        ("0", false, None),
        ("13", false, Some(13)),
        ("5", false, None),
    ];
    for dashcam in [&usual, &all] {
        for (code, message, _) in table {
            let path = format!("/{code}/{message}");
            let seen =
                same_with_layer(dashcam, app, || request("POST", &path, Body::from("call"))).await;
            assert_eq!(seen.status, 200);
            assert_eq!(seen.error, None);
            let status = if message {
                seen.trailers.unwrap()
            } else {
                seen.fields
            };
            assert_eq!(status["grpc-status"], code);
        }
    }
    let kept = kept_of(&all, table.len() as u64).await;
    for (kept, (code, message, failure)) in kept.iter().zip(table) {
        let expected = failure.map_or(Outcome::Completed, |code| Outcome::Failed {
            failure: Failure::Grpc(code),
        });
        assert_eq!(kept.outcome, expected, "{code} {message}");
        let response = kept.response.as_ref().unwrap();
        assert_eq!(response.body.state, BodyState::Stream);
        assert_eq!(response.body.seen, if message { 7 } else { 0 });
        let fields = if message {
            &response.trailers
        } else {
            &response.headers
        };
        assert!(
            fields
                .iter()
                .any(|field| field.0 == "grpc-status" && field.1 == code)
        );
    }
    let kept = kept_of(&usual, table.len() as u64).await;
    let failures: Vec<_> = kept.into_iter().map(|kept| kept.outcome).collect();
    assert_eq!(
        failures,
        [13, 14, 13].map(|code| Outcome::Failed {
            failure: Failure::Grpc(code)
        })
    );
}

#[tokio::test]
async fn curl_sees_what_it_would_see_anyway() {
    let dashcam = TestDashcam::new();
    let version = tokio::process::Command::new("curl")
        .arg("--version")
        .output()
        .await;
    if !version.is_ok_and(|out| String::from_utf8_lossy(&out.stdout).contains("HTTP2")) {
        println!("skipped: no curl that speaks HTTP/2 here");
        return;
    }
    let bare = Server::start(app()).await;
    let layered = Server::start(app().layer(dashcam.layer())).await;
    let large = "x".repeat(100_000);
    let calls: [&[&str]; 4] = [
        &["/hello"],
        &["--head", "/hello"],
        &["--data-binary", &large, "/echo"],
        &[
            "--data-binary",
            "{}",
            "-H",
            "content-type: application/json",
            "/order",
        ],
    ];
    for call in calls {
        let mut seen = Vec::new();
        for server in [&bare, &layered] {
            let (path, arguments) = call.split_last().unwrap();
            let output = tokio::process::Command::new("curl")
                .args(["--silent", "--show-error", "--include", "--max-time", "60"])
                .args(["--noproxy", "*", "--http2-prior-knowledge"])
                .args(arguments)
                .arg(format!("http://{}{path}", server.address))
                .output()
                .await
                .unwrap();
            assert!(output.status.success(), "{output:?}");
            seen.push(String::from_utf8(output.stdout).unwrap());
        }
        assert!(seen[1].starts_with("HTTP/2 "), "{}", seen[1]);
        assert!(field(&seen[0], "x-request-id").is_none());
        assert!(field(&seen[1], "x-request-id").is_some());
        let [bare, layered] = [0, 1].map(|n| crate::support_net::comparable(&seen[n]));
        assert_eq!(bare, layered);
    }
    assert!(kept_of(&dashcam, calls.len() as u64).await.is_empty());
}
