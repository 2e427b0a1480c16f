use super::ids::for_ratio;
use crate::context::{Mode, mode, with_current};
use ::opentelemetry::{
    Context, KeyValue,
    trace::{Link, SpanKind, TraceContextExt, TraceId},
};
use opentelemetry_sdk::trace::{Sampler, SamplingDecision, SamplingResult, ShouldSample};

/// A sampler that always samples selected requests.
///
/// A request is selected if a rule, a token or the plain header made it verbose or chose it
/// to be recorded, within their budgets. Its span and all spans in it are sampled from then
/// on, whatever the caller decided. Every other span follows its parent, or without a
/// parent another sampler. That includes requests that are live for another reason, such as
/// an ERROR event. The span around replayed events is never sampled without its parent.
///
/// A sampler by ratio uses the right-most eight bytes of the trace ID. The other sampler
/// sees those of a UUID, which [`RequestIds`](super::RequestIds) makes, with the random
/// bytes first.
///
/// The sampler decides about a request's own span when the request arrives. If a fact
/// selects the request later, the spans that begin after that are sampled. They have no
/// parent in the trace if the request's own span was dropped.
///
/// ```
/// use dashcam::opentelemetry::SampleSelected;
/// use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
///
/// let provider = SdkTracerProvider::builder()
///     .with_sampler(SampleSelected::or(Sampler::TraceIdRatioBased(0.01)))
///     .build();
/// # let _ = provider;
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct SampleSelected {
    rest: Sampler,
}

impl SampleSelected {
    /// Creates a sampler that samples selected requests, and asks this sampler about other
    /// traces that begin here.
    pub fn or(root: impl ShouldSample + 'static) -> Self {
        Self {
            rest: Sampler::ParentBased(Box::new(root)),
        }
    }
}

impl ShouldSample for SampleSelected {
    fn should_sample(
        &self,
        parent_context: Option<&Context>,
        trace_id: TraceId,
        name: &str,
        span_kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let trace_id = for_ratio(trace_id);
        let mut result =
            self.rest
                .should_sample(parent_context, trace_id, name, span_kind, attributes, links);
        if mode().has(Mode::REPLAY) {
            // Replayed events are old.
            let has_parent = parent_context.is_some_and(TraceContextExt::has_active_span);
            if !has_parent && name == "replay" {
                result.decision = SamplingDecision::Drop;
            }
        } else if result.decision != SamplingDecision::RecordAndSample
            && with_current(|request| request.shared().in_force.is_asked_for()) == Some(true)
        {
            result.decision = SamplingDecision::RecordAndSample;
        }
        result
    }
}
