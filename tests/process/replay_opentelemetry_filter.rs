//! A filter of the OpenTelemetry layer's own remains a ceiling for replays.

use crate::support_gate::{DEADLINE, Fixture};
use dashcam::{capture::Replay, opentelemetry::TrueTimes};
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{EnvFilter, filter::Targets, prelude::*};

#[test]
fn nothing_goes_around_it() {
    alone!();
    let fixture = Fixture::with(|builder| builder.replay(Replay::default()));
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder()
        .with_simple_exporter(exporter.clone())
        .build();
    let own = Targets::new()
        .with_default(LevelFilter::DEBUG)
        .with_target("secret", LevelFilter::OFF)
        .with_target("quiet", LevelFilter::INFO);
    tracing_subscriber::registry()
        .with(
            tracing_opentelemetry::layer()
                .with_tracer(provider.tracer("test"))
                .with_filter(TrueTimes::over(own)),
        )
        .with(fixture.dashcam.gate(EnvFilter::new("info")))
        .init();
    fixture.failing(|| {
        tracing::debug!("debug");
        tracing::debug!(target: "secret", "secret debug");
        tracing::debug!(target: "quiet", "quiet debug");
        tracing::info!(target: "quiet", "quiet info");
    });
    assert!(fixture.dashcam.flush(DEADLINE));
    let spans = exporter.get_finished_spans().unwrap();
    assert_eq!(spans.len(), 1);
    let mut names: Vec<_> = spans[0].events.iter().map(|e| e.name.to_string()).collect();
    names.sort();
    assert_eq!(names, ["debug", "quiet info", "request"]);
}
