//! Finds hidden values in text, in many encodings. `docs/threat-model.md` lists those that
//! are not found.
//!
//! Texts and values are compared by their letters and digits only, in one case and without
//! diacritics ([`fold`]), after escapes that consist of letters or digits are undone
//! ([`escapes`]) and other alphabets such as base64 are decoded ([`tokens`]). A value of
//! ten symbols or more is found by its parts, so that halves, cuts and joins are found,
//! too; a shorter one only as a whole word ([`sets`]). Numbers are compared as numbers
//! ([`numbers`]).
//!
//! The work is linear in the text, whatever is hidden, and counted as [`Work`].

mod escapes;
mod find;
mod fold;
mod numbers;
mod ordinary;
mod probes;
mod sets;
mod source;
mod symbols;
mod tokens;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_probes;
#[cfg(test)]
mod tests_recall;
#[cfg(test)]
mod tests_ways;
#[cfg(test)]
mod tests_work;

pub(crate) use self::{
    numbers::Number,
    probes::{Probes, is_plain},
};

use self::{
    fold::Folded,
    sets::{BEFORE, BEHIND, GRAM, Grams, Hashed, LONGEST, SHORTEST, Seeds, Shorts},
    source::Source,
};
use std::{borrow::Cow, ops::Range};

/// The most bytes of values, including [`EACH`] for each value.
const BYTES: usize = 1 << 20;

/// The cost of a value in addition to its bytes.
const EACH: usize = 16;

/// The fewest digits of a number that is searched for although only the default hides it.
const DIGITS: usize = 5;

/// Why a value is hidden.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Why {
    /// By its name, a detector or the policy: searched for if it has three symbols or more.
    Told,
    /// Only by the default: not searched for if it is an ordinary word or has fewer than
    /// five digits and nothing else.
    All,
}

/// The hidden values to search texts for.
#[derive(Clone, Default)]
pub(crate) struct Index {
    /// The concatenated values, and the position of each.
    arena: String,
    values: Vec<(u32, u32)>,
    shorts: Shorts,
    /// The parts of long values.
    grams: Grams,
    /// Values by their long symbols.
    wholes: Hashed<u32>,
    numbers: Hashed<u32>,
    /// Parts of values without letters and digits.
    symbols: Grams,
    seeds: Seeds,
    bytes: usize,
    full: bool,
    folded: Folded,
}

/// A part of a text to hide.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Found {
    pub(super) range: Range<usize>,
    /// The value, if it is a complete one.
    pub(super) value: Option<u32>,
}

/// The remaining work budget: about one unit for each byte of text.
#[derive(Clone, Debug)]
pub(crate) struct Work {
    left: u64,
}

/// The budget is exhausted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Spent;

impl Work {
    pub(super) fn new(units: u64) -> Self {
        Self { left: units }
    }

    pub(super) fn left(&self) -> u64 {
        self.left
    }

    /// Consumes a part of the budget. If it is too much, nothing is left.
    pub(super) fn spend(&mut self, units: u64) -> Result<(), Spent> {
        let left = self.left.checked_sub(units);
        self.left = left.unwrap_or(0);
        left.map(|_| ()).ok_or(Spent)
    }
}

impl Index {
    /// Adds a value.
    pub(super) fn add(&mut self, value: &str, why: Why) {
        let undone = escapes::undo(Source::of(value.as_bytes()));
        let text = undone.text.as_ref().map_or(value.as_bytes(), |t| &t.bytes);
        let mut place = None;
        let id = self.view(text, value, why, &mut place);
        for other in &undone.others {
            self.view(&other.bytes, value, why, &mut place);
        }
        self.number_of(value, why, id, &mut place);
    }

    /// Adds a value that may not be UTF-8, in its possible encodings.
    pub(super) fn add_bytes(&mut self, value: &[u8], why: Why) {
        for reading in readings(value) {
            self.add(&reading, why);
        }
    }

    /// As [`add_words`](Self::add_words), for a text that may not be UTF-8.
    pub(super) fn add_words_of(&mut self, text: &[u8], why: Why) {
        for reading in readings(text) {
            self.add_words(&reading, why);
        }
    }

