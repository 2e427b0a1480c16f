//! This room's part of a request: what selected it, and what it holds for that.

use super::{Hold, Pending, Selected, Shortage};
use std::sync::{Arc, OnceLock};

/// By what more of a request is shown or recorded than of others. Each is set once.
#[derive(Debug, Default)]
pub(crate) struct InForce {
    pub(crate) live: OnceLock<Arc<Selected>>,
    /// The rule by which more of it is recorded than of others.
    pub(crate) deep: OnceLock<Arc<Selected>>,
}

impl InForce {
    /// Whether it is verbose, or recorded more deeply, because it was selected, not only
    /// for a reason of its own.
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

/// What is noted of the selection while the request runs.
#[derive(Debug, Default)]
pub(crate) struct Chosen {
    pub(crate) selected: Option<Arc<Selected>>,
    pub(crate) pending: Pending,
    /// Its place among the requests that are verbose at once.
    pub(crate) hold: Option<Hold>,
    /// What it went without because a budget was used up.
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
