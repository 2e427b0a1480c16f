use super::{Arrival, Entry, Node, Test, arrival::decoded};
use crate::selection::model::{Is, PathIs};
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
enum Kind {
    Route,
    Segment,
    Host,
    ContentType,
    Cookie,
    Query,
    Header,
    HeaderName,
}

impl Kind {
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
        match tests().filter_map(anchor).min_by_key(|anchor| anchor.rank) {
            None => set(&mut self.always, n),
            Some(anchor) => {
                self.kinds |= anchor.kind.bit();
                if let Some(name) = anchor.header
                    && !self.headers.contains(&name)
                {
                    self.headers.push(name);
                }
                for hash in anchor.hashes {
                    set(self.found.entry(hash).or_insert([0; WORDS]), n);
                }
            }
        }
    }

    pub(super) fn candidates(&self, arrival: &Arrival<'_>) -> Mask {
        let mut mask = self.always;
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
            let end = path.iter().position(|b| *b == b'/').unwrap_or(path.len());
            add(Kind::Segment, b"", path.get(..end).unwrap_or_default());
        }
        if has(Kind::Host)
            && let Some(host) = arrival.host()
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
                add(Kind::Cookie, name, value);
            }
        }
        if has(Kind::Query) {
            for (name, value) in arrival.pairs() {
                decoded(name, |name| {
                    decoded(value, |value| {
                        add(
                            Kind::Query,
                            name.unwrap_or_default(),
                            value.unwrap_or_default(),
                        );
                    });
                });
            }
        }
        if has(Kind::Header) || has(Kind::HeaderName) {
            // Whichever there are fewer of.
            if self.headers.len() <= arrival.headers.len() {
                for name in &self.headers {
                    for value in arrival.headers.get_all(name) {
                        add(Kind::HeaderName, name.as_str().as_bytes(), b"");
                        add(Kind::Header, name.as_str().as_bytes(), value.as_bytes());
                    }
                }
            } else {
                for (name, value) in arrival.headers {
                    add(Kind::HeaderName, name.as_str().as_bytes(), b"");
                    add(Kind::Header, name.as_str().as_bytes(), value.as_bytes());
                }
            }
        }
    }
}

fn set(mask: &mut Mask, n: usize) {
    if let Some(word) = mask.get_mut(n / 64) {
        *word |= 1 << (n % 64);
    }
}

/// The numbers of the bits that are set, ascending.
pub(super) fn bits(mask: Mask) -> impl Iterator<Item = usize> {
    mask.into_iter().enumerate().flat_map(|(n, mut word)| {
        std::iter::from_fn(move || {
            let bit = word.trailing_zeros() as usize;
            if word == 0 {
                return None;
            }
            word &= word - 1;
            Some(n * 64 + bit)
        })
    })
}

/// How a rule can be found by one of its conditions.
struct Anchor {
    /// Less is better: what few requests have goes first.
    rank: u8,
    kind: Kind,
    header: Option<HeaderName>,
    hashes: Vec<u64>,
}

fn anchor(test: &Test) -> Option<Anchor> {
    let anchor = |rank, kind, header: Option<&HeaderName>, hashes| {
        Some(Anchor {
            rank,
            kind,
            header: header.cloned(),
            hashes,
        })
    };
    let all = |kind, name: &str, values: &[String]| -> Vec<u64> {
        let hash = |value: &String| hash(kind, name.as_bytes(), value.as_bytes());
        values.iter().map(hash).collect()
    };
    match test {
        Test::Header(name, text) => match &text.0 {
            Is::OneOf(values) => {
                let hashes = all(Kind::Header, name.as_str(), values);
                anchor(0, Kind::Header, Some(name), hashes)
            }
            Is::Absent => None,
            _ => {
                let hash = hash(Kind::HeaderName, name.as_str().as_bytes(), b"");
                anchor(6, Kind::HeaderName, Some(name), vec![hash])
            }
        },
        Test::Cookie(name, text) => match &text.0 {
            Is::OneOf(values) => anchor(1, Kind::Cookie, None, all(Kind::Cookie, name, values)),
            _ => None,
        },
        // Longer values are not decoded, and would not be found.
        Test::Query(key, text) => match &text.0 {
            Is::OneOf(values) => anchor(2, Kind::Query, None, all(Kind::Query, key, values)),
            _ => None,
        },
        Test::Route(templates) => anchor(3, Kind::Route, None, all(Kind::Route, "", templates)),
        Test::Path(PathIs::Like(globs)) => {
            let segments = globs.iter().map(|glob| {
                let segment = glob.first_segment()?;
                Some(hash(Kind::Segment, b"", segment))
            });
            anchor(4, Kind::Segment, None, segments.collect::<Option<_>>()?)
        }
        Test::Host(text) => match &text.0 {
            Is::OneOf(values) => anchor(5, Kind::Host, None, all(Kind::Host, "", values)),
            _ => None,
        },
        Test::ContentType(types) if types.iter().all(|t| !t.ends_with("/*")) => anchor(
            7,
            Kind::ContentType,
            None,
            all(Kind::ContentType, "", types),
        ),
        Test::Method(_) | Test::Path(_) | Test::Client(_) | Test::ContentType(_) => None,
    }
}

/// A hash that knows no case, for tables whose keys are rules', not clients'.
fn hash(kind: Kind, name: &[u8], value: &[u8]) -> u64 {
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
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {}

    fn write_u64(&mut self, n: u64) {
        self.0 = n;
    }
}
