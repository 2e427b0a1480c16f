//! Warnings of rules that their author may not mean, or that cannot work.

use super::{
    Budget, Mode, Rules, When,
    conflicts::conflict,
    mistakes::mistakes,
    model::{By, Is, PathIs, Rule, Text, time_text},
    work,
};
use crate::targets::EXCLUDED_TARGETS;
use serde::Serialize;
use std::{
    fmt,
    time::{Duration, SystemTime},
};
use tracing::level_filters::LevelFilter;

/// A rule does something that its author may not mean, or cannot select anything.
#[derive(Clone, Debug, Eq, Hash, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Warning {
    /// The rule's name.
    pub rule: String,
    pub(super) kind: WarningKind,
    /// The warning in words.
    pub text: String,
}

/// What a warning is about; [`Warning::kind`] describes each.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WarningKind {
    ClientControlled,
    Expired,
    FarExpiry,
    AllTraffic,
    Sample,
    Shadowed,
    Never,
    Condition,
    Budget,
    Work,
    Verbose,
    NoClient,
    NoRoute,
    NoFact,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.text)
    }
}

const FAR: Duration = Duration::from_secs(7 * 24 * 60 * 60);

impl Rules {
    /// Returns what the author of the rules may not mean, and what cannot work, at this time.
    #[must_use]
    pub fn check(&self, now: SystemTime) -> Vec<Warning> {
        self.check_beside(&self.beside(now), now)
    }

    /// The same, with the warnings of [`beside`](Self::beside).
    pub(super) fn check_beside(
        &self,
        beside: &[(usize, Warning)],
        now: SystemTime,
    ) -> Vec<Warning> {
        let mut beside = beside.iter().peekable();
        let mut found = Vec::new();
        for (n, rule) in self.iter().enumerate() {
            found.extend(of_rule(rule, now));
            while let Some((_, warning)) = beside.next_if(|(of, _)| *of == n) {
                found.extend((rule.expires > now).then(|| warning.clone()));
            }
        }
        found
    }

    /// Returns the warnings of rules because of others, with the place of each rule, in order.
    pub(super) fn beside(&self, now: SystemTime) -> Vec<(usize, Warning)> {
        let mut found = self.shadowed();
        found.extend(self.too_much(now));
        found.sort_by_key(|(n, _)| *n);
        found
    }

    /// Returns the rule whose expressions, with those of the rules before it, take too much work.
    fn too_much(&self, now: SystemTime) -> Option<(usize, Warning)> {
        let mut before = 0;
        for (n, rule) in self
            .iter()
            .enumerate()
            .filter(|(_, rule)| rule.expires > now)
        {
            let weight = weight(&rule.when);
            let all = weight.saturating_add(before);
            if weight > 0 && before > 0 && longest(all) < MUCH {
                let text = format!(
                    "its regular expressions and those of earlier rules take so much work that some \
                     of them, and those of later rules, match no value of more than {} bytes; \
                     simplify them",
                    longest(all)
                );
                return Some((n, Warning::new(rule, WarningKind::Work, text)));
            }
            before = all;
        }
        None
    }

    /// Returns the rules that an earlier one leaves nothing, with their places, in order.
    fn shadowed(&self) -> Vec<(usize, Warning)> {
        let warning = |(n, rule): (usize, &Rule)| {
            let name = &self
                .iter()
                .take(n)
                .find(|before| shadows(before, rule))?
                .name;
            let text = format!("the earlier rule {name:?} selects everything that it could");
            Some((n, Warning::new(rule, WarningKind::Shadowed, text)))
        };
        self.iter().enumerate().filter_map(warning).collect()
    }
}

impl WarningKind {
    /// As `serde` writes it.
    fn as_str(self) -> &'static str {
        match self {
            Self::ClientControlled => "client_controlled",
            Self::Expired => "expired",
            Self::FarExpiry => "far_expiry",
            Self::AllTraffic => "all_traffic",
            Self::Sample => "sample",
            Self::Shadowed => "shadowed",
            Self::Never => "never",
            Self::Condition => "condition",
            Self::Budget => "budget",
            Self::Work => "work",
            Self::Verbose => "verbose",
            Self::NoClient => "no_client",
            Self::NoRoute => "no_route",
            Self::NoFact => "no_fact",
        }
    }
}

