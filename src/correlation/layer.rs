use crate::{
    foreign::Foreign,
    id::{CorrelationId, MakeId},
    lifecycle::{CorrelationPlan, Lifecycle, Observe, Plan, Trust, layer_service},
};
use http::HeaderName;
use std::sync::Arc;
use tower_layer::Layer;

/// Layer that gives every request a correlation ID; see the [module page](super).
#[derive(Clone, Debug)]
#[must_use]
pub struct CorrelationIdLayer {
    plan: Arc<Plan>,
}

impl CorrelationIdLayer {
    /// Starts with the defaults: the header is `x-request-id`, valid inbound IDs are
    /// trusted, and the response has the ID.
    pub fn new() -> Self {
        Self {
            plan: Arc::new(Plan {
                correlation: Some(CorrelationPlan::default()),
                span: true,
                ..Plan::default()
            }),
        }
    }

    /// Sets the header that carries the ID. Default: `x-request-id`.
    pub fn header(self, name: HeaderName) -> Self {
        self.with(|plan| plan.header = name)
    }

    /// Sets the generator of new IDs. Default: UUID version 7 (RFC 9562, section 5.7), as 36
    /// lower-case characters; unique, not secret.
    ///
    /// The closure runs on the request path: it must be fast and must not block. If it
    /// panics, the request gets the default ID.
    ///
    /// ```
    /// use dashcam::correlation::{CorrelationId, CorrelationIdLayer};
    /// use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
    ///
    /// # fn main() -> Result<(), dashcam::correlation::Error> {
    /// let other = CorrelationId::new("none")?;
    /// let next = AtomicU64::new(1);
    /// let layer = CorrelationIdLayer::new().make_with(move || {
    ///     let number = next.fetch_add(1, Relaxed);
    ///     CorrelationId::new(&format!("orders-{number}")).unwrap_or(other.clone())
    /// });
    /// # let _ = layer;
    /// # Ok(())
    /// # }
    /// ```
    pub fn make_with(self, make: impl Fn() -> CorrelationId + Send + Sync + 'static) -> Self {
        self.with(|plan| {
            let make: Arc<MakeId> = Arc::new(make);
            plan.make = Some(Foreign::new(make));
        })
    }

    /// Sets whether the response has the header
    /// `Server-Timing: trace;desc="00-<trace ID>-<span ID>-<flags>"`, which browsers read.
    /// Default: `false`, because every client can read it.
    pub fn server_timing(self, on: bool) -> Self {
        self.with(|plan| plan.server_timing = on)
    }

    /// Sets whether clients are untrusted. Default: `false`.
    ///
    /// If `true`, the layer trusts no inbound ID: every request gets a new ID and starts a
    /// new trace. The context and the exchange also have the client's ID if it is valid.
    /// The layer forwards neither `tracestate`, flags nor `baggage` of the client, and
    /// replaces the request's `traceparent` with its own.
    pub fn edge(self, on: bool) -> Self {
        let trust = if on { Trust::Edge } else { Trust::Inbound };
        self.with(|plan| plan.trust = trust)
    }

    /// Sets whether the response has the ID, in the same header. Default: `true`.
    pub fn echo(self, on: bool) -> Self {
        self.with(|plan| plan.echo = on)
    }

    /// Accepts more printable ASCII characters in inbound IDs. Default: ASCII letters,
    /// digits, `-`, `_` and `.`. A wide alphabet lets clients write secrets and e-mail
    /// addresses into your logs.
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
