//! Which failures are kept when there are many: places are shared between signatures,
//! between those who made the requests, and between what fails and what clients leave.

mod peers;
mod signature;
#[cfg(test)]
mod tests;

pub(super) use self::signature::signature_so_far;
pub(super) use self::signature::{Signature, signature};

use self::{
    peers::{Met, Peers, SHARE},
    signature::{Kind, Names},
};
use super::StormLimits;
use std::{
    collections::HashMap,
    hash::RandomState,
    sync::LazyLock,
    time::{Duration, Instant},
};

/// Signatures that are told apart; more share one entry, so that memory stays
/// bounded whatever the routes look like.
const MAX_SIGNATURES: usize = 512;
const OVERFLOW: u64 = 0;

/// Newcomers of one signature that are kept in a window. Of those beyond, so many each
/// time the chance is halved.
const NEWCOMERS: u64 = 128;
const NEWCOMERS_MORE: u64 = 32;

static KEYS: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// What of a request is kept; `suppressed` like it were only counted before.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Admission {
    Full { suppressed: u64 },
    Heads { suppressed: u64 },
    Count,
}

/// When the first and the last of some exchanges were suppressed.
pub(super) type Between = Option<(Instant, Instant)>;

fn with(between: Between, first: Instant, last: Instant) -> Between {
    let (f, l) = between.unwrap_or((first, last));
    Some((f.min(first), l.max(last)))
}

/// Rations exchanges when everything fails at once.
#[derive(Debug)]
pub(super) struct Storm {
    limits: StormLimits,
    seen: HashMap<u64, Entry>,
    /// Entries of each kind of names, and when what is stale of them was looked for.
    room: [(usize, Option<Instant>); 4],
    peers: Peers,
    second: Second,
    last: Admitted,
}

/// More of the last admission.
#[derive(Clone, Copy, Debug)]
pub(super) struct Admitted {
    key: u64,
    place: Place,
    peer: u64,
    /// When the first and the last of those were suppressed that it tells of.
    pub(super) between: Between,
    /// One in so many like it is kept.
    pub(super) one_in: u64,
}

/// What an exchange takes up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Place {
    Full,
    Newcomer,
    Heads,
    Sample,
    None,
}

#[derive(Debug)]
struct Entry {
    names: Names,
    since: Instant,
    seen: u64,
    full: u64,
    newcomers: u64,
    heads: u64,
    sampled: u64,
    /// The first peers that took places: of a fourth of them each, no more matter.
    takers: [Taker; SHARE as usize],
    suppressed: u64,
    between: Between,
}

#[derive(Clone, Copy, Debug, Default)]
struct Taker {
    peer: u64,
    full: u64,
    heads: u64,
}

impl Entry {
    fn since(now: Instant, names: Names) -> Self {
        Self {
            names,
            since: now,
            seen: 0,
            full: 0,
            newcomers: 0,
            heads: 0,
            sampled: 0,
            takers: Default::default(),
            suppressed: 0,
            between: None,
        }
    }

    /// Begins a window; what is to be told stays.
    fn renew(&mut self, now: Instant) {
        *self = Self {
            suppressed: self.suppressed,
            between: self.between,
            ..Self::since(now, self.names)
        };
    }

    fn taker(&mut self, peer: u64) -> Option<&mut Taker> {
        let mut takers = self.takers.iter_mut();
        let taker = takers.find(|t| t.peer == peer || t.peer == 0)?;
        taker.peer = peer;
        Some(taker)
    }

    fn place(&self, limits: StormLimits, asked: bool, met: &Met, now: Instant) -> (Place, u64) {
        if asked {
            return (Place::Full, 1);
        }
        let taken = self.takers.iter().find(|t| t.peer == met.peer);
        let taken = taken.copied().unwrap_or_default();
        if limits.full > 0 && met.new {
            let crowd = met.crowd.div_ceil(limits.per_second.max(1));
            let one_in = self.newcomers_one_in().max(crowd);
            if is_drawn(one_in) {
                return (Place::Newcomer, one_in);
            }
        }
        if self.full < limits.full && taken.full < met.share(limits.full) {
            return (Place::Full, 1);
        }
        if self.heads < limits.heads && taken.heads < met.share(limits.heads) {
            return (Place::Heads, 1);
        }
        match self.sample_one_in(limits, now) {
            Some(one_in) if is_drawn(one_in) => (Place::Sample, one_in),
            _ => (Place::None, 1),
        }
    }

