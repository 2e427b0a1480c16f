//! What goes to OpenTelemetry and to the facade of metrics.

use dashcam::opentelemetry::TrueTimes;
use metrics_util::debugging::{DebuggingRecorder, Snapshotter};
use opentelemetry::{KeyValue, trace::TracerProvider};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
use serde_json::{Map, Value, json};
use std::sync::OnceLock;
use tracing::Subscriber;
use tracing_subscriber::{layer::Layer, registry::LookupSpan};

/// The spans of requests, as they are exported.
#[derive(Clone, Default)]
pub(crate) struct Spans(InMemorySpanExporter);

impl Spans {
    pub(crate) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let provider = SdkTracerProvider::builder()
            .with_simple_exporter(self.0.clone())
            .build();
        let tracer = provider.tracer("leaks");
        tracing_opentelemetry::layer()
            .with_tracer(tracer)
            .with_filter(TrueTimes::new())
    }

    /// What dashcam adds to them: attributes of its own spans, and replayed events. What the
    /// service itself logs at INFO goes there without dashcam.
    pub(crate) fn take(&self) -> Vec<String> {
        let mut out = Vec::new();
        for span in self.0.get_finished_spans().unwrap() {
            let own = span
                .attributes
                .iter()
                .any(|a| a.key.as_str() == "correlation_id");
            if !own {
                continue;
            }
            let events: Vec<_> = span
                .events
                .iter()
                .filter(|event| {
                    let of = |name, value: &str| {
                        event
                            .attributes
                            .iter()
                            .any(|a| a.key.as_str() == name && a.value.as_str() == value)
                    };
                    of("level", "DEBUG") || of("target", "dashcam")
                })
                .map(|event| json!({ "message": event.name, "fields": object(&event.attributes) }))
                .collect();
            let status = format!("{:?}", span.status);
            let span = json!({
                "span": span.name, "fields": object(&span.attributes), "events": events, "ended": status,
            });
            out.push(span.to_string());
        }
        self.0.reset();
        out
    }
}

fn object(attributes: &[KeyValue]) -> Map<String, Value> {
    let pairs = attributes.iter();
    pairs
        .map(|a| (a.key.as_str().to_owned(), a.value.to_string().into()))
        .collect()
}

/// Names and labels of everything that was counted.
pub(crate) fn metrics() -> String {
    static SNAPSHOTS: OnceLock<Snapshotter> = OnceLock::new();
    let snapshots = SNAPSHOTS.get_or_init(|| {
        let recorder = DebuggingRecorder::new();
        let snapshots = recorder.snapshotter();
        recorder.install().unwrap();
        snapshots
    });
    let all = snapshots.snapshot().into_vec();
    let keys = all.iter().map(|(key, unit, description, _)| {
        let labels: Vec<_> = key.key().labels().map(|l| (l.key(), l.value())).collect();
        format!("{} {labels:?} {unit:?} {description:?}\n", key.key().name())
    });
    keys.collect()
}
