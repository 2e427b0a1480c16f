//! Finds the characters from which detectors start, in one pass that is much cheaper than
//! all detectors. Most texts of services have none.

use super::{Names, before, named, starts_with};

/// The shortest run without white space, quotes, commas and brackets that can contain a
/// token.
const SHORTEST_TOKEN: usize = 13;

/// The fewest digits in card and phone numbers, and in account numbers that are not also a
/// long run.
const FEWEST_DIGITS: usize = 8;

/// The fewest digits in any number that the detectors find.
const FEWEST_OF_ALL: usize = 2;

#[derive(Clone, Copy, Debug)]
pub(super) struct Signs {
    signs: u16,
    digits: usize,
}

impl Signs {
    pub(super) fn of(text: &[u8]) -> Self {
        let (mut signs, mut digits, mut since) = (0, 0, 0);
        for (at, &b) in text.iter().enumerate() {
            let kind = KINDS[usize::from(b)];
            // Most text is letters.
            if kind == 0 {
                continue;
            }
            if kind & GAP != 0 {
                if at - since >= SHORTEST_TOKEN {
                    signs |= LONG;
                }
                since = at + 1;
                if kind & SPACE != 0 && ends_scheme(before(text, at)) && is_scheme(text, at) {
                    signs |= SCHEME;
                }
                signs |= kind & (NAMED | BLANK);
            } else if kind & DIGIT != 0 {
                digits += 1;
            } else if b != b'-' || before(text, at) == b'-' {
                signs |= kind;
            }
        }
        if text.len() - since >= SHORTEST_TOKEN {
            signs |= LONG;
        }
        Self { signs, digits }
    }

    /// Returns whether no detector can match a text with these signs.
    pub(super) fn none_beside(self, text: &str, names: &Names) -> bool {
        self.signs & !(BACKSLASH | NAMED | BLANK) == 0
            && self.digits < FEWEST_DIGITS
            && !(self.names() && named::may_be_in(text.as_bytes(), names))
    }

    /// Returns whether there may be a value beside a name.
    pub(super) fn names(self) -> bool {
        self.signs & (NAMED | HYPHENS | PERCENT | BACKSLASH) != 0
            || (self.digits > 0 && self.signs & BLANK != 0)
    }

    /// Returns whether there may be an escaped character.
    pub(super) fn escapes(self) -> bool {
        self.signs & BACKSLASH != 0
    }

    pub(super) fn pairs(self) -> bool {
        self.signs & (PAIR | PERCENT) != 0
    }

    pub(super) fn addresses(self) -> bool {
        self.signs & (PAIR | PERCENT | AT) != 0
    }

    pub(super) fn numbers(self) -> bool {
        self.digits >= FEWEST_OF_ALL
    }

    pub(super) fn tokens(self) -> bool {
        self.signs & (LONG | SCHEME | HYPHENS) != 0
    }
}

/// Returns whether the name of a credentials scheme may end with this byte.
fn ends_scheme(b: u8) -> bool {
    matches!(b, b'r' | b'R' | b'c' | b'C')
}

/// Returns whether the word that ends here is a credentials scheme.
#[inline(never)]
fn is_scheme(text: &[u8], end: usize) -> bool {
    let scheme: &[u8] = match before(text, end) {
        b'r' | b'R' => b"bearer",
        b'c' | b'C' => b"basic",
        _ => return false,
    };
    end.checked_sub(scheme.len())
        .is_some_and(|start| starts_with(text, start, scheme))
}

/// `=` and `:`.
const PAIR: u16 = 1;
const PERCENT: u16 = 1 << 1;
const AT: u16 = 1 << 2;
/// A sign only if digits follow; then fewer digits suffice.
const PLUS: u16 = 1 << 3;
/// Two of them start a private key.
const HYPHENS: u16 = 1 << 4;
/// A credentials scheme. As a kind of byte: white space, which ends one.
const SCHEME: u16 = 1 << 5;
const SPACE: u16 = SCHEME;
/// A long run. As a kind of byte: one that ends a run.
const LONG: u16 = 1 << 6;
const GAP: u16 = LONG;
const DIGIT: u16 = 1 << 7;
/// Not a start for a detector itself, but the character that it encodes may be.
const BACKSLASH: u16 = 1 << 8;
/// May separate a name from its value without an operator.
const NAMED: u16 = 1 << 9;
const BLANK: u16 = 1 << 10;

const KINDS: [u16; 256] = {
    let mut kinds = [0; 256];
    let mut b = 0;
    while b < 256 {
        kinds[b] = match b as u8 {
            b'=' | b':' => PAIR,
            b'%' => PERCENT,
            b'@' => AT,
            b'+' => PLUS,
            b'-' => HYPHENS,
            b'\\' => BACKSLASH,
            b'0'..=b'9' => DIGIT,
            b' ' | b'\t' => GAP | SPACE | BLANK,
            b'"' | b'\'' | b'(' | b'{' => GAP | NAMED,
            b',' | b';' | b')' | b'[' | b']' | b'}' => GAP,
            b'<' | b'>' | b'`' | b'&' => NAMED,
            _ => 0,
        };
        b += 1;
    }
    kinds
};
