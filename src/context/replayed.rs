//! The recorded event that this thread sends through the subscriber again.

use super::{RequestContext, current};
use crate::redact::Scrubber;
use std::{cell::RefCell, ops::Range, ptr, sync::Arc, time::SystemTime};
use tracing::Metadata;

thread_local! {
    static REPLAYED: RefCell<Option<Replayed>> = const { RefCell::new(None) };
}

/// A recorded event while the service's own layers receive it.
pub(crate) struct Replayed {
    pub(crate) metadata: &'static Metadata<'static>,
    /// When it was emitted.
    pub(crate) at: SystemTime,
    /// The spans that were around it, outermost first, and the ranges of their encoded fields in
    /// `values`. They are not redacted yet.
    pub(crate) spans: Vec<(&'static Metadata<'static>, Range<usize>)>,
    pub(crate) values: Vec<u8>,
    pub(crate) scrubber: Arc<Scrubber>,
    /// Whether the layers received it.
    pub(crate) arrived: bool,
    /// Whether a layer asked to be skipped, because it receives the event with its own time in
    /// another way.
    #[cfg(feature = "opentelemetry")]
    pub(crate) apart: bool,
}

/// Runs `f` on the event that this thread replays now, if its callsite is this one: layers may log
/// while they receive a replayed event, and do so at other callsites.
pub(crate) fn with_replayed<R>(
    metadata: &Metadata<'_>,
    f: impl FnOnce(&mut Replayed) -> R,
) -> Option<R> {
    let this = ptr::from_ref(metadata).addr();
    in_slot(|replayed| (ptr::from_ref(replayed.metadata).addr() == this).then(|| f(replayed)))
        .flatten()
}

/// Returns when the event was emitted that this thread replays now.
pub(crate) fn replayed_at() -> Option<SystemTime> {
    in_slot(|replayed| replayed.at)
}

fn in_slot<R>(f: impl FnOnce(&mut Replayed) -> R) -> Option<R> {
    REPLAYED
        .try_with(|slot| slot.try_borrow_mut().ok()?.as_mut().map(f))
        .ok()
        .flatten()
}

/// Sets the replayed event, or none. Returns the one before.
pub(crate) fn set_replayed(replayed: Option<Replayed>) -> Option<Replayed> {
    REPLAYED
        .try_with(|slot| match slot.try_borrow_mut() {
            Ok(mut slot) => std::mem::replace(&mut *slot, replayed),
            Err(_) => None,
        })
        .unwrap_or(None)
}

/// Runs `f` with the request current. Meanwhile nothing is recorded, and only replayed events
/// pass.
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
