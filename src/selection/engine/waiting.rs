use super::{
    Entry,
    arrival::{Facts, ruled_of_fact},
    index::{AsItIs, Kind, hash},
};
use std::{collections::HashMap, hash::BuildHasherDefault};

/// Rules that look at nothing but facts and so wait in every request. Those that
/// want a certain value are found by it, so that a fact costs little, however many
/// values rules wait for.
#[derive(Debug, Default)]
pub(super) struct ByFact {
    /// The first rule of all.
    first: Option<u32>,
    /// By the hash of a fact's name and value, in order. A rule that is found by
    /// mistake fails its conditions.
    found: HashMap<u64, Vec<u32>, BuildHasherDefault<AsItIs>>,
    /// Those that are not found so, in order.
    others: Vec<u32>,
}

impl ByFact {
    pub(super) fn new(entries: &[Entry]) -> Self {
        let mut all = Self::default();
        for (rule, entry) in (0_u32..).zip(entries) {
            if !entry.only_waits() {
                continue;
            }
            all.first.get_or_insert(rule);
            let Some((name, values)) = entry.fact_values() else {
                all.others.push(rule);
                continue;
            };
            for value in values {
                all.found.entry(of(name, value)).or_default().push(rule);
            }
        }
        all
    }

    /// Whether one before this rule waits.
    pub(super) fn is_any_before(&self, rule: u32) -> bool {
        self.first.is_some_and(|first| first < rule)
    }

    /// The first before `end` that decides by these facts.
    pub(super) fn first(
        &self,
        facts: Facts<'_>,
        mut end: u32,
        decides: impl Fn(u32) -> bool,
    ) -> Option<u32> {
        let mut found = None;
        let lists = facts
            .iter()
            .filter_map(|(name, value)| self.found.get(&of(name, ruled_of_fact(value))));
        for list in lists.chain([&self.others]) {
            let mut before = list.iter().copied().take_while(|rule| *rule < end);
            if let Some(rule) = before.find(|rule| decides(*rule)) {
                (found, end) = (Some(rule), rule);
            }
        }
        found
    }
}

fn of(name: &str, value: &str) -> u64 {
    hash(Kind::Fact, name.as_bytes(), value.as_bytes())
}
