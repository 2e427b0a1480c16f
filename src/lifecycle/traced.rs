use super::Plan;
use crate::{
    context::{Aspect, Bound, RequestContext},
    foreign, gate,
};
use http::{StatusCode, request::Parts};
use std::mem;
use tracing::{Level, Span, field, level_filters::LevelFilter};

/// A layer's part in the request's span. It has none where another layer made it.
#[derive(Debug)]
pub(super) struct Traced {
    span: Span,
    /// Makes what happens in its span the request's, wherever that is.
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
        // Layers hear of it.
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
                // Again, as the span may have other IDs.
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

    /// The request's span, whichever layer made it: an outer one's is current.
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
            // Where it is captured its end judges it.
            let judged = context.shared().captured.by() != 0;
            foreign::run(|| span.answered(status, judged));
        }
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        if !self.span.is_none() {
            // With it the span may close, which is code of the layers.
            foreign::discard(mem::replace(&mut self.span, Span::none()));
        }
    }
}

fn request_span(context: &RequestContext) -> Span {
    // Also spares the text of a span that nobody takes.
    if LevelFilter::current() < Level::INFO {
        return Span::none();
    }
    // What joins lines, and no more: `fmt` formats it for every line in it, twice.
    tracing::info_span!(
        target: crate::targets::REQUEST_TARGET,
        "request",
        correlation_id = context.correlation_id().as_str(),
        // Recorded where OpenTelemetry is there to read it.
        otel.kind = field::Empty,
        otel.name = field::Empty,
    )
}
