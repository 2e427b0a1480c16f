//! The table of the service's routes, and of the signatures of each route.

use super::{
    Place,
    entry::{Entry, Untold},
    signature::{NAMES, Names, Signature},
};
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// Routes, each separately for requests and for calls.
pub(super) const MAX_ROUTES: usize = 1024;
/// One entry for all routes without room of their own.
const OTHERS: u64 = 0;

/// The shortest time between two searches for stale entries.
const PAUSE: Duration = Duration::from_millis(20);

/// Every route has its own entry, which no other route can use. It counts failures without
/// room for their signature, and the unreported ones of dropped signatures. So the counts
/// of a route add up.
#[derive(Debug)]
pub(super) struct Table {
    window: Duration,
    routes: HashMap<u64, Route>,
    signatures: HashMap<u64, (u64, Entry)>,
    /// Signatures of each kind of names.
    of_kind: [usize; NAMES],
    looked: Option<Instant>,
}

#[derive(Debug)]
struct Route {
    rest: Entry,
    /// Unreported failures of dropped signatures.
    left: Untold,
    /// When one was kept last.
    kept_at: Option<Instant>,
    of_kind: [usize; NAMES],
}

impl Route {
    fn new(now: Instant) -> Self {
        Self {
            rest: Entry::new(Names::None, now),
            left: Untold::default(),
            kept_at: None,
            of_kind: [0; NAMES],
        }
    }

    fn has_nothing(&self) -> bool {
        self.of_kind == [0; NAMES] && self.left.count + self.rest.untold.count == 0
    }
}

/// The entry that counts a failure.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    pub(super) route: u64,
    pub(super) signature: Option<u64>,
}

impl Key {
    pub(super) const NONE: Self = Self {
        route: OTHERS,
        signature: None,
    };

    /// One number for both.
    pub(super) fn id(self) -> u64 {
        self.signature.unwrap_or(self.route)
    }
}

impl Table {
    pub(super) fn new(window: Duration) -> Self {
        Self {
            window,
            routes: HashMap::new(),
            signatures: HashMap::new(),
            of_kind: [0; NAMES],
            looked: None,
        }
    }

    /// Returns the entry for a failure: that of the most exact name with room.
    pub(super) fn find(&mut self, signature: &Signature, now: Instant) -> Key {
        if !self.make_room_for_route(signature.route, now) {
            return Key::NONE;
        }
        let route = signature.route;
        let names = signature.names.iter().flatten().copied();
        for (kind, key) in names {
            let known = self.signatures.contains_key(&key);
            if known || self.add(route, kind, key, now) {
                return Key {
                    route,
                    signature: Some(key),
                };
            }
        }
        Key {
            route,
            signature: None,
        }
    }

    pub(super) fn entry(&mut self, key: Key, now: Instant) -> &mut Entry {
        let of_signature = key.signature.and_then(|key| self.signatures.get_mut(&key));
        match of_signature {
            Some((_, entry)) => entry,
            None => {
                let route = self.routes.entry(key.route);
                &mut route.or_insert_with(|| Route::new(now)).rest
            }
        }
    }

    /// Returns whether nothing like it was kept for this long: of the route, or of a
    /// signature that clients cannot choose.
    pub(super) fn is_first(&mut self, key: Key, quiet: Duration, now: Instant) -> bool {
        let over = |at| now.saturating_duration_since(at) >= quiet;
        let of_route = self.routes.get(&key.route).and_then(|route| route.kept_at);
        let entry = self.entry(key, now);
        of_route.is_none_or(over) || entry.names == Names::None && entry.kept_at.is_none_or(over)
    }

    /// Takes a place, and the unreported counts for its record.
    pub(super) fn take(&mut self, key: Key, place: Place, now: Instant) -> Untold {
        let entry = self.entry(key, now);
        entry.take(place, now);
        let mut untold = std::mem::take(&mut entry.untold);
        if let Some(route) = self.routes.get_mut(&key.route) {
            route.kept_at = Some(now);
            untold.add(std::mem::take(&mut route.left));
        }
        untold
    }

