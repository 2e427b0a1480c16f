//! What rules need and requests do not bring.

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

/// Counts requests that came without what rules of a set need. Names go on counting
/// when the set is replaced.
#[derive(Debug, Default)]
pub(in crate::selection) struct Watch {
    /// Where a rule needs the address of the client.
    clients: Option<Arc<Clients>>,
    /// Where a rule needs the route template.
    route: Option<Arc<Needed>>,
    facts: Box<[Watched]>,
    /// Requests that not every rule was asked of.
    short: Arc<AtomicU64>,
    /// Whether that happened with these rules, and the log is to say so.
    is_short: AtomicBool,
    short_due: AtomicBool,
    /// Whether every fact was stated, so that nobody has to look any more.
    all_stated: AtomicBool,
    /// Whether there is something that the log does not say yet.
    due: AtomicBool,
}

#[derive(Debug, Default)]
pub(in crate::selection) struct Clients {
    known: AtomicU64,
    unknown: AtomicU64,
    pub(in crate::selection) told: AtomicBool,
}

/// A fact in one set.
#[derive(Debug)]
struct Watched {
    fact: Arc<Needed>,
    /// The first rule that waits for it in every request.
    first: u32,
}

/// Something that rules need, and that one request suffices to know of: a fact, or the
/// route template.
#[derive(Debug)]
pub(in crate::selection) struct Needed {
    pub(in crate::selection) name: String,
    since: Instant,
    stated: AtomicBool,
    /// Requests that came without it, or ended while a rule waited for it.
    waited: AtomicU64,
    pub(in crate::selection) told: AtomicBool,
}

/// How many names of facts are watched, one bit each. Of others nothing is said.
const MOST: usize = 64;

/// After so many requests, or after so long, it is said.
const ENOUGH: u64 = 100;
const LONG: Duration = Duration::from_secs(60);

/// Where no rule in force needs it there is nothing to be said, perhaps for ever: of more
/// requests than that, one in so many looks whether there is.
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

    /// In how many requests rules have waited in vain, where that says something.
    pub(in crate::selection) fn missed(&self) -> Option<u64> {
        let waited = self.waited.load(Relaxed);
        let enough = waited >= ENOUGH || waited > 0 && self.since.elapsed() >= LONG;
        (enough && !self.stated.load(Relaxed)).then_some(waited)
    }

    /// A request has done without it; whether the log is to say so now.
    fn lacked(&self) -> bool {
        let waited = self.waited.fetch_add(1, Relaxed) + 1;
        looks(waited) && !self.told.load(Relaxed) && self.missed().is_some()
    }
}

impl Clients {
    /// How many requests came without an address, of how many.
    pub(in crate::selection) fn missed(&self) -> Option<(u64, u64)> {
        let unknown = self.unknown.load(Relaxed);
        (unknown > 0).then(|| (unknown, unknown.saturating_add(self.known.load(Relaxed))))
    }
}

impl Watch {
    /// Of these rules, each with whether it only waits; and a bit for each fact that
    /// it waits for.
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

    /// Says that it is told now.
    pub(in crate::selection) fn take_due(&self) -> bool {
        self.is_due() && self.due.swap(false, SeqCst)
    }

    fn look_at_all(&self) {
        if self.facts().all(|fact| fact.stated.load(Relaxed)) {
            self.all_stated.store(true, Relaxed);
        }
    }

    /// Rules were not asked of a request, because that was too much work.
    pub(super) fn fell_short(&self) {
        self.short.fetch_add(1, Relaxed);
        if !self.is_short.swap(true, SeqCst) {
            self.short_due.store(true, SeqCst);
            self.due.store(true, SeqCst);
        }
    }

    /// How many requests that were, of all sets.
    pub(in crate::selection) fn short(&self) -> u64 {
        self.short.load(Relaxed)
    }

    /// Whether the log is to say that it happens with these rules.
    pub(in crate::selection) fn take_short(&self) -> bool {
        self.short_due.swap(false, SeqCst)
    }

    /// A request has come.
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

    /// A request has these facts by now.
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

    /// Whether a request that waited until its end says something.
    pub(super) fn looks(&self) -> bool {
        !self.all_stated.load(Relaxed)
    }

    /// A request has ended while rules waited for these facts, and those before `end`
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
