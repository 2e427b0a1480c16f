use super::{
    Warning,
    engine::{Spent, Time},
    model::Rule,
    switch::OffBy,
};
use serde::Serialize;
use std::{sync::atomic::Ordering::Relaxed, time::SystemTime};

/// The rules in use, and what they made verbose, at one moment. Counts are since the start of
/// the process.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct VerboseStatus {
    pub(super) off_by: Option<OffBy>,
    /// Requests that rules, tokens and headers selected, including rules that are no longer in
    /// use.
    pub spent: Counts,
    /// Requests that tokens and the insecure plain header selected.
    pub by_header: Counts,
    pub(super) sources: Vec<SourceStatus>,
    /// Requests for which a rule was not evaluated, because that would have taken too much
    /// work; the rule did not select them. `docs/rules.md` has the limit.
    pub beyond_work: u64,
    /// The rules in use, in order.
    pub rules: Vec<RuleStatus>,
    /// What is wrong with the rules in use; see
    /// [`Steering::warnings`](super::Steering::warnings).
    pub warnings: Vec<Warning>,
    /// What is wrong with the budget of all rules together.
    pub problem: Option<String>,
}

impl VerboseStatus {
    /// Returns whether everything verbose is switched off, by
    /// [`Steering::switch_off`](super::Steering::switch_off) or by the environment variable
    /// `DASHCAM_VERBOSE_OFF`. In JSON it is `"off_by":"call"` or `"off_by":"environment"`.
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
    /// The number of its rules in use.
    pub(crate) rules: usize,
    /// Why its newest rules, or a part of them, are not in use.
    pub(crate) problem: Option<String>,
}

/// A rule in use.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct RuleStatus {
    /// The name of the rule.
    pub name: String,
    /// When the rule ends.
    #[serde(serialize_with = "super::model::write_time")]
    pub expires: SystemTime,
    /// Whether the rule has begun and has not ended.
    pub in_force: bool,
    /// Requests that the rule selected.
    pub spent: Counts,
    /// Requests for which the rule was not evaluated, because that would have taken too much
    /// work.
    pub beyond_work: u64,
}

/// Counts of selected requests, and of what budgets did to them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Counts {
    /// Requests that became live.
    pub live: u64,
    /// Requests that a [`record_only`](super::Rule::record_only) rule recorded.
    pub recorded: u64,
    /// Requests that were only recorded, because a budget for live ones was used up.
    pub only_recorded: u64,
    /// Requests that were not selected, because a budget was used up.
    pub refused: u64,
    /// Requests that stopped being live, because a budget of events or bytes was used up.
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
