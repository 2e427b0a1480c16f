use super::{Mode, RequestContext};
use crate::{selection::Selected, token::Propagation};
use http::{HeaderValue, Uri};
use std::{sync::Arc, time::SystemTime};

/// The selection as calls take it along, made once for many of them.
#[derive(Debug)]
pub(crate) struct Onward {
    value: HeaderValue,
    /// What it says.
    selected: Arc<Selected>,
    live: bool,
    /// When the next one is made.
    renew_at: SystemTime,
}

impl RequestContext {
    /// Where its selection may go.
    pub(crate) fn may_propagate(&self, propagation: &Arc<Propagation>) {
        let _ = self.shared().propagation.set(Arc::clone(propagation));
    }

    /// What a call to `target` says of the selection; `None` where there is none, or
    /// nothing may be said there.
    pub(crate) fn onward(&self, target: &Uri) -> Option<HeaderValue> {
        let shared = self.shared();
        let propagation = shared.propagation.get()?;
        if self.mode().has(Mode::FINISHED) || !propagation.reaches(target) {
            return None;
        }
        let now = SystemTime::now();
        let muted = self.mode().has(Mode::MUTED);
        let (selected, live) = {
            let notes = shared.notes();
            // One that is live because it failed was not selected.
            let selected = notes.selected.as_ref().filter(|s| s.is_in_force())?;
            let live = selected.is_live() && !muted;
            if let Some(onward) = &notes.onward
                && Arc::ptr_eq(&onward.selected, selected)
                && onward.live == live
                && now < onward.renew_at
            {
                return Some(onward.value.clone());
            }
            (Arc::clone(selected), live)
        };
        // Signing takes its time: nothing is locked meanwhile.
        let id = self.correlation_id();
        let (value, renew_at) = propagation.header(&selected, live, id, now)?;
        let onward = Onward {
            value: value.clone(),
            selected,
            live,
            renew_at,
        };
        shared.notes().onward = Some(onward);
        Some(value)
    }
}
