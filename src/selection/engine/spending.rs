//! What budgets have spent.

use crate::selection::Budget;
use std::{
    sync::{
        LazyLock,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

/// Returns the seconds since the first call.
pub(crate) fn second() -> u32 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    u32::try_from(START.elapsed().as_secs()).unwrap_or(u32::MAX)
}

/// What a rule, or all of them, have spent and refused.
#[derive(Debug, Default)]
pub(in crate::selection) struct Spent {
    live: Lane,
    record: Lane,
    events: Window,
    bytes: Window,
    total: AtomicU64,
    /// Live requests, and recorded ones.
    pub(in crate::selection) made_live: AtomicU64,
    pub(in crate::selection) recorded: AtomicU64,
    /// Requests that a budget only let be recorded, that it refused, and that it stopped being
    /// live.
    pub(in crate::selection) only_recorded: AtomicU64,
    pub(in crate::selection) refused: AtomicU64,
    pub(in crate::selection) cut_short: AtomicU64,
    /// Requests for which the rule was not evaluated, because that would have taken too much
    /// work.
    pub(in crate::selection) beyond_work: AtomicU64,
}

#[derive(Debug, Default)]
struct Lane {
    per_second: Window,
    at_once: AtomicU32,
}

impl Spent {
    fn lane(&self, live: bool) -> &Lane {
        if live { &self.live } else { &self.record }
    }

    pub(super) fn take_total(&self, limits: &Budget) -> bool {
        let limit = limits.total.unwrap_or(u64::MAX);
        let more = |total| (total < limit).then_some(total + 1);
        self.total.fetch_update(Relaxed, Relaxed, more).is_ok()
    }

    pub(super) fn give_back_total(&self) {
        self.total.fetch_sub(1, Relaxed);
    }

    /// Takes a place among those at once, and one of this second.
    pub(super) fn begin(&self, live: bool, limits: &Budget, second: u32) -> bool {
        let lane = self.lane(live);
        let limit = limits.at_once.unwrap_or(u32::MAX);
        let more = |n| (n < limit).then_some(n + 1);
        if lane.at_once.fetch_update(Relaxed, Relaxed, more).is_err() {
            return false;
        }
        let taken = lane.per_second.take(limits.per_second, 1, second);
        if !taken {
            self.end(live);
        }
        taken
    }

    /// Undoes [`begin`](Self::begin).
    pub(super) fn take_back(&self, live: bool, second: u32) {
        self.lane(live).per_second.give_back(1, second);
        self.end(live);
    }

    /// Frees the place among those at once.
    pub(super) fn end(&self, live: bool) {
        self.lane(live).at_once.fetch_sub(1, Relaxed);
    }

    pub(super) fn take_event(&self, limits: &Budget, second: u32) -> bool {
        self.bytes.has_left(limits.bytes_per_second, second)
            && self.events.take(limits.events_per_second, 1, second)
    }

    pub(super) fn spend_bytes(&self, limits: &Budget, bytes: usize, second: u32) {
        if limits.bytes_per_second.is_some() {
            let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
            self.bytes.add(bytes, second);
        }
    }
}

/// What one second has used: the second in the upper half, the count in the lower half.
#[derive(Debug, Default)]
struct Window(AtomicU64);

impl Window {
    /// A thread that is late by a second counts into the new one.
    fn at(state: u64, second: u32) -> (u32, u32) {
        // The casts split the halves.
        let (began, used) = ((state >> 32) as u32, state as u32);
        if began < second {
            (second, 0)
        } else {
            (began, used)
        }
    }

    fn update(&self, second: u32, next: impl Fn(u32) -> Option<u32>) -> bool {
        let update = |state| {
            let (second, used) = Self::at(state, second);
            Some(u64::from(second) << 32 | u64::from(next(used)?))
        };
        self.0.fetch_update(Relaxed, Relaxed, update).is_ok()
    }

    fn take(&self, limit: Option<u32>, n: u32, second: u32) -> bool {
        limit.is_none_or(|limit| {
            self.update(second, |used| {
                (used < limit).then(|| used.saturating_add(n))
            })
        })
    }

    fn add(&self, n: u32, second: u32) {
        self.update(second, |used| Some(used.saturating_add(n)));
    }

    fn give_back(&self, n: u32, second: u32) {
        self.update(second, |used| used.checked_sub(n));
    }

    fn has_left(&self, limit: Option<u32>, second: u32) -> bool {
        limit.is_none_or(|limit| Self::at(self.0.load(Relaxed), second).1 < limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_and_at_once() {
        let mut limits = Budget::unlimited();
        (limits.per_second, limits.at_once) = (Some(3), Some(2));
        let spent = Spent::default();
        assert!(spent.begin(true, &limits, 7));
        assert!(spent.begin(true, &limits, 7));
        assert!(!spent.begin(true, &limits, 7), "two at once");
        assert!(spent.begin(false, &limits, 7), "recorded ones count apart");
        spent.end(true);
        assert!(spent.begin(true, &limits, 7));
        spent.end(true);
        assert!(!spent.begin(true, &limits, 7), "three a second");
        assert!(!spent.begin(true, &limits, 6), "a clock that is late");
        assert!(spent.begin(true, &limits, 8));
        spent.take_back(true, 8);
        assert!(spent.begin(true, &limits, 8));
    }

    #[test]
    fn events_bytes_and_total() {
        let mut limits = Budget::unlimited();
        limits.events_per_second = Some(2);
        limits.bytes_per_second = Some(100);
        limits.total = Some(1);
        let spent = Spent::default();
        assert!(spent.take_event(&limits, 1));
        spent.spend_bytes(&limits, 99, 1);
        assert!(spent.take_event(&limits, 1));
        assert!(!spent.take_event(&limits, 1), "two events");
        assert!(spent.take_event(&limits, 2));
        spent.spend_bytes(&limits, usize::MAX, 2);
        assert!(!spent.take_event(&limits, 2), "bytes");
        assert!(spent.take_event(&limits, 3));
        assert!(spent.take_total(&limits) && !spent.take_total(&limits));
        spent.give_back_total();
        assert!(spent.take_total(&limits));
    }
}