    fn newcomers_one_in(&self) -> u64 {
        match self.newcomers.checked_sub(NEWCOMERS) {
            None => 1,
            Some(more) => 2 << (more / NEWCOMERS_MORE).min(30),
        }
    }

    /// At the rate so far, the sample takes all of the window to fill.
    fn sample_one_in(&self, limits: StormLimits, now: Instant) -> Option<u64> {
        let most = limits.sample.saturating_mul(2);
        let passed = now.duration_since(self.since);
        // Before that nobody knows the rate.
        if passed < limits.window / 16 {
            return None;
        }
        let passed = passed.as_nanos();
        let passed = passed.saturating_mul(limits.sample.into());
        if self.sampled >= most || passed == 0 {
            return None;
        }
        let all = u128::from(self.seen).saturating_mul(limits.window.as_nanos());
        u64::try_from(all.div_ceil(passed)).ok()
    }

    fn count(&mut self, place: Place, peer: u64) {
        let taken = match place {
            Place::Full => &mut self.full,
            Place::Newcomer => {
                self.newcomers += 1;
                &mut self.full
            }
            Place::Heads => &mut self.heads,
            Place::Sample => &mut self.sampled,
            Place::None => return,
        };
        *taken += 1;
        if peer == 0 {
            return;
        }
        if let Some(taker) = self.taker(peer) {
            match place {
                Place::Full | Place::Newcomer => taker.full += 1,
                Place::Heads => taker.heads += 1,
                Place::Sample | Place::None => {}
            }
        }
    }

    /// Zero where another window has begun in between.
    fn uncount(&mut self, place: Place, peer: u64) {
        let less = |n: &mut u64| *n = n.saturating_sub(1);
        match place {
            Place::Full => less(&mut self.full),
            Place::Newcomer => {
                less(&mut self.newcomers);
                less(&mut self.full);
            }
            Place::Heads => less(&mut self.heads),
            Place::Sample => less(&mut self.sampled),
            Place::None => {}
        }
        if let Some(taker) = self.takers.iter_mut().find(|t| peer != 0 && t.peer == peer) {
            match place {
                Place::Full | Place::Newcomer => less(&mut taker.full),
                Place::Heads => less(&mut taker.heads),
                Place::Sample | Place::None => {}
            }
        }
    }
}

fn is_drawn(one_in: u64) -> bool {
    one_in <= 1 || fastrand::u64(..one_in) == 0
}

impl Storm {
    pub(super) fn new(limits: StormLimits) -> Self {
        Self {
            limits,
            seen: HashMap::new(),
            room: Default::default(),
            peers: Peers::default(),
            second: Second::default(),
            last: Admitted {
                key: OVERFLOW,
                place: Place::None,
                peer: 0,
                between: None,
                one_in: 1,
            },
        }
    }

    /// What is kept of a request like this, of this peer; zero where it is not known.
    pub(super) fn admit(
        &mut self,
        signature: Signature,
        peer: u128,
        asked: bool,
        now: Instant,
    ) -> Admission {
        let key = self.key(&signature, now);
        let limits = self.limits;
        let kind = if asked { Kind::Asked } else { signature.kind };
        self.second.turn(now);
        let met = self.peers.meet(peer, kind, limits.window, now);
        self.second.came += u64::from(met.new);
        let met = Met {
            crowd: self.second.came_before,
            ..met
        };
        let entry = self
            .seen
            .entry(key)
            .or_insert_with(|| Entry::since(now, Names::None));
        if now.duration_since(entry.since) >= limits.window {
            entry.renew(now);
        }
        entry.seen += 1;
        let (place, one_in) = entry.place(limits, asked, &met, now);
        // The first of a signature is worth more than the budget of the second.
        let first = entry.full + entry.heads + entry.sampled == 0 && !asked;
        let fits = place != Place::None
            && (first
                || self
                    .second
                    .admit(limits.per_second, kind, &met, &mut self.peers));
        if !fits {
            entry.suppressed += 1;
            entry.between = with(entry.between, now, now);
            return Admission::Count;
        }
        entry.count(place, met.peer);
        let suppressed = std::mem::take(&mut entry.suppressed);
        self.last = Admitted {
            key,
            place,
            peer: met.peer,
            between: entry.between.take(),
            one_in,
        };
        match place {
            Place::Heads => Admission::Heads { suppressed },
            _ => Admission::Full { suppressed },
        }
    }

