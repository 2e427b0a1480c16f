//! Called services get the identity of the request, with every client, over real sockets.

mod calls;
mod retries;
mod world;

use dashcam::{context::InRequestExt, correlation::TraceParent};
use http::HeaderMap;
use world::{INBOUND, Receiver, handle, handle_selected};

fn parent(headers: &HeaderMap) -> TraceParent {
    TraceParent::parse(headers["traceparent"].as_bytes()).unwrap()
}

/// Asserts that the headers carry the identity of the calling request.
#[track_caller]
fn assert_carried(headers: &HeaderMap) {
    assert_eq!(headers["x-request-id"], INBOUND.id);
    let came = TraceParent::parse(INBOUND.traceparent.as_bytes()).unwrap();
    let sent = parent(headers);
    assert_eq!(sent.trace_id, came.trace_id);
    assert_ne!(sent.parent_id, came.parent_id);
    assert_eq!(headers["tracestate"], INBOUND.tracestate);
    assert_eq!(headers["baggage"], INBOUND.baggage);
}

#[track_caller]
fn assert_untouched(headers: &HeaderMap) {
    for name in [
        "x-request-id",
        "traceparent",
        "tracestate",
        "baggage",
        "x-dashcam-verbose",
    ] {
        assert!(!headers.contains_key(name), "{headers:?}");
    }
}

/// One set of checks per client.
macro_rules! each_client {
    ($($client:ident),* $(,)?) => {$(
        mod $client {
            use super::*;

            #[tokio::test]
            async fn a_call_carries_its_request() {
                let mut receiver = Receiver::start().await;
                let call = calls::$client(receiver.url());
                handle(move || call).await;
                assert_carried(&receiver.only());
            }

            #[tokio::test]
            async fn each_call_has_an_id_of_its_own() {
                let mut receiver = Receiver::start().await;
                let (one, other) = (receiver.url(), receiver.url());
                handle(move || async move {
                    calls::$client(one).await;
                    calls::$client(other).await;
                })
                .await;
                let seen = receiver.seen();
                assert_eq!(seen.len(), 2);
                for headers in &seen {
                    assert_carried(headers);
                }
                assert_ne!(parent(&seen[0]).parent_id, parent(&seen[1]).parent_id);
            }

            #[tokio::test]
            async fn a_spawned_call_carries_its_request_with_in_request_only() {
                let mut receiver = Receiver::start().await;
                let (with, without) = (receiver.url(), receiver.url());
                handle(move || async move {
                    let call = async move { calls::$client(with).await };
                    tokio::spawn(call.in_request()).await.unwrap();
                    let call = async move { calls::$client(without).await };
                    tokio::spawn(call).await.unwrap();
                })
                .await;
                let seen = receiver.seen();
                assert_eq!(seen.len(), 2);
                assert_carried(&seen[0]);
                assert_untouched(&seen[1]);
            }

            #[tokio::test]
            async fn a_call_takes_the_selection_to_hosts_that_may_know_it() {
                let mut may = Receiver::start().await;
                let mut may_not = Receiver::start().await;
                let urls = [may.url(), may_not.url()];
                handle_selected(&[may.host()], move || async move {
                    for url in urls {
                        let call = async move { calls::$client(url).await };
                        tokio::spawn(call.in_request()).await.unwrap();
                    }
                })
                .await;
                assert_eq!(may.only()["x-dashcam-verbose"].as_bytes()[..2], *b"ey");
                assert!(!may_not.only().contains_key("x-dashcam-verbose"));
            }

            #[tokio::test]
            async fn outside_of_a_request_nothing_is_added() {
                let mut receiver = Receiver::start().await;
                calls::$client(receiver.url()).await;
                assert_untouched(&receiver.only());
            }
        }
    )*};
}

each_client! {
    function, hyper_util, tower_http_client, reqwest, reqwest_middleware,
    tonic_channel, tonic_interceptor,
}

/// A channel adds its host inside the layer.
#[tokio::test]
async fn a_tonic_client_without_an_origin_leaves_the_selection_behind() {
    let mut receiver = Receiver::start().await;
    let url = receiver.url();
    handle_selected(&[receiver.host()], move || async move {
        calls::tonic_channel_without_origin(url).await;
    })
    .await;
    let headers = receiver.only();
    assert_eq!(headers["x-request-id"], INBOUND.id);
    assert!(!headers.contains_key("x-dashcam-verbose"));
}