impl Warning {
    /// Returns what the warning is about, in one word, as in JSON:
    ///
    /// | kind | the rule |
    /// |---|---|
    /// | `client_controlled` | goes by what clients send alone: whoever knows the rule can select themselves |
    /// | `expired` | has expired |
    /// | `far_expiry` | ends later than in seven days |
    /// | `all_traffic` | has no condition and no sample |
    /// | `sample` | has a sample of nobody, or of everybody |
    /// | `shadowed` | comes after a rule that selects everything that it could |
    /// | `never` | can select nothing |
    /// | `condition` | has a condition that holds for no request, or that is not in the router's form |
    /// | `budget` | has a budget that leaves nothing |
    /// | `work` | has regular expressions that, alone or with those of other rules, take too much work for long values |
    /// | `verbose` | shows nothing, or not everything that it names |
    /// | `no_client` | needs the address of the client, and requests came without one |
    /// | `no_route` | needs the route template, and no request has come with one so far |
    /// | `no_fact` | waits for a fact that no request has stated so far |
    ///
    /// Only a running service knows the last three.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.kind.as_str()
    }

    /// Whether it is about every request, whatever the service knows of it.
    pub(crate) fn is_of_every_request(&self) -> bool {
        use WarningKind::{Budget, Condition, Never, Verbose};
        matches!(self.kind, Never | Condition | Budget | Verbose)
    }

    pub(super) fn new(rule: &Rule, kind: WarningKind, text: String) -> Self {
        Self {
            rule: rule.name.clone(),
            kind,
            text,
        }
    }
}

/// Returns the warnings of a single rule.
pub(super) fn of_rule(rule: &Rule, now: SystemTime) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let mut warn = |kind, text: String| warnings.push(Warning::new(rule, kind, text));
    if rule.expires <= now {
        warn(
            WarningKind::Expired,
            format!("it expired at {}", time_text(rule.expires)),
        );
        return warnings;
    }
    if rule
        .expires
        .duration_since(now)
        .is_ok_and(|left| left > FAR)
    {
        warn(
            WarningKind::FarExpiry,
            format!(
                "it ends in more than seven days, at {}",
                time_text(rule.expires)
            ),
        );
    }
    let sampled = rule.sample.as_ref().map(super::model::Sample::share);
    if sampled == Some(0.0) {
        warn(
            WarningKind::Sample,
            "its sample of 0 % selects nobody".to_owned(),
        );
    }
    if sampled == Some(100.0) {
        warn(
            WarningKind::Sample,
            "its sample of 100 % selects everybody who has the key".to_owned(),
        );
    }
    if is_all(&rule.when) && sampled.is_none_or(|share| share >= 100.0) {
        let what = match rule.mode {
            Mode::Live => "live",
            Mode::Record => "recorded",
        };
        warn(WarningKind::AllTraffic, format!("all traffic is {what}"));
    }
    if let Some(problem) = rule.problem().filter(|_| !never(&rule.when)) {
        warn(WarningKind::Never, problem.to_owned());
    }
    if never(&rule.when) {
        warn(
            WarningKind::Never,
            "it can select nothing: its conditions exclude each other, require an absent fact, one \
             of no values or the opposite of everything, or are more than 64"
                .to_owned(),
        );
    }
    for mistake in mistakes(&rule.when) {
        warn(WarningKind::Condition, mistake);
    }
    if let Some(problem) = of_budget(&rule.budget, rule.mode) {
        warn(WarningKind::Budget, format!("its budget {problem}"));
    }
    let longest = longest(weight(&rule.when));
    if longest < MUCH {
        let text = format!(
            "its regular expressions take so much work that they match no value of more than \
             {longest} bytes; simplify them"
        );
        warn(WarningKind::Work, text);
    }
    for problem in of_verbose(rule) {
        warn(WarningKind::Verbose, problem);
    }
    let said = client_says(rule);
    if !said.is_empty() {
        warn(
            WarningKind::ClientControlled,
            format!(
                "clients select themselves by what they send ({}); prefer a fact",
                said.join(", ")
            ),
        );
    }
    warnings
}

