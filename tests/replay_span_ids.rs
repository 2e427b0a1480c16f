//! The registry gives the IDs of closed spans to new ones: no recorded event may
//! take a foreign span for its own, neither in the exchange nor in the replay.
#![cfg(feature = "full")]

mod support_gate;

use dashcam::exchange::Exchange;
use http::StatusCode;
use serde_json::Value;
use std::{collections::HashSet, sync::Mutex};
use support_gate::{Buffer, FAILED, Fixture, fmt_json, replay_all, request, until};
use tracing::{Id, Subscriber, span::Attributes};
use tracing_subscriber::{
    EnvFilter,
    layer::{Context, Layer},
    prelude::*,
    registry::LookupSpan,
};

/// Counts spans that have an ID which another one had before them.
#[derive(Debug, Default)]
struct Ids(Mutex<(HashSet<u64>, u64)>);

static IDS: std::sync::LazyLock<Ids> = std::sync::LazyLock::new(Ids::default);

struct Watch;

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Watch {
    fn on_new_span(&self, _: &Attributes<'_>, id: &Id, _: Context<'_, S>) {
        let mut ids = IDS.0.lock().unwrap();
        if !ids.0.insert(id.into_u64() & 0xff_ffff) {
            ids.1 += 1;
        }
    }
}

/// Opens and closes spans of other names, a few at a time.
fn churn(spans: u64, name: &str) {
    for n in (0..spans).step_by(4) {
        let _one = tracing::info_span!("foreign", n, name).entered();
        let _two = tracing::info_span!("foreign inside", n);
        let _three = tracing::warn_span!("foreign beside", n).entered();
        let _four = tracing::info_span!(parent: None, "foreign root", n);
    }
}

/// What a request does: events in spans of their own, with the spans of others
/// between them and around them in time.
fn work(tag: &'static str, steps: u64) {
    for step in 0..steps {
        let outer = tracing::info_span!("outer", tag, step);
        outer.in_scope(|| {
            tracing::debug!(step, "{tag} outer");
            churn(8, tag);
            let inner = tracing::info_span!("inner", step);
            inner.in_scope(|| tracing::debug!(step, "{tag} inner"));
            drop(inner);
            tracing::info_span!("other", step).in_scope(|| churn(4, tag));
            tracing::debug!(step, "{tag} outer again");
        });
        drop(outer);
        tracing::debug!(step, "{tag} bare");
        churn(40, tag);
        tracing::debug!(step, "{tag} bare again");
    }
}

/// The spans of a request in which it was all as in [`work`].
fn check(exchange: &Exchange, tag: &str, steps: u64) {
    let names = ["outer", "inner", "outer again", "bare", "bare again"];
    assert_eq!(exchange.losses, dashcam::exchange::Losses::default());
    assert_eq!(exchange.events.len() as u64, steps * 5);
    for (n, event) in exchange.events.iter().enumerate() {
        let (step, name) = (n / 5, names[n % 5]);
        assert_eq!(event.fields["step"], step);
        let message = format!("{tag} {name}");
        assert_eq!(event.message.as_ref(), Some(&message));
        let spans: Vec<_> = event.spans.iter().map(|s| s.name.as_str()).collect();
        let own: &[&str] = match name {
            "outer" | "outer again" => &["outer"],
            "inner" => &["outer", "inner"],
            _ => &[],
        };
        assert_eq!(spans, own, "{step} {name}");
        for span in &event.spans {
            assert_eq!(span.fields["step"], step, "{step} {name}");
        }
    }
}

/// Every replayed line is in the `replay` span of its own request, and nowhere else.
fn check_lines(lines: &[Value], exchange: &Exchange, tag: &str) {
    let message = |line: &Value| line["fields"]["message"].as_str().unwrap().to_owned();
    let own: Vec<_> = lines
        .iter()
        .filter(|line| message(line).starts_with(tag))
        .collect();
    assert_eq!(own.len(), exchange.events.len(), "each once");
    for (line, event) in own.into_iter().zip(&exchange.events) {
        assert_eq!(Some(&message(line)), event.message.as_ref());
        assert_eq!(line["fields"]["step"], event.fields["step"]);
        let spans = line["spans"].as_array().unwrap();
        let names: Vec<_> = spans.iter().map(|s| s["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["request", "replay"], "{line}");
        let id = exchange.correlation.id.as_str();
        assert_eq!(spans[0]["correlation_id"], id, "{line}");
    }
}

#[test]
fn replays_stay_with_their_own_spans() {
    let fixture = Fixture::with(|builder| {
        let mut limits = dashcam::capture::Limits::default();
        limits.recording = 1024 * 1024;
        builder.replay(replay_all(false)).limits(limits)
    });
    let json = Buffer::default();
    tracing_subscriber::registry()
        .with(fmt_json(&json))
        .with(Watch)
        .with(fixture.dashcam.gate(EnvFilter::new("info")))
        .init();

    // Within one request.
    let exchange = fixture.failing(|| work("alone", 25));
    check(&exchange, "alone", 25);
    check_lines(&json.lines(), &exchange, "alone");

    // Between what one request records and its replay, in other requests and
    // outside of any, while the replays of others are under way.
    let tags = ["one", "two", "three", "four"];
    std::thread::scope(|scope| {
        for tag in tags {
            let fixture = &fixture;
            scope.spawn(move || {
                fixture.call(request(), FAILED, || {
                    work(tag, 20);
                    churn(20_000, tag);
                });
                churn(5_000, tag);
                fixture.call(request(), StatusCode::OK, || churn(5_000, tag));
            });
        }
    });
    let kept = fixture.take();
    assert_eq!(kept.len(), tags.len());
    let lines = json.lines();
    for tag in tags {
        let begins = |e: &&Exchange| {
            e.events[0].fields["step"] == 0
                && e.events[0].message.as_ref().unwrap().starts_with(tag)
        };
        let exchange = kept.iter().find(begins).unwrap();
        check(exchange, tag, 20);
        check_lines(&lines, exchange, tag);
    }
    until("the spans are closed", || {
        fixture.dashcam.status().in_flight == 0
    });
    let reused = IDS.0.lock().unwrap().1;
    assert!(reused > 20_000, "{reused} IDs were used again");
}
