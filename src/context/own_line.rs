//! The log line of a request, as a record.

use super::RequestContext;
use std::cell::Cell;

/// The fields of the line, without the route, which the request has.
///
/// The line goes through the subscriber as an event, which any layer can read. dashcam's
/// own log layer takes this instead, and formats none of the fields.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnLine {
    pub(crate) method: &'static str,
    pub(crate) status: Option<u16>,
    pub(crate) outcome: &'static str,
    pub(crate) duration_ms: f64,
    // OpenTelemetry has no unsigned integers.
    pub(crate) request_bytes: i64,
    pub(crate) response_bytes: i64,
    pub(crate) kept: bool,
    pub(crate) not_kept: Option<&'static str>,
}

thread_local! {
    static IN_HAND: Cell<Option<(usize, OwnLine)>> = const { Cell::new(None) };
}

impl OwnLine {
    /// Runs `emit`, which emits the line of this request, and provides the record meanwhile.
    pub(crate) fn with(self, context: &RequestContext, emit: impl FnOnce()) {
        struct Leave;
        impl Drop for Leave {
            fn drop(&mut self) {
                let _ = IN_HAND.try_with(|hand| hand.set(None));
            }
        }
        let _ = IN_HAND.try_with(|hand| hand.set(Some((context.address(), self))));
        let _leave = Leave;
        emit();
    }

    /// Returns the line that this thread emits, if it belongs to this request.
    pub(crate) fn in_hand(context: &RequestContext) -> Option<Self> {
        let (of, line) = IN_HAND.try_with(Cell::get).ok().flatten()?;
        (of == context.address()).then_some(line)
    }
}