/// Values up to this length are usual: a warning reports expressions that cannot take them.
const MUCH: usize = 4 * 1024;

/// The longest value for expressions that take this much work for each byte.
fn longest(weight: usize) -> usize {
    (work::EXPRESSIONS as usize)
        .checked_div(weight)
        .unwrap_or(usize::MAX)
}

/// The work of all expressions for each byte of a value.
fn weight(when: &When) -> usize {
    let of = |text: &Text| match &text.0 {
        Is::Regex(pattern) => pattern.weight(),
        _ => 0,
    };
    let path = match &when.path {
        Some(PathIs::Text(text)) => Some(text),
        _ => None,
    };
    let headers = when.header.0.iter().map(|(_, text)| text);
    let named = [&when.query.0, &when.cookie.0, &when.fact.0];
    let named = named.into_iter().flatten().map(|(_, text)| text);
    let here = path
        .into_iter()
        .chain(&when.host)
        .chain(headers)
        .chain(named);
    let parts = when.all.0.iter().chain(&when.any.0);
    let parts = parts.chain(when.not.as_deref()).map(weight);
    here.map(of).chain(parts).fold(0, usize::saturating_add)
}

/// Returns why a budget leaves nothing.
pub(super) fn of_budget(budget: &Budget, mode: Mode) -> Option<String> {
    let nothing = [
        ("per_second", budget.per_second == Some(0)),
        ("at_once", budget.at_once == Some(0)),
        ("total", budget.total == Some(0)),
    ];
    let silent = [
        ("events_per_second", budget.events_per_second == Some(0)),
        ("bytes_per_second", budget.bytes_per_second == Some(0)),
    ];
    let named = |of: &[(&str, bool)]| {
        let named = of.iter().filter(|(_, is)| *is);
        let named = named.map(|(name, _)| format!("`{name} = 0`"));
        named.collect::<Vec<_>>().join(" and ")
    };
    let (nothing, silent) = (named(&nothing), named(&silent));
    if !nothing.is_empty() {
        return Some(format!(
            "of {nothing} selects no request; leave a limit out to have none"
        ));
    }
    if mode != Mode::Live {
        return None;
    }
    if !silent.is_empty() {
        return Some(format!(
            "of {silent} lets live requests show nothing; leave a limit out to have none"
        ));
    }
    // The event that reaches the limit is shown.
    let bytes = budget.bytes_per_second.filter(|bytes| *bytes < SMALLEST);
    bytes.map(|bytes| {
        format!(
            "of `bytes_per_second = {bytes}` is smaller than any event: it shows one event a \
             second, and nothing more of the request"
        )
    })
}

/// The smallest event, in bytes.
const SMALLEST: u32 = 32;

/// Returns why directives show nothing.
fn of_verbose(rule: &Rule) -> Vec<String> {
    let directives = rule.verbose.directives();
    if directives.max_level() == LevelFilter::OFF {
        return vec!["it shows nothing: its `verbose` is off".to_owned()];
    }
    let mut found = Vec::new();
    if rule.mode == Mode::Live && directives.max_level() <= LevelFilter::INFO {
        found.push(
            "it shows nothing more than a base filter at INFO, the default: its `verbose` names no \
             DEBUG or TRACE"
                .to_owned(),
        );
    }
    let excluded = |target: &&str| {
        EXCLUDED_TARGETS.iter().any(|excluded| {
            let below = target.strip_prefix(excluded);
            below.is_some_and(|below| below.is_empty() || below.starts_with("::"))
        })
    };
    let targets: Vec<_> = directives.named().collect();
    let excluded = targets.iter().map(String::as_str).filter(excluded);
    let excluded = excluded.map(|target| {
        format!("only the base filter shows events of {target}, whatever `verbose` is")
    });
    let hyphens = targets.iter().filter(|target| target.contains('-'));
    let hyphens = hyphens.map(|target| {
        let written = target.replace('-', "_");
        format!("no target is {target:?}: targets of a crate are written {written:?}")
    });
    let colons = targets.iter().filter(|target| has_odd_colons(target));
    let colons = colons.map(|target| {
        format!("no target is {target:?}: the parts of a path have `::` between them")
    });
    found.extend(excluded.chain(hyphens).chain(colons));
    found
}

