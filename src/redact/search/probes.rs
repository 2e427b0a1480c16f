//! A quick check whether raw bytes can contain a value that texts contain, before the bytes
//! are parsed.
//!
//! A value in plain bytes is a substring, apart from non-symbols. So if a text contains the
//! value, three consecutive symbols of the text are also consecutive in the bytes.

use super::{
    escapes, find,
    fold::Folded,
    numbers::{self, Number},
    sets::SUBSTRING,
    source::Source,
    symbols, tokens,
};
use memchr::memchr2_iter;
use std::ops::Range;

/// The most probes.
const MOST: usize = 48;

/// The greatest distance between probes of long matches: every substring that is searched
/// for has one.
const STEP: usize = SUBSTRING - 2;

/// How many probes are checked at once: each has one bit in three parts of a word, and one
/// bit is left.
const AT_ONCE: usize = 21;
const FIRSTS: u64 = (1 << AT_ONCE) - 1;
const LASTS: u64 = FIRSTS << (2 * AT_ONCE);
/// Not a symbol.
const GAP: u64 = 1 << 63;

/// For each byte, the probes in which it is the first, second and third symbol.
type Table = [u64; 256];

const NOTHING: Table = {
    let mut table = [GAP; 256];
    let mut b = 0;
    while b < 128 {
        if (b as u8).is_ascii_alphanumeric() {
            table[b] = 0;
        }
        b += 1;
    }
    table
};

/// Probes for a superset of the values in plain bytes that texts and numbers can contain.
#[derive(Default)]
pub(crate) struct Probes {
    /// Three consecutive symbols each.
    asked: Vec<[u8; 3]>,
    /// The same in lanes. Further lanes may be left over from earlier probes.
    tables: Vec<Table>,
    numbers: bool,
    /// Some probes were left out because plain bytes never match them.
    beyond: bool,
    folded: Folded,
}

/// Returns whether three symbols of a probe are consecutive, ignoring everything else
/// between them.
fn is_in(table: &Table, raw: &[u8]) -> bool {
    let mut may_follow = FIRSTS;
    raw.chunks(64).any(|part| {
        let mut all = 0;
        for b in part {
            let of = table[usize::from(*b)];
            let seen = may_follow & of;
            let next = seen << AT_ONCE | FIRSTS;
            may_follow = if of == GAP { may_follow } else { next };
            all |= seen;
        }
        all & LASTS != 0
    })
}

impl Probes {
    /// Removes all probes.
    pub(crate) fn clear(&mut self) {
        self.asked.clear();
        (self.numbers, self.beyond) = (false, false);
    }

    /// Returns whether there are no probes, so that no value matches.
    pub(crate) fn is_empty(&self) -> bool {
        self.asked.is_empty() && !self.beyond
    }

    /// Adds probes for the run-time parts of a text. Returns `false` if there are none for
    /// it: then the text must be searched.
    pub(crate) fn fill(&mut self, text: &str, runtime: &[Range<usize>]) -> bool {
        if runtime.iter().all(Range::is_empty) {
            return true;
        }
        let bytes = text.as_bytes();
        if !escapes::is_plain(bytes) || is_encoded(bytes, runtime) || has_signs(bytes, runtime) {
            return false;
        }
        let mut folded = std::mem::take(&mut self.folded);
        if bytes.is_ascii() {
            folded.fill(bytes, false);
            let symbol = |at: &usize| bytes.get(*at).is_some_and(u8::is_ascii_alphanumeric);
            let places = (0..bytes.len()).filter(symbol).map(|at| (at, at + 1));
            folded.places.extend(places);
        } else {
            folded.fill(bytes, true);
        }
        self.words(&folded, runtime);
        self.folded = folded;
        numbers::each(bytes, |range, number| {
            if find::touches(runtime, &range) {
                self.number(number);
            }
        });
        self.asked.len() <= MOST
    }

    fn words(&mut self, folded: &Folded, runtime: &[Range<usize>]) {
        let (mut inside, mut last) = (false, 0);
        for (at, (from, to)) in folded.places.iter().enumerate() {
            if self.asked.len() > MOST {
                return;
            }
            if !find::touches(runtime, &(*from..*to)) {
                if inside && last + 1 < at {
                    self.gram(folded, at - 1);
                }
                inside = false;
                continue;
            }
            if !inside {
                // A value that begins before this part and continues in it.
                (1..=2.min(at)).for_each(|n| self.gram(folded, at - n));
            }
            let word = folded.flags.get(at).is_some_and(|flag| *flag != 0);
            if !inside || word || at >= last + STEP {
                self.gram(folded, at);
                last = at;
            }
            inside = true;
        }
    }