    /// Adds a text in an unknown format: its parts, and short words and cells.
    pub(super) fn add_words(&mut self, text: &str, why: Why) {
        let undone = escapes::undo(Source::of(text.as_bytes()));
        let read = undone.text.as_ref().map_or(text.as_bytes(), |t| &t.bytes);
        let others = undone.others.iter().map(|t| t.bytes.as_slice());
        let Some(start) = self.store(text) else {
            return;
        };
        let mut folded = std::mem::take(&mut self.folded);
        for bytes in std::iter::once(read).chain(others) {
            folded.fill(bytes, false);
            self.parts(&folded);
        }
        self.folded = folded;
        let mut at = start;
        for cell in text.split(|c: char| ",;|\t\r\n\"'<>=:".contains(c)) {
            self.short_text(cell, at, SHORTEST, why);
            let mut from = at;
            for word in cell.split(|c: char| !c.is_alphanumeric()) {
                if word.len() < cell.len() {
                    self.short_text(word, from, SHORTEST + 1, why);
                }
                // The next one starts after a character of any length.
                from += word.len();
                let rest = self.arena.get(from..).and_then(|t| t.chars().next());
                from += rest.map_or(0, char::len_utf8);
            }
            at += cell.len() + 1;
        }
    }

    /// Adds a cell or a word of a stored text.
    fn short_text(&mut self, text: &str, at: usize, least: usize, why: Why) {
        if text.len() < least || text.len() > 256 {
            return;
        }
        let mut place = Some(at);
        let mut folded = std::mem::take(&mut self.folded);
        folded.fill(text.as_bytes(), false);
        if (least..=LONGEST).contains(&folded.symbols.len()) {
            let id = self.short(&folded, text, why, &mut place);
            self.number_of(text, why, id, &mut place);
        }
        self.folded = folded;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes == 0 && !self.full
    }

    /// Returns whether there were too many values, so that none is known any more.
    pub(super) fn is_full(&self) -> bool {
        self.full
    }

    /// Returns the bytes of all values, including [`EACH`] for each value.
    pub(super) fn len_bytes(&self) -> usize {
        self.bytes
    }

    /// Returns the text of a value.
    pub(super) fn value(&self, id: u32) -> Option<&str> {
        let (from, to) = *self.values.get(usize::try_from(id).ok()?)?;
        self.arena.get(from as usize..to as usize)
    }

    /// Adds the ranges of hidden values in the run-time parts of a text.
    ///
    /// The whole text is searched, because literals of the program can be part of escapes.
    /// The given ranges are sorted. The added ones are sorted and do not overlap.
    pub(super) fn find(
        &self,
        text: &str,
        runtime: &[Range<usize>],
        work: &mut Work,
        out: &mut Vec<Found>,
    ) -> Result<(), Spent> {
        if self.full || u32::try_from(text.len()).is_err() {
            return Err(Spent);
        }
        if self.is_empty() || runtime.iter().all(Range::is_empty) {
            return Ok(());
        }
        find::find(self, text, runtime, work, out)
    }

    /// Returns the hidden value that equals a number.
    pub(super) fn number(&self, number: Number) -> Option<u32> {
        self.numbers.get(&number.key(self.seeds)).copied()
    }

    /// Returns the value with these symbols.
    fn whole(&self, symbols: &[u8]) -> Option<u32> {
        self.wholes.get(&self.seeds.bytes(symbols)).copied()
    }

    /// Adds one reading of a value.
    fn view(
        &mut self,
        bytes: &[u8],
        value: &str,
        why: Why,
        place: &mut Option<usize>,
    ) -> Option<u32> {
        let mut folded = std::mem::take(&mut self.folded);
        folded.fill(bytes, false);
        let id = match folded.symbols.len() {
            0 => {
                self.signs(bytes, value, why);
                None
            }
            SHORTEST..=LONGEST => self.short(&folded, value, why, place),
            1..SHORTEST => None,
            _ => self.long(&folded, value, why, place),
        };
        self.folded = folded;
        id
    }

    fn short(
        &mut self,
        folded: &Folded,
        value: &str,
        why: Why,
        place: &mut Option<usize>,
    ) -> Option<u32> {
        let symbols = &folded.symbols;
        let few = symbols.len() < DIGITS && symbols.iter().all(u8::is_ascii_digit);
        if why == Why::All && (few || ordinary::is_ordinary(symbols)) {
            return None;
        }
        let id = match self.shorts.id(symbols) {
            Some(id) => id,
            None => self.id(value, place)?,
        };
        self.shorts.insert(symbols, &folded.flags, id);
        Some(id)
    }

    fn long(
        &mut self,
        folded: &Folded,
        value: &str,
        why: Why,
        place: &mut Option<usize>,
    ) -> Option<u32> {
        if why == Why::All && ordinary::is_ordinary(&folded.symbols) {
            return None;
        }
        let key = self.seeds.bytes(&folded.symbols);
        if let Some(id) = self.wholes.get(&key) {
            return Some(*id);
        }
        let id = self.id(value, place)?;
        self.wholes.insert(key, id);
        self.parts(folded);
        Some(id)
    }

