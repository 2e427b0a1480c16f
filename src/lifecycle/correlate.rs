use super::{Plan, plan::Trust};
use crate::context::{Aspect, RequestContext};
use http::HeaderMap;

/// A layer's part in identifying a request. `false` if another layer has that part.
#[derive(Debug, Default)]
pub(super) struct Correlate(bool);

impl Correlate {
    /// `owner`: this layer began the request, and has identified it already.
    pub(super) fn begin(
        plan: &Plan,
        context: &RequestContext,
        owner: bool,
        headers: &mut HeaderMap,
    ) -> Self {
        let shared = context.shared();
        let free = || shared.claim(Aspect::Correlation);
        let Some(correlation) = plan.correlation.as_ref().filter(|_| free()) else {
            return Self(false);
        };
        if !owner {
            let identity = correlation.identify_in(headers, shared.began.time);
            shared.identified.adopt(identity);
        }
        if correlation.trust == Trust::Edge {
            context.trace_context().replace_in(headers);
        }
        Self(true)
    }

    /// Adds the ID and the trace to the response.
    pub(super) fn response(&self, plan: &Plan, context: &RequestContext, headers: &mut HeaderMap) {
        let Some(correlation) = plan.correlation.as_ref().filter(|_| self.0) else {
            return;
        };
        if correlation.echo {
            correlation.say(context.correlation_id(), headers);
        }
        if correlation.server_timing {
            // Append, because the service may have timings of its own.
            let value = context.trace_context().server_timing();
            let _ = headers.try_append("server-timing", value);
        }
    }
}
