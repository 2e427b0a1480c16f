//! W3C Trace Context over sockets: the headers that a called service receives, whatever headers
//! the request had.
//!
//! The endpoint `/fanout` is that of the example `orders`, as the conformance suite of the W3C
//! uses it.

#[path = "../../../src/id/cases/mod.rs"]
mod cases;
mod endpoints;
mod pair;
#[path = "../../../examples/orders/tools.rs"]
mod tools;

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Request},
};
use cases::{PARENT, TRACE};
use dashcam::{
    correlation::{CorrelationIdLayer, TraceParent},
    exchange::{Correlation, CorrelationSource},
    testing::TestDashcam,
};
use pair::Pair;
use serde_json::json;
use std::{collections::HashSet, time::Duration};
use tower::ServiceExt;

const PATIENCE: Duration = Duration::from_secs(60);

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().map(|value| value.to_str().unwrap());
    assert!(values.next().is_none(), "{name} is sent once at most");
    value
}

/// Returns the flags of the header: 1 is *sampled*, 2 is *random*.
fn flags_of(parent: TraceParent) -> u8 {
    u8::from(parent.is_sampled()) | u8::from(parent.is_random()) << 1
}

fn parent(headers: &HeaderMap) -> TraceParent {
    let text = text(headers, "traceparent").expect("every call has a parent");
    let parent: TraceParent = text.parse().expect(text);
    // Version 00, and nothing around it.
    assert_eq!(parent.to_string(), text);
    parent
}

