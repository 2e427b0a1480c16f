//! The limit of guesses of an address.

use super::Address;
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// How many addresses have a limit of their own; the others share one.
const ADDRESSES: usize = 1024;

/// What guesses have cost in windows of this many seconds, for each address and for all.
#[derive(Debug, Default)]
pub(crate) struct Guesses<const SECONDS: u32>(Mutex<State<SECONDS>>);

#[derive(Debug, Default)]
struct State<const SECONDS: u32> {
    all: Spent<SECONDS>,
    /// By [`Address::site`].
    by_site: HashMap<Option<u128>, Spent<SECONDS>>,
}

/// What the guesses of one window have cost, and when it began.
#[derive(Clone, Copy, Debug, Default)]
struct Spent<const SECONDS: u32> {
    since: u32,
    cost: u32,
}

/// A guess that was counted.
#[derive(Debug)]
pub(crate) struct Guess {
    site: Option<u128>,
    cost: u32,
    second: u32,
    /// What the address has spent in its window, this guess included.
    pub(crate) spent: u32,
    /// In how many seconds that window ends.
    pub(crate) left: u32,
}

impl<const SECONDS: u32> Guesses<SECONDS> {
    /// Counts a guess if the address, and all together, have spent less than this.
    pub(crate) fn take(
        &self,
        peer: Option<Address>,
        cost: u32,
        (own, all): (u32, u32),
        second: u32,
    ) -> Option<Guess> {
        let mut state = self.state();
        let before = state.all.at(second);
        if before.cost >= all {
            return None;
        }
        if state.by_site.len() >= ADDRESSES {
            state.by_site.retain(|_, spent| spent.is_of(second));
        }
        let site = state.site(peer);
        let spent = state.by_site.entry(site).or_default();
        *spent = spent.at(second);
        if spent.cost >= own {
            return None;
        }
        spent.cost = spent.cost.saturating_add(cost);
        let guess = Guess {
            site,
            cost,
            second,
            spent: spent.cost,
            left: spent.left(second),
        };
        state.all = before;
        state.all.cost = before.cost.saturating_add(cost);
        Some(guess)
    }

    /// Takes a guess back.
    pub(crate) fn give_back(&self, guess: &Guess) {
        let mut state = self.state();
        let State { all, by_site } = &mut *state;
        for spent in by_site.get_mut(&guess.site).into_iter().chain([all]) {
            if spent.is_of(guess.second) {
                spent.cost = spent.cost.saturating_sub(guess.cost);
            }
        }
    }

    /// Returns how many seconds an address must wait if it may spend this much.
    pub(crate) fn wait(&self, peer: Option<Address>, own: u32, second: u32) -> Option<u32> {
        let state = self.state();
        let spent = state.by_site.get(&state.site(peer))?.at(second);
        (spent.cost >= own).then(|| spent.left(second))
    }

    fn state(&self) -> MutexGuard<'_, State<SECONDS>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<const SECONDS: u32> State<SECONDS> {
    fn site(&self, peer: Option<Address>) -> Option<u128> {
        let site = peer.map(Address::site);
        let is_known = self.by_site.len() < ADDRESSES || self.by_site.contains_key(&site);
        site.filter(|_| is_known)
    }
}

impl<const SECONDS: u32> Spent<SECONDS> {
    /// A thread that is late by a second counts into the new window.
    fn is_of(self, second: u32) -> bool {
        self.cost > 0 && second.saturating_sub(self.since) < SECONDS
    }

    fn at(self, second: u32) -> Self {
        match self.is_of(second) {
            true => self,
            false => Self {
                since: second,
                cost: 0,
            },
        }
    }

    fn left(self, second: u32) -> u32 {
        SECONDS.saturating_sub(second.saturating_sub(self.since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;

    fn peer(n: u32) -> Option<Address> {
        Some(IpAddr::V4(n.into()).into())
    }

    #[test]
    fn so_much_for_an_address_and_for_all() {
        let guesses = Guesses::<1>::default();
        let taken = |n, second| {
            let one = || guesses.take(peer(n), 1, (50, 100), second).is_some();
            (0..1000).filter(|_| one()).count()
        };
        assert_eq!(taken(1, 7), 50);
        assert_eq!(taken(1, 7), 0, "the same second");
        let others: usize = (2..60).map(|n| taken(n, 7)).sum();
        assert_eq!(others, 50, "what one flood left");
        assert_eq!(taken(1, 6), 0, "a clock that is late");
        assert_eq!(taken(1, 8), 50, "the next second");
        let take = || guesses.take(peer(2), 50, (50, 100), 9);
        let guess = take().unwrap();
        assert!(take().is_none());
        guesses.give_back(&guess);
        assert!(take().is_some());
    }

    #[test]
    fn a_window_begins_with_the_first_guess() {
        let guesses = Guesses::<60>::default();
        let take = |second| {
            guesses
                .take(peer(1), 1, (u32::MAX, u32::MAX), second)
                .unwrap()
        };
        let first = take(100);
        assert_eq!((first.spent, first.left), (1, 60));
        let second = take(150);
        assert_eq!((second.spent, second.left), (2, 10));
        assert_eq!(guesses.wait(peer(1), 2, 159), Some(1));
        assert_eq!(guesses.wait(peer(1), 3, 159), None);
        assert_eq!(guesses.wait(peer(2), 1, 159), None);
        assert_eq!(guesses.wait(peer(1), 2, 160), None);
    }

    #[test]
    fn memory_is_bounded() {
        let guesses = Guesses::<60>::default();
        let take = |n, second| guesses.take(peer(n), 1, (10, u32::MAX), second).is_some();
        (0..5000).for_each(|n| _ = take(n, 0));
        assert!(guesses.state().by_site.len() <= ADDRESSES + 1);
        assert!(!take(9999, 0), "the others are one");
        assert!(take(1, 0));
        // Windows that are over make room.
        assert!(take(9999, 120));
        assert_eq!(guesses.state().by_site.len(), 1);
    }
}
