//! Folds a text to its letters and digits.
//!
//! Everything else is dropped and leaves one bit in the next symbol. So quotes, white space
//! and separators need no rules of their own.

use unicode_normalization::char::{decompose_compatible, is_combining_mark};

/// A dropped character, or the start of the text, is before this symbol.
pub(super) const GAP: u8 = 1;
/// A word begins here by its form: `userName`, `name42`.
pub(super) const WEAK: u8 = 2;
/// A match begins or ends here.
pub(super) const EDGE: u8 = 4;

const NONE: u8 = 0;
const LOWER: u8 = 1;
const UPPER: u8 = 2;
const DIGIT: u8 = 3;
const WIDE: u8 = 4;

/// The kind of each ASCII character.
const KINDS: [u8; 256] = {
    let mut kinds = [NONE; 256];
    let mut b = 0;
    while b < 128 {
        let c = b as u8;
        kinds[b] = if c.is_ascii_lowercase() {
            LOWER
        } else if c.is_ascii_uppercase() {
            UPPER
        } else if c.is_ascii_digit() {
            DIGIT
        } else {
            NONE
        };
        b += 1;
    }
    kinds
};

/// The boundary between two symbols, by their kinds.
const BETWEEN: [u8; 64] = {
    let mut between = [0; 64];
    let mut at = 0;
    while at < 64 {
        let (before, kind) = (at / 8, at % 8);
        between[at] = if before == NONE as usize {
            GAP
        } else if before == kind || (before == UPPER as usize && kind == LOWER as usize) {
            0
        } else {
            WEAK
        };
        at += 1;
    }
    between
};

/// The symbols of a text: one byte for a letter or digit, three for an ideograph.
#[derive(Clone, Default)]
pub(super) struct Folded {
    pub(super) symbols: Vec<u8>,
    /// The flags of each symbol.
    pub(super) flags: Vec<u8>,
    /// The source position of each symbol, if requested.
    pub(super) places: Vec<(usize, usize)>,
    last: u8,
    /// A cache of characters, by their last bits.
    known: Vec<Known>,
}

/// A character whose symbols are known.
#[derive(Clone, Copy, Default)]
struct Known {
    c: char,
    symbols: [u8; MOST],
    length: u8,
    kind: u8,
    dropped: bool,
}

/// The most symbols of a character. Some expand to whole sentences: three bytes would cost
/// as much as twenty others.
const MOST: usize = 4;

/// How many characters are cached.
const KNOWN: usize = 128;

impl Folded {
    /// Folds a text. Records source positions only on request.
    pub(super) fn fill(&mut self, bytes: &[u8], places: bool) {
        self.symbols.clear();
        self.flags.clear();
        self.places.clear();
        self.last = NONE;
        if !places && bytes.is_ascii() {
            return self.ascii(bytes);
        }
        let mut at = 0;
        for chunk in bytes.utf8_chunks() {
            for c in chunk.valid().chars() {
                let end = at + c.len_utf8();
                self.char(c, at, end, places);
                at = end;
            }
            // Half a character, or Latin-1.
            for &b in chunk.invalid() {
                let c = if b < 0xc0 { ' ' } else { char::from(b) };
                self.char(c, at, at + 1, places);
                at += 1;
            }
        }
    }

    fn ascii(&mut self, bytes: &[u8]) {
        self.symbols.resize(bytes.len(), 0);
        self.flags.resize(bytes.len(), 0);
        let (mut n, mut last) = (0, NONE);
        let symbols = self.symbols.as_mut_slice();
        let flags = self.flags.get_mut(..symbols.len()).unwrap_or_default();
        for &b in bytes {
            let kind = KINDS[usize::from(b)];
            if n < symbols.len() && n < flags.len() {
                // Digits already have this bit.
                symbols[n] = b | 0x20;
                flags[n] = BETWEEN[usize::from((last << 3 | kind) & 63)];
            }
            n += usize::from(kind != NONE);
            last = kind;
        }
        self.symbols.truncate(n);
        self.flags.truncate(n);
    }

    fn char(&mut self, c: char, from: usize, to: usize, places: bool) {
        if c.is_ascii() {
            let kind = KINDS[usize::from(c as u8)];
            if kind == NONE {
                self.last = NONE;
            } else {
                self.push(c as u8 | 0x20, kind, places.then_some((from, to)));
            }
            return;
        }
        let place = places.then_some((from, to));
        let before = self.symbols.len();
        let dropped = self.beyond_ascii(c, place);
        match self.places.last_mut() {
            _ if self.symbols.len() > before => {}
            _ if !dropped => self.last = NONE,
            // It belongs to the symbol before.
            Some(place) if self.last != NONE && place.1 == from => place.1 = to,
            _ => {}
        }
    }

