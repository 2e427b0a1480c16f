//! Finds what looks like a credential, a card number or an address in text.
//!
//! Scanners by hand, each linear in the length of the text: every one either
//! moves on by what it consumed or looks a bounded distance ahead.

mod digits;
mod pairs;
mod tokens;
mod urls;

use super::names::Names;
use std::ops::Range;

pub(super) use self::digits::{integer, number};

/// The sensitive parts of a text: in order, not overlapping, on character
/// boundaries.
pub(super) fn find(text: &str, names: &Names) -> Vec<Range<usize>> {
    if clear(text.as_bytes()) || is_time(text.as_bytes()) {
        return Vec::new();
    }
    look(text, names)
}

fn look(text: &str, names: &Names) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    pairs::scan(text, names, &mut found);
    let bytes = text.as_bytes();
    digits::scan(bytes, &mut found);
    tokens::scan(bytes, &mut found);
    urls::scan(bytes, &mut found);
    merge(text, found)
}

/// Whether [`find`] finds anything.
pub(super) fn is_sensitive(text: &str, names: &Names) -> bool {
    !find(text, names).is_empty()
}

/// The shortest run of token characters that a detector could take.
const SHORTEST_TOKEN: usize = 13;
/// Fewer digits than this are in no card, account or phone number.
const FEWEST_DIGITS: u32 = 8;

/// Whether a text has nothing that a detector starts from: no character that
/// pairs, addresses, phone numbers and keys need, no long run, few digits, and
/// no word that could be a scheme. Most of what developers log is like that,
/// and one pass is much cheaper than all detectors.
pub(super) fn clear(text: &[u8]) -> bool {
    let (mut since, mut digits, mut last) = (0, 0, 0);
    for (at, &b) in text.iter().enumerate() {
        let kind = KINDS[usize::from(b)];
        // Letters are most of all text.
        if kind != 0 {
            if kind & START != 0 {
                return false;
            }
            if (last << 1) & kind & SECOND != 0 && (kind & SPACE == 0 || is_scheme(text, at)) {
                return false;
            }
            digits += u32::from(kind & DIGIT);
            if kind & GAP != 0 {
                if at - since >= SHORTEST_TOKEN {
                    return false;
                }
                since = at + 1;
            }
        }
        last = kind;
    }
    text.len() - since < SHORTEST_TOKEN && digits < FEWEST_DIGITS
}

/// Whether the word that ends here is a scheme of credentials.
fn is_scheme(text: &[u8], end: usize) -> bool {
    let before = text.get(..end).unwrap_or_default();
    ["bearer", "basic"].iter().any(|scheme| {
        before.len() >= scheme.len()
            && starts_with(before, before.len() - scheme.len(), scheme.as_bytes())
    })
}

/// Whether a text is a date and a time, as JSON has them, which is no address and
/// no pair.
fn is_time(text: &[u8]) -> bool {
    let digit = |at: usize| text.get(at).is_some_and(u8::is_ascii_digit);
    let is = |at: usize, b: u8| text.get(at) == Some(&b);
    (19..=32).contains(&text.len())
        && is(4, b'-')
        && is(7, b'-')
        && (is(10, b'T') || is(10, b' '))
        && is(13, b':')
        && is(16, b':')
        && [0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18]
            .into_iter()
            .all(digit)
        && match text.get(19) {
            None => true,
            Some(b'Z') => text.len() == 20,
            Some(b'.') => {
                let end = run(text, 20, |b| b.is_ascii_digit());
                end <= 29 && (end == text.len() || (is(end, b'Z') && end + 1 == text.len()))
            }
            Some(_) => false,
        }
}

/// Alone enough for a detector to look closer.
const START: u8 = 1 << 7;
/// One digit; in the lowest place, to be counted.
const DIGIT: u8 = 1;
/// Ends a run.
const GAP: u8 = 1 << 1;
/// Suspicious behind a character that has the bit below this one: white space
/// behind the last letter of a scheme, and, as private keys begin, two hyphens.
const SECOND: u8 = SPACE | HYPHEN;
const SCHEME: u8 = 1 << 2;
const SPACE: u8 = 1 << 3;
const HYPHEN: u8 = 1 << 5;

const KINDS: [u8; 256] = {
    let mut kinds = [0; 256];
    let mut b = 0;
    while b < 256 {
        kinds[b] = match b as u8 {
            b'@' | b'=' | b':' | b'+' | b'%' => START,
            b'0'..=b'9' => DIGIT,
            b'r' | b'R' | b'c' | b'C' => SCHEME,
            b' ' | b'\t' => GAP | SPACE,
            b'"' | b'\'' | b',' | b';' | b'(' | b')' | b'[' | b']' | b'{' | b'}' => GAP,
            b'-' => HYPHEN | HYPHEN >> 1,
            _ => 0,
        };
        b += 1;
    }
    kinds
};

fn merge(text: &str, mut found: Vec<Range<usize>>) -> Vec<Range<usize>> {
    found.sort_unstable_by_key(|r| r.start);
    let mut merged: Vec<Range<usize>> = Vec::with_capacity(found.len());
    for Range { mut start, mut end } in found {
        end = end.min(text.len());
        while !text.is_char_boundary(start.min(end)) {
            start -= 1;
        }
        while !text.is_char_boundary(end) {
            end += 1;
        }
        match merged.last_mut() {
            _ if start >= end => {}
            Some(last) if start < last.end => last.end = last.end.max(end),
            _ => merged.push(start..end),
        }
    }
    merged
}

/// The byte before a position, or 0.
fn before(text: &[u8], at: usize) -> u8 {
    at.checked_sub(1)
        .and_then(|at| text.get(at))
        .copied()
        .unwrap_or(0)
}

/// Where the run of bytes of one kind that starts here ends.
fn run(text: &[u8], from: usize, kind: impl Fn(u8) -> bool) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    from + rest.iter().position(|&b| !kind(b)).unwrap_or(rest.len())
}

/// Where the run of bytes of one kind that ends here starts.
fn run_back(text: &[u8], to: usize, kind: impl Fn(u8) -> bool) -> usize {
    let rest = text.get(..to).unwrap_or_default();
    rest.iter().rposition(|&b| !kind(b)).map_or(0, |at| at + 1)
}

/// Whether a text starts with a word of ASCII lower case, in any case.
fn starts_with(text: &[u8], from: usize, word: &[u8]) -> bool {
    text.get(from..from + word.len())
        .is_some_and(|t| t.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests;
