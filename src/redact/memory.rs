//! What was hidden in one exchange.

use std::collections::HashSet;

/// The most values that are remembered.
const VALUES: usize = 4096;

/// The most values when a word is still added.
const WORDS: usize = 2048;

/// The fewest characters of a word that is looked for.
const SHORTEST_WORD: usize = 4;

/// The longest word that is looked for, in bytes.
const LONGEST_WORD: usize = 256;

/// The most bytes of values that are remembered.
const BYTES: usize = 1 << 20;

/// The hidden values. Past its limits it only knows that it is incomplete.
#[derive(Default)]
pub(super) struct Memory {
    values: HashSet<Box<str>>,
    bytes: usize,
    full: bool,
}

impl Memory {
    /// Remembers a value, as it is and without the white space around it.
    pub(super) fn add(&mut self, value: &str) {
        let trimmed = value.trim();
        self.insert(trimmed);
        if trimmed.len() != value.len() && !trimmed.is_empty() {
            self.insert(value);
        }
    }

    fn insert(&mut self, value: &str) {
        // One or two characters are too common to be looked for.
        if self.full || value.chars().nth(2).is_none() || self.values.contains(value) {
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
        let between = |c: char| c.is_whitespace() || "<>\"'=&,;:{}[]()|".contains(c);
        for word in text.split(between) {
            if self.values.len() >= WORDS || self.bytes > BYTES / 4 {
                return;
            }
            if word.len() <= LONGEST_WORD && word.chars().nth(SHORTEST_WORD - 1).is_some() {
                self.insert(word);
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
