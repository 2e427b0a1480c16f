//! Who made requests that went wrong of late.

use super::{KEYS, signature::Kind};
use std::{
    collections::HashMap,
    hash::BuildHasher,
    time::{Duration, Instant},
};

/// Peers that are told apart, for each kind of what they do.
const MAX_PEERS: usize = 4096;

/// A peer has one in so many places while others want some.
pub(super) const SHARE: u64 = 4;

/// Who made requests that went wrong of late.
#[derive(Debug, Default)]
pub(super) struct Peers {
    pub(super) known: HashMap<u64, Peer>,
    /// The last two that differ.
    last: [Option<(u64, Instant)>; 2],
    looked: Option<Instant>,
}

#[derive(Debug)]
pub(super) struct Peer {
    last: Instant,
    /// What it had in a second.
    pub(super) second: Instant,
    pub(super) had: u64,
}

/// What is known of the one who made a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Met {
    /// Zero where it is not known.
    pub(super) peer: u64,
    pub(super) id: u64,
    /// Nothing of his went wrong for a while.
    pub(super) new: bool,
    /// There are others whose requests go wrong.
    pub(super) others: bool,
    /// New ones that came in the last second.
    pub(super) crowd: u64,
}

impl Met {
    pub(super) fn share(&self, all: u64) -> u64 {
        if self.others {
            (all / SHARE).max(1)
        } else {
            all
        }
    }
}

impl Peers {
    pub(super) fn meet(&mut self, peer: u128, kind: Kind, window: Duration, now: Instant) -> Met {
        let mut met = Met {
            peer: 0,
            id: 0,
            new: false,
            others: false,
            crowd: 0,
        };
        if peer == 0 {
            return met;
        }
        met.peer = KEYS.hash_one(peer);
        met.id = KEYS.hash_one((peer, kind));
        met.others = self.others(met.peer, window, now);
        let quiet = window / 2;
        met.new = match self.known.get_mut(&met.id) {
            Some(known) => {
                let last = std::mem::replace(&mut known.last, now);
                now.duration_since(last) >= quiet
            }
            None => {
                self.add(met.id, quiet, now);
                true
            }
        };
        met
    }

    fn add(&mut self, id: u64, quiet: Duration, now: Instant) {
        let looked = |at| now.duration_since(at) < quiet / 32;
        if self.known.len() >= MAX_PEERS && !self.looked.is_some_and(looked) {
            self.looked = Some(now);
            self.known
                .retain(|_, peer| now.duration_since(peer.last) < quiet);
        }
        // Of more than that everybody is new, and has the chance of newcomers.
        if self.known.len() < MAX_PEERS {
            let peer = Peer {
                last: now,
                second: now,
                had: 0,
            };
            self.known.insert(id, peer);
        }
    }

    /// Whether there are others, and notes this one.
    fn others(&mut self, peer: u64, window: Duration, now: Instant) -> bool {
        if !matches!(self.last, [Some((last, _)), _] if last == peer) {
            self.last.swap(0, 1);
        }
        let [newest, before] = &mut self.last;
        *newest = Some((peer, now));
        before.is_some_and(|(other, at)| other != peer && now.duration_since(at) < window)
    }
}
