use super::{Arrival, Entry, Node, Test};
use crate::selection::{
    Network,
    model::{Is, PathIs},
};
use http::{HeaderName, Method};
use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

/// Rules of a block: one bit each.
pub(super) const BLOCK: usize = 512;
const WORDS: usize = BLOCK / 64;
type Mask = [u64; WORDS];

/// Says quickly which rules of a block can match at all, so that a decision
/// looks at those only: each rule has one condition by which it is found, or
/// none, and then it is always looked at.
#[derive(Debug)]
pub(super) struct Block {
    always: Mask,
    /// By the hash of a condition's kind, name and value. A rule that is found
    /// by mistake fails its conditions.
    found: HashMap<u64, Mask, BuildHasherDefault<AsItIs>>,
    methods: [Mask; METHODS.len() + 1],
    headers: Vec<HeaderName>,
    /// Rules that are found by the peer.
    networks: Vec<(Network, usize)>,
    /// Rules that only wait for facts: without one they need not be looked at.
    waiting: Mask,
    kinds: u8,
}

const METHODS: [Method; 7] = [
    Method::GET,
    Method::POST,
    Method::PUT,
    Method::DELETE,
    Method::PATCH,
    Method::HEAD,
    Method::OPTIONS,
];

/// What kind of condition a rule is found by.
#[derive(Clone, Copy)]
#[repr(u8)]
pub(super) enum Kind {
    Route,
    Segment,
    Host,
    ContentType,
    Cookie,
    Query,
    Header,
    // By less than the value; looked up together with those above.
    Segments,
    CookieName,
    QueryName,
    HeaderName,
    HeaderStart,
    // Not looked up here.
    Fact,
}