    /// More of the last admission.
    pub(super) fn last(&self) -> Admitted {
        self.last
    }

    /// Takes an admission back: there was no room, so nothing was kept.
    pub(super) fn take_back(&mut self, admission: Admission, admitted: Admitted, now: Instant) {
        let (Admission::Full { suppressed } | Admission::Heads { suppressed }) = admission else {
            return;
        };
        let key = if self.seen.contains_key(&admitted.key) {
            admitted.key
        } else {
            OVERFLOW
        };
        let Some(entry) = self.seen.get_mut(&key) else {
            return;
        };
        entry.uncount(admitted.place, admitted.peer);
        entry.suppressed += suppressed + 1;
        let (first, last) = admitted.between.unwrap_or((now, now));
        entry.between = with(with(entry.between, first, last), now, now);
    }

    /// The entry of a signature: of the most exact name that there is room for.
    fn key(&mut self, signature: &Signature, now: Instant) -> u64 {
        let names = signature.names.iter().flatten().copied();
        for (names, key) in names.chain([(Names::None, signature.key)]) {
            if self.seen.contains_key(&key) {
                return key;
            }
            if self.has_room(names, now) {
                self.seen.insert(key, Entry::since(now, names));
                self.grow(names, 1);
                return key;
            }
        }
        OVERFLOW
    }

    fn grow(&mut self, names: Names, by: usize) {
        if let Some((entries, _)) = self.room.get_mut(names as usize) {
            *entries += by;
        }
    }

    fn has_room(&mut self, names: Names, now: Instant) -> bool {
        let Some((entries, looked)) = self.room.get_mut(names as usize) else {
            return false;
        };
        if *entries < names.most() {
            return true;
        }
        let pause = self.limits.window / 64;
        if looked.is_some_and(|at| now.duration_since(at) < pause) {
            return false;
        }
        *looked = Some(now);
        self.forget_stale(names, now);
        self.room
            .get(names as usize)
            .is_some_and(|(entries, _)| *entries < names.most())
    }

    /// Forgets signatures whose window is over, also where something like them was
    /// suppressed: else whoever makes many of them holds the table for good.
    /// The shared entry tells the counts.
    fn forget_stale(&mut self, names: Names, now: Instant) {
        let window = self.limits.window;
        let (mut suppressed, mut left) = (0, 0);
        let mut between = None;
        self.seen.retain(|key, entry| {
            if *key == OVERFLOW || entry.names != names {
                return true;
            }
            let stays = now.duration_since(entry.since) < window;
            if stays {
                left += 1;
            } else {
                suppressed += entry.suppressed;
                if let Some((first, last)) = entry.between {
                    between = with(between, first, last);
                }
            }
            stays
        });
        if let Some((entries, _)) = self.room.get_mut(names as usize) {
            *entries = left;
        }
        if suppressed > 0 {
            let shared = self.seen.entry(OVERFLOW);
            let shared = shared.or_insert_with(|| Entry::since(now, Names::None));
            shared.suppressed += suppressed;
            if let Some((first, last)) = between {
                shared.between = with(shared.between, first, last);
            }
        }
    }
}

/// What was kept in this second.
#[derive(Debug, Default)]
struct Second {
    start: Option<Instant>,
    kept: u64,
    abandoned: u64,
    /// New peers of this second, and of the one before.
    came: u64,
    came_before: u64,
}

impl Second {
    fn turn(&mut self, now: Instant) {
        let over = |start| now.duration_since(start) >= Duration::from_secs(1);
        if self.start.is_none_or(over) {
            *self = Self {
                start: Some(now),
                came_before: self.came,
                ..Self::default()
            };
        }
    }

    /// Whether one more is kept. Half of the places are left to newcomers, and half of
    /// them to what the service fails.
    fn admit(&mut self, most: u64, kind: Kind, met: &Met, peers: &mut Peers) -> bool {
        let reserved = if met.peer == 0 || met.new {
            0
        } else {
            most / 2
        };
        let abandons = kind == Kind::Abandoned;
        if self.kept >= most - reserved || abandons && self.abandoned >= most - most / 2 {
            return false;
        }
        if let (Some(peer), Some(start)) = (peers.known.get_mut(&met.id), self.start) {
            if peer.second != start {
                (peer.second, peer.had) = (start, 0);
            }
            if !met.new && peer.had >= met.share(most) {
                return false;
            }
            peer.had += 1;
        }
        self.kept += 1;
        self.abandoned += u64::from(abandons);
        true
    }
}
