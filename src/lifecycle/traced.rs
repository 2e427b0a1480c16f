use super::Plan;
use crate::{
    context::{Aspect, Bound, RequestContext},
    foreign, gate,
};
use http::{StatusCode, request::Parts};
use std::mem;
use tracing::{Level, Span, field, level_filters::LevelFilter};

/// A layer's part in the request's span. It is empty if another layer made the span.
#[derive(Debug)]
pub(super) struct Traced {
    span: Span,
    /// Binds its span to the request: events in the span belong to the request on any thread.
    _bound: Option<Bound>,
}

impl Default for Traced {
    fn default() -> Self {
        Self {
            span: Span::none(),
            _bound: None,
        }
    }
}

impl Traced {
    pub(super) fn begin(plan: &Plan, context: &RequestContext, parts: &mut Parts) -> Self {
        if !plan.span || !context.shared().claim(Aspect::Span) {
            return Self::default();
        }
        // The subscriber's layers run here.
        let span = foreign::run(|| request_span(context)).unwrap_or_else(Span::none);
        #[cfg(feature = "opentelemetry")]
        if !span.is_none() {
            let arrival = crate::opentelemetry::Arrival {
                method: super::known_method(&parts.method),
                parts,
                uri: super::head::uri(parts),
                policy: plan.keeper.as_ref().map(|k| &k.settings().policy),
            };
            foreign::run(|| crate::opentelemetry::start(&span, context, &arrival));
            if context.trace_context().client_parent().is_some() {
                // Again, because the span may have other IDs.
                context.trace_context().replace_in(&mut parts.headers);
            }
        }
        #[cfg(not(feature = "opentelemetry"))]
        let _ = parts;
        Self {
            _bound: gate::bind(&span, context),
            span,
        }
    }

    pub(super) fn span(&self) -> &Span {
        &self.span
    }

    /// Returns the request's span. If an outer layer made it, it is the current one.
    pub(super) fn or_current(&self) -> Span {
        if self.span.is_none() {
            foreign::run(Span::current).unwrap_or_else(Span::none)
        } else {
            self.span.clone()
        }
    }

    pub(super) fn response(&self, context: &RequestContext, status: StatusCode) {
        if self.span.is_none() {
            return;
        }
        if let Some(span) = context.shared().span() {
            // The end of a captured request sets whether it failed.
            let judged = context.shared().captured.by() != 0;
            foreign::run(|| span.answered(status, judged));
        }
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        if !self.span.is_none() {
            // Dropping it may close the span, which runs code of the layers.
            foreign::discard(mem::replace(&mut self.span, Span::none()));
        }
    }
}

fn request_span(context: &RequestContext) -> Span {
    // This also avoids formatting the ID for a span that nothing records.
    if LevelFilter::current() < Level::INFO {
        return Span::none();
    }
    // Only the ID that joins lines: `fmt` formats it for every line in the span, twice.
    tracing::info_span!(
        target: crate::targets::REQUEST_TARGET,
        "request",
        correlation_id = context.correlation_id().as_str(),
        // Recorded only with OpenTelemetry.
        otel.kind = field::Empty,
        otel.name = field::Empty,
    )
}
