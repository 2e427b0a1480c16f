use super::{
    Arrival, Node, Pending, Selected,
    arrival::{Facts, fact},
    index::{BLOCK, Block, bits},
    node::Memory,
    pending::Waiting,
};
use crate::selection::{
    Sample, SampleKey,
    model::{By, MAX_CONDITIONS, Rule, in_share},
};
use std::{sync::Arc, time::SystemTime};
use tracing::level_filters::LevelFilter;

/// Rules, compiled. Evaluating them allocates nothing.
#[derive(Debug, Default)]
pub(crate) struct Set {
    entries: Box<[Entry]>,
    blocks: Box<[Block]>,
    key: SampleKey,
}

/// One rule of a set.
#[derive(Debug)]
pub(crate) struct Entry {
    rule: Arc<Rule>,
    time: Window,
    /// What can be decided when the request arrives.
    pub(super) closed: Vec<Node>,
    /// What may wait for facts.
    open: Vec<Node>,
    sample: Option<Share>,
    selected: Arc<Selected>,
}

/// When a rule is in force.
#[derive(Clone, Copy, Debug)]
pub(in crate::selection) struct Window {
    from: Option<SystemTime>,
    expires: SystemTime,
}

impl Window {
    pub(in crate::selection) fn of(rule: &Rule) -> Self {
        Self {
            from: rule.from,
            expires: rule.expires,
        }
    }

    pub(in crate::selection) fn contains(self, at: SystemTime) -> bool {
        at < self.expires && self.from.is_none_or(|from| from <= at)
    }
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
    pub(in crate::selection) fn new(entries: Vec<Entry>, key: SampleKey) -> Self {
        Self {
            blocks: entries.chunks(BLOCK).map(Block::new).collect(),
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

    /// The most verbose level that a rule asks for.
    pub(crate) fn max_level(&self) -> LevelFilter {
        let levels = self
            .entries
            .iter()
            .map(|e| e.selected.directives.max_level());
        levels.max().unwrap_or(LevelFilter::OFF)
    }

    /// The first rule that matches. Those before it that wait for facts are
    /// put into `pending`, which was reset.
    pub(crate) fn evaluate(
        self: &Arc<Self>,
        arrival: &Arrival<'_>,
        pending: &mut Pending,
    ) -> Option<&Arc<Selected>> {
        let selected = self.first(arrival, pending);
        if !pending.waiting.is_empty() {
            pending.set = Some(Arc::clone(self));
        }
        selected
    }

    fn first(&self, arrival: &Arrival<'_>, pending: &mut Pending) -> Option<&Arc<Selected>> {
        for (n, block) in self.blocks.iter().enumerate() {
            for bit in bits(block.candidates(arrival)) {
                let index = n * BLOCK + bit;
                let Some(entry) = self.entries.get(index) else {
                    continue;
                };
                match entry.evaluate(&self.key, arrival) {
                    Verdict::Selects => return Some(&entry.selected),
                    Verdict::Fails => {}
                    Verdict::Waits(memory) => pending.waiting.push(Waiting {
                        rule: u32::try_from(index).unwrap_or(u32::MAX),
                        memory,
                    }),
                }
            }
        }
        None
    }
}

enum Verdict {
    Selects,
    Fails,
    Waits(Memory),
}

impl Entry {
    pub(in crate::selection) fn new(rule: &Arc<Rule>, selected: Arc<Selected>) -> Self {
        let nodes = Node::of(&rule.when);
        let (open, closed) = nodes.into_iter().partition(Node::is_open);
        Self {
            rule: Arc::clone(rule),
            time: Window::of(rule),
            closed,
            open,
            sample: rule.sample.as_ref().map(|sample| Share::of(sample, rule)),
            selected,
        }
    }

    pub(in crate::selection) fn rule(&self) -> &Arc<Rule> {
        &self.rule
    }

    pub(in crate::selection) fn selected(&self) -> &Arc<Selected> {
        &self.selected
    }

    /// Whether there is more to remember than there is room for. Such a rule
    /// cannot come from a file.
    fn is_too_large(&self) -> bool {
        !self.open.is_empty() && self.rule.when.conditions() > MAX_CONDITIONS
    }

    fn evaluate(&self, key: &SampleKey, arrival: &Arrival<'_>) -> Verdict {
        if !self.time.contains(arrival.at)
            || !self.closed.iter().all(|node| node.holds(arrival))
            || self.is_too_large()
        {
            return Verdict::Fails;
        }
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
        self.open
            .iter()
            .for_each(|node| node.remember(arrival, &mut memory));
        if !waits_for_key && self.all_hold(memory.rewound(), arrival.facts) {
            return Verdict::Selects;
        }
        Verdict::Waits(memory)
    }

    fn all_hold(&self, mut memory: Memory, facts: Facts<'_>) -> bool {
        let mut hold = self.open.iter();
        hold.all(|node| node.decide(&mut memory, facts) == Some(true))
    }

    /// Whether it selects a request that has these facts by now.
    pub(super) fn decides(
        &self,
        key: &SampleKey,
        memory: Memory,
        facts: Facts<'_>,
        now: SystemTime,
    ) -> bool {
        let in_share = || match &self.sample {
            Some(share) => match &share.by {
                By::Fact(name) => share.has(key, fact(facts, name)),
                // It was asked when the request came.
                _ => true,
            },
            None => true,
        };
        self.time.contains(now) && self.all_hold(memory, facts) && in_share()
    }
}
