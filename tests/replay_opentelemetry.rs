//! Replayed events on the spans of `tracing-opentelemetry`.
#![cfg(feature = "full")]

mod support_gate;

use dashcam::{capture::Replay, opentelemetry::TrueTimes};
use opentelemetry::{KeyValue, trace::TracerProvider};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use std::time::{Duration, SystemTime};
use support_gate::{Fixture, Output, Seen};
use tracing_subscriber::{EnvFilter, prelude::*};

fn attribute(attributes: &[KeyValue], name: &str) -> Option<String> {
    let found = attributes.iter().find(|a| a.key.as_str() == name)?;
    Some(found.value.to_string())
}

#[test]
fn a_failing_requests_span_has_its_events_with_their_times() {
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
        .with(fixture.dashcam.gate(EnvFilter::new("info")))
        .init();
    // The filter makes nobody ask about trace events.
    assert_eq!(
        tracing::level_filters::LevelFilter::current(),
        tracing::level_filters::LevelFilter::DEBUG
    );
    let work = |tag: &'static str| {
        tracing::debug!(n = 7, card = "4111 1111 1111 1111", "{tag} first");
        let span = tracing::info_span!("inner");
        let _span = span.enter();
        tracing::info!("{tag} info");
        tracing::debug!("{tag} second");
        std::thread::sleep(Duration::from_millis(30));
    };

    fixture.healthy(|| work("healthy"));
    assert!(fixture.take().is_empty());
    let began = SystemTime::now();
    let exchange = fixture.failing(|| work("failing"));
    assert!(fixture.dashcam.flush(support_gate::DEADLINE));

    let spans = exporter.get_finished_spans().unwrap();
    let named =
        |name: &str| -> Vec<&SpanData> { spans.iter().filter(|s| s.name == name).collect() };
    assert_eq!(named("inner").len(), 2);
    assert_eq!(named("replay").len(), 0, "no span of ours is exported");
    let [healthy, failing] = named("request")[..] else {
        panic!("{spans:#?}")
    };
    let names = |span: &SpanData| -> Vec<String> {
        span.events.iter().map(|e| e.name.to_string()).collect()
    };
    assert_eq!(names(healthy), ["request"], "the request line");
    assert_eq!(
        names(failing),
        ["request", "failing first", "failing second"]
    );
    assert_eq!(seen.count("failing first"), 1);
    assert_eq!(seen.count("recorded events follow"), 1);

    let first = &failing.events[1];
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
    assert!(!card.contains("4111"), "{card}");
    assert!(
        !failing
            .events
            .iter()
            .any(|e| attribute(&e.attributes, "message").is_some())
    );

    let started: jiff::Timestamp = exchange.started_at.parse().unwrap();
    for (event, recorded) in [
        (first, &exchange.events[0]),
        (&failing.events[2], &exchange.events[2]),
    ] {
        let at = SystemTime::from(started) + Duration::from_micros(recorded.at_us);
        let off = at
            .duration_since(event.timestamp)
            .unwrap_or_else(|e| e.duration());
        assert!(off < Duration::from_millis(1), "{off:?}");
        assert!(began <= event.timestamp + Duration::from_millis(1));
        // The request slept after it: a time of the replay would be later.
        assert!(event.timestamp + Duration::from_millis(30) <= failing.end_time);
    }
    // The span was held for the replay, and ends with the request all the same.
    let duration = failing.end_time.duration_since(failing.start_time).unwrap();
    assert!(
        duration.as_micros() as u64 <= exchange.timing.duration_us + 1000,
        "{duration:?}"
    );
}
