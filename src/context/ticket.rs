use super::RequestContext;
use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};
use tracing::{Dispatch, Span, dispatcher::with_default};

/// What a replay of a request's events needs, held while the request runs.
#[derive(Clone, Debug)]
pub(crate) struct Ticket {
    /// The request's span: held, so that replayed events still have a parent.
    pub(crate) span: Span,
    pub(crate) dispatch: Dispatch,
    pub(crate) on_reason: Arc<dyn OnReason>,
}

impl Ticket {
    /// Lets go of the span on a thread of ours. What closes with it the registry
    /// closes in the subscriber of the thread, and whatever the layers do then
    /// must cost nothing but that.
    pub(crate) fn end(self) {
        let Self { span, dispatch, .. } = self;
        let _ = catch_unwind(AssertUnwindSafe(|| with_default(&dispatch, || drop(span))));
    }
}

/// Hears of a reason to keep a request while it still runs.
///
/// Called where the reason arises, possibly inside of a tracing callback: it
/// must not emit events, and not wait.
pub(crate) trait OnReason: Send + Sync {
    /// `asked` where a rule chose the request, rather than a failure.
    fn reason(&self, context: &RequestContext, asked: bool);
}

impl fmt::Debug for dyn OnReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnReason")
    }
}
