//! The part of a request that belongs to this room: what selected it, and its place.

use super::{Hold, Pending, Selected, Shortage};
use std::sync::{Arc, OnceLock};

/// What makes a request live, or recorded more deeply than others. Each is set once.
#[derive(Debug, Default)]
pub(crate) struct InForce {
    pub(crate) live: OnceLock<Arc<Selected>>,
    /// The rule that records more of it.
    pub(crate) deep: OnceLock<Arc<Selected>>,
}

impl InForce {
    /// Whether a rule, a token or a header selected it, and not only the service itself.
    #[cfg(feature = "opentelemetry")]
    pub(crate) fn is_asked_for(&self) -> bool {
        let live = self.live.get();
        live.is_some_and(|live| live.is_asked_for()) || self.deep.get().is_some()
    }

    pub(crate) fn reset(&mut self) {
        let Self { live, deep } = self;
        live.take();
        deep.take();
    }
}

/// The selection while the request runs.
#[derive(Debug, Default)]
pub(crate) struct Chosen {
    pub(crate) selected: Option<Arc<Selected>>,
    pub(crate) pending: Pending,
    /// Its place among the requests that are verbose at once.
    pub(crate) hold: Option<Hold>,
    /// What a budget refused it.
    pub(crate) shortage: Option<Shortage>,
}

impl Chosen {
    pub(crate) fn reset(&mut self) {
        let Self {
            selected,
            pending,
            hold,
            shortage,
        } = self;
        (*selected, *hold, *shortage) = (None, None, None);
        pending.reset();
    }
}
