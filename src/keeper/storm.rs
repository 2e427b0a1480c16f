//! Which failures are kept when there are many: places are shared between signatures,
//! between those who made the requests, and between what fails and what clients leave.

use super::{Ended, StormLimits, grpc::Methods};
use crate::{
    context::{RequestContext, Route},
    exchange::{Direction, Outcome},
    host,
};
use http::Uri;
use std::{
    collections::HashMap,
    hash::{BuildHasher, Hash, Hasher, RandomState},
    sync::LazyLock,
    time::{Duration, Instant},
};

/// Signatures that are told apart; more share one entry, so that memory stays
/// bounded whatever the routes look like.
const MAX_SIGNATURES: usize = 512;
const OVERFLOW: u64 = 0;

/// Peers that are told apart, for each kind of what they do.
const MAX_PEERS: usize = 4096;

/// Newcomers of one signature that are kept in a window. Of those beyond, so many each
/// time the chance is halved.
const NEWCOMERS: u64 = 128;
const NEWCOMERS_MORE: u64 = 32;

/// A peer has one in so many places while others want some.
const SHARE: u64 = 4;

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

/// What failures that are one and the same have in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signature {
    /// Of what the service knows.
    key: u64,
    /// The same with names that others choose, the most exact one first. Each is told
    /// apart while there is room for its kind of names.
    names: [Option<(Names, u64)>; 2],
    kind: Kind,
}

/// Names that may be made up, of which so many have entries. They have no part in the
/// room of what the service knows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Names {
    None = 0,
    /// Methods of gRPC that never worked.
    Methods = 1,
    /// Hosts that are called.
    Hosts = 2,
    /// What is called there.
    Targets = 3,
}

impl Names {
    const MOST: [usize; 4] = [MAX_SIGNATURES, 64, 64, 128];

    fn most(self) -> usize {
        Self::MOST.get(self as usize).copied().unwrap_or(0)
    }
}

/// Whose doing it is; a peer's first of each kind is one.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Kind {
    Failed,
    /// The client went away.
    Abandoned,
    /// A call that the service made.
    Call,
    Asked,
}

