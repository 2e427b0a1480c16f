//! What rules need and requests lack.

use super::{
    arrival::{Arrival, Facts},
    node::Needs,
};
use crate::selection::model::Rule;
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{Relaxed, SeqCst},
        },
    },
    time::{Duration, Instant},
};

/// Counts requests that lack what rules of a set need. Names continue their counts when the
/// set is replaced.
#[derive(Debug, Default)]
pub(in crate::selection) struct Watch {
    /// Present if a rule needs the address of the client.
    clients: Option<Arc<Clients>>,
    /// Present if a rule needs the route template.
    route: Option<Arc<Needed>>,
    facts: Box<[Watched]>,
    /// Requests for which not every rule was evaluated.
    short: Arc<AtomicU64>,
    /// Whether that happened with these rules, and whether the log is due to report it.
    is_short: AtomicBool,
    short_due: AtomicBool,
    /// Whether every fact was stated, so that requests need not look any more.
    all_stated: AtomicBool,
    /// Whether there is a warning that the log does not have yet.
    due: AtomicBool,
}

#[derive(Debug, Default)]
pub(in crate::selection) struct Clients {
    known: AtomicU64,
    unknown: AtomicU64,
    pub(in crate::selection) told: AtomicBool,
}

/// A fact that rules of a set need.
#[derive(Debug)]
struct Watched {
    fact: Arc<Needed>,
    /// The first rule that waits for it in every request.
    first: u32,
}

/// Something that rules need, and that is known once a single request has it: a fact, or the
/// route template.
#[derive(Debug)]
pub(in crate::selection) struct Needed {
    pub(in crate::selection) name: String,
    since: Instant,
    stated: AtomicBool,
    /// Requests that lacked it, or ended while a rule waited for it.
    waited: AtomicU64,
    pub(in crate::selection) told: AtomicBool,
}

/// How many names of facts are watched, one bit each. There is no warning of others.
const MOST: usize = 64;

/// After how many requests, or after how long, there is a warning.
const ENOUGH: u64 = 100;
const LONG: Duration = Duration::from_secs(60);

/// If no rule in force needs it, there is no warning, perhaps for ever: after that many
/// requests, one in this many looks whether there is.
const SELDOM: u64 = 256;

fn looks(lacked: u64) -> bool {
    lacked <= ENOUGH || lacked.is_multiple_of(SELDOM)
}

impl Needed {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            since: Instant::now(),
            stated: AtomicBool::new(false),
            waited: AtomicU64::new(0),
            told: AtomicBool::new(false),
        }
    }

    /// Returns in how many requests rules have waited in vain, if that is enough for a warning.
    pub(in crate::selection) fn missed(&self) -> Option<u64> {
        let waited = self.waited.load(Relaxed);
        let enough = waited >= ENOUGH || waited > 0 && self.since.elapsed() >= LONG;
        (enough && !self.stated.load(Relaxed)).then_some(waited)
    }

    /// Counts a request without it. Returns whether the log is due to report it.
    fn lacked(&self) -> bool {
        let waited = self.waited.fetch_add(1, Relaxed) + 1;
        looks(waited) && !self.told.load(Relaxed) && self.missed().is_some()
    }
}

impl Clients {
    /// Returns how many requests came without an address, and how many came.
    pub(in crate::selection) fn missed(&self) -> Option<(u64, u64)> {
        let unknown = self.unknown.load(Relaxed);
        (unknown > 0).then(|| (unknown, unknown.saturating_add(self.known.load(Relaxed))))
    }
}

impl Watch {
    /// Creates the counts of these rules, each with whether it only waits. It sets the bit of
    /// each fact that a rule waits for.
    pub(super) fn new<'r>(
        rules: impl Iterator<Item = (&'r Rule, bool)>,
        before: Option<&Self>,
    ) -> (Self, Vec<u64>) {
        let mut facts: Vec<Watched> = Vec::new();
        let (mut needs_client, mut needs_route) = (false, false);
        let mut bits = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        for (n, (rule, only_waits)) in (0_u32..).zip(rules) {
            let needs = Needs::of(rule);
            needs_client |= needs.client;
            needs_route |= needs.route;
            let mut mask = 0;
            for name in needs.facts {
                let place = match places.get(&name) {
                    Some(place) => *place,
                    None if facts.len() < MOST => {
                        let known = before.and_then(|before| before.fact(&name));
                        facts.push(Watched {
                            fact: known.unwrap_or_else(|| Arc::new(Needed::new(&name))),
                            first: u32::MAX,
                        });
                        places.insert(name, facts.len() - 1);
                        facts.len() - 1
                    }
                    None => continue,
                };
                mask |= 1 << place;
                if let Some(watched) = facts.get_mut(place).filter(|_| only_waits) {
                    watched.first = watched.first.min(n);
                }
            }
            bits.push(mask);
        }
        let known = before.and_then(|before| before.clients.clone());
        let route = before.and_then(|before| before.route.clone());
        let route = || route.unwrap_or_else(|| Arc::new(Needed::new("route")));
        let watch = Self {
            route: needs_route.then(route),
            clients: needs_client.then(|| known.unwrap_or_default()),
            all_stated: AtomicBool::new(facts.is_empty()),
            short: before
                .map(|before| Arc::clone(&before.short))
                .unwrap_or_default(),
            is_short: AtomicBool::new(false),
            short_due: AtomicBool::new(false),
            facts: facts.into(),
            due: AtomicBool::new(false),
        };
        watch.look_at_all();
        (watch, bits)
    }

