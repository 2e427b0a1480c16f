use super::{
    Arrival, Node, Pending, Selected,
    arrival::{Facts, SEEN, fact},
    node::Memory,
    pending::Waiting,
    watch::Watch,
};
use crate::selection::{
    Sample, SampleKey,
    model::{By, MAX_CONDITIONS, Rule, in_share},
    work::Work,
};
use http::HeaderName;
use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::SystemTime,
};

/// Rules, compiled. Evaluating them allocates nothing.
#[derive(Debug, Default)]
pub(crate) struct Set {
    entries: Box<[Entry]>,
    /// Rules that look at nothing but facts and so wait in every request, in order.
    waiting: Box<[u32]>,
    key: SampleKey,
    watch: Watch,
}

/// One rule of a set.
#[derive(Debug)]
pub(crate) struct Entry {
    time: Window,
    /// What can be decided when the request arrives.
    closed: Vec<Node>,
    /// What may wait for facts.
    open: Vec<Node>,
    /// Whether nothing is decided before there is a fact.
    needs_fact: bool,
    /// Whether there is something to remember beside facts.
    is_mixed: bool,
    sample: Option<Share>,
    /// A bit for each watched fact that it waits for.
    facts: u64,
    selected: Arc<Selected>,
    rule: Arc<Rule>,
}

/// When a rule is in force.
#[derive(Clone, Copy, Debug)]
pub(in crate::selection) struct Window {
    from: u64,
    until: u64,
}

impl Window {
    pub(in crate::selection) fn of(rule: &Rule) -> Self {
        Self {
            from: rule.from.map_or(0, nanos),
            until: nanos(rule.expires),
        }
    }

    pub(in crate::selection) fn contains(self, at: SystemTime) -> bool {
        self.has(nanos(at))
    }

    #[inline]
    fn has(self, at: u64) -> bool {
        (self.from..self.until).contains(&at)
    }
}

/// Since 1970; of times before it the same, and of those after 2554.
pub(super) fn nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    })
}

#[derive(Debug)]
struct Share {
    by: By,
    seed: String,
    percent: f64,
}

impl Share {
    fn of(sample: &Sample, rule: &Rule) -> Self {
        Self {
            by: sample.key().clone(),
            seed: sample.seed_of(&rule.name).to_owned(),
            percent: sample.share(),
        }
    }

    fn has(&self, key: &SampleKey, value: Option<&[u8]>) -> bool {
        value.is_some_and(|value| in_share(key, &self.seed, value, self.percent))
    }
}

/// Whether the key that the request has by now is in the share of the rule.
pub(in crate::selection) fn sample_of(rule: &Rule, arrival: &Arrival<'_>, key: &SampleKey) -> bool {
    rule.sample.as_ref().is_none_or(|sample| {
        let share = Share::of(sample, rule);
        arrival.key(&share.by, |value| share.has(key, value))
    })
}

impl Set {
    /// In the place of another one, whose requests it does not forget.
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

    pub(super) fn entry(&self, index: u32) -> Option<&Entry> {
        self.entries.get(index as usize)
    }

    pub(super) fn key(&self) -> &SampleKey {
        &self.key
    }

    pub(in crate::selection) fn watch(&self) -> &Watch {
        &self.watch
    }

    /// A request has ended while these rules waited for it, and all before `end`
    /// that wait in every one.
    pub(super) fn ended(&self, waiting: impl Iterator<Item = u32>, end: u32) {
        if self.watch.looks() {
            let entries = waiting.filter_map(|rule| self.entry(rule));
            let facts = entries.fold(0, |facts, entry| facts | entry.facts);
            self.watch.ended(facts, end);
        }
    }

    /// The first rule that matches. Those before it that wait for facts are
    /// put into `pending`, which was reset.
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

    /// Rules that wait in every request, up to this one.
    pub(super) fn waiting_before(&self, rule: u32) -> impl Iterator<Item = u32> {
        let all = self.waiting.iter().copied();
        all.take_while(move |waiting| *waiting < rule)
    }

