//! Compiled rules, and those that wait for facts of a request.

use super::{
    Arrival, Entry, Selected,
    arrival::{Facts, SEEN},
    entry::{Verdict, nanos},
    node::Memory,
    watch::Watch,
};
use crate::selection::{SampleKey, work::Work};
use http::HeaderName;
use std::{sync::Arc, time::SystemTime};

/// Compiled rules. Evaluating them does not allocate.
#[derive(Debug, Default)]
pub(crate) struct Set {
    entries: Box<[Entry]>,
    /// Rules that only look at facts, and so wait in every request, in order.
    waiting: Box<[u32]>,
    key: SampleKey,
    watch: Watch,
}

impl Set {
    /// Creates a set that replaces another one, and continues its counts of requests.
    pub(in crate::selection) fn new(
        mut entries: Vec<Entry>,
        key: SampleKey,
        before: Option<&Self>,
    ) -> Self {
        number_headers(&mut entries);
        let rules = entries.iter().map(|e| (&*e.rule, e.only_waits()));
        let (watch, bits) = Watch::new(rules, before.map(|before| &before.watch));
        for (entry, bits) in entries.iter_mut().zip(bits) {
            entry.facts = bits;
        }
        Self {
            watch,
            waiting: (0_u32..)
                .zip(&entries)
                .filter_map(|(rule, entry)| entry.only_waits().then_some(rule))
                .collect(),
            entries: entries.into(),
            key,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(in crate::selection) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    fn entry(&self, index: u32) -> Option<&Entry> {
        self.entries.get(index as usize)
    }

    fn key(&self) -> &SampleKey {
        &self.key
    }

    pub(in crate::selection) fn watch(&self) -> &Watch {
        &self.watch
    }

    /// Notes that a request ended while these rules waited for it, and those before `end` that
    /// wait in every request.
    fn ended(&self, waiting: impl Iterator<Item = u32>, end: u32) {
        if self.watch.looks() {
            let entries = waiting.filter_map(|rule| self.entry(rule));
            let facts = entries.fold(0, |facts, entry| facts | entry.facts);
            self.watch.ended(facts, end);
        }
    }

    /// Returns the first rule that matches. It adds earlier rules that wait for facts to
    /// `pending`, which must be reset.
    pub(crate) fn evaluate(
        self: &Arc<Self>,
        arrival: &Arrival<'_>,
        pending: &mut Pending,
    ) -> Option<&Arc<Selected>> {
        self.watch.arrived(arrival);
        let selected = self.first(arrival, pending);
        pending.work = arrival.work().is_left();
        if arrival.work().was_ever_short() {
            self.watch.fell_short();
            pending.fell_short = true;
        }
        let end = selected.map_or(u32::MAX, |(n, _)| n);
        pending.end = end;
        if !pending.waiting.is_empty() || self.has_waiting_before(end) {
            pending.set = Some(Arc::clone(self));
        }
        selected.map(|(_, entry)| &entry.selected)
    }

    /// Returns the rules that wait in every request, up to this one.
    fn waiting_before(&self, rule: u32) -> impl Iterator<Item = u32> {
        let all = self.waiting.iter().copied();
        all.take_while(move |waiting| *waiting < rule)
    }

    fn has_waiting_before(&self, rule: u32) -> bool {
        self.waiting.first().is_some_and(|first| *first < rule)
    }

    fn first(&self, arrival: &Arrival<'_>, pending: &mut Pending) -> Option<(u32, &Entry)> {
        let at = nanos(arrival.at);
        for (rule, entry) in (0_u32..).zip(&self.entries) {
            if arrival.facts.is_empty() && entry.only_waits() {
                continue;
            }
            let possible = entry.is_possible(at, arrival);
            let verdict = possible.then(|| entry.evaluate(&self.key, arrival));
            if arrival.work().was_short() {
                entry.fell_short();
                continue;
            }
            match verdict {
                Some(Verdict::Selects) => return Some((rule, entry)),
                Some(Verdict::Waits(memory)) if !entry.only_waits() => {
                    pending.waiting.push(Waiting { rule, memory });
                }
                Some(Verdict::Waits(_) | Verdict::Fails) | None => {}
            }
        }
        None
    }
}

/// Numbers the headers that most rules look at.
fn number_headers(entries: &mut [Entry]) {
    let mut found: Vec<(HeaderName, usize)> = Vec::new();
    let nodes = |entry: &mut Entry, f: &mut dyn FnMut(&HeaderName, &mut Option<u8>)| {
        let all = entry.closed.iter_mut().chain(&mut entry.open);
        all.for_each(|node| node.headers(&mut |name, seen| f(name, seen)));
    };
    for entry in &mut *entries {
        nodes(
            entry,
            &mut |name, _| match found.iter_mut().find(|(n, _)| n == name) {
                Some((_, times)) => *times += 1,
                None => found.push((name.clone(), 1)),
            },
        );
    }
    found.sort_by_key(|(_, times)| std::cmp::Reverse(*times));
    found.truncate(SEEN);
    for entry in entries {
        nodes(entry, &mut |name, seen| {
            let at = found.iter().position(|(n, _)| n == name);
            *seen = at.and_then(|at| u8::try_from(at).ok());
        });
    }
}

/// Rules that wait for facts. They are of the set that the request began with: it never sees
/// another one.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    set: Option<Arc<Set>>,
    /// Rules that wait in this request, in order. The next request reuses the memory.
    waiting: Vec<Waiting>,
    /// Only rules before this one wait.
    end: u32,
    /// The work that the request has left, and whether a rule had too little.
    work: u32,
    fell_short: bool,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    rule: u32,
    memory: Memory,
}

impl Pending {
    pub(crate) fn is_empty(&self) -> bool {
        self.set.is_none()
    }

    /// Returns what these facts select. Later rules stop waiting.
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
        let Self {
            set,
            waiting,
            work,
            end,
            fell_short,
        } = self;
        if let Some(set) = set.take() {
            let rules = waiting.iter().map(|w| w.rule);
            set.ended(rules.take_while(|rule| rule < end), *end);
        }
        waiting.clear();
        if waiting.capacity() > ROOM {
            *waiting = Vec::new();
        }
        (*work, *fell_short) = (0, false);
    }
}
