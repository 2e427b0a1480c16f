//! Detectors for credentials, card numbers and addresses in text.
//!
//! Hand-written scanners, each linear in the length of the text: each one advances by what
//! it consumed or looks ahead a bounded distance.

mod digits;
mod named;
mod pairs;
mod signs;
mod tokens;
mod urls;

use self::signs::Signs;
use super::{decode, names::Names};
use std::ops::Range;

pub(super) use self::digits::{integer, is_uuid, number};

/// Returns the sensitive parts of a text: in order, not overlapping, on character
/// boundaries.
pub(super) fn find(text: &str, names: &Names) -> Vec<Range<usize>> {
    let signs = Signs::of(text.as_bytes());
    if signs.none_beside(text, names) || is_time(text.as_bytes()) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for detector in DETECTORS {
        detector(text, signs, names, &mut found);
    }
    merge(text, found)
}

/// Returns whether [`find`] finds anything.
pub(super) fn is_sensitive(text: &str, names: &Names) -> bool {
    has_findings(text, Signs::of(text.as_bytes()), names)
}

/// As [`is_sensitive`], for a value, which as JSON may have names in escapes.
pub(super) fn is_sensitive_value(text: &str, names: &Names) -> bool {
    let signs = Signs::of(text.as_bytes());
    has_findings(text, signs, names)
        || (signs.escapes()
            && text.contains("\\u")
            && is_sensitive(
                &String::from_utf8_lossy(&decode::escapes(text.as_bytes())),
                names,
            ))
}

fn has_findings(text: &str, signs: Signs, names: &Names) -> bool {
    if signs.none_beside(text, names) || is_time(text.as_bytes()) {
        return false;
    }
    let mut found = Vec::new();
    DETECTORS.iter().any(|detector| {
        detector(text, signs, names, &mut found);
        found.iter().any(|r| r.start < r.end.min(text.len()))
    })
}

/// Each detector runs only if its signs are in the text, the cheapest first.
const DETECTORS: [fn(&str, Signs, &Names, &mut Vec<Range<usize>>); 5] = [
    |text, signs, _, out| {
        if signs.addresses() {
            urls::scan(text.as_bytes(), out);
        }
    },
    |text, signs, names, out| {
        if signs.pairs() {
            pairs::scan(text, names, out);
        }
    },
    |text, signs, names, out| {
        if signs.names() {
            named::scan(text, names, out);
        }
    },
    |text, signs, _, out| {
        if signs.numbers() {
            digits::scan(text.as_bytes(), out);
        }
    },
    |text, signs, _, out| {
        if signs.tokens() {
            tokens::scan(text.as_bytes(), out);
        }
    },
];

/// Returns whether a text is a date and time in the form of JSON, which is neither an
/// address nor a pair.
pub(super) fn is_time(text: &[u8]) -> bool {
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

/// Returns the byte before a position, or 0.
fn before(text: &[u8], at: usize) -> u8 {
    at.checked_sub(1)
        .and_then(|at| text.get(at))
        .copied()
        .unwrap_or(0)
}

/// Returns the end of the run of bytes of one kind that starts here.
fn run(text: &[u8], from: usize, kind: impl Fn(u8) -> bool) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    from + rest.iter().position(|&b| !kind(b)).unwrap_or(rest.len())
}

/// Returns the start of the run of bytes of one kind that ends here.
fn run_back(text: &[u8], to: usize, kind: impl Fn(u8) -> bool) -> usize {
    let rest = text.get(..to).unwrap_or_default();
    rest.iter().rposition(|&b| !kind(b)).map_or(0, |at| at + 1)
}

/// Returns whether a text starts with a word (given in ASCII lower case), ignoring case.
fn starts_with(text: &[u8], from: usize, word: &[u8]) -> bool {
    text.get(from..from + word.len())
        .is_some_and(|t| t.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests;
