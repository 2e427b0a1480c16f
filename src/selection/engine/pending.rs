use super::{Selected, Set, arrival::Facts, node::Memory};
use std::{sync::Arc, time::SystemTime};

/// Rules that wait for facts, of the set that the request began with: it never
/// sees another one.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    pub(super) set: Option<Arc<Set>>,
    /// Rules that wait for this request, in their order. Kept with its context for
    /// the next one, so that nothing is allocated.
    pub(super) waiting: Vec<Waiting>,
    /// Only rules before this one wait.
    pub(super) end: u32,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    pub(super) rule: u32,
    pub(super) memory: Memory,
}

impl Pending {
    pub(crate) fn is_empty(&self) -> bool {
        self.set.is_none()
    }

    /// What these facts select. What comes after it waits no longer.
    pub(crate) fn evaluate(&mut self, facts: Facts<'_>, now: SystemTime) -> Option<Arc<Selected>> {
        let set = self.set.as_ref()?;
        let first = |waiting: &mut dyn Iterator<Item = Waiting>| {
            waiting
                .take_while(|waiting| waiting.rule < self.end)
                .find_map(|waiting| {
                    let entry = set.entry(waiting.rule)?;
                    let memory = waiting.memory.rewound();
                    let decides = entry.decides(set.key(), memory, facts, now);
                    decides.then_some((waiting.rule, entry))
                })
        };
        let here = first(&mut self.waiting.iter().copied());
        let everywhere = first(&mut set.waiting().iter().map(|rule| Waiting {
            rule: *rule,
            memory: Memory::default(),
        }));
        let found = here.into_iter().chain(everywhere);
        let (rule, entry) = found.min_by_key(|(rule, _)| *rule)?;
        let selected = Arc::clone(entry.selected());
        self.end = rule;
        let waits = self.waiting.first().is_some_and(|w| w.rule < rule);
        if !waits && set.waiting().first().is_none_or(|first| *first >= rule) {
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
