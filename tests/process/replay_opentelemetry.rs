//! Replayed events on the spans of `tracing-opentelemetry`.

use crate::support_gate::{Fixture, Output, Seen, request};
use dashcam::{capture::Replay, opentelemetry::TrueTimes};
use opentelemetry::{KeyValue, trace::TracerProvider};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use std::{
    sync::{Condvar, Mutex},
    time::{Duration, SystemTime},
};
use tracing_subscriber::{EnvFilter, layer::Context, prelude::*};

fn attribute(attributes: &[KeyValue], name: &str) -> Option<String> {
    let found = attributes.iter().find(|a| a.key.as_str() == name)?;
    Some(found.value.to_string())
}

/// Delays a replay until the test continues.
struct Hold;

static GO: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Hold {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "dashcam::replay" {
            let go = GO.0.lock().unwrap();
            drop(GO.1.wait_while(go, |go| !*go).unwrap());
        }
    }
}

#[test]
fn a_failing_requests_span_has_its_events_with_their_times() {
    alone!();
    let mut replay = Replay::default();
    replay.live = false;
    let fixture = Fixture::with(|builder| builder.replay(replay));
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder()
        .with_simple_exporter(exporter.clone())
        .build();
    let seen = Seen::default();
    tracing_subscriber::registry()
        .with(
            tracing_opentelemetry::layer()
                .with_tracer(provider.tracer("test"))
                .with_filter(TrueTimes::new()),
        )
        .with(seen.clone())
        .with(Hold)
        .with(fixture.dashcam.gate(EnvFilter::new("info")))
        .init();
    // With this filter, trace events are disabled.
    assert_eq!(
        tracing::level_filters::LevelFilter::current(),
        tracing::level_filters::LevelFilter::DEBUG
    );
    let work = |tag: &'static str| {
        tracing::debug!(n = 7, card = "4111 1111 1111 1111", "{tag} first");
        let span = tracing::info_span!("inner");
        let _span = span.enter();
        tracing::info!("{tag} info");
        tracing::debug!(
            level = 3,
            target = "shelf",
            message = "mine",
            "{tag} second"
        );
    };

    fixture.healthy(|| work("healthy"));
    assert!(fixture.take().is_empty());
    let began = SystemTime::now();
    let failed = http::StatusCode::BAD_GATEWAY;
    fixture.call(request(), failed, || work("failing"));
    let ended = SystemTime::now();
    *GO.0.lock().unwrap() = true;
    GO.1.notify_all();
    let exchange = fixture.only();

    let spans = exporter.get_finished_spans().unwrap();
    let named =
        |name: &str| -> Vec<&SpanData> { spans.iter().filter(|s| s.name == name).collect() };
    assert_eq!(named("inner").len(), 2);
    assert_eq!(named("replay").len(), 0, "no span of ours is exported");
    let [healthy, failing] = named("GET")[..] else {
        panic!("{spans:#?}")
    };
    let names = |span: &SpanData| -> Vec<String> {
        span.events.iter().map(|e| e.name.to_string()).collect()
    };
    assert_eq!(names(healthy), ["request"], "the request line");
    let mut shown = names(failing);
    shown.retain(|name| name != "request");
    assert_eq!(shown, ["failing first", "failing second"]);
    assert_eq!(seen.count("failing first"), 1);
    assert_eq!(seen.count("recorded events follow"), 1);

    let event = |name: &str| failing.events.iter().find(|e| e.name == name).unwrap();
    let (first, second) = (event("failing first"), event("failing second"));
    assert_eq!(
        attribute(&first.attributes, "level").as_deref(),
        Some("DEBUG")
    );
    assert_eq!(
        attribute(&first.attributes, "target").as_deref(),
        Some(module_path!())
    );
    assert_eq!(attribute(&first.attributes, "n").as_deref(), Some("7"));
    let card = attribute(&first.attributes, "card").unwrap();
    assert_eq!(card, exchange.events[0].fields["card"].as_str().unwrap());
    assert!(!card.contains("4111 1111"), "{card}");
    assert_eq!(attribute(&first.attributes, "message"), None);
    // Fields may have the names of the attributes of every event.
    for (name, value) in [
        ("level", "DEBUG"),
        ("target", module_path!()),
        ("fields.level", "3"),
        ("fields.target", "shelf"),
        ("message", "mine"),
    ] {
        let mut attributes = second.attributes.iter();
        let found = attributes
            .clone()
            .filter(|a| a.key.as_str() == name)
            .count();
        let value = attributes.any(|a| a.key.as_str() == name && a.value.to_string() == value);
        assert!(value && found == 1, "{name}: {:?}", second.attributes);
    }

    let started: jiff::Timestamp = exchange.started_at.parse().unwrap();
    for (event, recorded) in [(first, &exchange.events[0]), (second, &exchange.events[2])] {
        let at = SystemTime::from(started) + Duration::from_micros(recorded.at_us);
        let off = at
            .duration_since(event.timestamp)
            .unwrap_or_else(|e| e.duration());
        assert!(off < Duration::from_millis(1), "{off:?}");
        assert!(began <= event.timestamp + Duration::from_millis(1));
        assert!(event.timestamp <= ended);
    }
    // The replay held the span, which still ends with the request.
    assert!(failing.end_time <= ended);
}