fn good() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        (
            "traceparent",
            format!("00-{TRACE}-{PARENT}-01").into_bytes(),
        ),
        ("tracestate", b"rojo=opaque-value-one,congo=2".to_vec()),
        ("baggage", b"user=opaque-value-two".to_vec()),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_case_of_the_specification() {
    let mut pair = Pair::new(CorrelationIdLayer::new()).await;
    let cases = cases::all();
    assert!(cases.len() >= 80, "{}", cases.len());
    let (mut traces, mut sent) = (HashSet::new(), Vec::new());
    for case in &cases {
        let name = case.name;
        let call = pair.fan_out(&case.headers, 1).await.remove(0);
        let parent = parent(&call);
        sent.push(parent.trace_id);
        assert_ne!(parent.parent_id.to_string(), PARENT, "{name}");
        match &case.expected.trace {
            Some((trace, flags)) => {
                assert_eq!(parent.trace_id.to_string(), *trace, "{name}");
                assert_eq!(flags_of(parent), *flags, "{name}");
            }
            None => {
                assert_ne!(parent.trace_id.to_string(), TRACE, "{name}");
                assert!(traces.insert(parent.trace_id), "{name}");
                assert_eq!(flags_of(parent), 2, "{name}");
            }
        }
        let state = case.expected.state.as_deref();
        assert_eq!(text(&call, "tracestate"), state, "{name}");
        let baggage = case.expected.baggage.as_deref();
        assert_eq!(text(&call, "baggage"), baggage, "{name}");
    }
    // The exchange has the same for each.
    assert!(pair.dashcam.flush(PATIENCE));
    let kept = pair.dashcam.kept();
    assert_eq!(kept.len(), cases.len());
    for ((case, sent), kept) in cases.iter().zip(sent).zip(kept) {
        let correlation = kept.correlation;
        let trace_id = Some(sent.to_string());
        assert_eq!(correlation.trace_id, trace_id, "{}", case.name);
        let goes_on = case.expected.trace.is_some();
        assert_eq!(correlation.parent_id.is_some(), goes_on, "{}", case.name);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_of_a_request_has_an_id_of_its_own() {
    let mut pair = Pair::new(CorrelationIdLayer::new()).await;
    let zeros = format!("00-{}-{PARENT}-01", "0".repeat(32)).into_bytes();
    for (headers, goes_on) in [
        (good(), true),
        (vec![], false),
        (vec![("traceparent", zeros)], false),
    ] {
        let calls = pair.fan_out(&headers, 3).await;
        let traces: HashSet<_> = calls.iter().map(|sent| parent(sent).trace_id).collect();
        let parents: HashSet<_> = calls.iter().map(|sent| parent(sent).parent_id).collect();
        assert_eq!((traces.len(), parents.len()), (1, 3));
        assert_eq!(traces.iter().any(|id| id.to_string() == TRACE), goes_on);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_clients_and_tasks_carry_the_same() {
    let mut pair = Pair::new(CorrelationIdLayer::new()).await;
    for path in ["/function", "/spawned"] {
        let sent = pair.call_from(path, &good()).await;
        assert_eq!(parent(&sent).trace_id.to_string(), TRACE, "{path}");
        assert_eq!(
            text(&sent, "tracestate"),
            Some("rojo=opaque-value-one,congo=2")
        );
        assert_eq!(text(&sent, "baggage"), Some("user=opaque-value-two"));
        assert_eq!(text(&sent, "x-request-id"), Some(TRACE));
    }
    let sent = pair.call_from("/theirs", &good()).await;
    assert_eq!(text(&sent, "traceparent"), Some("theirs"));
    assert_eq!(text(&sent, "tracestate"), None);
    assert_eq!(text(&sent, "baggage"), Some("theirs=1"));
    assert_eq!(text(&sent, "x-request-id"), Some(TRACE));
    let sent = pair.call_from("/plain", &good()).await;
    for name in ["traceparent", "tracestate", "baggage"] {
        assert_eq!(text(&sent, name), None);
    }
    assert_eq!(text(&sent, "x-request-id"), Some(TRACE));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_service_called_names_the_call_as_its_parent() {
    let (mut gateway, backend) = (
        Pair::new(CorrelationIdLayer::new()).await,
        Pair::new(CorrelationIdLayer::new()).await,
    );
    gateway.receiver = format!("http://{}/echo", backend.service);
    let body = json!([{ "url": gateway.receiver, "arguments": [] }]).to_string();
    gateway.send("/fanout", &[], &body).await;
    let (first, second) = (gateway.only().correlation, backend.only().correlation);
    assert_eq!(first.trace_id, second.trace_id);
    assert_eq!(first.id, second.id);
    assert_eq!(first.parent_id, None);
    // The call is an operation of its own between both requests.
    let ids = [first.span_id, second.parent_id, second.span_id];
    let distinct: HashSet<_> = ids.iter().flatten().collect();
    assert_eq!(distinct.len(), 3, "{ids:?}");
}

/// One service nested in another, in one process.
#[tokio::test]
async fn a_request_within_another_has_a_place_of_its_own() {
    let dashcam = || TestDashcam::with(|builder| builder.baseline(1.0));
    let (outer, inner) = (dashcam(), dashcam());
    let app = Router::new()
        .fallback(|| async {})
        .layer(inner.layer())
        .layer(outer.layer());
    let request = Request::get("/").header("traceparent", format!("00-{TRACE}-{PARENT}-01"));
    let response = app.oneshot(request.body(Body::empty()).unwrap()).await;
    let body = response.unwrap().into_body();
    to_bytes(body, usize::MAX).await.unwrap();
    assert!(outer.flush(PATIENCE) && inner.flush(PATIENCE));
    let (outer, inner) = (outer.only().correlation, inner.only().correlation);
    assert_eq!((&outer.id, &outer.trace_id), (&inner.id, &inner.trace_id));
    assert_eq!(outer.parent_id.as_deref(), Some(PARENT));
    assert!(outer.span_id.is_some() && outer.span_id == inner.parent_id);
    assert_ne!(outer.span_id, inner.span_id);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_started_trace_is_told_as_one() {
    let pair = Pair::new(CorrelationIdLayer::new()).await;
    pair.send("/echo", &[], "").await;
    let Correlation {
        id,
        source,
        trace_id,
        parent_id,
        span_id,
        client_trace_id,
        ..
    } = pair.only().correlation;
    assert_eq!(source, CorrelationSource::Minted);
    // Each of the two IDs leads to the other.
    assert_eq!(trace_id, Some(id.replace('-', "")));
    assert_eq!((parent_id, client_trace_id), (None, None));
    assert_eq!(span_id.map(|id| id.len()), Some(16));

    let pair = Pair::new(CorrelationIdLayer::new()).await;
    let id = [("x-request-id", b"of-the-client".to_vec())];
    pair.send("/echo", &id, "").await;
    let correlation = pair.only().correlation;
    assert_eq!(correlation.id, "of-the-client");
    assert_eq!(correlation.source, CorrelationSource::Header);
    assert_eq!(correlation.trace_id.map(|id| id.len()), Some(32));
    assert_eq!(correlation.parent_id, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trace_that_goes_on_is_told_without_what_it_carries() {
    let mut pair = Pair::new(CorrelationIdLayer::new()).await;
    pair.fan_out(&good(), 1).await;
    let exchange = pair.only();
    let correlation = &exchange.correlation;
    assert_eq!(correlation.source, CorrelationSource::Traceparent);
    assert_eq!(correlation.id, TRACE);
    assert_eq!(correlation.trace_id.as_deref(), Some(TRACE));
    assert_eq!(correlation.parent_id.as_deref(), Some(PARENT));
    assert_ne!(correlation.span_id.as_deref(), Some(PARENT));
    let told = serde_json::to_string(&exchange).unwrap();
    assert!(told.contains("tracestate") && told.contains("baggage"));
    assert!(!told.contains("opaque-value"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_the_edge_nothing_of_the_client_goes_on() {
    let mut pair = Pair::new(CorrelationIdLayer::new().edge(true)).await;
    let sent = pair.fan_out(&good(), 1).await.remove(0);
    let ours = parent(&sent);
    assert_ne!(ours.trace_id.to_string(), TRACE);
    assert_eq!(flags_of(ours), 2);
    assert_eq!(text(&sent, "tracestate"), None);
    assert_eq!(text(&sent, "baggage"), None);
    let correlation = pair.only().correlation;
    assert_eq!(correlation.source, CorrelationSource::Minted);
    assert_eq!(correlation.trace_id, Some(ours.trace_id.to_string()));
    assert_eq!(correlation.trace_id, Some(correlation.id.replace('-', "")));
    assert_eq!(correlation.parent_id, None);
    assert_eq!(correlation.client_trace_id.as_deref(), Some(TRACE));
    assert_eq!(correlation.client_parent_id.as_deref(), Some(PARENT));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_service_finds_our_parent_at_the_edge_and_the_client_s_elsewhere() {
    let pair = Pair::new(CorrelationIdLayer::new().edge(true)).await;
    let (_, told) = pair.send("/seen", &good(), "").await;
    let correlation = pair.only().correlation;
    let (trace, span) = (correlation.trace_id.unwrap(), correlation.span_id.unwrap());
    let ours = format!("00-{trace}-{span}-02");
    assert_eq!(told, format!("{:?}", [Some(&*ours), None, None]));

    let pair = Pair::new(CorrelationIdLayer::new().edge(true)).await;
    let (_, told) = pair.send("/seen", &[], "").await;
    assert_eq!(told, format!("{:?}", [None::<&str>; 3]));

    let pair = Pair::new(CorrelationIdLayer::new()).await;
    let (_, told) = pair.send("/seen", &good(), "").await;
    let theirs = good().into_iter().map(|(_, value)| value);
    let theirs: Vec<_> = theirs
        .map(|v| Some(String::from_utf8(v).unwrap()))
        .collect();
    assert_eq!(told, format!("{theirs:?}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_answer_names_the_trace_where_that_is_wanted() {
    let pair = Pair::new(CorrelationIdLayer::new().server_timing(true)).await;
    let (head, _) = pair.send("/echo", &good(), "").await;
    let span = pair.only().correlation.span_id.unwrap();
    let line = format!("server-timing: trace;desc=\"00-{TRACE}-{span}-01\"");
    assert!(head.lines().any(|found| found == line), "{head}");

    let pair = Pair::new(CorrelationIdLayer::new()).await;
    let (head, _) = pair.send("/echo", &good(), "").await;
    assert!(!head.contains("server-timing"), "{head}");
}