    pub(super) fn has_waiting_before(&self, rule: u32) -> bool {
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

/// Gives numbers to the headers that are looked at most.
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

enum Verdict {
    Selects,
    Fails,
    Waits(Memory),
}

impl Entry {
    pub(in crate::selection) fn new(rule: &Arc<Rule>, selected: Arc<Selected>) -> Self {
        let mut nodes = Node::of(&rule.when);
        // More than there is room for to remember; it cannot come from a text.
        if rule.when.conditions() > MAX_CONDITIONS {
            nodes.push(Node::Any(Vec::new()));
        }
        let (open, mut closed): (Vec<_>, Vec<_>) = nodes.into_iter().partition(Node::is_open);
        closed.sort_by_key(Node::cost);
        Self {
            rule: Arc::clone(rule),
            time: Window::of(rule),
            closed,
            is_mixed: open.iter().any(|node| !matches!(node, Node::Fact(..))),
            needs_fact: open.iter().any(|node| matches!(node, Node::Fact(..))),
            open,
            sample: rule.sample.as_ref().map(|sample| Share::of(sample, rule)),
            facts: 0,
            selected,
        }
    }

    pub(in crate::selection) fn rule(&self) -> &Arc<Rule> {
        &self.rule
    }

    pub(in crate::selection) fn selected(&self) -> &Arc<Selected> {
        &self.selected
    }

    /// Whether it looks at nothing but facts, and cannot match without one.
    pub(super) fn only_waits(&self) -> bool {
        let by_fact = |share: &Share| matches!(share.by, By::Fact(_));
        let sampled_by_fact = self.sample.as_ref().is_some_and(by_fact);
        self.closed.is_empty()
            && !self.is_mixed
            && (self.needs_fact || sampled_by_fact)
            && (self.sample.is_none() || sampled_by_fact)
    }

    /// What is quick to say: most rules that are looked at end here.
    #[inline]
    fn is_possible(&self, at: u64, arrival: &Arrival<'_>) -> bool {
        self.time.has(at) && self.closed.iter().all(|node| node.holds(arrival))
    }

    fn evaluate(&self, key: &SampleKey, arrival: &Arrival<'_>) -> Verdict {
        let mut waits_for_key = false;
        if let Some(share) = &self.sample {
            let has = arrival.key(&share.by, |value| share.has(key, value));
            if !has && !matches!(share.by, By::Fact(_)) {
                return Verdict::Fails;
            }
            waits_for_key = !has;
        }
        if self.open.is_empty() && !waits_for_key {
            return Verdict::Selects;
        }
        let mut memory = Memory::default();
        if self.is_mixed {
            let open = self.open.iter();
            open.for_each(|node| node.remember(arrival, &mut memory));
        }
        let waits = waits_for_key || self.needs_fact && arrival.facts.is_empty();
        if !waits && self.all_hold(memory.rewound(), arrival.facts, arrival.work()) {
            return Verdict::Selects;
        }
        Verdict::Waits(memory)
    }

    fn all_hold(&self, mut memory: Memory, facts: Facts<'_>, work: &Work) -> bool {
        let mut hold = self.open.iter();
        hold.all(|node| node.decide(&mut memory, facts, work) == Some(true))
    }

    /// A request had too little left for it.
    fn fell_short(&self) {
        if let Some(terms) = self.selected.terms() {
            terms.spent.beyond_work.fetch_add(1, Relaxed);
        }
    }

    /// Whether it selects a request that has these facts by now.
    pub(super) fn decides(
        &self,
        key: &SampleKey,
        memory: Memory,
        facts: Facts<'_>,
        now: u64,
        work: &Work,
    ) -> bool {
        let in_share = || match &self.sample {
            Some(share) => match &share.by {
                By::Fact(name) => {
                    let value = fact(facts, name).filter(|value| work.pay(2 * value.len()));
                    share.has(key, value)
                }
                // It was asked when the request came.
                _ => true,
            },
            None => true,
        };
        let decides = self.time.has(now) && self.all_hold(memory, facts, work) && in_share();
        if work.was_short() {
            self.fell_short();
            return false;
        }
        decides
    }
}
