use super::{
    Warning,
    engine::{Spent, Time},
    model::Rule,
    switch::OffBy,
};
use serde::Serialize;
use std::{sync::atomic::Ordering::Relaxed, time::SystemTime};

/// What is verbose, as rules say it, at one moment. Counts are of this process.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct VerboseStatus {
    pub(super) off_by: Option<OffBy>,
    /// Of all rules and headers since the start, also of rules that are not in use
    /// any more.
    pub spent: Counts,
    /// Of tokens and of the insecure plain header.
    pub by_header: Counts,
    pub(super) sources: Vec<SourceStatus>,
    /// Requests of which not every rule was asked, because that would have been too much
    /// work: such a rule did not select them. `docs/rules.md` says how much it may be.
    pub beyond_work: u64,
    /// The rules in use, in order.
    pub rules: Vec<RuleStatus>,
    /// What is wrong with the rules in use, or may not be meant: see
    /// [`Steering::warnings`](super::Steering::warnings).
    pub warnings: Vec<Warning>,
    /// What the budget over all of them does that nobody means.
    pub problem: Option<String>,
}

impl VerboseStatus {
    /// Returns whether everything verbose is switched off, by
    /// [`Steering::switch_off`](super::Steering::switch_off) or by the environment variable
    /// `DASHCAM_VERBOSE_OFF`. The JSON says by which: `"off_by":"call"` or `"environment"`.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.off_by.is_some()
    }

    /// Returns the names of the sources of rules, in order, such as the path of a file.
    pub fn sources(&self) -> impl Iterator<Item = &str> {
        self.sources.iter().map(|source| source.name.as_str())
    }

    /// Returns how many rules of the source of this name are in use; 0 if there is none.
    #[must_use]
    pub fn rules_of(&self, source: &str) -> usize {
        self.of(source).map(|source| source.rules).sum()
    }

    /// Returns why the newest rules of the source of this name, or a part of them, are not in
    /// use.
    #[must_use]
    pub fn problem_of(&self, source: &str) -> Option<&str> {
        self.of(source).find_map(|source| source.problem.as_deref())
    }

    fn of(&self, name: &str) -> impl Iterator<Item = &SourceStatus> {
        self.sources
            .iter()
            .filter(move |source| source.name == name)
    }
}

/// A source of rules.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct SourceStatus {
    pub(crate) name: String,
    /// How many rules of it are in use.
    pub(crate) rules: usize,
    /// Why its newest version is not in use.
    pub(crate) problem: Option<String>,
}

/// A rule in use.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct RuleStatus {
    /// Its name.
    pub name: String,
    /// When it ends.
    #[serde(serialize_with = "super::model::write_time")]
    pub expires: SystemTime,
    /// Whether it can select now: it has begun, and has not ended.
    pub in_force: bool,
    /// What it has selected.
    pub spent: Counts,
    /// How often it did not select a request, because asking it would have been too much
    /// work.
    pub beyond_work: u64,
}

/// Requests that were selected, and what budgets did to them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Counts {
    /// Made live.
    pub live: u64,
    /// Recorded, because the rule only records.
    pub recorded: u64,
    /// Recorded only, because a budget for live ones was used up.
    pub only_recorded: u64,
    /// Not selected, because a budget was used up.
    pub refused: u64,
    /// Live for a part of their time, because the budget of events or bytes was
    /// used up.
    pub cut_short: u64,
}

impl Counts {
    pub(super) fn of(spent: &Spent) -> Self {
        Self {
            live: spent.made_live.load(Relaxed),
            recorded: spent.recorded.load(Relaxed),
            only_recorded: spent.only_recorded.load(Relaxed),
            refused: spent.refused.load(Relaxed),
            cut_short: spent.cut_short.load(Relaxed),
        }
    }
}

impl RuleStatus {
    pub(super) fn of(rule: &Rule, spent: &Spent, now: SystemTime) -> Self {
        Self {
            name: rule.name.clone(),
            expires: rule.expires,
            in_force: Time::of(rule).contains(now),
            spent: Counts::of(spent),
            beyond_work: spent.beyond_work.load(Relaxed),
        }
    }
}
