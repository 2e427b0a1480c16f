//! The spans around recorded events.

use crate::support_gate::{Fixture, request};
use dashcam::exchange::Event;
use http::StatusCode;
use serde_json::{Value, json};
use tokio::task::yield_now;
use tracing::{Instrument, field::Empty};
use tracing_subscriber::{EnvFilter, prelude::*};

fn init() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        tracing_subscriber::registry()
            .with(dashcam::gate::Gate::new(EnvFilter::new("info")))
            .init();
    });
}

fn spans(event: &Event) -> Value {
    let spans = event.spans.iter().map(|s| json!([s.name, s.fields]));
    Value::Array(spans.collect())
}

#[tracing::instrument(skip_all, fields(order = id))]
async fn price(id: u64) {
    tracing::debug!("looking up");
    yield_now().await;
    discount("vip", 15).await;
    tracing::debug!("priced");
}

#[tracing::instrument]
async fn discount(rule: &str, percent: u8) {
    yield_now().await;
    tracing::debug!("discounted");
}

#[tokio::test]
async fn names_and_fields_outermost_first() {
    alone!();
    init();
    let fixture = Fixture::new();
    let handler = async {
        tracing::debug!("bare");
        futures_util::future::join(price(1), price(2)).await;
        tracing::debug!("bare again");
        StatusCode::BAD_GATEWAY
    };
    fixture.serve(request(), handler).await;
    let exchange = fixture.only();
    let got: Vec<_> = exchange
        .events
        .iter()
        .map(|e| json!([e.message, spans(e)]))
        .collect();
    let order = |id: u64| json!(["price", {"order": id}]);
    let inner = json!(["discount", {"rule": "vip", "percent": 15}]);
    assert_eq!(
        got,
        [
            json!(["bare", []]),
            json!(["looking up", [order(1)]]),
            json!(["looking up", [order(2)]]),
            json!(["discounted", [order(1), inner]]),
            json!(["priced", [order(1)]]),
            json!(["discounted", [order(2), inner]]),
            json!(["priced", [order(2)]]),
            json!(["bare again", []]),
        ]
    );
}

#[test]
fn fields_recorded_later_are_on_the_events_after_that() {
    alone!();
    init();
    let fixture = Fixture::new();
    let exchange = fixture.failing(|| {
        let outer = tracing::info_span!("outer", a = 1, b = Empty);
        let inner = tracing::info_span!(parent: &outer, "inner", c = Empty);
        inner.in_scope(|| {
            tracing::debug!("none yet");
            inner.record("c", 3);
            tracing::debug!("inner");
            outer.record("b", "two");
            tracing::debug!("both");
            outer.record("b", "three");
            outer.record("a", 4);
            tracing::debug!("again");
        });
    });
    let got: Vec<_> = exchange.events.iter().map(spans).collect();
    assert_eq!(
        got,
        [
            json!([["outer", {"a": 1}], ["inner", {}]]),
            json!([["outer", {"a": 1}], ["inner", {"c": 3}]]),
            json!([["outer", {"a": 1, "b": "two"}], ["inner", {"c": 3}]]),
            json!([["outer", {"a": 4, "b": "three"}], ["inner", {"c": 3}]]),
        ]
    );
}

#[test]
fn an_explicit_parent_counts_and_none_does_too() {
    alone!();
    init();
    let fixture = Fixture::new();
    let exchange = fixture.failing(|| {
        let (one, two) = (tracing::info_span!("one"), tracing::info_span!("two"));
        one.in_scope(|| {
            tracing::debug!(parent: &two, "two");
            tracing::debug!(parent: None, "none");
            tracing::debug!("one");
        });
    });
    for event in &exchange.events {
        let names: Vec<_> = event.spans.iter().map(|s| s.name.as_str()).collect();
        let message = event.message.as_deref().unwrap();
        let expected = if message == "none" {
            vec![]
        } else {
            vec![message]
        };
        assert_eq!(names, expected, "{message}");
    }
}

/// The registry reuses the IDs of closed spans.
#[test]
fn right_after_many_spans_were_closed() {
    alone!();
    init();
    const SPANS: u64 = 12_000;
    let fixture = Fixture::new();
    let exchange = fixture.failing(|| {
        let outer = tracing::info_span!("outer", n = "all");
        let _outer = outer.enter();
        for n in 0..SPANS {
            tracing::info_span!("step", n).in_scope(|| tracing::debug!(n, "inside"));
            if n % 7 == 0 {
                tracing::debug!(n, "between");
            }
        }
    });
    let outer = json!(["outer", {"n": "all"}]);
    let mut with_spans = 0;
    for event in &exchange.events {
        let expected = match event.message.as_deref() {
            Some("inside") => json!([outer, ["step", {"n": event.fields["n"]}]]),
            _ => json!([outer]),
        };
        // A path may be left out if there were too many. It is never wrong.
        if !event.spans.is_empty() {
            with_spans += 1;
            assert_eq!(spans(event), expected);
        }
    }
    let newest = exchange.events.iter().rev().take(50);
    assert!(newest.clone().all(|e| !e.spans.is_empty()), "{with_spans}");
    assert_eq!(exchange.events.last().unwrap().fields["n"], SPANS - 1);
}

#[tokio::test]
async fn spans_of_other_requests_stay_out() {
    alone!();
    init();
    let fixture = Fixture::new();
    let handler = |n: u64| {
        async move {
            for _ in 0..5 {
                tracing::debug!(n, "in it");
                yield_now().await;
            }
            StatusCode::BAD_GATEWAY
        }
        .instrument(tracing::info_span!("handler", n))
    };
    // The request's own span is inside theirs, and left out.
    let requests = (0..20).map(|n| fixture.serve(request(), handler(n)));
    futures_util::future::join_all(requests).await;
    let kept = fixture.take();
    assert_eq!(kept.len(), 20);
    for exchange in kept {
        let first = exchange.events[0].fields["n"].clone();
        for event in &exchange.events {
            assert_eq!(event.fields["n"], first);
            let names: Vec<_> = event.spans.iter().map(|s| s.name.as_str()).collect();
            assert_eq!(names, ["handler"]);
        }
    }
}