/// Whether the colons of a target are not those of a path. A target may end between two colons.
fn has_odd_colons(target: &str) -> bool {
    let end = target.strip_suffix("::").or(target.strip_suffix(':'));
    let mut parts = end.unwrap_or(target).split("::");
    parts.any(|part| part.is_empty() || part.contains(':'))
}

/// Whether every request matches.
fn is_all(when: &When) -> bool {
    when.conditions() == 0 && when.not.is_none() && when.all.0.iter().all(is_all) && {
        when.any.is_empty() || when.any.0.iter().any(is_all)
    }
}

fn never(when: &When) -> bool {
    let facts = when.fact.0.iter();
    let texts = facts.clone().map(|(_, text)| text);
    texts.clone().any(|text| text.0 == Is::Absent)
        || texts
            .clone()
            .any(|text| matches!(&text.0, Is::OneOf(of) if of.is_empty()))
        || when.all.0.iter().any(never)
        || !when.any.is_empty() && when.any.0.iter().all(never)
        || when.not.as_deref().is_some_and(is_all)
        || when.conditions() > super::model::MAX_CONDITIONS
        || conflict(when)
}

/// Whether an earlier rule selects everything that a rule can select.
fn shadows(before: &Rule, rule: &Rule) -> bool {
    let in_force = before
        .from
        .is_none_or(|from| rule.from.is_some_and(|own| from <= own))
        && before.expires >= rule.expires;
    let same = before.when == rule.when || is_all(&before.when);
    in_force && same && before.sample.is_none()
}

/// Returns what a rule selects by that clients choose; empty if it also has a condition on
/// something that they do not choose.
fn client_says(rule: &Rule) -> Vec<&'static str> {
    let mut said = Vec::new();
    let when = &rule.when;
    // Clients choose the route, the method and the path, too, but these are what the service
    // offers.
    if trusted(when) {
        return said;
    }
    collect(when, &mut said);
    match rule.sample.as_ref().map(super::model::Sample::key) {
        Some(By::Header(_)) => said.push("key of the sample: header"),
        Some(By::Cookie(_)) => said.push("key of the sample: cookie"),
        Some(By::Query(_)) => said.push("key of the sample: query"),
        Some(By::CorrelationId) => said.push("key of the sample: correlation ID"),
        Some(By::Fact(_) | By::Client) | None => {}
    }
    said.sort_unstable();
    said.dedup();
    said
}

/// Whether there is a condition on something that clients do not choose.
fn trusted(when: &When) -> bool {
    !when.fact.is_empty()
        || !when.client.is_empty()
        || when.all.0.iter().any(trusted)
        || !when.any.is_empty() && when.any.0.iter().all(trusted)
}

fn collect(when: &When, said: &mut Vec<&'static str>) {
    let here = [
        (when.host.is_some(), "host"),
        (!when.header.is_empty(), "header"),
        (!when.query.is_empty(), "query"),
        (!when.cookie.is_empty(), "cookie"),
        (!when.content_type.is_empty(), "content type"),
    ];
    said.extend(
        here.iter()
            .filter(|(given, _)| *given)
            .map(|(_, what)| what),
    );
    let parts = when
        .all
        .0
        .iter()
        .chain(&when.any.0)
        .chain(when.not.as_deref());
    parts.for_each(|when| collect(when, said));
}
