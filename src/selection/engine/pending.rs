use super::{Selected, Set, arrival::Facts, node::Memory};
use std::{sync::Arc, time::SystemTime};

/// Rules that wait for facts, of the set that the request began with: it never
/// sees another one.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    pub(super) set: Option<Arc<Set>>,
    /// In the order of the rules. Kept with the request's context for the next
    /// one, so that nothing is allocated.
    pub(super) waiting: Vec<Waiting>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    pub(super) rule: u32,
    pub(super) memory: Memory,
}

impl Pending {
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// What these facts select. What comes after it waits no longer.
    pub(crate) fn evaluate(&mut self, facts: Facts<'_>, now: SystemTime) -> Option<Arc<Selected>> {
        let set = self.set.as_ref()?;
        let (at, selected) = self.waiting.iter().enumerate().find_map(|(at, waiting)| {
            let entry = set.entry(waiting.rule)?;
            let memory = waiting.memory.rewound();
            entry
                .decides(set.key(), memory, facts, now)
                .then(|| (at, Arc::clone(entry.selected())))
        })?;
        self.waiting.truncate(at);
        if at == 0 {
            self.set = None;
        }
        Some(selected)
    }

    pub(crate) fn reset(&mut self) {
        const ROOM: usize = 1024;
        self.set = None;
        self.waiting.clear();
        if self.waiting.capacity() > ROOM {
            self.waiting = Vec::new();
        }
    }
}