impl Kind {
    /// Of one of those that are looked up by themselves.
    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl Block {
    pub(super) fn new(entries: &[Entry]) -> Self {
        let mut block = Self {
            always: [0; WORDS],
            found: HashMap::default(),
            methods: [[0; WORDS]; METHODS.len() + 1],
            headers: Vec::new(),
            networks: Vec::new(),
            waiting: [0; WORDS],
            kinds: 0,
        };
        for (n, entry) in entries.iter().enumerate() {
            block.add(n, entry);
        }
        block
    }

    fn add(&mut self, n: usize, entry: &Entry) {
        let tests = || {
            entry.closed.iter().filter_map(|node| match node {
                Node::Test(test) => Some(test),
                _ => None,
            })
        };
        for (at, mask) in self.methods.iter_mut().enumerate() {
            let can = |test: &Test| match (test, METHODS.get(at)) {
                (Test::Method(methods), Some(method)) => methods.contains(method),
                (Test::Method(methods), None) => methods.iter().any(|m| !METHODS.contains(m)),
                _ => true,
            };
            if tests().all(can) {
                set(mask, n);
            }
        }
        let Some(anchor) = best(&entry.closed) else {
            let only_waits = entry.only_waits();
            set(
                if only_waits {
                    &mut self.waiting
                } else {
                    &mut self.always
                },
                n,
            );
            return;
        };
        self.networks
            .extend(anchor.networks.into_iter().map(|network| (network, n)));
        self.kinds |= anchor.kinds;
        for name in anchor.headers {
            if !self.headers.contains(&name) {
                self.headers.push(name);
            }
        }
        for hash in anchor.hashes {
            set(self.found.entry(hash).or_insert([0; WORDS]), n);
        }
    }

    pub(super) fn candidates(&self, arrival: &Arrival<'_>) -> Mask {
        let mut mask = self.always;
        if !arrival.facts.is_empty() {
            mask.iter_mut().zip(self.waiting).for_each(|(a, b)| *a |= b);
        }
        if let Some(client) = arrival.client {
            for (network, n) in &self.networks {
                if network.has(client) {
                    set(&mut mask, *n);
                }
            }
        }
        if self.kinds != 0 {
            self.look_up(arrival, &mut mask);
        }
        let at = METHODS.iter().position(|method| method == arrival.method);
        if let Some(of_method) = self.methods.get(at.unwrap_or(METHODS.len())) {
            mask.iter_mut().zip(of_method).for_each(|(a, b)| *a &= b);
        }
        mask
    }

    fn look_up(&self, arrival: &Arrival<'_>, mask: &mut Mask) {
        let work = arrival.work();
        let has = |kind: Kind| self.kinds & kind.bit() != 0;
        let mut add = |kind, name: &[u8], value: &[u8]| {
            if let Some(found) = self.found.get(&hash(kind, name, value)) {
                mask.iter_mut().zip(found).for_each(|(a, b)| *a |= b);
            }
        };
        if has(Kind::Route)
            && let Some(route) = arrival.route
        {
            add(Kind::Route, b"", route.as_bytes());
        }
        if has(Kind::Segment)
            && let Some(path) = arrival.path.as_bytes().strip_prefix(b"/")
        {
            let mut parts = path.splitn(3, |b| *b == b'/');
            let first = parts.next().unwrap_or_default();
            add(Kind::Segment, b"", first);
            if let Some(second) = parts.next() {
                add(Kind::Segments, first, second);
            }
        }
        if has(Kind::Host)
            && let Some(host) = arrival.folded_host()
        {
            add(Kind::Host, b"", host);
        }
        if has(Kind::ContentType)
            && let Some(media_type) = arrival.media_type()
        {
            add(Kind::ContentType, b"", media_type);
        }
        if has(Kind::Cookie) {
            for (name, value) in arrival.cookies() {
                if !work.pay(LOOK + value.len() / 8) {
                    break;
                }
                add(Kind::Cookie, name, value);
                add(Kind::CookieName, name, b"");
            }
        }
        if has(Kind::Query) {
            for (name, value) in arrival.pairs() {
                if !work.pay(LOOK + value.len() / 8) {
                    break;
                }
                arrival.decoded(name, |name| {
                    let name = name.unwrap_or_default();
                    add(Kind::QueryName, name, b"");
                    arrival.decoded(value, |value| {
                        add(Kind::Query, name, value.unwrap_or_default());
                    });
                });
            }
        }
        if has(Kind::Header) {
            let mut header = |name: &HeaderName, value: &[u8]| {
                let name = name.as_str().as_bytes();
                if !work.pay(LOOK + value.len() / 8) {
                    return;
                }
                add(Kind::HeaderName, name, b"");
                add(Kind::Header, name, value);
                if let Some(start) = value.get(..START) {
                    add(Kind::HeaderStart, name, start);
                }
            };
            // Whichever there are fewer of.
            if self.headers.len() <= arrival.headers.len() {
                for name in &self.headers {
                    let values = arrival.headers.get_all(name);
                    values.iter().for_each(|v| header(name, v.as_bytes()));
                }
            } else {
                let all = arrival.headers.iter();
                all.for_each(|(name, v)| header(name, v.as_bytes()));
            }
        }
    }
}

/// The work of looking up a name and its value.
const LOOK: usize = 32;

/// How much of a prefix rules are found by.
const START: usize = 4;

fn set(mask: &mut Mask, n: usize) {
    if let Some(word) = mask.get_mut(n / 64) {
        *word |= 1 << (n % 64);
    }
}

/// How a rule can be found: a request that it selects has one of these.
struct Anchor {
    /// Less is better: what few requests have goes first.
    rank: u8,
    kinds: u8,
    headers: Vec<HeaderName>,
    networks: Vec<Network>,
    hashes: Vec<u64>,
}

/// The best of conditions that all have to hold.
fn best(of: &[Node]) -> Option<Anchor> {
    of.iter()
        .filter_map(anchor)
        .min_by_key(|anchor| anchor.rank)
}

fn anchor(node: &Node) -> Option<Anchor> {
    match node {
        Node::Test(test) => anchor_of(test),
        Node::All(of) => best(of),
        // By whichever of them holds.
        Node::Any(of) => of.iter().map(anchor).reduce(|a, b| {
            let (mut a, b) = (a?, b?);
            a.rank = a.rank.max(b.rank);
            a.kinds |= b.kinds;
            a.headers.extend(b.headers);
            a.networks.extend(b.networks);
            a.hashes.extend(b.hashes);
            Some(a)
        })?,
        Node::Not(_) | Node::Fact(..) => None,
    }
}

fn anchor_of(test: &Test) -> Option<Anchor> {
    let anchor = |rank, kind: Kind, hashes| {
        Some(Anchor {
            rank,
            kinds: kind.bit(),
            headers: Vec::new(),
            networks: Vec::new(),
            hashes,
        })
    };
    let one = |kind, name: &str, value: &[u8]| vec![hash(kind, name.as_bytes(), value)];
    let all = |kind, name: &str, values: &[String]| -> Vec<u64> {
        let hash = |value: &String| hash(kind, name.as_bytes(), value.as_bytes());
        values.iter().map(hash).collect()
    };
    match test {
        Test::Header(name, _, text) => {
            let header = name.as_str();
            let (rank, hashes) = match &text.0 {
                Is::Absent => return None,
                Is::OneOf(values) => (0, all(Kind::Header, header, values)),
                Is::Prefix(prefix) if prefix.len() >= START => {
                    let start = prefix.as_bytes().get(..START)?;
                    (6, one(Kind::HeaderStart, header, start))
                }
                _ => (8, one(Kind::HeaderName, header, b"")),
            };
            let found = anchor(rank, Kind::Header, hashes)?;
            Some(Anchor {
                headers: vec![name.clone()],
                ..found
            })
        }
        Test::Cookie(name, text) => match &text.0 {
            Is::Absent => None,
            Is::OneOf(values) => anchor(1, Kind::Cookie, all(Kind::Cookie, name, values)),
            _ => anchor(7, Kind::Cookie, one(Kind::CookieName, name, b"")),
        },
        Test::Query(key, text) => match &text.0 {
            Is::Absent => None,
            Is::OneOf(values) => anchor(2, Kind::Query, all(Kind::Query, key, values)),
            _ => anchor(7, Kind::Query, one(Kind::QueryName, key, b"")),
        },
        Test::Route(templates) => anchor(3, Kind::Route, all(Kind::Route, "", templates)),
        Test::Path(PathIs::Like(globs)) => {
            let segments = globs.iter().map(|glob| {
                Some(match glob.segments()? {
                    (first, Some(second)) => hash(Kind::Segments, first, second),
                    (first, None) => hash(Kind::Segment, b"", first),
                })
            });
            anchor(4, Kind::Segment, segments.collect::<Option<_>>()?)
        }
        Test::Host(text) => match &text.0 {
            Is::OneOf(values) => anchor(5, Kind::Host, all(Kind::Host, "", values)),
            _ => None,
        },
        Test::ContentType(types) if types.iter().all(|t| !t.ends_with("/*")) => {
            anchor(9, Kind::ContentType, all(Kind::ContentType, "", types))
        }
        Test::Client(networks) => Some(Anchor {
            rank: 8,
            kinds: 0,
            headers: Vec::new(),
            networks: networks.clone(),
            hashes: Vec::new(),
        }),
        Test::Method(_) | Test::Path(_) | Test::ContentType(_) => None,
    }
}

/// A hash that knows no case, for tables whose keys are rules', not clients'.
pub(super) fn hash(kind: Kind, name: &[u8], value: &[u8]) -> u64 {
    const K: u64 = 0x517c_c1b7_2722_0a95;
    // Folds letters, and a few others with them.
    const FOLD: u64 = 0x2020_2020_2020_2020;
    let mut hash = kind as u64;
    let mut add = |word: u64| hash = (hash.rotate_left(5) ^ word).wrapping_mul(K);
    for bytes in [name, value] {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            add(u64::from_le_bytes(*word) | FOLD);
        }
        let last = rest
            .iter()
            .fold(0, |word, byte| word << 8 | u64::from(*byte | 0x20));
        add(last | (bytes.len() as u64) << 56);
    }
    hash ^ hash >> 32
}

/// For keys that are hashes already.
#[derive(Default)]
pub(super) struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {}

    fn write_u64(&mut self, n: u64) {
        self.0 = n;
    }
}
