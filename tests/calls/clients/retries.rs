//! Attempts and hops are calls of their own if the layer is inside the layer that makes them.

use super::{
    assert_carried,
    calls::{hyper_client, reqwest_client},
    parent,
    world::{INBOUND, Receiver, handle},
};
use bytes::Bytes;
use dashcam::correlation::{PropagateCorrelationIdLayer, SpanId};
use http::{HeaderMap, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::client::legacy::Error;
use reqwest_middleware::ClientBuilder;
use reqwest_retry::{RetryTransientMiddleware, policies::ExponentialBackoff};
use std::{collections::HashSet, future::Ready, time::Duration};
use tower::{
    ServiceBuilder, ServiceExt,
    retry::{Policy, RetryLayer},
};
use tower_http::follow_redirect::FollowRedirectLayer;

/// Retries requests whose response is 503.
#[derive(Clone)]
struct Again;

impl Policy<Request<Full<Bytes>>, Response<Incoming>, Error> for Again {
    type Future = Ready<()>;

    fn retry(
        &mut self,
        _: &mut Request<Full<Bytes>>,
        result: &mut Result<Response<Incoming>, Error>,
    ) -> Option<Ready<()>> {
        let failed = result.as_ref().is_ok_and(|r| r.status() == 503);
        failed.then(|| std::future::ready(()))
    }

    fn clone_request(&mut self, request: &Request<Full<Bytes>>) -> Option<Request<Full<Bytes>>> {
        Some(request.clone())
    }
}

/// Asserts that all carried the identity, with this many parent IDs among them.
#[track_caller]
fn parents(seen: &[HeaderMap]) -> usize {
    seen.iter().for_each(assert_carried);
    let parents: HashSet<SpanId> = seen
        .iter()
        .map(|headers| parent(headers).parent_id)
        .collect();
    parents.len()
}

#[tokio::test]
async fn inside_of_a_retry_every_attempt_has_an_id_of_its_own() {
    let mut receiver = Receiver::failing(2).await;
    let url = receiver.url();
    handle(move || async move {
        let client = ServiceBuilder::new()
            .layer(RetryLayer::new(Again))
            .layer(PropagateCorrelationIdLayer::new())
            .service(hyper_client());
        let request = Request::get(url).body(Full::default()).unwrap();
        assert_eq!(client.oneshot(request).await.unwrap().status(), 200);
    })
    .await;
    let seen = receiver.seen();
    assert_eq!((seen.len(), parents(&seen)), (3, 3));
}

#[tokio::test]
async fn outside_of_a_retry_the_attempts_are_one_call() {
    let mut receiver = Receiver::failing(2).await;
    let url = receiver.url();
    handle(move || async move {
        let client = ServiceBuilder::new()
            .layer(PropagateCorrelationIdLayer::new())
            .layer(RetryLayer::new(Again))
            .service(hyper_client());
        let request = Request::get(url).body(Full::default()).unwrap();
        assert_eq!(client.oneshot(request).await.unwrap().status(), 200);
    })
    .await;
    let seen = receiver.seen();
    assert_eq!((seen.len(), parents(&seen)), (3, 1));
}

#[tokio::test]
async fn inside_of_redirects_every_hop_has_an_id_of_its_own() {
    let mut receiver = Receiver::start().await;
    let url = receiver.url().replace("/here", "/moved");
    handle(move || async move {
        let client = ServiceBuilder::new()
            .layer(FollowRedirectLayer::new())
            .layer(PropagateCorrelationIdLayer::new())
            .service(hyper_client());
        let request = Request::get(url).body(Full::default()).unwrap();
        assert_eq!(client.oneshot(request).await.unwrap().status(), 200);
    })
    .await;
    let seen = receiver.seen();
    assert_eq!((seen.len(), parents(&seen)), (2, 2));
}

fn backoff() -> RetryTransientMiddleware<ExponentialBackoff> {
    let policy = ExponentialBackoff::builder()
        .retry_bounds(Duration::from_millis(1), Duration::from_millis(2))
        .build_with_max_retries(3);
    RetryTransientMiddleware::new_with_policy(policy)
}

#[tokio::test]
async fn every_attempt_of_reqwest_retry_has_an_id_of_its_own() {
    let mut receiver = Receiver::failing(2).await;
    let url = receiver.url();
    handle(move || async move {
        let client = ClientBuilder::new(reqwest_client())
            .with(backoff())
            .with(PropagateCorrelationIdLayer::new())
            .build();
        assert_eq!(client.get(url).send().await.unwrap().status(), 200);
    })
    .await;
    let seen = receiver.seen();
    assert_eq!((seen.len(), parents(&seen)), (3, 3));
}

#[tokio::test]
async fn redirects_that_reqwest_follows_are_one_call() {
    let mut receiver = Receiver::start().await;
    let url = receiver.url().replace("/here", "/moved");
    handle(move || async move {
        let client = ClientBuilder::new(reqwest_client())
            .with(PropagateCorrelationIdLayer::new())
            .build();
        assert_eq!(client.get(url).send().await.unwrap().status(), 200);
    })
    .await;
    let seen = receiver.seen();
    assert_eq!((seen.len(), parents(&seen)), (2, 1));
}

#[tokio::test]
async fn what_the_caller_set_stays() {
    let mut receiver = Receiver::start().await;
    let url = receiver.url();
    handle(move || async move {
        let client = ClientBuilder::new(reqwest_client())
            .with(PropagateCorrelationIdLayer::new())
            .build();
        let call = client.get(url).header("x-request-id", "mine");
        call.header("traceparent", "mine").send().await.unwrap();
    })
    .await;
    let seen = receiver.only();
    assert_eq!(seen["x-request-id"], "mine");
    assert_eq!(seen["traceparent"], "mine");
    // A state without its parent is not sent.
    assert!(!seen.contains_key("tracestate"));
    assert_eq!(seen["baggage"], INBOUND.baggage);
}

#[tokio::test]
async fn the_settings_of_the_layer_are_those_of_the_middleware() {
    let mut receiver = Receiver::start().await;
    let url = receiver.url();
    handle(move || async move {
        let layer = PropagateCorrelationIdLayer::new()
            .header(http::HeaderName::from_static("x-correlation-id"))
            .trace_context(false)
            .baggage(false);
        let client = ClientBuilder::new(reqwest_client()).with(layer).build();
        client.get(url).send().await.unwrap();
    })
    .await;
    let seen = receiver.only();
    assert_eq!(seen["x-correlation-id"], INBOUND.id);
    for name in ["x-request-id", "traceparent", "tracestate", "baggage"] {
        assert!(!seen.contains_key(name), "{seen:?}");
    }
}
