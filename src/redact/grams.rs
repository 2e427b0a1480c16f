//! Which of many values a short text can hold, found without looking for each.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

/// The three-byte sequences of a text, as a set that may claim too much.
pub(super) struct Grams([u64; 256]);

/// The set's places.
const BITS: u64 = 256 * 64;

impl Grams {
    pub(super) fn of(text: &str) -> Self {
        let mut set = [0; 256];
        for gram in text.as_bytes().windows(3) {
            insert(&mut set, place(number(gram), *SEED));
        }
        Self(set)
    }

    pub(super) fn may_hold(&self, key: Key) -> bool {
        self.has(key.0.into())
    }

    fn has(&self, place: usize) -> bool {
        let word = self.0.get(place / 64);
        word.is_some_and(|word| word >> (place % 64) & 1 == 1)
    }
}

fn insert(set: &mut [u64; 256], place: usize) {
    if let Some(word) = set.get_mut(place / 64) {
        *word |= 1 << (place % 64);
    }
}

/// The keys of all values, which a text is held against in one pass.
pub(super) struct Keys {
    set: Grams,
    /// Whether a value has no key: then any text may hold one.
    keyless: bool,
}

impl Keys {
    pub(super) fn of(keys: impl IntoIterator<Item = Option<Key>>) -> Self {
        let mut set = [0; 256];
        let mut keyless = false;
        for key in keys {
            match key {
                Some(Key(place)) => insert(&mut set, place.into()),
                None => keyless = true,
            }
        }
        Self {
            set: Grams(set),
            keyless,
        }
    }

    /// Whether a value may be in a text.
    pub(super) fn may_be_in(&self, text: &str) -> bool {
        let seed = *SEED;
        let mut gram = 0;
        let mut bytes = text.as_bytes().iter();
        for &b in bytes.by_ref().take(2) {
            gram = gram << 8 | u64::from(b);
        }
        bytes.len() > 0
            && (self.keyless
                || bytes.any(|&b| {
                    gram = (gram << 8 | u64::from(b)) & 0xff_ffff;
                    self.set.has(place(gram, seed))
                }))
    }
}

/// A sequence of a value that every encoding of it keeps as it is.
#[derive(Clone, Copy)]
pub(super) struct Key(u16);

impl Key {
    /// `None` where no three letters or digits stand together.
    pub(super) fn of(value: &str) -> Option<Self> {
        value
            .as_bytes()
            .windows(3)
            .find(|gram| gram.iter().all(u8::is_ascii_alphanumeric))
            .and_then(|gram| u16::try_from(place(number(gram), *SEED)).ok())
            .map(Self)
    }
}

// Seeded, so that nobody can choose values that all meet in one place.
static SEED: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(0) | 1);

fn number(gram: &[u8]) -> u64 {
    gram.iter().fold(0, |n, &b| n << 8 | u64::from(b))
}

fn place(gram: u64, seed: u64) -> usize {
    usize::try_from((gram + 1).wrapping_mul(seed) >> 32 & (BITS - 1)).unwrap_or(0)
}
