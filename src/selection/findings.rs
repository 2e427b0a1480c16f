//! What the log and the status say of the rules in use.

use super::{
    Rules, Warning, WarningKind,
    engine::{Clients, Fact, Needs, Set},
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

/// What is said of a set, and what of it the log does not say yet.
#[derive(Debug, Default)]
pub(super) struct Findings {
    due: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    shadowed: Arc<[(usize, Warning)]>,
    /// All of the set; the log says them, or will.
    known: HashSet<Warning>,
    untold: Vec<Warning>,
}

/// So many lines at once; the status has all.
const MOST_LINES: usize = 20;

impl Findings {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// There are other rules now.
    pub(super) fn of(&self, rules: &Rules, now: SystemTime) {
        let found = rules.check(now);
        let shadowed = rules.shadowed().into();
        let mut state = self.state();
        let before = std::mem::take(&mut state.untold);
        let is_new = |warning: &&Warning| {
            !state.known.contains(*warning) || before.iter().any(|untold| untold == *warning)
        };
        let untold: Vec<_> = found.iter().filter(is_new).cloned().collect();
        state.known = found.into_iter().collect();
        state.shadowed = shadowed;
        self.due.store(!untold.is_empty(), SeqCst);
        state.untold = untold;
    }

    pub(super) fn shadowed(&self) -> Arc<[(usize, Warning)]> {
        Arc::clone(&self.state().shadowed)
    }

    #[inline]
    pub(super) fn is_due(&self) -> bool {
        self.due.load(Relaxed)
    }

    /// What the log does not say yet.
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
            lines.push(format!(
                "{more} more warnings of rules; the status has them"
            ));
        }
        lines
    }
}

fn line(warning: &Warning) -> String {
    let Warning { rule, text, .. } = warning;
    format!("the rule {rule:?}: {text}")
}

/// How the address of clients comes to be known.
pub(super) const PEERS: &str = "it is known where the router is served with \
     `into_make_service_with_connect_info::<SocketAddr>()`, or where `selection::Peer` is in the \
     request's extensions";

/// What requests lacked that came while this rule was in force, each with the name of
/// the fact where it is one.
fn lacks<'s>(rule: &Rule, set: &'s Set) -> Vec<(Option<&'s Fact>, Warning)> {
    let (now, watch) = (SystemTime::now(), set.watch());
    let client = watch.clients().and_then(Clients::missed);
    let facts: Vec<_> = watch
        .facts()
        .filter_map(|fact| Some((fact, fact.missed()?)))
        .collect();
    let in_force = now < rule.expires && rule.from.is_none_or(|from| from <= now);
    if !in_force || client.is_none() && facts.is_empty() {
        return Vec::new();
    }
    let needs = Needs::of(rule);
    let client = client.filter(|_| needs.client).map(|(unknown, all)| {
        let text = format!(
            "it needs the address of the client, and {unknown} of {all} requests came without: \
             {PEERS}"
        );
        (None, Warning::new(rule, WarningKind::NoClient, text))
    });
    let facts = facts.into_iter();
    let facts = facts.filter(|(fact, _)| needs.facts.contains(&fact.name));
    let facts = facts.map(|(fact, waited)| {
        let text = format!(
            "it waits for the fact {:?}, and none of the {waited} requests in which a rule waited \
             for it has stated it",
            fact.name,
        );
        (Some(fact), Warning::new(rule, WarningKind::NoFact, text))
    });
    client.into_iter().chain(facts).collect()
}

/// What requests lacked that came while this rule was in force.
pub(super) fn of_set(rule: &Rule, set: &Set) -> impl Iterator<Item = Warning> {
    lacks(rule, set).into_iter().map(|(_, warning)| warning)
}

/// The same, of what the log does not say yet.
pub(super) fn untold_of(set: &Set) -> Vec<String> {
    let watch = set.watch();
    if !watch.take_due() {
        return Vec::new();
    }
    let mut lines = Vec::new();
    let mut told = Vec::new();
    for entry in set.entries() {
        for (fact, warning) in lacks(entry.rule(), set) {
            let flag = match fact {
                Some(fact) => Some(&fact.told),
                None => watch.clients().map(|clients| &clients.told),
            };
            if let Some(flag) = flag.filter(|flag| !flag.load(Relaxed)) {
                lines.push(line(&warning));
                told.push(flag);
            }
        }
        if lines.len() >= MOST_LINES {
            break;
        }
    }
    told.iter().for_each(|flag| flag.store(true, SeqCst));
    lines
}
