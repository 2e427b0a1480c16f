//! How much went wrong of late for whom.

use super::{KEYS, signature::Kind};
use std::{
    hash::{BuildHasher, Hash},
    time::{Duration, Instant},
};

/// More is not told apart.
pub(super) const MANY: u64 = 32;

/// Of all that a peer did so many are counted, so that whoever goes on with more than is
/// forgotten has many at any moment.
const MOST: u64 = 2 * MANY;

/// Of one signature no more are counted: what is over is soon forgotten.
const ALIKE: u64 = 8;

/// A wide network of IPv6 may have so many times what one peer may.
const OF_NETWORK: u64 = 256;

/// What counts for the wide network: of one peer no more than so many at once.
const FEW: u64 = 2;

/// Every count is in one cell of each row. Others share some of them, seldom all.
const ROWS: usize = 4;
const CELLS: usize = 8192;

/// Counts of failures that leak away: each is forgotten after its time, one after another.
/// Whoever fails once in that time has none; whoever fails more often has ever more.
///
/// A sketch, because it holds any number of peers in the same memory, and nobody can push
/// another one out of it.
#[derive(Debug)]
pub(super) struct Peers {
    start: Instant,
    window: Duration,
    /// Until when the cell is not empty, in nanoseconds; none before a peer is known.
    cells: Vec<u64>,
    /// The last two that differ.
    last: [Option<(u128, Instant)>; 2],
}

/// What is known of the one who made a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Met {
    /// Zero where it is not known.
    pub(super) peer: u128,
    /// Failures of his of late, any.
    pub(super) lately: u64,
    /// There are others whose requests go wrong.
    pub(super) others: bool,
}

impl Met {
    /// Nothing went wrong for him of late, as far as anybody knows.
    pub(super) fn is_new(&self) -> bool {
        self.peer != 0 && self.lately == 0
    }
}

impl Peers {
    pub(super) fn new(window: Duration) -> Self {
        Self {
            start: Instant::now(),
            // Shares are by the second, whatever the window is.
            window: window.max(Duration::from_secs(1)),
            cells: Vec::new(),
            last: [None; 2],
        }
    }

    /// What went wrong of late for a peer, which is zero where it is not known. One more is
    /// counted, but where it is not drawn from a crowd.
    pub(super) fn meet(&mut self, peer: u128, kind: Kind, drawn: bool, now: Instant) -> Met {
        let others = self.others(peer, now);
        if peer == 0 {
            // Nobody knows how many they are. Where others are known, they are one.
            let lately = if others { MANY } else { 0 };
            return Met {
                peer,
                lately,
                others,
            };
        }
        let each = nanos(self.window / 6);
        let key = (peer, kind);
        // Who has a wide network has any number of those that count as one peer.
        let lately = match network(peer) {
            Some(network)
                if self.count(key, each, 0, now) < FEW
                    && self.count((network, kind), each / OF_NETWORK, MOST, now) >= MANY =>
            {
                MANY
            }
            _ => self.count(key, each, if drawn { MOST } else { 0 }, now),
        };
        Met {
            peer,
            lately,
            others,
        }
    }

    /// Counts one of a signature, and says how many of it this peer had of late.
    pub(super) fn like(&mut self, met: &Met, signature: u64, now: Instant) -> u64 {
        // Who has many has no place of his own anyway, and would fill the cells of others.
        if met.peer == 0 || met.lately >= MANY {
            return MANY;
        }
        let each = nanos(self.window / 4 * 3);
        self.count((met.peer, signature), each, ALIKE, now)
    }

    /// How many there are of a key, and counts one more, up to so many.
    fn count(&mut self, key: impl Hash, each: u64, most: u64, now: Instant) -> u64 {
        let hash = KEYS.hash_one(key);
        if self.cells.is_empty() {
            self.cells.resize(ROWS * CELLS, 0);
        }
        let now = nanos(now.saturating_duration_since(self.start));
        let rows = || (0..ROWS).map(|row| row * CELLS + (hash >> (row * 16)) as usize % CELLS);
        let cells = rows().filter_map(|at| self.cells.get(at));
        let until = cells.min().map_or(now, |until| now.max(*until));
        let lately = (until - now).div_ceil(each.max(1));
        let most = now.saturating_add(each.saturating_mul(most));
        let until = until.saturating_add(each).min(most);
        for at in rows() {
            if let Some(cell) = self.cells.get_mut(at) {
                *cell = until.max(*cell);
            }
        }
        lately.min(MANY)
    }

    /// Whether there are others who are known, and notes this one.
    fn others(&mut self, peer: u128, now: Instant) -> bool {
        if peer != 0 {
            if !matches!(self.last, [Some((last, _)), _] if last == peer) {
                self.last.swap(0, 1);
            }
            self.last[0] = Some((peer, now));
        }
        let recent = |at| now.saturating_duration_since(at) < self.window;
        let mut last = self.last.iter().flatten();
        last.any(|(other, at)| *other != peer && recent(*at))
    }
}

/// The /48 that a /64 is in, of what `Address::site` says.
fn network(site: u128) -> Option<u128> {
    (site >> 64 == 1).then_some(site >> 16)
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
