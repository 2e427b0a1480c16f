//! Counts of exchanges kept in this second, over all signatures.

use super::{Met, open, signature::Kind};
use std::time::Instant;

/// If other peers want places, too, a peer has one in this many of those open to it.
const PART: u64 = 2;
/// At least this many first ones of their kind are kept.
const FIRSTS: u64 = 50;
/// How many peers' shares are counted.
const PEERS: usize = 16;

#[derive(Debug, Default)]
pub(super) struct Second {
    start: Option<Instant>,
    kept: u64,
    abandoned: u64,
    /// Kept in addition, because none like them was kept for long.
    firsts: u64,
    /// The places of each peer.
    had: Vec<(u128, u64)>,
    /// Peers without earlier failures that wanted a place, in this second and the previous
    /// one.
    new: u64,
    new_before: u64,
}

impl Second {
    pub(super) fn turn(&mut self, now: Instant) {
        let passed = self
            .start
            .map(|start| now.saturating_duration_since(start).as_secs());
        if passed != Some(0) {
            self.had.clear();
            *self = Self {
                start: Some(now),
                new_before: if passed == Some(1) { self.new } else { 0 },
                had: std::mem::take(&mut self.had),
                ..Self::default()
            };
        }
    }

    /// One in how many peers without earlier failures is drawn: all, unless they are a
    /// crowd.
    pub(super) fn crowd(&self, most: u64) -> u64 {
        self.new_before.div_ceil(most.max(1)).max(1)
    }

    /// Counts a peer without earlier failures.
    pub(super) fn meet_new(&mut self) {
        self.new += 1;
    }

    /// Returns whether one more is kept. The first of a kind has separate places.
    pub(super) fn admit(&mut self, most: u64, kind: Kind, met: &Met, first: bool) -> bool {
        let abandons = kind == Kind::Abandoned;
        let open = |all| open(all, met.lately);
        let fits = self.kept < open(most)
            && (!abandons || self.abandoned < open(most - most / 2))
            && self.has_part(open(most), met);
        if !fits {
            let fits = first && self.firsts < most.max(FIRSTS);
            self.firsts += u64::from(fits);
            return fits;
        }
        self.kept += 1;
        self.abandoned += u64::from(abandons);
        true
    }

    fn has_part(&mut self, open: u64, met: &Met) -> bool {
        let had = self.had.iter_mut().find(|(peer, _)| *peer == met.peer);
        if let Some((_, had)) = had {
            let has = !met.others || *had < (open / PART).max(1);
            *had += u64::from(has);
            return has;
        }
        if self.had.len() < PEERS {
            self.had.push((met.peer, 1));
        }
        true
    }
}
