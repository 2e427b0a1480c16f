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
use std::ops::Range;

/// The most that is asked.
const MOST: usize = 48;

/// The mark of an exponent.
const POWER: u8 = 64;

/// How far the places may be apart at which long matches are asked for: every
/// substring that is looked for has one of them.
const STEP: usize = SUBSTRING - 2;

/// A superset of what texts and numbers could say of values in plain bytes.
#[derive(Default)]
pub(in crate::redact) struct Probes {
    asked: Vec<Probe>,
    /// The cores of all of them.
    cores: u128,
    numbers: bool,
    folded: Folded,
}

/// Three symbols, and which of them is the rarest.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Probe {
    symbols: [u8; 3],
    core: usize,
}

/// Symbols by how often they are in what services are sent.
const OFTEN: &[u8] = b"etaoin012srdl3c45678m9uphgbfywvkxjzq";

/// The rank of each byte in them.
const RANKS: [u8; 256] = {
    let mut ranks = [0; 256];
    let mut at = 0;
    while at < OFTEN.len() {
        ranks[OFTEN[at] as usize] = at as u8;
        at += 1;
    }
    ranks
};

impl Probes {
    /// Forgets what was asked.
    pub(in crate::redact) fn clear(&mut self) {
        self.asked.clear();
        self.cores = 0;
        self.numbers = false;
    }

    /// Adds what a text asks as far as it came at run time. `false` where that cannot
    /// be told: then the text has to be searched.
    pub(in crate::redact) fn fill(&mut self, text: &str, runtime: &[Range<usize>]) -> bool {
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
        if !symbols.is_ascii() {
            return;
        }
        if self.asked.iter().any(|probe| probe.symbols == symbols) {
            return;
        }
        // One that is asked for anyway, or the rarest.
        let rank = |b: u8| {
            let known = self.cores >> (b & 127) & 1;
            known as u8 * 64 + RANKS[usize::from(b)]
        };
        let [a, b, c] = symbols.map(rank);
        let core = if a > b && a > c {
            0
        } else if b > c {
            1
        } else {
            2
        };
        let probe = Probe { symbols, core };
        self.cores |= 1 << (probe.core() & 127);
        self.asked.push(probe);
    }

    /// Adds what a number asks.
    pub(in crate::redact) fn number(&mut self, number: Number) {
        if let Some(first) = number.first() {
            self.numbers = true;
            self.ask(first);
        }
    }

    /// Whether plain bytes may have a value that something asked for says.
    pub(in crate::redact) fn may_be_in(&self, raw: &[u8]) -> bool {
        if self.asked.len() > MOST {
            return true;
        }
        // The first probe of each core, and the next of the same, from one.
        let (mut first, mut next) = ([0_u8; 256], [0_u8; MOST + 1]);
        for (at, probe) in (1..=MOST).zip(&self.asked) {
            let core = probe.core();
            next[at] = first[usize::from(core)];
            first[usize::from(core)] = at as u8;
            first[usize::from(core.to_ascii_uppercase())] = at as u8;
        }
        if self.numbers {
            first[usize::from(b'e')] |= POWER;
            first[usize::from(b'E')] |= POWER;
        }
        let mut bytes = raw.iter().enumerate();
        bytes.any(|(at, b)| {
            let begins = first[usize::from(*b)];
            begins != 0 && self.is_at(raw, at, begins, &next)
        })
    }

    /// Whether something asked for is at one place: this, or what is next to it.
    fn is_at(&self, raw: &[u8], at: usize, mut probe: u8, next: &[u8]) -> bool {
        if probe & POWER != 0 && is_power(raw, at) {
            return true;
        }
        probe &= !POWER;
        while probe != 0 {
            let asked = self.asked.get(usize::from(probe) - 1);
            if asked.is_some_and(|asked| asked.is_at(raw, at)) {
                return true;
            }
            probe = next.get(usize::from(probe)).copied().unwrap_or(0);
        }
        false
    }
}

impl Probe {
    fn core(&self) -> u8 {
        self.symbols.get(self.core).copied().unwrap_or_default()
    }

    /// Whether the symbols are where the core is.
    fn is_at(&self, raw: &[u8], at: usize) -> bool {
        let [a, b, c] = self.symbols;
        match self.core {
            0 => right(raw, at, b).is_some_and(|at| right(raw, at, c).is_some()),
            1 => left(raw, at, a).is_some() && right(raw, at, c).is_some(),
            _ => left(raw, at, b).is_some_and(|at| left(raw, at, a).is_some()),
        }
    }
}

/// Where the symbol before a place is, if it is this one.
fn left(raw: &[u8], mut at: usize, symbol: u8) -> Option<usize> {
    loop {
        at = at.checked_sub(1)?;
        let b = *raw.get(at)?;
        if b | 0x20 == symbol {
            return Some(at);
        }
        if b.is_ascii_alphanumeric() {
            return None;
        }
    }
}

/// Where the symbol behind a place is, if it is this one.
fn right(raw: &[u8], mut at: usize, symbol: u8) -> Option<usize> {
    loop {
        at += 1;
        let b = *raw.get(at)?;
        if b | 0x20 == symbol {
            return Some(at);
        }
        if b.is_ascii_alphanumeric() {
            return None;
        }
    }
}

/// Whether bytes are plain: a value in them is a piece of them, however it is written.
pub(in crate::redact) fn is_plain(raw: &[u8]) -> bool {
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
