//! What a text has that a detector starts from, told in one pass that is much
//! cheaper than all detectors. Most of what services write has nothing of it.

use super::{Names, before, named, starts_with};

/// The shortest run without white space, quotes, commas and brackets that a
/// token could be in.
const SHORTEST_TOKEN: usize = 13;

/// Fewer digits than this are in no card or phone number, nor in any account
/// number that is not a long run, too.
const FEWEST_DIGITS: usize = 8;

/// Fewer digits than this are in no number that the detectors know.
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
            // Letters are most of all text.
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

    /// Whether no detector finds anything in this text, which has these signs.
    pub(super) fn none_beside(self, text: &str, names: &Names) -> bool {
        self.signs & !(BACKSLASH | NAMED | BLANK) == 0
            && self.digits < FEWEST_DIGITS
            && !(self.names() && named::may_be_in(text.as_bytes(), names))
    }

    /// Whether a value may stand beside a name.
    pub(super) fn names(self) -> bool {
        self.signs & (NAMED | HYPHENS | PERCENT | BACKSLASH) != 0
            || (self.digits > 0 && self.signs & BLANK != 0)
    }

    /// Whether a character may be written as an escape.
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

/// Whether the word for a scheme of credentials ends so.
fn ends_scheme(b: u8) -> bool {
    matches!(b, b'r' | b'R' | b'c' | b'C')
}

/// Whether the word that ends here is a scheme of credentials.
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
/// Only with digits behind it a sign of something; but then of fewer.
const PLUS: u16 = 1 << 3;
/// Two of them, as private keys begin.
const HYPHENS: u16 = 1 << 4;
/// A scheme of credentials. Of the kinds of bytes: white space, which ends it.
const SCHEME: u16 = 1 << 5;
const SPACE: u16 = SCHEME;
/// A long run. Of the kinds of bytes: what ends one.
const LONG: u16 = 1 << 6;
const GAP: u16 = LONG;
const DIGIT: u16 = 1 << 7;
/// Nothing that a detector starts from, but what it stands for may be.
const BACKSLASH: u16 = 1 << 8;
/// What may be between a name and its value, where no operator is.
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