    fn fact(&self, name: &str) -> Option<Arc<Needed>> {
        let mut facts = self.facts.iter().map(|watched| &watched.fact);
        facts.find(|fact| fact.name == name).cloned()
    }

    pub(in crate::selection) fn facts(&self) -> impl Iterator<Item = &Needed> {
        self.facts.iter().map(|watched| &*watched.fact)
    }

    pub(in crate::selection) fn route(&self) -> Option<&Needed> {
        self.route.as_deref()
    }

    pub(in crate::selection) fn clients(&self) -> Option<&Clients> {
        self.clients.as_deref()
    }

    #[inline]
    pub(in crate::selection) fn is_due(&self) -> bool {
        self.due.load(Relaxed)
    }

    /// Returns whether the log is due, and resets that.
    pub(in crate::selection) fn take_due(&self) -> bool {
        self.is_due() && self.due.swap(false, SeqCst)
    }

    fn look_at_all(&self) {
        if self.facts().all(|fact| fact.stated.load(Relaxed)) {
            self.all_stated.store(true, Relaxed);
        }
    }

    /// Counts a request for which a rule was not evaluated, because that took too much work.
    pub(super) fn fell_short(&self) {
        self.short.fetch_add(1, Relaxed);
        if !self.is_short.swap(true, SeqCst) {
            self.short_due.store(true, SeqCst);
            self.due.store(true, SeqCst);
        }
    }

    /// Returns the number of these requests, in all sets.
    pub(in crate::selection) fn short(&self) -> u64 {
        self.short.load(Relaxed)
    }

    /// Returns whether the log is due to report such requests, and resets that.
    pub(in crate::selection) fn take_short(&self) -> bool {
        self.short_due.swap(false, SeqCst)
    }

    /// Counts a request.
    pub(super) fn arrived(&self, arrival: &Arrival<'_>) {
        if let Some(clients) = &self.clients {
            if arrival.client.is_some() {
                clients.known.fetch_add(1, Relaxed);
            } else {
                let unknown = clients.unknown.fetch_add(1, Relaxed) + 1;
                if looks(unknown) && !clients.told.load(Relaxed) {
                    self.due.store(true, SeqCst);
                }
            }
        }
        if let Some(route) = self.route().filter(|route| !route.stated.load(Relaxed)) {
            if arrival.route.is_some() {
                route.stated.store(true, Relaxed);
            } else if route.lacked() {
                self.due.store(true, SeqCst);
            }
        }
        self.stated(arrival.facts);
    }

    /// Notes the facts that a request has.
    pub(super) fn stated(&self, facts: Facts<'_>) {
        if facts.is_empty() || self.all_stated.load(Relaxed) {
            return;
        }
        for fact in self.facts().filter(|fact| !fact.stated.load(Relaxed)) {
            if facts.iter().any(|(name, _)| *name == fact.name) {
                fact.stated.store(true, Relaxed);
            }
        }
        self.look_at_all();
    }

    /// Whether a request that waited until its end matters.
    pub(super) fn looks(&self) -> bool {
        !self.all_stated.load(Relaxed)
    }

    /// Counts a request that ended while rules waited for these facts, and those before `end`
    /// that wait in every request.
    pub(super) fn ended(&self, mask: u64, end: u32) {
        for (n, watched) in self.facts.iter().enumerate() {
            let fact = &watched.fact;
            let waited = mask & 1 << n != 0 || watched.first < end;
            if !waited || fact.stated.load(Relaxed) {
                continue;
            }
            if fact.lacked() {
                self.due.store(true, SeqCst);
            }
        }
    }
}