    fn gram(&mut self, folded: &Folded, at: usize) {
        if let Some(gram) = folded.symbols.get(at..).and_then(|s| s.first_chunk()) {
            self.ask(*gram);
        }
    }

    fn ask(&mut self, symbols: [u8; 3]) {
        // Plain bytes contain nothing else.
        self.beyond |= !symbols.is_ascii();
        if !symbols.is_ascii() || self.asked.contains(&symbols) {
            return;
        }
        let (nth, bit) = (self.asked.len() / AT_ONCE, self.asked.len() % AT_ONCE);
        self.asked.push(symbols);
        match self.tables.get_mut(nth) {
            Some(table) if bit == 0 => *table = NOTHING,
            Some(_) => {}
            None => self.tables.push(NOTHING),
        }
        if let Some(table) = self.tables.get_mut(nth) {
            for (place, symbol) in symbols.into_iter().enumerate() {
                let of = 1 << (place * AT_ONCE + bit);
                table[usize::from(symbol)] |= of;
                table[usize::from(symbol.to_ascii_uppercase())] |= of;
            }
        }
    }

    /// Adds probes for a number.
    pub(crate) fn number(&mut self, number: Number) {
        if let Some(first) = number.first() {
            self.numbers = true;
            self.ask(first);
        }
    }

    /// Returns whether plain bytes may contain a value that matches a probe.
    pub(crate) fn may_be_in(&self, raw: &[u8]) -> bool {
        if self.asked.len() > MOST || (self.numbers && has_power(raw)) {
            return true;
        }
        let tables = self.asked.len().div_ceil(AT_ONCE);
        self.tables.iter().take(tables).any(|t| is_in(t, raw))
    }
}

/// Returns whether bytes are plain: each value in them is a substring.
pub(crate) fn is_plain(raw: &[u8]) -> bool {
    raw.is_ascii() && escapes::is_plain(raw)
}

/// Returns whether run-time text may be in another alphabet.
fn is_encoded(bytes: &[u8], runtime: &[Range<usize>]) -> bool {
    let source = Source::of(bytes);
    let told = tokens::each(bytes, |token| {
        if !find::touches(runtime, token.range()) {
            return Ok(());
        }
        tokens::read(source, token, |step| match step {
            tokens::Step::Work(_) => Ok(()),
            tokens::Step::Text(_) | tokens::Step::Mixed(_) => Err(()),
        })
    });
    told.is_err()
}

/// Returns whether there may be a value without letters and digits.
fn has_signs(bytes: &[u8], runtime: &[Range<usize>]) -> bool {
    let mut some = false;
    symbols::each(bytes, |_, places| {
        some |= places
            .iter()
            .any(|(from, to)| find::touches(runtime, &(*from..*to)));
    });
    some
}

/// Returns whether a number in it has an exponent.
fn has_power(raw: &[u8]) -> bool {
    // Almost no text has such bytes, and the check reads many at a time.
    let threes = raw.iter().zip(raw.iter().skip(1)).zip(raw.iter().skip(2));
    let some = threes.fold(false, |some, ((a, e), b)| {
        let power = b.is_ascii_digit() | (*b == b'+') | (*b == b'-');
        some | (a.is_ascii_digit() & (e | 0x20 == b'e') & power)
    });
    some && memchr2_iter(b'e', b'E', raw).any(|at| is_power(raw, at))
}

/// Returns whether the exponent of a number begins here: its digits are not those of the
/// number.
fn is_power(raw: &[u8], at: usize) -> bool {
    let (before, after) = raw.split_at(at);
    if !before.last().is_some_and(u8::is_ascii_digit) {
        return false;
    }
    let ([_, b'+' | b'-', after @ ..] | [_, after @ ..]) = after else {
        return false;
    };
    let part = |b: &&u8| b.is_ascii_digit() || b".,_' ".contains(b);
    let word = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    after.first().is_some_and(u8::is_ascii_digit)
        && !word(after.iter().find(|b| !b.is_ascii_digit()))
        && !word(before.iter().rev().find(|b| !part(b)))
}
