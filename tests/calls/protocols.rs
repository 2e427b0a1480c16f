//! Failures that a protocol reports after the head of a response, and uploads that break off, over
//! real sockets. They are kept without any setting, and the bytes on the wire stay the same.

use crate::support_net::{Server, Wire, ended, holds, same_with_layer, soon, the_only};
use axum::{
    Json, Router,
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode},
    response::Response,
    routing::{any, post},
};
use base64ct::{Base64, Encoding as _};
use bytes::Bytes;
use dashcam::{
    capture::StormLimits,
    exchange::{Exchange, Failure, KeepReason, Outcome},
    testing::TestDashcam,
};
use http_body::Frame;
use http_body_util::StreamBody;
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use std::convert::Infallible;
use tokio::net::TcpListener;

fn failed(failure: Failure) -> Outcome {
    Outcome::Failed { failure }
}

fn message(flags: u8, content: &[u8]) -> Vec<u8> {
    let mut message = vec![flags];
    message.extend_from_slice(&u32::try_from(content.len()).unwrap().to_be_bytes());
    message.extend_from_slice(content);
    message
}

/// A response whose body comes in pieces of this size.
fn pieces(head: &[(&'static str, &str)], body: &[u8], size: usize) -> Response {
    let pieces: Vec<_> = body.chunks(size).map(Bytes::copy_from_slice).collect();
    let frames = pieces.into_iter().map(Frame::data).map(Ok::<_, Infallible>);
    let body = Body::new(StreamBody::new(futures_util::stream::iter(frames)));
    let mut response = Response::new(body);
    for (name, value) in head {
        let value = HeaderValue::from_str(value).unwrap();
        response.headers_mut().append(*name, value);
    }
    response
}

/// An app that always gives this response.
fn answering(head: &[(&'static str, &str)], body: &[u8], size: usize) -> Router {
    let head: Vec<_> = head.iter().map(|(n, v)| (*n, (*v).to_owned())).collect();
    let body = body.to_vec();
    let answer = move || {
        let head: Vec<_> = head.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let response = pieces(&head, &body, size);
        async move { response }
    };
    Router::new().fallback(any(answer))
}

/// Asserts that the layer changes no byte of the whole connection, and that this is kept.
async fn get(app: impl Fn() -> Router, method: &str) -> Vec<Exchange> {
    let dashcam = TestDashcam::new();
    same_with_layer(&dashcam, app, async |wire| {
        let head = "/shop.Orders/Get HTTP/1.1\r\nhost: test\r\nconnection: close";
        wire.send(format!("{method} {head}\r\n\r\n")).await;
        wire.rest().await
    })
    .await;
    ended(&dashcam, 1).await;
    dashcam.kept()
}

fn web(status: &str) -> Vec<u8> {
    let mut body = message(0, &[7; 100_000]);
    body.extend(message(0x80, status.as_bytes()));
    body
}

#[tokio::test]
async fn a_status_in_the_last_frame_of_grpc_web_is_a_failure() {
    let body = web("grpc-message:no%20stock\r\nGrpc-Status: 13\r\n");
    let mut parts = String::new();
    for part in body.chunks(999) {
        parts.push_str(&Base64::encode_string(part));
    }
    for (media, body) in [
        ("application/grpc-web+proto", body.clone()),
        ("Application/gRPC-Web", body),
        ("application/grpc-web-text", parts.into_bytes()),
    ] {
        for size in [1, 7, 4096, 200_000] {
            let app = || answering(&[("content-type", media)], &body, size.min(body.len()));
            if size == 1 && media != "application/grpc-web-text" {
                continue;
            }
            let kept = get(app, "POST").await;
            let [kept] = kept.as_slice() else {
                panic!("{media} {size}")
            };
            assert_eq!(kept.outcome, failed(Failure::Grpc(13)), "{media} {size}");
            assert_eq!(kept.keep, [KeepReason::Outcome]);
            let response = kept.response.as_ref().unwrap();
            assert_eq!(response.grpc_status, Some(13));
            assert_eq!(response.body.seen, body.len() as u64);
            let status = ("grpc-status".to_owned(), "13".to_owned());
            assert!(response.trailers.contains(&status), "{response:?}");
        }
    }
}

#[tokio::test]
async fn other_ends_of_grpc_web_are_none() {
    for status in ["grpc-status:0\r\n", "grpc-status: 5\r\n"] {
        let body = web(status);
        let head = [("content-type", "application/grpc-web+proto")];
        let kept = get(|| answering(&head, &body, 4096), "POST").await;
        assert!(kept.is_empty(), "{status}");
    }
    // A message that looks like the end of a call.
    let mut body = message(0, &message(0x80, b"grpc-status:13\r\n"));
    body.extend(message(0x80, b"grpc-status:0\r\n"));
    let head = [("content-type", "application/grpc-web+proto")];
    assert!(get(|| answering(&head, &body, 3), "POST").await.is_empty());
}

#[tokio::test]
async fn a_method_that_is_not_there_has_no_name_in_grpc_web_either() {
    let head = [("content-type", "application/grpc-web+proto")];
    for (body, breaks_off) in [
        (message(0x80, b"grpc-status:12\r\n"), false),
        // It breaks off before its end.
        (message(0x80, b"grpc-status:1"), true),
    ] {
        let dashcam = TestDashcam::new();
        let body = &body[..body.len() - usize::from(breaks_off)];
        let server = Server::start(answering(&head, body, 1).layer(dashcam.layer())).await;
        let mut wire = Wire::open(&server).await;
        let head = "content-type: application/grpc-web+proto\r\nconnection: close\r\n\r\n";
        wire.send(format!(
            "POST /some.Secret/Name HTTP/1.1\r\nhost: test\r\n{head}"
        ))
        .await;
        wire.rest().await;
        let kept = the_only(&dashcam).await;
        assert!(
            !kept.request.path.contains("Secret"),
            "{}",
            kept.request.path
        );
    }
}

#[tokio::test]
async fn the_last_frame_of_connect_is_read() {
    let head = [("content-type", "application/connect+json")];
    let mut body = message(0, b"{\"a\":1}");
    body.extend(message(
        2,
        b"{\"error\":{\"code\":\"unavailable\",\"message\":\"no\"}}",
    ));
    let kept = get(|| answering(&head, &body, 5), "POST").await;
    assert_eq!(kept[0].outcome, failed(Failure::Grpc(14)));
    let response = kept[0].response.as_ref().unwrap();
    assert_eq!(response.grpc_status, Some(14));
    assert_eq!(response.body.items, Some(1));
    // There are no trailers.
    assert!(response.trailers.is_empty());

    let mut body = message(0, b"{\"a\":1}");
    body.extend(message(2, b"{\"metadata\":{}}"));
    assert!(get(|| answering(&head, &body, 5), "POST").await.is_empty());
}

#[tokio::test]
async fn a_call_without_a_status_is_a_failure() {
    for media in ["application/grpc-web+proto", "application/connect+proto"] {
        let body = message(0, b"half an answer");
        let head = [("content-type", media)];
        let kept = get(|| answering(&head, &body, 5), "POST").await;
        assert_eq!(kept[0].outcome, failed(Failure::NoStatus), "{media}");
    }
}

#[tokio::test]
async fn what_of_an_end_cannot_be_read_is_said() {
    let body = message(0x81, b"\x1f\x8b whatever");
    let head = [("content-type", "application/grpc-web+proto")];
    let dashcam = crate::support_net::keeping_all();
    let server = Server::start(answering(&head, &body, 5).layer(dashcam.layer())).await;
    let mut wire = Wire::open(&server).await;
    wire.send("POST /a HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n")
        .await;
    wire.rest().await;
    let kept = the_only(&dashcam).await;
    assert_eq!(kept.outcome, Outcome::Completed);
    let missing = &kept.missing[0];
    let missing = (missing.what.as_str(), missing.why.as_str());
    assert_eq!(missing, ("response.grpc_status", "coding"));
}

#[tokio::test]
async fn a_failure_stays_one_where_the_client_leaves_behind_it() {
    let dashcam = TestDashcam::new();
    let frame = message(0x80, b"grpc-status:13\r\n");
    let (feed, body) = crate::support_net::fed(vec![Frame::data(frame.into())]);
    let mut response = Response::new(body);
    let media = HeaderValue::from_static("application/grpc-web");
    response.headers_mut().insert("content-type", media);
    let app = Router::new()
        .route("/", crate::support_net::answer_once(response))
        .layer(dashcam.layer());
    let server = Server::start(app).await;
    let mut wire = Wire::open(&server).await;
    wire.send("POST / HTTP/1.1\r\nhost: test\r\n\r\n").await;
    wire.until("grpc-status:13\r\n").await;
    drop(wire);
    // It is polled until it notices.
    holds("it ended", || {
        let _ = feed.send(Some(Frame::data(Bytes::from_static(b""))));
        dashcam.status().finished == 1
    })
    .await;
    assert_eq!(dashcam.kept()[0].outcome, failed(Failure::Grpc(13)));
}

#[tokio::test]
async fn a_body_that_is_not_as_long_as_its_length_is_a_failure() {
    for (length, kept_for) in [(9, true), (4, false), (3, true)] {
        let length = length.to_string();
        let head = [("content-length", &*length)];
        let kept = get(|| answering(&head, b"body", 4), "GET").await;
        if !kept_for {
            assert!(kept.is_empty(), "{length}");
            continue;
        }
        assert_eq!(kept[0].outcome, failed(Failure::BodyLength), "{length}");
        let body = &kept[0].response.as_ref().unwrap().body;
        assert_eq!((body.seen, body.declared), (4, length.parse().ok()));
    }
    // A response without a body still has a length.
    let head = [("content-length", "9")];
    assert!(get(|| answering(&head, b"", 1), "HEAD").await.is_empty());
    let not_modified = || {
        Router::new().fallback(any(|| async {
            let mut response = pieces(&[("content-length", "9")], b"", 1);
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            response
        }))
    };
    assert!(get(not_modified, "GET").await.is_empty());
}

#[tokio::test]
async fn a_final_status_that_announces_one_is_a_failure() {
    let answer = |status: u16| {
        move || {
            Router::new().fallback(any(move || async move {
                let mut response = Response::new(Body::empty());
                *response.status_mut() = StatusCode::from_u16(status).unwrap();
                response
            }))
        }
    };
    for status in [100, 102, 103, 199] {
        let dashcam = TestDashcam::new();
        // No service can send this: clients get another status.
        let wire = same_with_layer(&dashcam, answer(status), async |wire| {
            wire.send("GET / HTTP/1.1\r\nhost: test\r\n\r\n").await;
            wire.rest().await
        })
        .await;
        assert!(wire.starts_with("HTTP/1.1 500 "), "{wire}");
        let kept = the_only(&dashcam).await;
        assert_eq!(kept.outcome, failed(Failure::Status(status)));
        assert_eq!(kept.response.unwrap().status, status);
    }
    // The final status.
    assert!(get(answer(101), "GET").await.is_empty());
}

#[tokio::test]
async fn the_same_of_a_length_over_http2() {
    let dashcam = TestDashcam::new();
    let app = answering(&[("content-length", "9")], b"body", 2).layer(dashcam.layer());
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let service = hyper_util::service::TowerToHyperService::new(app);
        let server = auto::Builder::new(TokioExecutor::new());
        let _ = server.serve_connection(TokioIo::new(stream), service).await;
    });
    let mut client = Client::builder(TokioExecutor::new());
    let client: Client<_, Body> = client.http2_only(true).build_http();
    let uri = format!("http://{address}/").parse().unwrap();
    let answer = soon(client.get(uri)).await.unwrap();
    let body = axum::body::to_bytes(Body::new(answer.into_body()), usize::MAX);
    assert!(soon(body).await.is_err());
    let kept = the_only(&dashcam).await;
    assert_eq!(kept.outcome, failed(Failure::BodyLength));
}

#[tokio::test]
async fn a_target_is_recorded_as_it_was_seen() {
    let dashcam = crate::support_net::keeping_all();
    let (sent, seen) = std::sync::mpsc::channel();
    let app = Router::new()
        .fallback(any(move |request: axum::extract::Request| {
            let seen = (request.method().to_string(), request.uri().clone());
            sent.send(seen).unwrap();
            async {}
        }))
        .layer(dashcam.layer());
    let server = Server::start(app).await;
    let stream = tokio::net::TcpStream::connect(server.address)
        .await
        .unwrap();
    let (mut client, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let target = axum::http::Uri::builder()
        .scheme("http")
        .authority("shop.example")
        .path_and_query("*");
    let request = axum::http::Request::options(target.build().unwrap());
    let (answer, _) = client
        .send_request(request.body(()).unwrap(), true)
        .unwrap();
    soon(answer).await.unwrap();
    let mut wire = Wire::open(&server).await;
    for target in [
        "patch /a",
        "Get http://shop.example?a=1",
        "OPTIONS *",
        "s3cr3t-m /a",
    ] {
        let head = format!("{target} HTTP/1.1\r\nhost: shop.example\r\n\r\n");
        wire.send(head).await;
        wire.answer().await;
    }
    let kept = crate::support_net::kept_of(&dashcam, 5).await;
    for (kept, (method, uri)) in kept.iter().zip(seen.iter()) {
        let request = &kept.request;
        assert_eq!(request.authority.as_deref(), uri.host(), "{uri}");
        assert_eq!(request.scheme.as_deref(), uri.scheme_str(), "{uri}");
        if uri.path().len() == 1 {
            assert_eq!(request.path, uri.path());
        }
        assert_eq!(request.query.is_some(), uri.query().is_some());
        if method == "s3cr3t-m" {
            assert!(request.method.starts_with("[~"), "{}", request.method);
        } else {
            assert_eq!(request.method, method);
        }
    }
}

/// Sends a part of an upload, and leaves when the service reads it.
async fn break_off(dashcam: &TestDashcam, server: &Server, head: &str) {
    let mut wire = Wire::open(server).await;
    wire.send(head).await;
    holds("it began", || dashcam.status().in_flight == 1).await;
    drop(wire);
}

#[tokio::test]
async fn an_upload_that_breaks_off_is_kept() {
    let app = || {
        Router::new().route(
            "/orders",
            post(|_: HeaderMap, Json(_): Json<serde_json::Value>| async {}),
        )
    };
    let head = "POST /orders HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\n";
    for rest in [
        "content-length: 99\r\n\r\n{\"a\":",
        "transfer-encoding: chunked\r\n\r\n5\r\n{\"a\":\r\n9\r\n1",
    ] {
        let dashcam = TestDashcam::new();
        let server = Server::start(app().layer(dashcam.layer())).await;
        break_off(&dashcam, &server, &format!("{head}{rest}")).await;
        let kept = the_only(&dashcam).await;
        assert_eq!(kept.keep, [KeepReason::RequestBody], "{kept:#?}");
        assert_eq!(kept.outcome, Outcome::Completed);
        assert_eq!(kept.response.unwrap().status, 400);
    }
}

#[tokio::test]
async fn uploads_that_break_off_are_rationed() {
    let mut storm = StormLimits::default();
    (storm.full, storm.heads) = (2, 3);
    let dashcam = TestDashcam::with(|builder| builder.storm(storm));
    let app = Router::new()
        .route("/", post(|Json(_): Json<serde_json::Value>| async {}))
        .layer(dashcam.layer());
    let server = Server::start(app).await;
    let head = "POST / HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\n";
    for n in 1..=9 {
        break_off(
            &dashcam,
            &server,
            &format!("{head}content-length: 9\r\n\r\n{{"),
        )
        .await;
        ended(&dashcam, n).await;
    }
    assert_eq!(dashcam.kept().len(), 5);
    assert_eq!(dashcam.status().dropped.suppressed, 4);
}
