//! Streams of items are counted, bounded, and passed on at once.

use super::{capture, kept};
use bytes::Bytes;
use dashcam::{
    capture::Limits,
    exchange::{BodyState, Exchange, Outcome},
};
use futures_util::FutureExt;
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use std::{convert::Infallible, time::Duration};
use tower::{ServiceExt, service_fn};
use tower_layer::Layer;

enum Part {
    Data(&'static [u8]),
    GrpcStatus(&'static str),
}

/// Returns the exchange of a request whose response has these frames.
async fn answered_with(
    head: &[(&'static str, &'static str)],
    parts: &'static [Part],
    change: impl FnOnce(&mut Limits),
) -> Exchange {
    let mut limits = Limits::default();
    change(&mut limits);
    let (layer, memory) = capture(|builder| builder.baseline(1.0).limits(limits));
    let service = layer.layer(service_fn(move |_: Request<_>| {
        let frames = parts.iter().map(|part| match part {
            Part::Data(data) => Ok::<_, Infallible>(Frame::data(Bytes::from_static(data))),
            Part::GrpcStatus(status) => {
                let mut trailers = HeaderMap::new();
                trailers.insert("grpc-status", status.parse().unwrap());
                Ok(Frame::trailers(trailers))
            }
        });
        let mut response = Response::new(StreamBody::new(futures_util::stream::iter(frames)));
        for (name, value) in head {
            response.headers_mut().insert(*name, value.parse().unwrap());
        }
        async move { Ok::<_, Infallible>(response) }
    }));
    let response = service.oneshot(Request::new(Full::<Bytes>::default()));
    let mut body = response.await.unwrap().into_body();
    for _ in parts {
        // Each frame is sent when it is there, without waiting for the next.
        assert!(body.frame().now_or_never().expect("at once").is_some());
    }
    assert!(body.frame().await.is_none());
    drop(body);
    kept(&layer, &memory).remove(0)
}

#[tokio::test]
async fn server_sent_events_are_counted_and_cut_at_an_event() {
    static PARTS: [Part; 3] = [
        Part::Data(b": hello\n\ndata: 1\n\nda"),
        Part::Data(b"ta: 2\n\nda"),
        Part::Data(b"ta: 3\n\n"),
    ];
    let head = [("content-type", "text/event-stream")];
    let all = answered_with(&head, &PARTS, |_| {}).await;
    let body = &all.response.as_ref().unwrap().body;
    assert_eq!(body.state, BodyState::Stream);
    assert_eq!((body.items, body.kept, body.seen), (Some(3), 36, 36));
    let two = answered_with(&head, &PARTS, |limits| limits.stream_items = 2).await;
    let body = &two.response.as_ref().unwrap().body;
    assert_eq!((body.items, body.kept, body.seen), (Some(3), 27, 36));
}

#[tokio::test]
async fn lines_of_json_are_counted_and_cut_by_time() {
    static PARTS: [Part; 2] = [Part::Data(b"{\"a\":1}\n{\"a\""), Part::Data(b":2}")];
    let head = [("content-type", "application/x-ndjson")];
    let all = answered_with(&head, &PARTS, |_| {}).await;
    let body = &all.response.as_ref().unwrap().body;
    assert_eq!((body.items, body.kept), (Some(2), 15));
    let none = answered_with(&head, &PARTS, |limits| limits.stream_time = Duration::ZERO).await;
    let body = &none.response.as_ref().unwrap().body;
    // The time begins with the first chunk.
    assert_eq!((body.items, body.kept, body.seen), (Some(2), 12, 15));
    assert_eq!(body.state, BodyState::Truncated);
}

#[tokio::test]
async fn messages_of_grpc_are_counted_and_the_status_is_in_the_trailers() {
    static PARTS: [Part; 3] = [
        Part::Data(b"\0\0\0\0\x03ab"),
        Part::Data(b"c\0\0\0\0\0"),
        Part::GrpcStatus("14"),
    ];
    let grpc = answered_with(&[("content-type", "application/grpc")], &PARTS, |_| {}).await;
    let response = grpc.response.as_ref().unwrap();
    assert_eq!(
        (response.body.items, response.grpc_status),
        (Some(2), Some(14))
    );
    assert_eq!(grpc.outcome.as_str(), "failed");
}

#[tokio::test]
async fn an_answer_of_trailers_alone_has_its_status_in_the_head() {
    let head = [("content-type", "application/grpc"), ("grpc-status", "5")];
    let grpc = answered_with(&head, &[], |_| {}).await;
    let response = grpc.response.as_ref().unwrap();
    assert_eq!(
        (response.body.items, response.grpc_status),
        (Some(0), Some(5))
    );
    assert_eq!(grpc.outcome, Outcome::Completed, "not the server's fault");
}

#[tokio::test]
async fn what_a_coding_hides_is_not_counted() {
    static PARTS: [Part; 1] = [Part::Data(b"\n\n\n")];
    let head = [
        ("content-type", "application/x-ndjson"),
        ("content-encoding", "gzip"),
    ];
    let coded = answered_with(&head, &PARTS, |_| {}).await;
    assert_eq!(coded.response.unwrap().body.items, None);
}
