//! How often somebody may be wrong.

use crate::selection::Address;
use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// So many wrong tokens may come from an address in a window.
pub(super) const MOST: u32 = 10;
const WINDOW: Duration = Duration::from_secs(60);

/// How many addresses are told apart; the others are one.
const ADDRESSES: usize = 1024;

/// Counts attempts with wrong tokens, and refuses further ones of any kind.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    windows: Mutex<Windows>,
    failed: AtomicU64,
    refused: AtomicU64,
}

/// By what [`Address::site`] says.
type Windows = HashMap<Option<u128>, Window>;

#[derive(Clone, Copy, Debug)]
struct Window {
    since: Instant,
    failed: u32,
}

impl Window {
    fn left(&self, now: Instant) -> Option<Duration> {
        WINDOW.checked_sub(now.saturating_duration_since(self.since))
    }
}

impl Attempts {
    /// Or in how many seconds.
    pub(super) fn may_try(&self, peer: Option<Address>, now: Instant) -> Result<(), u64> {
        let windows = self.windows();
        let Some(window) = windows.get(&Self::key(&windows, peer)) else {
            return Ok(());
        };
        match window.left(now) {
            Some(left) if window.failed >= MOST => {
                self.refused.fetch_add(1, Relaxed);
                Err(left.as_secs() + 1)
            }
            _ => Ok(()),
        }
    }

    pub(super) fn failed(&self, peer: Option<Address>, now: Instant) {
        self.failed.fetch_add(1, Relaxed);
        let mut windows = self.windows();
        if windows.len() >= ADDRESSES {
            windows.retain(|_, window| window.left(now).is_some());
        }
        let key = Self::key(&windows, peer);
        let new = Window {
            since: now,
            failed: 0,
        };
        let window = windows.entry(key).or_insert(new);
        if window.left(now).is_none() {
            *window = new;
        }
        window.failed = window.failed.saturating_add(1);
    }

    /// Wrong tokens, and what came after too many of them.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.failed.load(Relaxed), self.refused.load(Relaxed))
    }

    fn key(windows: &Windows, peer: Option<Address>) -> Option<u128> {
        let key = peer.map(Address::site);
        if windows.len() < ADDRESSES || windows.contains_key(&key) {
            key
        } else {
            None
        }
    }

    fn windows(&self) -> MutexGuard<'_, Windows> {
        self.windows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;

    #[test]
    fn a_window_for_each_address() {
        let attempts = Attempts::default();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let address = |text: &str| Some(Address::from(text.parse::<IpAddr>().unwrap()));
        let (one, neighbour) = (address("2001:db8::1"), address("2001:db8::2"));
        let other = address("10.0.0.1");
        for _ in 0..MOST {
            assert_eq!(attempts.may_try(one, at(0)), Ok(()));
            attempts.failed(one, at(0));
        }
        assert_eq!(attempts.may_try(one, at(10)), Err(51));
        assert_eq!(attempts.may_try(neighbour, at(59)), Err(2));
        assert_eq!(attempts.may_try(other, at(10)), Ok(()));
        assert_eq!(attempts.may_try(None, at(10)), Ok(()));
        assert_eq!(attempts.may_try(one, at(61)), Ok(()));
        attempts.failed(one, at(61));
        assert_eq!(attempts.may_try(one, at(61)), Ok(()), "a window of its own");
        assert_eq!(attempts.counts(), (u64::from(MOST) + 1, 2));
    }

    #[test]
    fn memory_is_bounded() {
        let attempts = Attempts::default();
        let now = Instant::now();
        let peer = |n: u32| Some(Address::from(IpAddr::V4(n.into())));
        for n in 0..5000 {
            attempts.failed(peer(n), now);
        }
        assert!(attempts.windows().len() <= ADDRESSES + 1);
        assert!(
            attempts.may_try(peer(9999), now).is_err(),
            "the others are one"
        );
        assert!(attempts.may_try(peer(1), now).is_ok());
        // Windows that are over make room.
        let later = now + WINDOW * 2;
        attempts.failed(peer(9999), later);
        assert_eq!(attempts.windows().len(), 1);
    }
}
