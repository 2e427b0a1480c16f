//! Spans below the base filter, under a formatting layer that shows spans.

use crate::support_gate::{Buffer, Fixture, Seen, fmt_json, request};
use http::StatusCode;
use tracing_subscriber::{EnvFilter, fmt::format::FmtSpan, prelude::*};

fn names(line: &serde_json::Value) -> Vec<&str> {
    let spans = line["spans"].as_array().unwrap();
    spans.iter().map(|s| s["name"].as_str().unwrap()).collect()
}

#[test]
fn are_made_in_live_requests_only() {
    alone!();
    let fixture = Fixture::with(|builder| builder.insecure_plain_header(true));
    let (json, lifecycle, seen) = (Buffer::default(), Buffer::default(), Seen::default());
    tracing_subscriber::registry()
        .with(fmt_json(&json))
        .with(
            tracing_subscriber::fmt::layer()
                .json()
                .with_span_events(FmtSpan::FULL)
                .with_writer(lifecycle.clone()),
        )
        .with(fixture.dashcam.gate(EnvFilter::new("info")))
        .with(seen.clone())
        .init();
    let work = |tag: &'static str| {
        let outer = tracing::info_span!("outer", tag);
        let _outer = outer.enter();
        let inner = tracing::debug_span!("inner", n = tracing::field::Empty);
        inner.record("n", 7);
        let _inner = inner.enter();
        tracing::debug!("{tag} debug");
        tracing::info!("{tag} info");
        drop(_inner);
        tracing::info!("{tag} later");
        inner.is_disabled()
    };

    assert!(work("outside"));
    let mut disabled = false;
    let exchange = fixture.failing(|| disabled = work("recorded"));
    assert!(disabled, "a debug span is not made for a recording");
    let spans: Vec<Vec<_>> = exchange
        .events
        .iter()
        .map(|e| e.spans.iter().map(|s| s.name.as_str()).collect())
        .collect();
    assert_eq!(spans, [["outer"]; 3]);
    assert_eq!(exchange.events[0].spans[0].fields["tag"], "recorded");
    assert_eq!(seen.spans("inner"), 0);
    assert_eq!(
        names(&json.with_message("recorded info")[0]),
        ["request", "outer"]
    );
    assert!(json.with_message("recorded debug").is_empty());

    let mut live = request();
    live.headers_mut()
        .insert("x-dashcam-verbose", "1".parse().unwrap());
    fixture.call(live, StatusCode::OK, || disabled = work("live"));
    assert!(!disabled, "a debug span is made in a live request");
    let exchange = fixture.only();
    let event = &exchange.events[0];
    assert_eq!(event.spans[1].name, "inner");
    assert_eq!(event.spans[1].fields["n"], 7);
    assert_eq!(exchange.events[2].spans.len(), 1, "the inner span was left");
    assert_eq!(seen.spans("inner"), 1);
    for message in ["live debug", "live info"] {
        let lines = json.with_message(message);
        assert_eq!(lines.len(), 1, "{message}");
        assert_eq!(names(&lines[0]), ["request", "outer", "inner"]);
        assert_eq!(lines[0]["spans"][2]["n"], 7);
    }
    assert_eq!(
        names(&json.with_message("live later")[0]),
        ["request", "outer"]
    );

    assert!(work("after"));
    assert_eq!(json.with_message("after debug").len(), 0);
    // Each span whose begin is shown also has its end shown.
    let count = |what| lifecycle.with_message(what).len();
    assert_eq!(count("new"), count("close"));
    assert_eq!(count("enter"), count("exit"));
    assert_eq!(
        count("new"),
        2 + 4 + 1,
        "requests, outer spans, the inner one"
    );
}
