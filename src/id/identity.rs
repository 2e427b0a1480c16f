//! Who a request is, as its layers find it.

use super::{CorrelationId, InvalidCorrelationId, TraceContext};
use std::sync::OnceLock;

/// What one layer found, or made.
#[derive(Clone, Debug, Default)]
pub(crate) struct Identity {
    pub(crate) id: Option<CorrelationId>,
    pub(crate) from_header: bool,
    pub(crate) client_id: Option<CorrelationId>,
    pub(crate) rejected: Option<InvalidCorrelationId>,
    /// Its place in its trace; every context is made with one.
    pub(crate) trace: Option<TraceContext>,
}

/// This room's part of a request.
#[derive(Debug, Default)]
pub(crate) struct Identified {
    own: Identity,
    /// What a correlation layer further in found, where the layer that began
    /// the request was none and identified it by the defaults.
    adopted: OnceLock<Identity>,
    /// Its place in its trace as its span says it, where a tracing library has one.
    traced: OnceLock<TraceContext>,
}

impl Identified {
    pub(crate) fn begin(&mut self, identity: Identity) {
        self.own = identity;
    }

    pub(crate) fn get(&self) -> &Identity {
        self.adopted.get().unwrap_or(&self.own)
    }

    pub(crate) fn adopt(&self, identity: Identity) {
        let _ = self.adopted.set(identity);
    }

    /// Its place in its trace; `None` only before it began.
    pub(crate) fn trace(&self) -> Option<&TraceContext> {
        self.traced.get().or_else(|| self.get().trace.as_ref())
    }

    pub(crate) fn is_traced(&self) -> bool {
        self.traced.get().is_some()
    }

    /// Takes the place that the request's span has.
    #[cfg(feature = "opentelemetry")]
    pub(crate) fn note_traced(&self, trace: TraceContext) {
        let _ = self.traced.set(trace);
    }

    pub(crate) fn reset(&mut self) {
        let Self {
            own,
            adopted,
            traced,
        } = self;
        let Identity {
            id,
            from_header,
            client_id,
            rejected,
            trace,
        } = own;
        (*id, *client_id, *trace) = (None, None, None);
        (*from_header, *rejected) = (false, None);
        adopted.take();
        traced.take();
    }
}