    /// Nothing was kept: the counts are unreported again, and the failure is one of them.
    pub(super) fn give_back(&mut self, key: Key, place: Place, untold: Untold, now: Instant) {
        let known = self.routes.contains_key(&key.route);
        let key = if known { key } else { Key::NONE };
        let entry = self.entry(key, now);
        entry.give_back(place);
        entry.untold.add(untold);
        entry.untold.add(Untold::one(now));
        if let Some(route) = self.routes.get_mut(&key.route) {
            route.kept_at = None;
        }
    }

    fn make_room_for_route(&mut self, route: u64, now: Instant) -> bool {
        if self.routes.contains_key(&route) {
            return true;
        }
        if self.routes.len() >= MAX_ROUTES && self.may_look(now) {
            self.forget_stale(now);
        }
        let has_room = self.routes.len() < MAX_ROUTES;
        if has_room {
            self.routes.insert(route, Route::new(now));
        }
        has_room
    }

    fn add(&mut self, route: u64, names: Names, key: u64, now: Instant) -> bool {
        if !self.has_room(route, names) {
            if !self.may_look(now) {
                return false;
            }
            self.forget_stale(now);
            if !self.has_room(route, names) {
                return false;
            }
        }
        let Some(of_route) = self.routes.get_mut(&route) else {
            return false;
        };
        self.signatures.insert(key, (route, Entry::new(names, now)));
        for of_kind in [&mut of_route.of_kind, &mut self.of_kind] {
            if let Some(entries) = of_kind.get_mut(names as usize) {
                *entries += 1;
            }
        }
        true
    }

    fn has_room(&self, route: u64, names: Names) -> bool {
        let (of_route, of_all) = names.most();
        let less = |of_kind: &[usize; NAMES], most| {
            of_kind
                .get(names as usize)
                .is_some_and(|entries| *entries < most)
        };
        let route = self.routes.get(&route);
        less(&self.of_kind, of_all) && route.is_some_and(|route| less(&route.of_kind, of_route))
    }

    fn may_look(&mut self, now: Instant) -> bool {
        let pause = (self.window / 64).max(PAUSE);
        let looked = |at| now.saturating_duration_since(at) < pause;
        let may = !self.looked.is_some_and(looked);
        if may {
            self.looked = Some(now);
        }
        may
    }

    /// Drops signatures whose window is over, even with unreported failures: otherwise a
    /// client that makes up many could occupy the table. Their route reports those.
    fn forget_stale(&mut self, now: Instant) {
        let Self { window, routes, .. } = self;
        routes
            .values_mut()
            .for_each(|route| route.of_kind = [0; NAMES]);
        self.of_kind = [0; NAMES];
        self.signatures.retain(|_, (route, entry)| {
            let stays = !entry.is_stale(*window, now);
            let mut route = routes.get_mut(route);
            if stays {
                let of_route = route.as_mut().map(|route| &mut route.of_kind);
                for of_kind in of_route.into_iter().chain([&mut self.of_kind]) {
                    if let Some(entries) = of_kind.get_mut(entry.names as usize) {
                        *entries += 1;
                    }
                }
            } else if let Some(route) = route {
                route.left.add(entry.untold);
            }
            stays
        });
        routes.retain(|key, route| {
            let quiet = route.rest.is_stale(*window, now) && route.has_nothing();
            *key == OTHERS || !quiet
        });
    }

    /// The unreported failures.
    #[cfg(test)]
    pub(super) fn untold(&self) -> std::collections::BTreeMap<u64, u64> {
        let mut all = std::collections::BTreeMap::new();
        for (key, route) in &self.routes {
            *all.entry(*key).or_default() += route.left.count + route.rest.untold.count;
        }
        for (route, entry) in self.signatures.values() {
            *all.entry(*route).or_default() += entry.untold.count;
        }
        all
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.routes.len() + self.signatures.len()
    }
}
