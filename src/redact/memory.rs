//! What was hidden in one exchange.

use std::{
    collections::HashSet,
    hash::{BuildHasher, Hasher, RandomState},
    sync::LazyLock,
};

/// The most values that are remembered.
const VALUES: usize = 4096;

/// The most values when a word is still added.
const WORDS: usize = 2048;

/// The fewest characters of a word that is looked for.
const SHORTEST_WORD: usize = 4;

/// The shortest part of a word, such as a file's name without its end, in bytes.
const LONG_PART: usize = 8;

/// The shortest part of a value that is looked for, in bytes: shorter ones are often
/// common words.
const PART: usize = 6;

/// The longest word that is looked for, in bytes.
const LONGEST_WORD: usize = 256;

/// The most bytes of values that are remembered.
const BYTES: usize = 1 << 20;

/// The hidden values. Past its limits it only knows that it is incomplete.
#[derive(Default)]
pub(super) struct Memory {
    values: HashSet<Box<str>, Seeded>,
    bytes: usize,
    full: bool,
}

/// A fast hasher for the few thousand short values of one exchange. Seeded, so
/// that nobody can choose values that all meet.
#[derive(Clone, Copy, Default)]
struct Seeded;

struct Folded(u64);

static SEED: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(0));

impl BuildHasher for Seeded {
    type Hasher = Folded;

    fn build_hasher(&self) -> Folded {
        Folded(*SEED)
    }
}

impl Hasher for Folded {
    fn write(&mut self, bytes: &[u8]) {
        // With the length, so that no two rests are one.
        self.write_u64(bytes.len() as u64);
        let (words, rest) = bytes.as_chunks();
        for word in words {
            self.write_u64(u64::from_le_bytes(*word));
        }
        match bytes.last_chunk() {
            _ if rest.is_empty() => {}
            // Some of it again, but at once.
            Some(last) => self.write_u64(u64::from_le_bytes(*last)),
            None => self.write_u64(rest.iter().fold(0, |n, &b| n << 8 | u64::from(b))),
        }
    }

    fn write_u8(&mut self, _: u8) {
        // The mark behind a text: the lengths in `write` do as well.
    }

    fn write_u64(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word) * u128::from(*SEED | 1);
        self.0 = (product >> 64) as u64 ^ product as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl Memory {
    /// Remembers a value, as it is and without the white space around it.
    pub(super) fn add(&mut self, value: &str) {
        // Most have none, and that is seen at once.
        let graphic = |b: Option<&u8>| b.is_some_and(u8::is_ascii_graphic);
        let bytes = value.as_bytes();
        if graphic(bytes.first()) && graphic(bytes.last()) {
            return self.insert(value);
        }
        let trimmed = value.trim();
        self.insert(trimmed);
        if trimmed.len() != value.len() && !trimmed.is_empty() {
            self.insert(value);
        }
    }

    fn insert(&mut self, value: &str) {
        // One or two characters are too common to be looked for.
        // No character has more than four bytes.
        let short = value.len() <= 8 && value.chars().nth(2).is_none();
        if self.full || short || self.values.contains(value) {
            return;
        }
        self.bytes += value.len();
        if self.values.len() >= VALUES || self.bytes > BYTES {
            *self = Self {
                full: true,
                ..Self::default()
            };
            return;
        }
        self.values.insert(value.into());
    }

    /// Remembers the words of a text of which nothing else is known, as far as
    /// there is room: missing one of them is not missing a value.
    pub(super) fn add_words(&mut self, text: &str) {
        let between =
            |c: char| c.is_whitespace() || "<>\"'=&,;:{}[]()|\0\u{feff}\u{fffd}".contains(c);
        for word in text.split(between) {
            if self.values.len() >= WORDS || self.bytes > BYTES / 4 {
                return;
            }
            if word.len() <= LONGEST_WORD && word.chars().nth(SHORTEST_WORD - 1).is_some() {
                self.insert(word);
                // Without what a sentence, or the markup, has at its ends.
                let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
                if bare.len() < word.len() && bare.chars().nth(SHORTEST_WORD - 1).is_some() {
                    self.insert(bare);
                }
                for part in word
                    .split(['.', '/'])
                    .filter(|part| part.len() < word.len())
                {
                    if part.len() >= LONG_PART {
                        self.insert(part);
                    }
                }
            }
        }
    }

    /// Remembers what separators set apart in a value, as far as there is room:
    /// services that take one apart say one part of it.
    pub(super) fn add_parts(&mut self, text: &str, between: impl Fn(char) -> bool) {
        for part in text.split(between).map(str::trim) {
            if self.values.len() >= WORDS || self.bytes > BYTES / 4 {
                return;
            }
            if part.len() < text.len() && part.len() >= PART && part.len() <= LONGEST_WORD {
                self.insert(part);
            }
        }
    }

    /// The values, unless there were too many. Shorter ones come first: a
    /// decoded value goes before the encodings that it came in.
    pub(super) fn into_values(self) -> Option<Vec<Box<str>>> {
        if self.full {
            return None;
        }
        let mut values: Vec<_> = self.values.into_iter().collect();
        values.sort_unstable_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
        Some(values)
    }
}
