//! The identity of a request, as its layers determine it.

use super::{CorrelationId, Error, TraceContext};
use std::sync::OnceLock;

/// The identity that one layer read from the headers or made.
#[derive(Clone, Debug, Default)]
pub(crate) struct Identity {
    pub(crate) id: Option<CorrelationId>,
    pub(crate) from_header: bool,
    pub(crate) client_id: Option<CorrelationId>,
    pub(crate) rejected: Option<Error>,
    /// The position in the trace; every context has one.
    pub(crate) trace: Option<TraceContext>,
}

/// This room's part of a request's state.
#[derive(Debug, Default)]
pub(crate) struct Identified {
    own: Identity,
    /// The identity that an inner correlation layer determined, if the layer that began the
    /// request is not a correlation layer and used the defaults.
    adopted: OnceLock<Identity>,
    /// The position in the trace according to the request's span, if a tracing library has
    /// one.
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

    /// Returns the position in the trace; `None` only before the request begins.
    pub(crate) fn trace(&self) -> Option<&TraceContext> {
        self.traced.get().or_else(|| self.get().trace.as_ref())
    }

    pub(crate) fn is_traced(&self) -> bool {
        self.traced.get().is_some()
    }

    /// Sets the position to that of the request's span.
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