    /// Returns whether it is dropped without leaving a mark.
    fn beyond_ascii(&mut self, c: char, place: Option<(usize, usize)>) -> bool {
        let at = u32::from(c) as usize % KNOWN;
        if let Some(known) = self.known.get(at).filter(|known| known.c == c).copied() {
            for symbol in known.symbols.iter().take(usize::from(known.length)) {
                self.push(*symbol, known.kind, place);
            }
            return known.dropped;
        }
        let before = self.symbols.len();
        let mut dropped = is_ignored(c);
        if !dropped {
            self.letter(c, place, &mut dropped);
            self.shorten(before + MOST);
        }
        let mut known = Known {
            c,
            kind: self.last,
            dropped,
            ..Known::default()
        };
        let made = self.symbols.get(before..).unwrap_or_default();
        if let Some(symbols) = known.symbols.get_mut(..made.len()) {
            symbols.copy_from_slice(made);
            known.length = made.len() as u8;
            self.known.resize(KNOWN, Known::default());
            if let Some(slot) = self.known.get_mut(at) {
                *slot = known;
            }
        }
        dropped
    }

    /// Truncates to this many symbols.
    fn shorten(&mut self, symbols: usize) {
        if self.symbols.len() > symbols {
            self.symbols.truncate(symbols);
            self.flags.truncate(symbols);
            self.places.truncate(symbols);
        }
    }

    fn letter(&mut self, c: char, place: Option<(usize, usize)>, dropped: &mut bool) {
        let cp = u32::from(c);
        match cp {
            0x3400..0xa000 if !(0x4dc0..0x4e00).contains(&cp) => return self.wide(cp, place),
            // Syllables become their letters.
            0xac00..0xd7a4 => {
                let s = cp - 0xac00;
                let (vowel, tail) = (0x1161 + s / 28 % 21, 0x11a7 + s % 28);
                self.push(narrow(0x1100 + s / 588), LOWER, place);
                self.push(narrow(vowel), LOWER, place);
                if tail > 0x11a7 {
                    self.push(narrow(tail), LOWER, place);
                }
                return;
            }
            _ => {}
        }
        let kind = if c.is_numeric() {
            DIGIT
        } else if c.is_uppercase() {
            UPPER
        } else {
            LOWER
        };
        for upper in c.to_uppercase() {
            for lower in upper.to_lowercase() {
                decompose_compatible(lower, |d| {
                    let cp = u32::from(d);
                    if d.is_ascii() {
                        if d.is_ascii_alphanumeric() {
                            self.push(d as u8 | 0x20, kind, place);
                        }
                    } else if is_ignored(d) || is_combining_mark(d) {
                        *dropped = true;
                    } else if is_wide(cp) {
                        self.wide(cp, place);
                    } else if d.is_alphanumeric() {
                        self.push(narrow(cp), kind, place);
                    }
                });
            }
        }
    }

    fn wide(&mut self, cp: u32, place: Option<(usize, usize)>) {
        for part in [cp >> 14, cp >> 7, cp] {
            self.push(narrow(part), WIDE, place);
        }
    }

    fn push(&mut self, symbol: u8, kind: u8, place: Option<(usize, usize)>) {
        self.symbols.push(symbol);
        self.flags
            .push(BETWEEN[usize::from((self.last << 3 | kind) & 63)]);
        self.last = kind;
        self.places.extend(place);
    }
}

/// One byte for a letter beyond ASCII.
fn narrow(cp: u32) -> u8 {
    0x80 | (cp & 0x7f) as u8
}

/// Ideographs and kana: a few of them carry much information.
fn is_wide(cp: u32) -> bool {
    matches!(cp, 0x3005..0x3008 | 0x3021..0x3030 | 0x3041..0x3100 | 0x3105..0x3130
        | 0x31a0..0x3200 | 0x3400..0x4dc0 | 0x4e00..0xa4d0 | 0xf900..0xfb00
        | 0x17000..0x19000 | 0x1b000..0x1b300 | 0x20000..0x40000)
}

/// Invisible characters: soft hyphens, zero widths, variation selectors.
fn is_ignored(c: char) -> bool {
    matches!(u32::from(c), 0 | 0xad | 0x34f | 0x61c | 0x180b..0x1810 | 0x200b..0x2010
        | 0x202a..0x202f | 0x2060..0x2070 | 0xfe00..0xfe10 | 0xfeff | 0xe0000..0xe1000)
}
