use crate::selection::{Address, Window};
use std::{
    hash::{BuildHasher, RandomState},
    sync::OnceLock,
};

/// How much work checking a signature is, in that of HS256.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cost(pub(super) u32);

impl Cost {
    pub(super) const HS256: Self = Self(1);
    pub(super) const ED25519: Self = Self(50);
}

/// How many signatures are checked in a second. One that turns out good is given
/// back, so that only bad ones count.
///
/// Half of it at most is for one address: a flood from one leaves the other half to
/// the rest. Addresses share places, by a hash that nobody can predict.
#[derive(Debug)]
pub(super) struct Limiter {
    all: Window,
    places: [Window; PLACES],
    hasher: OnceLock<RandomState>,
}

const PLACES: usize = 64;

/// What was taken of the limit.
#[derive(Debug)]
pub(super) struct Attempt {
    cost: u32,
    place: usize,
    second: u32,
}

impl Default for Limiter {
    fn default() -> Self {
        Self {
            all: Window::default(),
            places: std::array::from_fn(|_| Window::default()),
            hasher: OnceLock::new(),
        }
    }
}

impl Limiter {
    /// Takes an attempt of this second, as `limit` allows in all.
    pub(super) fn take(
        &self,
        cost: Cost,
        limit: u32,
        peer: Option<Address>,
        second: u32,
    ) -> Option<Attempt> {
        let place = self.place(peer);
        let attempt = Attempt {
            cost: cost.0,
            place,
            second,
        };
        let own = self.places.get(place)?;
        // Where nobody knows who asks, all are one.
        let share = if peer.is_some() {
            limit.div_ceil(2)
        } else {
            limit
        };
        if !own.take(Some(share), cost.0, second) {
            return None;
        }
        if !self.all.take(Some(limit), cost.0, second) {
            own.give_back(cost.0, second);
            return None;
        }
        Some(attempt)
    }

    pub(super) fn give_back(&self, attempt: &Attempt) {
        self.all.give_back(attempt.cost, attempt.second);
        if let Some(own) = self.places.get(attempt.place) {
            own.give_back(attempt.cost, attempt.second);
        }
    }

    fn place(&self, peer: Option<Address>) -> usize {
        let Some(peer) = peer else { return 0 };
        let hash = self
            .hasher
            .get_or_init(RandomState::new)
            .hash_one(peer.site());
        // The remainder fits.
        usize::try_from(hash % PLACES as u64).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(n: u8) -> Option<Address> {
        Some(std::net::IpAddr::from([192, 0, 2, n]).into())
    }

    #[test]
    fn so_many_a_second_and_half_of_them_for_one_address() {
        let limiter = Limiter::default();
        let taken = |n, second| {
            let one = || limiter.take(Cost::HS256, 100, peer(n), second).is_some();
            (0..1000).filter(|_| one()).count()
        };
        assert_eq!(taken(1, 7), 50);
        assert_eq!(taken(1, 7), 0, "the same second");
        let others: usize = (2..60).map(|n| taken(n, 7)).sum();
        assert_eq!(others, 50, "what one flood left");
        assert_eq!(taken(1, 8), 50, "the next second");
        let attempt = limiter.take(Cost::ED25519, 100, peer(2), 9);
        assert!(attempt.is_some());
        assert!(limiter.take(Cost::ED25519, 99, peer(2), 9).is_none());
        limiter.give_back(&attempt.unwrap());
        assert!(limiter.take(Cost::ED25519, 100, peer(2), 9).is_some());
    }

    #[test]
    fn unknown_addresses_have_all_of_it() {
        let limiter = Limiter::default();
        let one = || limiter.take(Cost::HS256, 10, None, 1).is_some();
        assert_eq!((0..100).filter(|_| one()).count(), 10);
    }
}
