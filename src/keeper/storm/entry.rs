//! Counts of kept and suppressed failures of one signature.

use super::{Place, StormLimits, is_drawn, open, peers::Met, signature::Names};
use std::time::{Duration, Instant};

/// Exchanges of one signature kept in full per window of peers without such a failure. For
/// each failure that a peer had, a quarter fewer are open to it.
const PLACES: u64 = 256;
const QUARTERS: u64 = 4;
/// Beyond those, the chance is halved each time after this many.
const MORE: u64 = 32;

/// Suppressed exchanges that no kept one has reported yet.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Untold {
    pub(super) count: u64,
    /// When the first and the last of them ended.
    pub(super) between: Option<(Instant, Instant)>,
}

impl Untold {
    pub(super) fn add(&mut self, other: Self) {
        self.count = self.count.saturating_add(other.count);
        if let Some((first, last)) = other.between {
            let (f, l) = self.between.unwrap_or((first, last));
            self.between = Some((f.min(first), l.max(last)));
        }
    }

    pub(super) fn one(now: Instant) -> Self {
        Self {
            count: 1,
            between: Some((now, now)),
        }
    }
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) names: Names,
    since: Instant,
    seen: u64,
    full: u64,
    heads: u64,
    sampled: u64,
    /// When the last one was kept.
    pub(super) kept_at: Option<Instant>,
    pub(super) untold: Untold,
}

impl Entry {
    pub(super) fn new(names: Names, now: Instant) -> Self {
        Self {
            names,
            since: now,
            seen: 0,
            full: 0,
            heads: 0,
            sampled: 0,
            kept_at: None,
            untold: Untold::default(),
        }
    }

    pub(super) fn is_stale(&self, window: Duration, now: Instant) -> bool {
        now.saturating_duration_since(self.since) >= window
    }

    /// Counts one more, in a new window if the last one is over.
    pub(super) fn see(&mut self, window: Duration, now: Instant) {
        if self.is_stale(window, now) {
            *self = Self {
                kept_at: self.kept_at,
                untold: self.untold,
                ..Self::new(self.names, now)
            };
        }
        self.seen += 1;
    }

    /// Returns the place for a peer with this many recent failures of this kind, and one in
    /// how many gets it.
    pub(super) fn place(
        &self,
        limits: StormLimits,
        (had, crowd): (u64, u64),
        met: &Met,
        now: Instant,
    ) -> (Place, u64) {
        if self.full < limits.full {
            return (Place::Full, 1);
        }
        if had < limits.full
            && let Some(one_in) = self.one_in(had)
            && is_drawn(one_in)
        {
            return (Place::Full, one_in.saturating_mul(crowd));
        }
        let heads = match met.others {
            true => open(limits.heads, had),
            false => limits.heads,
        };
        if self.heads < heads {
            return (Place::Heads, 1);
        }
        match self.sample_one_in(limits, now) {
            Some(one_in) if is_drawn(one_in) => (Place::Sample, one_in),
            _ => (Place::None, 1),
        }
    }

    fn one_in(&self, had: u64) -> Option<u64> {
        let places = PLACES - PLACES / QUARTERS * had.min(QUARTERS);
        match self.full.checked_sub(places) {
            _ if places == 0 => None,
            None => Some(1),
            Some(more) => Some(2 << (more / MORE).min(30)),
        }
    }

    /// At the rate so far, the sample fills over the whole window.
    fn sample_one_in(&self, limits: StormLimits, now: Instant) -> Option<u64> {
        let most = limits.sample.saturating_mul(2);
        let passed = now.saturating_duration_since(self.since);
        // Before that the rate is not known.
        if passed < limits.window / 16 {
            return None;
        }
        let passed = passed.as_nanos();
        let passed = passed.saturating_mul(limits.sample.into());
        if self.sampled >= most || passed == 0 {
            return None;
        }
        let all = u128::from(self.seen).saturating_mul(limits.window.as_nanos());
        u64::try_from(all.div_ceil(passed)).ok()
    }

    fn taken(&mut self, place: Place) -> Option<&mut u64> {
        match place {
            Place::Full => Some(&mut self.full),
            Place::Heads => Some(&mut self.heads),
            Place::Sample => Some(&mut self.sampled),
            Place::None => None,
        }
    }

    pub(super) fn take(&mut self, place: Place, now: Instant) {
        self.kept_at = Some(now);
        if let Some(taken) = self.taken(place) {
            *taken += 1;
        }
    }

    /// If another window has begun meanwhile, there is no place to give back.
    pub(super) fn give_back(&mut self, place: Place) {
        self.kept_at = None;
        if let Some(taken) = self.taken(place) {
            *taken = taken.saturating_sub(1);
        }
    }
}
