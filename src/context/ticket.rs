use super::RequestContext;
use crate::foreign;
use std::{fmt, mem, sync::Arc};
use tracing::{Dispatch, Span};

/// What a replay of a request's events needs, held while the request runs.
#[derive(Clone, Debug)]
pub(crate) struct Ticket {
    /// The request's span, held so that replayed events still have a parent.
    pub(crate) span: Span,
    pub(crate) dispatch: Dispatch,
    pub(crate) on_reason: Arc<dyn OnReason>,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        // Dropping it may close the span, which runs code of the layers.
        foreign::discard(mem::replace(&mut self.span, Span::none()));
    }
}

/// Receives a reason to keep a request that still runs.
///
/// It is called where the reason arises, possibly inside a tracing callback: it must not emit
/// events, and must not wait.
pub(crate) trait OnReason: Send + Sync {
    /// `asked`: a rule chose the request, rather than a failure.
    fn reason(&self, context: &RequestContext, asked: bool);
}

impl fmt::Debug for dyn OnReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnReason")
    }
}
