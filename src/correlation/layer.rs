use crate::{
    foreign::Foreign,
    id::MakeCorrelationId,
    lifecycle::{CorrelationPlan, Lifecycle, Observe, Plan, Trust, layer_service},
};
use http::HeaderName;
use std::sync::Arc;
use tower_layer::Layer;

/// Gives every request a correlation ID; see the [module page](super).
#[derive(Clone, Debug)]
#[must_use]
pub struct CorrelationIdLayer {
    plan: Arc<Plan>,
}

impl CorrelationIdLayer {
    /// Header `x-request-id`, inbound IDs trusted, echoed on the response.
    pub fn new() -> Self {
        Self {
            plan: Arc::new(Plan {
                correlation: Some(CorrelationPlan::default()),
                span: true,
                ..Plan::default()
            }),
        }
    }

    /// Another header.
    pub fn header(self, name: HeaderName) -> Self {
        self.with(|plan| plan.header = name)
    }

    /// Another generator.
    pub fn make_with(self, make: impl MakeCorrelationId) -> Self {
        self.with(|plan| {
            let make: Arc<dyn MakeCorrelationId> = Arc::new(make);
            plan.make = Some(Foreign::new(make));
        })
    }

    /// Says the trace in the response, for browsers and other clients that read
    /// `Server-Timing: trace;desc="00-<trace ID>-<span ID>-<flags>"`. Off by
    /// default, because it is for every client to read.
    pub fn server_timing(self) -> Self {
        self.with(|plan| plan.server_timing = true)
    }

    /// Trusts no inbound ID: every request gets a new one and starts a trace of
    /// its own, and valid IDs of the client are kept beside them. The client's
    /// `tracestate`, flags and `baggage` go nowhere, and where the service looks
    /// at the request's headers it finds our `traceparent` in the place of theirs.
    pub fn edge(self) -> Self {
        self.with(|plan| plan.trust = Trust::Edge)
    }

    /// Leaves the response without the ID.
    pub fn without_echo(self) -> Self {
        self.with(|plan| plan.echo = false)
    }

    /// Accepts further printable ASCII characters in inbound IDs. Secrets and
    /// e-mail addresses travel in wide alphabets; the default is narrow for it.
    pub fn allow_characters(self, extra: fn(u8) -> bool) -> Self {
        self.with(|plan| plan.extra_characters = extra)
    }

    fn with(mut self, change: impl FnOnce(&mut CorrelationPlan)) -> Self {
        if let Some(correlation) = &mut Arc::make_mut(&mut self.plan).correlation {
            change(correlation);
        }
        self
    }

    pub(crate) fn into_plan(self) -> CorrelationPlan {
        self.plan.correlation.clone().unwrap_or_default()
    }
}

impl Default for CorrelationIdLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for CorrelationIdLayer {
    type Service = CorrelationIdService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        CorrelationIdService(Lifecycle::new(inner, Arc::clone(&self.plan), Observe))
    }
}

layer_service! {
    /// The service of [`CorrelationIdLayer`].
    CorrelationIdService<S>
}