impl From<u64> for Signature {
    fn from(key: u64) -> Self {
        Self {
            key,
            names: [None; 2],
            kind: Kind::Failed,
        }
    }
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
        let first = entry.full == 0 && !asked;
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

/// Who made requests that went wrong of late.
#[derive(Debug, Default)]
struct Peers {
    known: HashMap<u64, Peer>,
    /// The last two that differ.
    last: [Option<(u64, Instant)>; 2],
    looked: Option<Instant>,
}

#[derive(Debug)]
struct Peer {
    last: Instant,
    /// What it had in a second.
    second: Instant,
    had: u64,
}

/// What is known of the one who made a request.
#[derive(Clone, Copy, Debug)]
struct Met {
    /// Zero where it is not known.
    peer: u64,
    id: u64,
    /// Nothing of his went wrong for a while.
    new: bool,
    /// There are others whose requests go wrong.
    others: bool,
    /// New ones that came in the last second.
    crowd: u64,
}

impl Met {
    fn share(&self, all: u64) -> u64 {
        if self.others {
            (all / SHARE).max(1)
        } else {
            all
        }
    }
}

impl Peers {
    fn meet(&mut self, peer: u128, kind: Kind, window: Duration, now: Instant) -> Met {
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

/// What requests that run, and have a reason to be kept, have in common.
#[cfg(feature = "gate")]
pub(super) fn signature_so_far(context: &RequestContext) -> Signature {
    let shared = context.shared();
    let notes = shared.notes();
    let key = KEYS.hash_one((
        shared.route.as_ref().map(Route::as_str),
        notes.error_site,
        // Not for what: that is free text, and each would be a signature.
        notes.keep.is_empty(),
    ));
    key.into()
}

/// What failures that are one and the same have in common.
pub(super) fn signature(
    context: &RequestContext,
    ended: &Ended,
    slow: bool,
    methods: &Methods,
) -> Signature {
    let shared = context.shared();
    let (status, has_message) = {
        let tee = shared.response_body();
        (tee.status(), tee.has_message())
    };
    // What the service has is known; what only a client, or another service, says is
    // a name.
    let (mut method, mut names) = (None, [None; 2]);
    {
        let heads = shared.heads();
        if ended.direction == Direction::Client {
            let uri = &heads.request.uri;
            let host = uri.authority().map(http::uri::Authority::as_str);
            let host = host.or_else(|| heads.request.fields.text("host"));
            let (name, port) = host::split(host.unwrap_or_default());
            let host = KEYS.hash_one((host::fold(name), port));
            let target = target(uri, heads.request.method.as_str());
            names = [(Names::Targets, target ^ host), (Names::Hosts, host)].map(Some);
        } else if let Some(called) = super::grpc::method_of(&heads, status, has_message) {
            let hash = KEYS.hash_one(called);
            if methods.works(ended.direction, called) {
                method = Some(hash);
            } else {
                names = [Some((Names::Methods, hash)), None];
            }
        }
    }
    let notes = shared.notes();
    let panic = notes.panic.as_ref();
    let key = KEYS.hash_one((
        shared.route.as_ref().map(Route::as_str),
        method,
        &ended.outcome,
        ended.status.map(|status| status.as_u16()),
        (slow, ended.upload_broke, ended.direction),
        // Not the message: that is free text, and each would be a signature.
        panic.map(|panic| panic.location.as_ref()),
        notes.error_site,
    ));
    let kind = match ended.direction {
        Direction::Client => Kind::Call,
        _ if ended.outcome == Outcome::Abandoned || ended.upload_broke => Kind::Abandoned,
        _ => Kind::Failed,
    };
    let named = |(kind, name): (Names, u64)| (kind, KEYS.hash_one((key, kind as u8, name)));
    Signature {
        key,
        names: names.map(|name| name.map(named)),
        kind,
    }
}

/// What is called: method, and path without what differs from call to call.
fn target(uri: &Uri, method: &str) -> u64 {
    /// Parts of a path that are told apart.
    const PARTS: usize = 8;
    let mut hasher = KEYS.build_hasher();
    method.hash(&mut hasher);
    for part in uri.path().split('/').take(PARTS) {
        let part = if is_value(part) { "{}" } else { part };
        part.hash(&mut hasher);
    }
    hasher.finish()
}

/// Whether a part of a path is a number, a UUID, a hash or another value.
fn is_value(part: &str) -> bool {
    let digits = part.bytes().filter(u8::is_ascii_digit).count();
    let hex = part.bytes().all(|b| b.is_ascii_hexdigit());
    digits > 2
        || digits > 0 && digits == part.len()
        || hex && part.len() >= 8
        || part.len() > 32
        || part.contains(['%', '@'])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of nobody who is known.
    fn admit(storm: &mut Storm, signature: u64, asked: bool, now: Instant) -> Admission {
        storm.admit(signature.into(), 0, asked, now)
    }

    fn between(storm: &Storm) -> Between {
        storm.last().between
    }

    #[test]
    fn first_in_full_then_heads_then_counted_and_told_later() {
        let limits = StormLimits {
            full: 2,
            heads: 1,
            sample: 0,
            ..StormLimits::default()
        };
        let mut storm = Storm::new(limits);
        let now = Instant::now();
        let mut admit = |at| admit(&mut storm, 7, false, at);
        assert_eq!(admit(now), Admission::Full { suppressed: 0 });
        assert_eq!(admit(now), Admission::Full { suppressed: 0 });
        assert_eq!(admit(now), Admission::Heads { suppressed: 0 });
        assert_eq!(admit(now), Admission::Count);
        assert_eq!(admit(now), Admission::Count);
        let later = now + limits.window;
        assert_eq!(admit(later), Admission::Full { suppressed: 2 });
    }

    #[test]
    fn the_second_bounds_all_but_the_first_of_each() {
        let mut storm = Storm::new(StormLimits {
            full: 10,
            per_second: 1,
            ..StormLimits::default()
        });
        let now = Instant::now();
        for signature in 1..100 {
            let first = admit(&mut storm, signature, false, now);
            assert_eq!(first, Admission::Full { suppressed: 0 });
        }
        assert!(matches!(
            admit(&mut storm, 1, false, now),
            Admission::Full { .. }
        ));
        assert_eq!(admit(&mut storm, 1, true, now), Admission::Count);
        let next = now + Duration::from_secs(1);
        assert_eq!(
            admit(&mut storm, 1, true, next),
            Admission::Full { suppressed: 1 }
        );
    }

    #[test]
    fn heads_tell_too_what_the_second_suppressed() {
        let mut storm = Storm::new(StormLimits {
            full: 1,
            sample: 0,
            per_second: 0,
            ..StormLimits::default()
        });
        let now = Instant::now();
        admit(&mut storm, 7, false, now);
        assert_eq!(admit(&mut storm, 7, false, now), Admission::Count);
        storm.limits.per_second = 1;
        let next = now + Duration::from_secs(1);
        let heads = admit(&mut storm, 7, false, next);
        assert_eq!(heads, Admission::Heads { suppressed: 1 });
    }

    #[test]
    fn it_tells_when_the_first_and_the_last_were_suppressed() {
        let mut storm = Storm::new(StormLimits {
            full: 1,
            heads: 0,
            sample: 0,
            ..StormLimits::default()
        });
        let now = Instant::now();
        let at = |seconds| now + Duration::from_secs(seconds);
        admit(&mut storm, 7, false, now);
        assert_eq!(between(&storm), None);
        for second in [5, 10, 20] {
            assert_eq!(admit(&mut storm, 7, false, at(second)), Admission::Count);
        }
        let full = admit(&mut storm, 7, false, at(60));
        assert_eq!(full, Admission::Full { suppressed: 3 });
        assert_eq!(between(&storm), Some((at(5), at(20))));
        storm.take_back(full, storm.last(), at(60));
        admit(&mut storm, 7, false, at(61));
        assert_eq!(between(&storm), Some((at(5), at(60))));
    }

    #[test]
    fn what_was_taken_back_is_as_if_it_was_only_counted() {
        let mut storm = Storm::new(StormLimits {
            full: 1,
            heads: 1,
            sample: 0,
            ..StormLimits::default()
        });
        let now = Instant::now();
        for lost in 0..3 {
            let full = admit(&mut storm, 7, false, now);
            assert_eq!(full, Admission::Full { suppressed: lost });
            storm.take_back(full, storm.last(), now);
        }
        let full = admit(&mut storm, 7, false, now);
        assert_eq!(full, Admission::Full { suppressed: 3 });
        let heads = admit(&mut storm, 7, false, now);
        assert_eq!(heads, Admission::Heads { suppressed: 0 });
        storm.take_back(heads, storm.last(), now);
        let heads = admit(&mut storm, 7, false, now);
        assert_eq!(heads, Admission::Heads { suppressed: 1 });
    }

    #[test]
    fn a_full_table_of_the_past_does_not_hold_back_what_is_new() {
        let limits = StormLimits {
            full: 1,
            heads: 0,
            sample: 0,
            ..StormLimits::default()
        };
        let mut storm = Storm::new(limits);
        let now = Instant::now();
        for signature in 1..=1_000 {
            admit(&mut storm, signature, false, now);
            assert_eq!(admit(&mut storm, signature, false, now), Admission::Count);
        }
        let later = now + limits.window;
        for signature in 2_000..2_100 {
            let first = admit(&mut storm, signature, false, later);
            assert_eq!(first, Admission::Full { suppressed: 0 });
        }
        let shared = storm.seen.get(&OVERFLOW).map(|s| s.suppressed);
        // Each had one, and those that shared from the start all but the first.
        assert_eq!(shared, Some(512 + 2 * (1_000 - 512) - 1));
    }

    #[test]
    fn memory_is_bounded_for_any_number_of_signatures() {
        let mut storm = Storm::new(StormLimits::default());
        let now = Instant::now();
        for signature in 1..10_000 {
            admit(&mut storm, signature, false, now);
        }
        assert!(storm.seen.len() <= MAX_SIGNATURES + 1);
    }

    /// Failures of a minute: attackers with a thousand requests a second on some routes,
    /// and twenty customers who fail once each on them. How many customers are kept in
    /// full, and what that took.
    fn customers_kept(attackers: u128, routes: u64, asked: bool) -> (usize, u64) {
        let mut storm = Storm::new(StormLimits::default());
        let start = Instant::now();
        let (mut kept, mut told, mut customers, mut full) = (0, 0, 0, 0);
        let mut in_second = [0_u64; 60];
        let mut count = |admission, at: usize| match admission {
            Admission::Full { suppressed } | Admission::Heads { suppressed } => {
                kept += 1;
                told += suppressed;
                in_second[at / 1000] += 1;
                full += u64::from(matches!(admission, Admission::Full { .. }));
                matches!(admission, Admission::Full { .. })
            }
            Admission::Count => false,
        };
        for n in 0..60_000_usize {
            let now = start + Duration::from_millis(n as u64);
            let route = 1 + n as u64 % routes;
            let attacker = 1 + n as u128 / u128::from(routes) % attackers;
            count(storm.admit(route.into(), attacker, asked, now), n);
            // Not all at the same moment of a second, nor of the minute.
            if n % 2_963 == 1_481 {
                let customer = 10_000 + n as u128;
                let admission = storm.admit(route.into(), customer, false, now);
                customers += usize::from(count(admission, n));
            }
        }
        let left: u64 = storm.seen.values().map(|entry| entry.suppressed).sum();
        assert_eq!(kept + told + left, 60_020, "the counts add up");
        let most = in_second.iter().max().unwrap();
        assert!(*most <= 50 + routes, "{most} in a second");
        (customers, full)
    }

    #[test]
    fn one_peer_leaves_others_their_places() {
        for (routes, asked) in [(1, false), (10, false), (400, false), (1, true)] {
            let (customers, full) = customers_kept(1, routes, asked);
            println!("{routes} routes: {customers} of 20, {full} in full");
            assert!(customers >= 19, "{customers} of 20 with {routes} routes");
        }
    }

    #[test]
    fn many_peers_leave_others_a_chance() {
        for routes in [1, 10, 400] {
            for attackers in [2, 100, 1_000] {
                let (customers, full) = customers_kept(attackers, routes, false);
                println!("{attackers} on {routes}: {customers} of 20, {full} in full");
                assert!(attackers > 100 || customers >= 19, "{customers}");
            }
        }
    }

    #[test]
    fn of_many_by_one_a_sample_of_the_window_is_kept() {
        let limits = StormLimits::default();
        let mut storm = Storm::new(limits);
        let start = Instant::now();
        let (mut sampled, mut stands) = (Vec::new(), 0);
        for n in 0..60_000_u64 {
            let now = start + Duration::from_millis(n);
            let admission = admit(&mut storm, 7, false, now);
            if matches!(admission, Admission::Full { .. }) && storm.last().one_in > 1 {
                sampled.push(n);
                stands += storm.last().one_in;
            }
        }
        // Ten are expected, of all parts of the window.
        assert!((1..=20).contains(&sampled.len()), "{sampled:?}");
        assert!((3_000..200_000).contains(&stands), "{stands}");
    }

    #[test]
    fn names_take_no_room_from_what_the_service_knows() {
        let mut storm = Storm::new(StormLimits::default());
        let now = Instant::now();
        for name in 1..=10_000 {
            let names = [
                Some((Names::Targets, name * 7 + 1_000_000)),
                Some((Names::Hosts, name + 50_000)),
            ];
            let signature = Signature {
                names,
                kind: Kind::Call,
                ..Signature::from(1)
            };
            storm.admit(signature, 0, false, now);
            let names = [Some((Names::Methods, name + 500_000)), None];
            let signature = Signature {
                names,
                ..Signature::from(2)
            };
            storm.admit(signature, 0, false, now);
        }
        assert!(storm.seen.len() < 64 + 64 + 128 + 3, "{}", storm.seen.len());
        for route in 3..500 {
            let first = admit(&mut storm, route, false, now);
            assert_eq!(first, Admission::Full { suppressed: 0 });
        }
    }

    #[test]
    fn what_clients_leave_has_half_of_a_second() {
        let limits = StormLimits {
            per_second: 10,
            full: 100,
            ..StormLimits::default()
        };
        let mut storm = Storm::new(limits);
        let now = Instant::now();
        let abandoned = Signature {
            kind: Kind::Abandoned,
            ..Signature::from(1)
        };
        let kept = |admission| u32::from(admission != Admission::Count);
        // Beside the first of all.
        let left: u32 = (0..50)
            .map(|_| kept(storm.admit(abandoned, 0, false, now)))
            .sum();
        let failed: u32 = (0..50)
            .map(|_| kept(admit(&mut storm, 2, false, now)))
            .sum();
        assert_eq!((left, failed), (1 + 5, 1 + 5));
    }

    #[test]
    fn paths_differ_by_words() {
        let of = |text: &'static str| target(&Uri::from_static(text), "GET");
        assert_eq!(of("/users/4711/x?a=b"), of("/users/12/x"));
        let uuid = "/users/0193f5c4-aaaa-7bbb-8ccc-0123456789ab/x";
        assert_eq!(of(uuid), of("/users/deadbeefdeadbeef/x"));
        assert_ne!(of("/users/1"), of("/orders/1"));
        assert_ne!(of("/v1/users"), of("/v2/users"));
    }
}
