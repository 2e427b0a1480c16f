use super::{Mode, RequestContext};
use crate::{selection::Selected, token::Propagation};
use http::{HeaderValue, Uri};
use std::{
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::SystemTime,
};

/// How the calls of a request carry its selection on.
#[derive(Debug, Default)]
pub(crate) struct Onward {
    propagation: OnceLock<Arc<Propagation>>,
    said: Mutex<Option<Said>>,
}

impl Onward {
    fn said(&self) -> MutexGuard<'_, Option<Said>> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn reset(&mut self) {
        let Self { propagation, said } = self;
        propagation.take();
        *said.get_mut().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// The selection as calls carry it, made once for many calls.
#[derive(Debug)]
struct Said {
    value: HeaderValue,
    /// The selection that the value carries.
    selected: Arc<Selected>,
    live: bool,
    /// When the next value is made.
    renew_at: SystemTime,
}

impl RequestContext {
    /// Sets where its selection may be propagated.
    pub(crate) fn may_propagate(&self, propagation: &Arc<Propagation>) {
        let _ = self
            .shared()
            .onward
            .propagation
            .set(Arc::clone(propagation));
    }

    /// Returns the header value with the selection for a call to `target`; `None` if there is no
    /// selection, or it must not go there.
    pub(crate) fn onward(&self, target: &Uri) -> Option<HeaderValue> {
        let shared = self.shared();
        let onward = &shared.onward;
        let propagation = onward.propagation.get()?;
        if self.mode().has(Mode::FINISHED) || !propagation.reaches(target) {
            return None;
        }
        let now = SystemTime::now();
        let muted = self.mode().has(Mode::MUTED);
        let (selected, live) = {
            let notes = shared.notes();
            // A request that is live because it failed was not selected.
            let selected = notes.chosen.selected.as_ref().filter(|s| s.is_in_force())?;
            let live = selected.is_live() && !muted;
            if let Some(said) = &*onward.said()
                && Arc::ptr_eq(&said.selected, selected)
                && said.live == live
                && now < said.renew_at
            {
                return Some(said.value.clone());
            }
            (Arc::clone(selected), live)
        };
        // Signing takes time, so nothing is locked meanwhile.
        let id = self.correlation_id();
        let (value, renew_at) = propagation.header(&selected, live, id, now)?;
        *onward.said() = Some(Said {
            value: value.clone(),
            selected,
            live,
            renew_at,
        });
        Some(value)
    }
}
