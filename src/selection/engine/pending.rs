use super::{Selected, Set, arrival::Facts, node::Memory, set::nanos};
use crate::selection::work::Work;
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
    /// What the request has left for conditions, and whether that was too little once.
    pub(super) work: u32,
    pub(super) fell_short: bool,
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
        set.watch().stated(facts);
        let now = nanos(now);
        let work = Work::left(self.work);
        let decides = |rule: u32, memory: Memory| {
            let entry = set.entry(rule);
            entry.is_some_and(|entry| entry.decides(set.key(), memory, facts, now, &work))
        };
        let mut here = self.waiting.iter().take_while(|w| w.rule < self.end);
        let here = here.find(|w| decides(w.rule, w.memory.rewound()));
        let end = here.map_or(self.end, |waiting| waiting.rule);
        let everywhere = set
            .waiting_before(end)
            .find(|rule| decides(*rule, Memory::default()));
        self.work = work.is_left();
        if work.was_ever_short() && !self.fell_short {
            self.fell_short = true;
            set.watch().fell_short();
        }
        let rule = everywhere.or(here.map(|waiting| waiting.rule))?;
        let selected = Arc::clone(set.entry(rule)?.selected());
        self.end = rule;
        let waits = self.waiting.first().is_some_and(|w| w.rule < rule);
        if !waits && !set.has_waiting_before(rule) {
            self.set = None;
        }
        Some(selected)
    }

    pub(crate) fn reset(&mut self) {
        const ROOM: usize = 1024;
        if let Some(set) = self.set.take() {
            let waiting = self.waiting.iter().map(|w| w.rule);
            set.ended(waiting.take_while(|rule| *rule < self.end), self.end);
        }
        self.waiting.clear();
        self.fell_short = false;
        if self.waiting.capacity() > ROOM {
            self.waiting = Vec::new();
        }
    }
}