    /// Adds all parts of folded symbols.
    fn parts(&mut self, folded: &Folded) {
        let (symbols, flags) = (&folded.symbols, &folded.flags);
        self.grams.reserve(symbols.len());
        for (at, gram) in symbols.windows(GRAM).enumerate() {
            let Some(gram) = gram.first_chunk() else {
                continue;
            };
            let before = flags.get(at).is_none_or(|f| *f != 0);
            let behind = flags.get(at + GRAM).is_none_or(|f| *f != 0);
            let beside = (u32::from(before) * BEFORE) | (u32::from(behind) * BEHIND);
            self.grams.insert(u64::from_le_bytes(*gram), beside);
        }
    }

    /// Adds a value without letters and digits.
    fn signs(&mut self, bytes: &[u8], value: &str, why: Why) {
        let least = if why == Why::All { DIGITS } else { SHORTEST };
        if value.chars().count() < least || !self.count(value.len()) {
            return;
        }
        let parts = &mut self.symbols;
        parts.reserve(value.len());
        symbols::each(bytes, |gram, _| parts.insert(gram, 0));
    }

    fn number_of(&mut self, value: &str, why: Why, mut id: Option<u32>, place: &mut Option<usize>) {
        let least = if why == Why::All { DIGITS } else { SHORTEST };
        let (bare, mut all) = (value.trim().trim_start_matches(['-', '+']), [None; 3]);
        if bare.len() < least || !bare.as_bytes().first().is_some_and(u8::is_ascii_digit) {
            return;
        }
        let mut free = all.iter_mut();
        numbers::each(bare.as_bytes(), |range, number| {
            let whole = range.start == 0 && range.end == bare.len();
            if whole && number.figures() >= least {
                free.next().map(|free| free.replace(number));
            }
        });
        for number in all.into_iter().flatten() {
            let Some(known) = id.or_else(|| self.id(value, place)) else {
                return;
            };
            id = Some(known);
            self.numbers.entry(number.key(self.seeds)).or_insert(known);
        }
    }

    /// Counts bytes. Past the limit all values are dropped.
    fn count(&mut self, bytes: usize) -> bool {
        self.bytes += bytes + EACH;
        if self.full || self.bytes > BYTES {
            *self = Self {
                full: true,
                ..Self::default()
            };
        }
        !self.full
    }

    /// Stores a text, and returns its position.
    fn store(&mut self, text: &str) -> Option<usize> {
        if !self.count(text.len()) {
            return None;
        }
        let start = self.arena.len();
        self.arena.push_str(text);
        Some(start)
    }

    /// Returns the number of a new value, stored where it already is or after the others.
    fn id(&mut self, value: &str, place: &mut Option<usize>) -> Option<u32> {
        let start = match *place {
            Some(start) => self.count(0).then_some(start)?,
            None => self.store(value)?,
        };
        *place = Some(start);
        let id = u32::try_from(self.values.len()).ok()?;
        let to = u32::try_from(start + value.len()).ok()?;
        self.values.push((u32::try_from(start).ok()?, to));
        Some(id)
    }
}

/// Decodes bytes to text: as UTF-16 or UTF-32 if the zeros indicate it, else as UTF-8, or,
/// if they are invalid, as services usually do.
fn readings(bytes: &[u8]) -> Vec<Cow<'_, str>> {
    let mut readings = Vec::new();
    let zeros = bytes.iter().filter(|b| **b == 0).count();
    if zeros * 4 >= bytes.len() && !bytes.is_empty() {
        readings.push(Cow::Owned(wide(bytes, zeros)));
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => readings.push(Cow::Borrowed(text)),
        Err(_) => {
            readings.push(String::from_utf8_lossy(bytes));
            readings.push(bytes.iter().copied().map(char::from).collect());
        }
    }
    readings
}

/// Decodes UTF-16 or UTF-32, by the positions of zeros.
fn wide(bytes: &[u8], zeros: usize) -> String {
    let last_zero = |width: usize| bytes.chunks_exact(width).filter(|c| c.last() == Some(&0));
    if zeros * 8 >= bytes.len() * 5 {
        let little = last_zero(4).count() * 2 > bytes.len() / 4;
        let chars = bytes.as_chunks().0.iter().map(|unit| {
            if little {
                u32::from_le_bytes(*unit)
            } else {
                u32::from_be_bytes(*unit)
            }
        });
        chars.filter_map(char::from_u32).collect()
    } else {
        let little = last_zero(2).count() * 2 > bytes.len() / 4;
        let units = bytes.as_chunks().0.iter().map(|unit| {
            if little {
                u16::from_le_bytes(*unit)
            } else {
                u16::from_be_bytes(*unit)
            }
        });
        char::decode_utf16(units).filter_map(Result::ok).collect()
    }
}
