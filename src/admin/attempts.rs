//! The limit of wrong tokens.

use crate::selection::{Address, Guesses};
use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// How many wrong tokens an address may send in a window.
pub(super) const MOST: u32 = 10;
const WINDOW: u32 = 60;

/// Counts wrong tokens, and refuses all requests of an address that sent too many.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    guesses: Guesses<WINDOW>,
    log: Mutex<Log>,
    failed: AtomicU64,
    refused: AtomicU64,
}

/// How many lines the log has of this window, and how many wrong tokens it does not report.
#[derive(Debug, Default)]
struct Log {
    since: Option<u32>,
    lines: u32,
    untold: u64,
}

/// How many lines the log has of a window at most.
const LINES: u32 = 10;

/// The content of a log line.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Said {
    /// Wrong tokens from all addresses since the start.
    pub(super) failed: u64,
    /// How many of them no line reported, since the last line.
    pub(super) untold: u64,
    /// For how many seconds the address is locked out.
    pub(super) locked_for: Option<u32>,
}

impl Attempts {
    /// Returns an error with the seconds to wait if the address sent too many wrong tokens.
    pub(super) fn may_try(&self, peer: Option<Address>, second: u32) -> Result<(), u32> {
        match self.guesses.wait(peer, MOST, second) {
            None => Ok(()),
            Some(left) => {
                self.refused.fetch_add(1, Relaxed);
                Err(left)
            }
        }
    }

    /// Counts a wrong token. Returns a log line for the first one of an address, and for the
    /// one that locks it out.
    pub(super) fn failed(&self, peer: Option<Address>, second: u32) -> Option<Said> {
        let all = self.failed.fetch_add(1, Relaxed) + 1;
        let unlimited = (u32::MAX, u32::MAX);
        let guess = self.guesses.take(peer, 1, unlimited, second)?;
        let locked_for = (guess.spent == MOST).then_some(guess.left);
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = |since: u32| second.saturating_sub(since) >= WINDOW;
        if log.since.is_none_or(is_over) {
            (log.since, log.lines) = (Some(second), 0);
        }
        if guess.spent != 1 && locked_for.is_none() || log.lines >= LINES {
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

    /// Returns how many tokens were wrong, and how many requests were refused after them.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.failed.load(Relaxed), self.refused.load(Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;

    #[test]
    fn a_window_for_each_address() {
        let attempts = Attempts::default();
        let address = |text: &str| Some(Address::from(text.parse::<IpAddr>().unwrap()));
        let (one, neighbour) = (address("2001:db8::1"), address("2001:db8::2"));
        let other = address("10.0.0.1");
        for _ in 0..MOST {
            assert_eq!(attempts.may_try(one, 0), Ok(()));
            attempts.failed(one, 0);
        }
        assert_eq!(attempts.may_try(one, 10), Err(50));
        assert_eq!(attempts.may_try(neighbour, 59), Err(1));
        assert_eq!(attempts.may_try(other, 10), Ok(()));
        assert_eq!(attempts.may_try(None, 10), Ok(()));
        assert_eq!(attempts.may_try(one, 61), Ok(()));
        attempts.failed(one, 61);
        assert_eq!(attempts.may_try(one, 61), Ok(()), "a window of its own");
        assert_eq!(attempts.counts(), (u64::from(MOST) + 1, 2));
    }

    #[test]
    fn the_log_says_the_first_and_the_last() {
        let attempts = Attempts::default();
        let peer = Some(Address::from(IpAddr::from([10, 0, 0, 1])));
        let said: Vec<_> = (0..MOST).map(|_| attempts.failed(peer, 0)).collect();
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
    fn the_log_has_so_many_lines_whoever_sends() {
        let attempts = Attempts::default();
        let peer = |n: u32| Some(Address::from(IpAddr::V4(n.into())));
        let said = |second| {
            let said = (0..5000).filter_map(|n| attempts.failed(peer(n), second));
            said.count()
        };
        assert_eq!(said(0), 10);
        assert_eq!(said(120), 10);
    }
}
