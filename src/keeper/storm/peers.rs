//! Counts of recent failures by peer.

use super::{KEYS, signature::Kind};
use std::{
    hash::{BuildHasher, Hash},
    time::{Duration, Instant},
};

/// Higher counts are not distinguished.
pub(super) const MANY: u64 = 32;

/// The most failures of a peer that are counted, so that a peer that fails faster than
/// counts decay has many at any moment.
const MOST: u64 = 2 * MANY;

/// The most failures of one signature that are counted: the rest soon decays.
const ALIKE: u64 = 8;

/// How many times the count of one peer a wide IPv6 network may have.
const OF_NETWORK: u64 = 256;

/// The most failures of one peer that count for the wide network at once.
const FEW: u64 = 2;

/// A count has one cell in each row. Other keys share some of them, seldom all.
const ROWS: usize = 4;
const CELLS: usize = 8192;

/// Leaky counts of failures: they decay one by one, each after its time. A peer that fails
/// once in that time has none; one that fails more often has more and more.
///
/// A sketch, because it holds any number of peers in the same memory, and no peer can evict
/// another one.
#[derive(Debug)]
pub(super) struct Peers {
    start: Instant,
    window: Duration,
    /// Until when each cell is not empty, in nanoseconds. No cells before a peer is known.
    cells: Vec<u64>,
    /// The last two different peers.
    last: [Option<(u128, Instant)>; 2],
}

/// The recent failures of a request's peer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Met {
    /// Zero if it is not known.
    pub(super) peer: u128,
    /// Its recent failures, of any kind.
    pub(super) lately: u64,
    /// Whether requests of other peers fail, too.
    pub(super) others: bool,
}

impl Met {
    /// Returns whether the peer is known and has no recent failure.
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

    /// Returns the recent failures of a peer (zero if not known), and counts one more,
    /// unless it is of a crowd and not drawn.
    pub(super) fn meet(&mut self, peer: u128, kind: Kind, drawn: bool, now: Instant) -> Met {
        let others = self.others(peer, now);
        if peer == 0 {
            // Unknown peers may be any number. If others are known, they count as one.
            let lately = if others { MANY } else { 0 };
            return Met {
                peer,
                lately,
                others,
            };
        }
        let each = nanos(self.window / 6);
        let key = (peer, kind);
        // The owner of a wide network has any number of addresses that count as peers.
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

    /// Counts one failure of a signature, and returns how many of it this peer had
    /// recently.
    pub(super) fn like(&mut self, met: &Met, signature: u64, now: Instant) -> u64 {
        // A peer with many has no place of its own anyway, and would fill other peers'
        // cells.
        if met.peer == 0 || met.lately >= MANY {
            return MANY;
        }
        let each = nanos(self.window / 4 * 3);
        self.count((met.peer, signature), each, ALIKE, now)
    }

    /// Returns the count of a key, and counts one more, up to a maximum.
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

    /// Returns whether there are other known peers, and records this one.
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

/// Returns the /48 of a /64, from `Address::site`.
fn network(site: u128) -> Option<u128> {
    (site >> 64 == 1).then_some(site >> 16)
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
