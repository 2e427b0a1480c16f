//! The recorded event that this thread sends through the subscriber again.

use super::{Mode, RequestContext, current};
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
    /// Whether a layer asked to be spared the event, because it wants it with
    /// its own time by another way.
    #[cfg(feature = "opentelemetry")]
    pub(crate) apart: bool,
}

/// Runs `f` on what this thread replays now.
pub(crate) fn with_replayed<R>(f: impl FnOnce(&mut Replayed) -> R) -> Option<R> {
    REPLAYED
        .try_with(|slot| slot.try_borrow_mut().ok()?.as_mut().map(f))
        .ok()
        .flatten()
}

/// Whether this is the event that this thread replays.
pub(crate) fn is_replayed(metadata: &Metadata<'_>) -> bool {
    // By address: a callsite has one metadata, and layers that log while they
    // are shown an event do so by callsites of their own.
    let this = ptr::from_ref(metadata).addr();
    with_replayed(|replayed| ptr::from_ref(replayed.metadata).addr() == this) == Some(true)
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
    let _entered = context.enter();
    current::override_mode(Mode::REPLAY);
    let result = f();
    set_replayed(None);
    result
}
