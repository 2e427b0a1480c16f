use super::ids::for_ratio;
use crate::context::{Mode, mode, with_current};
use ::opentelemetry::{
    Context, KeyValue,
    trace::{Link, SpanKind, TraceContextExt, TraceId},
};
use opentelemetry_sdk::trace::{Sampler, SamplingDecision, SamplingResult, ShouldSample};

/// A sampler that always samples selected requests.
///
/// A request is selected where a rule, a token or the plain header made it verbose or
/// chose it to be recorded, within their budgets. Its span and all spans in it are sampled
/// from then on, whatever the caller says. Every other span obeys its parent, and one
/// without a parent another sampler; so do those of a request that is shown live for a
/// reason of its own, such as an ERROR event, and the span around replayed events, which
/// is never sampled without its parent.
///
/// A sampler by ratio goes by the right-most eight bytes of the trace ID. The other
/// sampler is shown that of a UUID, as [`RequestIds`](super::RequestIds) makes, with the
/// random ones of these first.
///
/// The decision over a request's own span is made when it arrives. One that is
/// selected later, by a fact, has the spans that begin from there on; if its own was
/// dropped before, that cannot come back, and they have no parent in the trace.
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
    /// Samples what is selected, and of traces that begin here what this sampler
    /// does.
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
            // What is shown again began long ago.
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
