//! Warnings of the rules in use, for the log and the status.

use super::{
    Rules, Warning,
    check::WarningKind,
    engine::{Entry, Needed, Needs, Set},
    model::Rule,
};
use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{
            AtomicBool,
            Ordering::{Relaxed, SeqCst},
        },
    },
    time::SystemTime,
};

/// The warnings of a set of rules, and those that the log has not reported yet.
#[derive(Debug, Default)]
pub(super) struct Findings {
    due: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    beside: Arc<[(usize, Warning)]>,
    /// All warnings of the set, reported or not.
    known: HashSet<Warning>,
    untold: Vec<Warning>,
}

/// The most lines at once; the status has all warnings.
const MOST_LINES: usize = 20;

impl Findings {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces the set of rules.
    pub(super) fn of(&self, rules: &Rules, now: SystemTime) {
        let beside = rules.beside(now);
        let found = rules.check_beside(&beside, now);
        let mut state = self.state();
        let before = std::mem::take(&mut state.untold);
        let is_new = |warning: &&Warning| {
            !state.known.contains(*warning) || before.iter().any(|untold| untold == *warning)
        };
        let untold: Vec<_> = found.iter().filter(is_new).cloned().collect();
        state.known = found.into_iter().collect();
        state.beside = beside.into();
        self.due.store(!untold.is_empty(), SeqCst);
        state.untold = untold;
    }

    pub(super) fn beside(&self) -> Arc<[(usize, Warning)]> {
        Arc::clone(&self.state().beside)
    }

    #[inline]
    pub(super) fn is_due(&self) -> bool {
        self.due.load(Relaxed)
    }

    /// Returns the lines that the log does not have yet.
    pub(super) fn take(&self) -> Vec<String> {
        if !self.is_due() || !self.due.swap(false, SeqCst) {
            return Vec::new();
        }
        let untold = std::mem::take(&mut self.state().untold);
        let mut lines: Vec<_> = untold.iter().take(MOST_LINES).map(line).collect();
        if let Some(more) = untold
            .len()
            .checked_sub(MOST_LINES)
            .filter(|more| *more > 0)
        {
            lines.push(format!("{more} more warnings of rules are in the status"));
        }
        lines
    }
}

fn line(warning: &Warning) -> String {
    let Warning { rule, text, .. } = warning;
    format!("the rule {rule:?}: {text}")
}

/// How to make the address of clients known.
const PEERS: &str = "serve the router with \
     `into_make_service_with_connect_info::<SocketAddr>()`, or add `selection::Peer` to the \
     request's extensions";

impl Rule {
    /// Returns what the rule needs beside facts, in words; `None` if it needs nothing.
    /// [`Rules::check`](super::Rules::check) cannot know whether the service has it.
    #[must_use]
    pub fn needs(&self) -> Option<String> {
        let needs_client = Needs::of(self).client;
        needs_client.then(|| format!("it needs the address of the client: {PEERS}"))
    }
}

/// Returns warnings of what requests lacked while this rule was in force, each with the flag
/// that the log has it.
fn lacks<'s>(rule: &Rule, set: &'s Set) -> Vec<(&'s AtomicBool, Warning)> {
    let (now, watch) = (SystemTime::now(), set.watch());
    let clients = watch.clients().and_then(|of| Some((of, of.missed()?)));
    let missed = |of: &'s Needed| Some((of, of.missed()?));
    let route = watch.route().and_then(missed);
    let facts: Vec<_> = watch.facts().filter_map(missed).collect();
    let in_force = now < rule.expires && rule.from.is_none_or(|from| from <= now);
    if !in_force || clients.is_none() && route.is_none() && facts.is_empty() {
        return Vec::new();
    }
    let needs = Needs::of(rule);
    let mut found = Vec::new();
    if let Some((of, (unknown, all))) = clients.filter(|_| needs.client) {
        let text = format!(
            "it needs the address of the client, and {unknown} of {all} requests came without: \
             {PEERS}"
        );
        found.push((&of.told, Warning::new(rule, WarningKind::NoClient, text)));
    }
    if let Some((of, unknown)) = route.filter(|_| needs.route) {
        let text = format!(
            "it needs the route template, and none of {unknown} requests came with one: add the \
             layer inside of the router, with `Router::layer`, or use the condition `path`, which \
             works without a router"
        );
        found.push((&of.told, Warning::new(rule, WarningKind::NoRoute, text)));
    }
    let needed = |(fact, _): &(&Needed, u64)| needs.facts.contains(&fact.name);
    for (fact, waited) in facts.into_iter().filter(needed) {
        let text = format!(
            "it waits for the fact {:?}, and none of the {waited} requests in which a rule waited \
             for it has stated it",
            fact.name,
        );
        found.push((&fact.told, Warning::new(rule, WarningKind::NoFact, text)));
    }
    found
}

/// Returns warnings of what requests lacked while this rule was in force.
pub(super) fn of_set(rule: &Rule, set: &Set) -> impl Iterator<Item = Warning> {
    lacks(rule, set).into_iter().map(|(_, warning)| warning)
}

/// Returns the same as lines that the log does not have yet.
pub(super) fn untold_of(set: &Set) -> Vec<String> {
    if !set.watch().take_due() {
        return Vec::new();
    }
    let mut lines = Vec::new();
    let mut told = Vec::new();
    if set.watch().take_short() {
        let short = |entry: &&Entry| {
            let terms = entry.selected().terms();
            terms.is_some_and(|terms| terms.spent.beyond_work.load(Relaxed) > 0)
        };
        let first = set.entries().iter().find(short);
        let such = first.map_or_else(String::new, |entry| {
            format!(", such as {:?},", entry.rule().name)
        });
        lines.push(format!(
            "evaluating all rules took more work than a request may; rules{such} do not select \
             such requests, and the status counts them"
        ));
    }
    for entry in set.entries() {
        for (is_told, warning) in lacks(entry.rule(), set) {
            if !is_told.load(Relaxed) {
                lines.push(line(&warning));
                told.push(is_told);
            }
        }
        if lines.len() >= MOST_LINES {
            break;
        }
    }
    told.iter().for_each(|flag| flag.store(true, SeqCst));
    lines
}
