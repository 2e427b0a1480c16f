//! From the correlation ID to the trace, without anything else: the SDK gives the trace of a
//! request the ID that follows from it.

use crate::support_gate::{Body, Fixture, request};
use dashcam::opentelemetry::{RequestIds, SampleSelected};
use http::{Request, StatusCode};
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::trace::{InMemorySpanExporter, Sampler, SdkTracerProvider, SpanData};
use tracing_subscriber::{filter::LevelFilter, prelude::*};

/// The sampled spans of these requests, and their correlation IDs.
fn spans_of(
    sampler: Sampler,
    requests: impl IntoIterator<Item = Request<Body>>,
    work: impl Fn() + Send + Sync,
) -> (Vec<SpanData>, Vec<String>) {
    let fixture = Fixture::new();
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder()
        .with_simple_exporter(exporter.clone())
        .with_id_generator(RequestIds::default())
        .with_sampler(SampleSelected::or(sampler))
        .build();
    let spans = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    let subscriber = tracing_subscriber::registry()
        .with(fixture.dashcam.gate(LevelFilter::INFO))
        .with(spans);
    tracing::subscriber::with_default(subscriber, || {
        for request in requests {
            fixture.call(request, StatusCode::BAD_GATEWAY, &work);
        }
    });
    let kept = fixture.take();
    for exchange in &kept {
        let plain = exchange.correlation.id.replace('-', "");
        assert_eq!(exchange.correlation.trace_id, Some(plain));
    }
    let ids = kept.into_iter().map(|exchange| exchange.correlation.id);
    (exporter.get_finished_spans().unwrap(), ids.collect())
}

#[test]
fn the_trace_is_the_correlation_id_without_hyphens() {
    alone!();
    let (spans, ids) = spans_of(Sampler::AlwaysOn, [request()], || {
        tracing::info_span!("inside").in_scope(|| {});
        tracing::info_span!(parent: None, "apart").in_scope(|| {});
    });
    let trace_of = |name: &str| {
        let span = spans.iter().find(|span| span.name == name).unwrap();
        span.span_context.trace_id().to_string()
    };
    let plain = ids[0].replace('-', "");
    assert_eq!(trace_of("GET"), plain);
    assert_eq!(trace_of("inside"), plain);
    assert_ne!(
        trace_of("apart"),
        plain,
        "it is no part of the request's trace"
    );
}

#[test]
fn a_trace_that_came_in_goes_on() {
    alone!();
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let request = Request::get("/")
        .header("traceparent", format!("00-{trace}-00f067aa0ba902b7-01"))
        .body(Body::default())
        .unwrap();
    let (spans, _) = spans_of(Sampler::AlwaysOn, [request], || {});
    assert_eq!(spans[0].span_context.trace_id().to_string(), trace);
}

/// The form of the IDs must not influence the sampling.
#[test]
fn a_ratio_is_one() {
    alone!();
    for ratio in [0.1, 0.5, 0.9] {
        let requests = (0..1_000).map(|_| request());
        let (spans, _) = spans_of(Sampler::TraceIdRatioBased(ratio), requests, || {});
        // Some ten times the standard deviation.
        let off = (spans.len() as f64 - 1_000.0 * ratio).abs();
        assert!(off < 150.0 && !spans.is_empty(), "{ratio}: {}", spans.len());
        assert!(spans.len() < 1_000, "{ratio}");
    }
}
