//! Decides which failures are kept in a failure storm. Places are shared between
//! signatures, and between peers: a peer with more recent failures has fewer places.

mod entry;
mod peers;
mod second;
mod signature;
mod table;
#[cfg(test)]
mod tests;

pub(super) use self::signature::signature_so_far;
pub(super) use self::signature::{Signature, signature};

use self::{
    entry::Untold,
    peers::{MANY, Met, Peers},
    second::Second,
    signature::Kind,
    table::{Key, Table},
};
use super::StormLimits;
use std::{
    hash::RandomState,
    sync::LazyLock,
    time::{Duration, Instant},
};

static KEYS: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// How much of a request is kept; `suppressed` like it were only counted before.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Admission {
    Full { suppressed: u64 },
    Heads { suppressed: u64 },
    Count,
}

/// Limits exchanges if everything fails at once.
#[derive(Debug)]
pub(super) struct Storm {
    limits: StormLimits,
    table: Table,
    peers: Peers,
    second: Second,
    last: Admitted,
}

/// An admission: the places that it uses, and the counts that it reports.
#[derive(Clone, Copy, Debug)]
pub(super) struct Admitted {
    key: Key,
    place: Place,
    untold: Untold,
    /// One in so many like it is kept.
    pub(super) one_in: u64,
}

impl Admitted {
    /// When the first and the last of the suppressed ones that it reports ended.
    pub(super) fn between(&self) -> Option<(Instant, Instant)> {
        self.untold.between
    }
}

/// The places that an exchange uses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Place {
    Full,
    Heads,
    Sample,
    None,
}

/// Returns how many of all places are open to a peer with this many failures: a quarter,
/// and a part of the rest that shrinks with their number.
fn open(all: u64, had: u64) -> u64 {
    /// A peer with this many has half of the rest; one with a few has nearly all of it.
    const SOME: u128 = 8;
    let quarter = all / 4;
    let had = u128::from(had);
    let rest = u128::from(all - quarter) * SOME * SOME / (had * had + SOME * SOME);
    // At most the rest.
    quarter + u64::try_from(rest).unwrap_or(0)
}

fn is_drawn(one_in: u64) -> bool {
    one_in <= 1 || fastrand::u64(..one_in) == 0
}

impl Storm {
    pub(super) fn new(limits: StormLimits) -> Self {
        Self {
            limits,
            table: Table::new(limits.window),
            peers: Peers::new(limits.window),
            second: Second::default(),
            last: Admitted {
                key: Key::NONE,
                place: Place::None,
                untold: Untold::default(),
                one_in: 1,
            },
        }
    }

    /// Returns how much is kept of such a request of this peer; a zero peer is not known.
    pub(super) fn admit(
        &mut self,
        signature: Signature,
        peer: u128,
        asked: bool,
        now: Instant,
    ) -> Admission {
        let limits = self.limits;
        self.second.turn(now);
        let kind = if asked { Kind::Asked } else { signature.kind };
        // Of a crowd not all are counted either: they would fill other peers' cells.
        let crowd = self.second.crowd(limits.per_second);
        let drawn = is_drawn(crowd);
        let met = self.peers.meet(peer, kind, drawn, now);
        if met.is_new() && !asked {
            self.second.meet_new();
        }
        let key = self.table.find(&signature, now);
        let first = !asked && self.table.is_first(key, self.quiet(), now);
        let had = if drawn && !asked {
            self.peers.like(&met, key.id(), now)
        } else {
            MANY
        };
        let entry = self.table.entry(key, now);
        entry.see(limits.window, now);
        let (place, one_in) = if asked {
            (Place::Full, 1)
        } else {
            entry.place(limits, (had, crowd), &met, now)
        };
        if place == Place::None || !self.second.admit(limits.per_second, kind, &met, first) {
            entry.untold.add(Untold::one(now));
            return Admission::Count;
        }
        let untold = self.table.take(key, place, now);
        self.last = Admitted {
            key,
            place,
            untold,
            one_in,
        };
        let suppressed = untold.count;
        match place {
            Place::Heads => Admission::Heads { suppressed },
            _ => Admission::Full { suppressed },
        }
    }

    /// After how long without a kept one the next counts as the first. Not the window if
    /// that is zero: each would be the first.
    fn quiet(&self) -> Duration {
        self.limits.window.max(Duration::from_secs(1))
    }

    /// Returns the last admission.
    pub(super) fn last(&self) -> Admitted {
        self.last
    }

    /// Reverts an admission: there was no room, so nothing was kept.
    pub(super) fn take_back(&mut self, admitted: Admitted, now: Instant) {
        let Admitted {
            key, place, untold, ..
        } = admitted;
        self.table.give_back(key, place, untold, now);
    }
}
