//! Spans over OTLP (HTTP, protobuf) to where the standard environment variables
//! say: `OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`,
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
        // Who has the correlation ID has the trace.
        .with_id_generator(RequestIds::default())
        // A service with much traffic has another sampler here.
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
        // Recorded events come with the times at which they were emitted.
        .with_filter(TrueTimes::new())
}
