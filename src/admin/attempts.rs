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
    log: Mutex<Log>,
    failed: AtomicU64,
    refused: AtomicU64,
}

/// How many lines of the log were about it in this window, and what no line is about.
#[derive(Debug, Default)]
struct Log {
    since: Option<Instant>,
    lines: u32,
    untold: u64,
}

/// So many lines in a window, whoever sends.
const LINES: u32 = 10;

/// What a line of the log is to say.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Said {
    /// Wrong tokens from everywhere since the start.
    pub(super) failed: u64,
    /// Of these, those that no line was about since the last one.
    pub(super) untold: u64,
    /// For how many seconds the address is locked out from now on.
    pub(super) locked_for: Option<u64>,
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

    /// Counts a wrong token; what the log is to say of it: the first of an address, and
    /// the one that locks it out.
    pub(super) fn failed(&self, peer: Option<Address>, now: Instant) -> Option<Said> {
        let all = self.failed.fetch_add(1, Relaxed) + 1;
        let (failed, left) = {
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
            (window.failed, window.left(now).unwrap_or_default())
        };
        let locked_for = (failed == MOST).then_some(left.as_secs());
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = |since: Instant| now.saturating_duration_since(since) >= WINDOW;
        if log.since.is_none_or(is_over) {
            (log.since, log.lines) = (Some(now), 0);
        }
        if failed != 1 && locked_for.is_none() || log.lines >= LINES {
            log.untold += 1;
            return None;
        }
        log.lines += 1;
        Some(Said {
            failed: all,
            untold: std::mem::take(&mut log.untold),
            locked_for,
        })
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
    fn the_log_says_the_first_and_the_last() {
        let attempts = Attempts::default();
        let now = Instant::now();
        let peer = Some(Address::from(IpAddr::from([10, 0, 0, 1])));
        let said: Vec<_> = (0..MOST).map(|_| attempts.failed(peer, now)).collect();
        let first = Said {
            failed: 1,
            untold: 0,
            locked_for: None,
        };
        let last = Said {
            failed: 10,
            untold: 8,
            locked_for: Some(60),
        };
        assert_eq!((&said[0], &said[9]), (&Some(first), &Some(last)));
        assert!(said[1..9].iter().all(Option::is_none), "{said:?}");
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
        let log = attempts.log.lock().unwrap().lines;
        assert_eq!(log, LINES, "whoever sends");
        // Windows that are over make room.
        let later = now + WINDOW * 2;
        attempts.failed(peer(9999), later);
        assert_eq!(attempts.windows().len(), 1);
    }
}
