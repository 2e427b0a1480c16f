//! The recorded event that this thread sends through the subscriber again.

use super::{RequestContext, current};
use crate::redact::Scrubber;
use std::{cell::RefCell, ops::Range, ptr, sync::Arc, time::SystemTime};
use tracing::Metadata;

thread_local! {
    static REPLAYED: RefCell<Option<Replayed>> = const { RefCell::new(None) };
}

/// A recorded event on its way through the service's own layers.
pub(crate) struct Replayed {
    pub(crate) metadata: &'static Metadata<'static>,
    /// When it was emitted.
    pub(crate) at: SystemTime,
    /// The spans that were around it, outermost first, and where their encoded
    /// fields are in `values`. They are not redacted yet.
    pub(crate) spans: Vec<(&'static Metadata<'static>, Range<usize>)>,
    pub(crate) values: Vec<u8>,
    pub(crate) scrubber: Arc<Scrubber>,
    /// Whether it came to the layers.
    pub(crate) arrived: bool,
    /// Whether a layer asked to be spared the event, because it wants it with
    /// its own time by another way.
    #[cfg(feature = "opentelemetry")]
    pub(crate) apart: bool,
}

/// Runs `f` on what this thread replays now, where it is the event of this
/// callsite: layers that log while they are shown a replayed event do so by
/// callsites of their own.
pub(crate) fn with_replayed<R>(
    metadata: &Metadata<'_>,
    f: impl FnOnce(&mut Replayed) -> R,
) -> Option<R> {
    let this = ptr::from_ref(metadata).addr();
    in_slot(|replayed| (ptr::from_ref(replayed.metadata).addr() == this).then(|| f(replayed)))
        .flatten()
}

/// When the event that this thread replays now was emitted.
pub(crate) fn replayed_at() -> Option<SystemTime> {
    in_slot(|replayed| replayed.at)
}

fn in_slot<R>(f: impl FnOnce(&mut Replayed) -> R) -> Option<R> {
    REPLAYED
        .try_with(|slot| slot.try_borrow_mut().ok()?.as_mut().map(f))
        .ok()
        .flatten()
}

/// Makes an event, or none, the replayed one; returns the one before.
pub(crate) fn set_replayed(replayed: Option<Replayed>) -> Option<Replayed> {
    REPLAYED
        .try_with(|slot| match slot.try_borrow_mut() {
            Ok(mut slot) => std::mem::replace(&mut *slot, replayed),
            Err(_) => None,
        })
        .unwrap_or(None)
}

/// Runs `f` with the request current, and nothing recorded or let through but
/// what is replayed.
pub(crate) fn replaying<R>(context: &RequestContext, f: impl FnOnce() -> R) -> R {
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            set_replayed(None);
            current::leave_replay();
        }
    }
    let _entered = context.enter();
    current::enter_replay();
    let _leave = Leave;
    f()
}
