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
            let place = place(gram);
            if let Some(word) = set.get_mut(place / 64) {
                *word |= 1 << (place % 64);
            }
        }
        Self(set)
    }

    pub(super) fn may_hold(&self, key: Key) -> bool {
        let word = self.0.get(usize::from(key.0) / 64);
        word.is_some_and(|word| word >> (key.0 % 64) & 1 == 1)
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
            .and_then(|gram| u16::try_from(place(gram)).ok())
            .map(Self)
    }
}

fn place(gram: &[u8]) -> usize {
    // Seeded, so that nobody can choose values that all meet in one place.
    static SEED: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(0) | 1);
    let gram = gram.iter().fold(0, |n: u64, &b| n << 8 | u64::from(b));
    usize::try_from((gram + 1).wrapping_mul(*SEED) >> 32 & (BITS - 1)).unwrap_or(0)
}
