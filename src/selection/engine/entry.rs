//! A compiled rule.

use super::{
    Arrival, Node, Selected,
    arrival::{Facts, fact},
    node::Memory,
};
use crate::selection::{
    SampleKey,
    model::{By, MAX_CONDITIONS, Rule, Sample, in_share},
    work::Work,
};
use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::SystemTime,
};

/// A rule of a set.
#[derive(Debug)]
pub(crate) struct Entry {
    time: Window,
    /// Conditions that can be decided when the request arrives.
    pub(super) closed: Vec<Node>,
    /// Conditions that may wait for facts.
    pub(super) open: Vec<Node>,
    /// Whether it cannot match without a fact.
    needs_fact: bool,
    /// Whether there are results to store beside facts.
    is_mixed: bool,
    sample: Option<Share>,
    /// A bit for each watched fact that it waits for.
    pub(super) facts: u64,
    pub(super) selected: Arc<Selected>,
    pub(super) rule: Arc<Rule>,
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

/// Returns the nanoseconds since 1970, limited to the years 1970 to 2554.
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

/// Whether the current key of the request is in the share of the rule.
pub(in crate::selection) fn sample_of(rule: &Rule, arrival: &Arrival<'_>, key: &SampleKey) -> bool {
    rule.sample.as_ref().is_none_or(|sample| {
        let share = Share::of(sample, rule);
        arrival.key(&share.by, |value| share.has(key, value))
    })
}

/// The answer of a rule when a request arrives.
pub(super) enum Verdict {
    Selects,
    Fails,
    Waits(Memory),
}

impl Entry {
    pub(in crate::selection) fn new(rule: &Arc<Rule>, selected: Arc<Selected>) -> Self {
        let mut nodes = Node::of(&rule.when);
        // There are not enough bits to store the results. A text cannot have such a rule.
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

    /// Whether it only looks at facts, and cannot match without one.
    pub(super) fn only_waits(&self) -> bool {
        let by_fact = |share: &Share| matches!(share.by, By::Fact(_));
        let sampled_by_fact = self.sample.as_ref().is_some_and(by_fact);
        self.closed.is_empty()
            && !self.is_mixed
            && (self.needs_fact || sampled_by_fact)
            && (self.sample.is_none() || sampled_by_fact)
    }

    /// Answers quickly: most rules end here.
    #[inline]
    pub(super) fn is_possible(&self, at: u64, arrival: &Arrival<'_>) -> bool {
        self.time.has(at) && self.closed.iter().all(|node| node.holds(arrival))
    }

    pub(super) fn evaluate(&self, key: &SampleKey, arrival: &Arrival<'_>) -> Verdict {
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

    /// Counts a request that had too little work left for the rule.
    pub(super) fn fell_short(&self) {
        if let Some(terms) = self.selected.terms() {
            terms.spent.beyond_work.fetch_add(1, Relaxed);
        }
    }

    /// Whether it selects a request that has these facts.
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
                // Decided when the request arrived.
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
