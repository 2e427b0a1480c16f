//! What texts ask of raw bytes, before anything of them is read.
//!
//! A value of plain bytes is a piece of them, but for what is no symbol. So where a
//! text says it, three symbols that follow each other in the text follow each other in
//! the bytes.

use super::{
    escapes, find,
    fold::Folded,
    numbers::{self, Number},
    sets::SUBSTRING,
    source::Source,
    symbols, tokens,
};
use memchr::{memchr_iter, memchr2_iter};
use std::ops::Range;

/// The most that is asked.
const MOST: usize = 48;

/// How far the places may be apart at which long matches are asked for: every
/// substring that is looked for has one of them.
const STEP: usize = SUBSTRING - 2;

/// A superset of what texts and numbers could say of values in plain bytes.
#[derive(Default)]
pub(crate) struct Probes {
    /// Three symbols each, which follow each other.
    asked: Vec<[u8; 3]>,
    numbers: bool,
    folded: Folded,
}

/// Places that are looked at at once.
const AT_ONCE: usize = 512;

/// Letters in one case; marks become others, which makes places that are none.
#[inline(never)]
fn fold_case(lower: &mut [u8], bytes: &[u8]) {
    for (lower, b) in lower.iter_mut().zip(bytes) {
        *lower = b | 0x20;
    }
}

/// Notes what is no symbol.
#[inline(never)]
fn note_gaps(gaps: &mut [u8], bytes: &[u8]) {
    for (gap, b) in gaps.iter_mut().zip(bytes) {
        let letter = (b | 0x20).wrapping_sub(b'a') < 26;
        let digit = b.wrapping_sub(b'0') < 10;
        *gap = u8::from(!(letter | digit));
    }
}

/// Notes where a first symbol is followed by a second one, or by none. Many places at
/// once: the loop is simple enough for that.
#[inline(never)]
fn note(places: &mut [u8], lower: &[u8], next: &[u8], gaps: &[u8], (a, b): (u8, u8)) {
    for (((place, first), second), gap) in places.iter_mut().zip(lower).zip(next).zip(gaps) {
        *place |= u8::from(*first == a) & (u8::from(*second == b) | gap);
    }
}

/// Whether symbols follow each other from a place on, whatever else stands between.
fn are_at(symbols: [u8; 3], raw: &[u8], mut at: usize) -> bool {
    for symbol in symbols {
        loop {
            let Some(b) = raw.get(at) else {
                return false;
            };
            at += 1;
            if b | 0x20 == symbol && b.is_ascii_alphanumeric() {
                break;
            }
            if b.is_ascii_alphanumeric() {
                return false;
            }
        }
    }
    true
}

impl Probes {
    /// Forgets what was asked.
    pub(crate) fn clear(&mut self) {
        self.asked.clear();
        self.numbers = false;
    }

    /// Adds what a text asks as far as it came at run time. `false` where that cannot
    /// be told: then the text has to be searched.
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
                // What begins before and goes on here.
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
        // Nothing else is in plain bytes.
        if symbols.is_ascii() && !self.asked.contains(&symbols) {
            self.asked.push(symbols);
        }
    }

    /// Adds what a number asks.
    pub(crate) fn number(&mut self, number: Number) {
        if let Some(first) = number.first() {
            self.numbers = true;
            self.ask(first);
        }
    }

    /// Whether plain bytes may have a value that something asked for says.
    pub(crate) fn may_be_in(&self, raw: &[u8]) -> bool {
        if self.asked.len() > MOST || (self.numbers && has_power(raw)) {
            return true;
        }
        (0..raw.len())
            .step_by(AT_ONCE)
            .any(|from| self.may_begin(raw, from))
    }

    /// Whether something asked for begins in one of the places from here on.
    fn may_begin(&self, raw: &[u8], from: usize) -> bool {
        // With one that is only looked at; behind the end there is nothing.
        let (mut lower, mut gaps) = ([0; AT_ONCE + 1], [1; AT_ONCE + 1]);
        let part = raw.get(from..).unwrap_or_default();
        let length = part.len().min(AT_ONCE);
        fold_case(&mut lower, part);
        note_gaps(&mut gaps, part);
        let mut places = [0; AT_ONCE];
        let places = places.get_mut(..length).unwrap_or_default();
        for [first, second, _] in &self.asked {
            let next = (lower.get(1..), gaps.get(1..));
            if let (Some(next), Some(gaps)) = next {
                note(places, &lower, next, gaps, (*first, *second));
            }
        }
        if places.iter().fold(0, |some, place| some | place) == 0 {
            return false;
        }
        let mut some = memchr_iter(1, places);
        some.any(|n| {
            let first = lower.get(n);
            let mut asked = self.asked.iter().filter(|symbols| symbols.first() == first);
            asked.any(|symbols| are_at(*symbols, raw, from + n))
        })
    }
}

/// Whether bytes are plain: a value in them is a piece of them, however it is written.
pub(crate) fn is_plain(raw: &[u8]) -> bool {
    raw.is_ascii() && escapes::is_plain(raw)
}

/// Whether something that came at run time may be written in another alphabet.
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

/// Whether something may be a value without letters and digits.
fn has_signs(bytes: &[u8], runtime: &[Range<usize>]) -> bool {
    let mut some = false;
    symbols::each(bytes, |_, places| {
        some |= places
            .iter()
            .any(|(from, to)| find::touches(runtime, &(*from..*to)));
    });
    some
}

/// Whether a number in it has an exponent.
fn has_power(raw: &[u8]) -> bool {
    // Almost no text has such bytes, and that is seen many at a time.
    let threes = raw.iter().zip(raw.iter().skip(1)).zip(raw.iter().skip(2));
    let some = threes.fold(false, |some, ((a, e), b)| {
        let power = b.is_ascii_digit() | (*b == b'+') | (*b == b'-');
        some | (a.is_ascii_digit() & (e | 0x20 == b'e') & power)
    });
    some && memchr2_iter(b'e', b'E', raw).any(|at| is_power(raw, at))
}

/// Whether the exponent of a number begins here: its digits are not those of the number.
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
