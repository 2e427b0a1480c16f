//! Exports spans over OTLP (HTTP, protobuf), configured by the standard environment
//! variables: `OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`,
//! `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_RESOURCE_ATTRIBUTES`, …

use dashcam::opentelemetry::{RequestIds, SampleSelected, TrueTimes};
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::{
    Resource,
    trace::{Sampler, SdkTracerProvider},
};
use std::error::Error;
use tracing::Subscriber;
use tracing_subscriber::{Layer, registry::LookupSpan};

pub(crate) fn provider(
    service: &'static str,
) -> Result<SdkTracerProvider, Box<dyn Error + Send + Sync>> {
    let exporter = SpanExporter::builder().with_http().build()?;
    Ok(SdkTracerProvider::builder()
        .with_resource(Resource::builder().with_service_name(service).build())
        // The trace ID is the correlation ID without hyphens.
        .with_id_generator(RequestIds::default())
        // A service with much traffic needs another sampler here.
        .with_sampler(SampleSelected::or(Sampler::AlwaysOn))
        .with_batch_exporter(exporter)
        .build())
}

pub(crate) fn layer<S>(
    provider: &SdkTracerProvider,
    service: &'static str,
) -> impl Layer<S> + use<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    tracing_opentelemetry::layer()
        .with_tracer(provider.tracer(service))
        .with_location(false)
        .with_threads(false)
        // Gives recorded events their original times.
        .with_filter(TrueTimes::new())
}
