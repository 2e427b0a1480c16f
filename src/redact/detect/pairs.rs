//! `name=value`, `name: value` and their quoted and nested forms.

use super::{before, run, run_back, starts_with};
use crate::redact::{names::Names, pseudonym};
use std::ops::Range;

/// The longest name that is checked, in bytes.
const NAME: usize = 64;

/// Values that mean "no value", or one of two.
const NOTHING: &[&[u8]] = &[
    b"none",
    b"null",
    b"nil",
    b"undefined",
    b"true",
    b"false",
    b"()",
];

/// Rust's `Debug` form of optional values.
const WRAPPERS: &[&[u8]] = &[b"Some(", b"Ok(", b"Err("];

/// Quotes as HTML writes them.
const QUOTES: &[&[u8]] = &[b"&quot;", b"&#34;", b"&#39;", b"&apos;", b"&#x27;"];

/// Words that describe a value and are not one.
const SAYS: &[&[u8]] = &[
    b"cannot",
    b"digit",
    b"duplicate",
    b"expected",
    b"expired",
    b"failed",
    b"failure",
    b"invalid",
    b"is",
    b"malformed",
    b"mismatch",
    b"missing",
    b"must",
    b"no",
    b"not",
    b"ok",
    b"out",
    b"required",
    b"should",
    b"too",
    b"unexpected",
    b"unknown",
    b"unsupported",
    b"value",
    b"was",
    b"wrong",
];

/// Credentials start with their scheme.
const SCHEMES: &[&[u8]] = &[
    b"bearer",
    b"basic",
    b"digest",
    b"token",
    b"negotiate",
    b"apikey",
];

pub(super) fn scan(text: &str, names: &Names, out: &mut Vec<Range<usize>>) {
    let bytes = text.as_bytes();
    let mut folded = String::new();
    let mut at = 0;
    while let Some(&b) = bytes.get(at) {
        let after = match b {
            b'=' => at + 1,
            b':' if bytes.get(at + 1) == Some(&b':') => {
                at += 2;
                continue;
            }
            b':' if !starts_with(bytes, at, b"://") => at + 1,
            b'%' if starts_with(bytes, at, b"%3d") || starts_with(bytes, at, b"%3a") => at + 3,
            _ => {
                at += 1;
                continue;
            }
        };
        at = if named(text, at, names, &mut folded) {
            let whole_line = folded.ends_with("authorization") || folded.ends_with("cookie");
            let value = value(text, after, whole_line);
            let end = value.end;
            if !value.is_empty() {
                out.push(value);
            }
            end.max(after)
        } else {
            after
        };
    }
}

fn is_name(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b >= 0x80 || matches!(b, b'_' | b'-' | b'.' | b'$' | b'[' | b']')
}

/// Returns whether the name before the operator at `at` is suspicious.
fn named(text: &str, at: usize, names: &Names, folded: &mut String) -> bool {
    let bytes = text.as_bytes();
    let mut end = at;
    if matches!(before(bytes, end), b'!' | b'~' | b'+' | b'<' | b'>' | b'?') {
        end -= 1;
    }
    end = run_back(bytes, end, |b| matches!(b, b' ' | b'\t'));
    // `user[password]`, percent-encoded.
    if end
        .checked_sub(3)
        .is_some_and(|at| starts_with(bytes, at, b"%5d"))
    {
        end -= 3;
    }
    if before(bytes, end) == b']' && matches!(before(bytes, end - 1), b'"' | b'\'') {
        end -= 1;
    }
    let mut quoted = matches!(before(bytes, end), b'"' | b'\'' | b'`');
    if quoted {
        end = run_back(bytes, end - 1, |b| b == b'\\');
    } else if before(bytes, end) == b';' {
        // Quotes as HTML writes them.
        let head = bytes.get(..end).unwrap_or_default();
        if let Some(quote) = QUOTES.iter().find(|quote| head.ends_with(quote)) {
            end -= quote.len();
            quoted = true;
        }
    }
    let floor = end.saturating_sub(NAME);
    let mut start = run_back(bytes.get(..end).unwrap_or_default(), end, |b| {
        is_name(b) || (quoted && b == b' ')
    })
    .max(floor);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    if before(bytes, start) == b'%' {
        if encoded(text, end, names, folded) {
            return true;
        }
        // The digits of an encoded separator are not part of the name.
        start = (start + 2).min(end);
        while !text.is_char_boundary(start) {
            start += 1;
        }
    }
    if start >= end {
        return false;
    }
    let name = text.get(start..end).unwrap_or_default();
    if names.suspicious(name, folded) {
        return true;
    }
    // `api key: x`: only the two words together are suspicious.
    if quoted || before(bytes, start) != b' ' {
        return false;
    }
    let mut first = run_back(bytes, start - 1, is_name).max(start.saturating_sub(NAME));
    while !text.is_char_boundary(first) {
        first += 1;
    }
    let alone = text.get(first..start - 1).unwrap_or_default();
    let both = text.get(first..end).unwrap_or_default();
    !names.suspicious(alone, folded) && names.suspicious(both, folded)
}

/// Returns whether the name that ends here is suspicious after percent-decoding.
fn encoded(text: &str, end: usize, names: &Names, folded: &mut String) -> bool {
    let bytes = text.as_bytes();
    let near = bytes.get(end.saturating_sub(3 * NAME)..end);
    let near = near.unwrap_or_default();
    let start = run_back(near, near.len(), |b| is_name(b) || b == b'%');
    let raw = near.get(start..).unwrap_or_default();
    let plain: Vec<u8> = percent_encoding::percent_decode(raw).collect();
    let plain = String::from_utf8_lossy(&plain);
    // Other encoded characters end the text before the name.
    let name = plain.rsplit(|c: char| c.is_ascii() && !is_name(c as u8));
    name.take(1).any(|name| names.suspicious(name, folded))
}

/// Returns the value after an operator. Scanning continues at its end, even if it is empty.
pub(super) fn value(text: &str, from: usize, whole_line: bool) -> Range<usize> {
    let bytes = text.as_bytes();
    let operator = run(bytes, from, |b| matches!(b, b'=' | b'>' | b':' | b'~')).min(from + 2);
    let mut at = unwrapped(bytes, operator);
    if let Some(block) = block(bytes, at) {
        return block;
    }
    // The form of a text in PHP dumps.
    if starts_with(bytes, at, b"string(") {
        let digits = run(bytes, at + 7, |b| b.is_ascii_digit());
        if starts_with(bytes, digits, b") \"") {
            at = digits + 2;
        }
    }
    let literal = run(bytes, at, |b| {
        b.is_ascii_alphabetic() || matches!(b, b'(' | b')')
    });
    let word = bytes.get(at..literal).unwrap_or_default();
    let word = word
        .strip_suffix(b")")
        .filter(|w| *w != b"(")
        .unwrap_or(word);
    let ends = |b: &u8| b.is_ascii_whitespace() || b",;)]}&\"'".contains(b);
    if NOTHING.iter().any(|n| n.eq_ignore_ascii_case(word)) && bytes.get(literal).is_none_or(ends) {
        return literal..literal;
    }
    // `pin: invalid type`, a message of a validator.
    let said = before(bytes, from) == b':' && bytes.get(from) == Some(&b' ');
    if said
        && SAYS.iter().any(|w| w.eq_ignore_ascii_case(word))
        && bytes.get(literal).is_none_or(ends)
    {
        return literal..literal;
    }
    if let Some(quoted) = self::text(bytes, at) {
        return quoted;
    }
    let rest = bytes.get(at..).unwrap_or_default();
    if let Some(quote) = QUOTES.iter().find(|quote| rest.starts_with(quote)) {
        let start = at + quote.len();
        let inner = bytes.get(start..).unwrap_or_default();
        let close = inner.windows(quote.len()).position(|w| w == *quote);
        return start..close.map_or(bytes.len(), |close| start + close);
    }
    if whole_line {
        let end = run(bytes, at, |b| !matches!(b, b'\n' | b'\r' | b'"'));
        return at..end;
    }
    if let Some(nested) = nested(text, at) {
        return nested;
    }
    let end = unquoted(text, at);
    let word = bytes.get(at..end).unwrap_or_default();
    if SCHEMES.iter().any(|s| s.eq_ignore_ascii_case(word)) && bytes.get(end) == Some(&b' ') {
        let at = run(bytes, end, |b| b == b' ');
        let last = unquoted(text, at);
        // After `token_type=bearer` comes another pair.
        let name = run(bytes, at, is_name);
        if name > at
            && name < last
            && bytes.get(name) == Some(&b'=')
            && bytes.get(name + 1) != Some(&b'=')
        {
            return end..end;
        }
        return at..last;
    }
    at..end
}

/// Returns the start of a value, after white space and Rust's `Debug` form of optional
/// values.
pub(super) fn unwrapped(bytes: &[u8], from: usize) -> usize {
    let mut at = run(bytes, from, |b| b.is_ascii_whitespace());
    for _ in 0..6 {
        let Some(inner) = WRAPPERS
            .iter()
            .find(|w| bytes.get(at..).is_some_and(|t| t.starts_with(w)))
        else {
            break;
        };
        at = run(bytes, at + inner.len(), |b| b.is_ascii_whitespace());
    }
    at
}

/// Returns the inside of a quoted text, which may have a letter before the quote.
pub(super) fn text(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let prefix = usize::from(
        matches!(bytes.get(at), Some(b'b' | b'r' | b'u'))
            && matches!(bytes.get(at + 1), Some(b'"' | b'\'')),
    );
    quoted(bytes, at + prefix)
}

/// A YAML block: the indented lines after `|` or `>`.
fn block(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    if !matches!(bytes.get(at), Some(b'|' | b'>')) {
        return None;
    }
    let start = run(bytes, at + 1, |b| matches!(b, b'-' | b'+' | b'0'..=b'9'));
    let mut end = start;
    while bytes.get(end) == Some(&b'\n') && matches!(bytes.get(end + 1), Some(b' ' | b'\t')) {
        end = run(bytes, end + 1, |b| b != b'\n');
    }
    (end > start).then_some(start + 1..end)
}

/// Returns the inside of a quoted value, up to the quote at the same level of escaping.
fn quoted(text: &[u8], from: usize) -> Option<Range<usize>> {
    let open = run(text, from, |b| b == b'\\');
    let level = open - from;
    let quote = *text.get(open)?;
    if !matches!(quote, b'"' | b'\'' | b'`') {
        return None;
    }
    let mut start = open + 1;
    // Three quotes, as for multi-line texts in TOML and Python.
    if level == 0
        && text
            .get(start..start + 2)
            .is_some_and(|next| next == [quote; 2])
    {
        start += 2;
        let inner = text.get(start..).unwrap_or_default();
        let close = inner.windows(3).position(|three| three == [quote; 3]);
        if let Some(close) = close {
            return Some(start..start + close);
        }
        start -= 2;
    }
    let mut escapes = 0;
    for (at, &b) in text.iter().enumerate().skip(start) {
        if b == b'\\' {
            escapes += 1;
            continue;
        }
        if b == quote && escapes % (2 * level + 2) == level {
            return Some(start..at - level);
        }
        escapes = 0;
    }
    Some(start..text.len())
}

/// A bracketed value, with the type name before it, up to the closing bracket.
pub(super) fn nested(text: &str, from: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    if text.get(from..).and_then(pseudonym::placeholder).is_some() {
        return None;
    }
    let named = bytes.get(from).is_some_and(u8::is_ascii_uppercase);
    let mut open = if named {
        run(bytes, from, |b| {
            b.is_ascii_alphanumeric() || matches!(b, b'_' | b':' | b'<' | b'>')
        })
    } else {
        from
    };
    if named && bytes.get(open) == Some(&b' ') && bytes.get(open + 1) == Some(&b'{') {
        open += 1;
    }
    let brackets: &[u8] = if named { b"({[" } else { b"{[" };
    if !bytes.get(open).is_some_and(|b| brackets.contains(b)) {
        return None;
    }
    let (mut depth, mut at) = (0_usize, open);
    while let Some(&b) = bytes.get(at) {
        match b {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' if depth <= 1 => return Some(from..at + 1),
            b')' | b']' | b'}' => depth -= 1,
            b'"' => at = quoted(bytes, at).map_or(at, |q| q.end),
            _ => {}
        }
        at += 1;
    }
    Some(from..bytes.len())
}

/// Returns the end of an unquoted value. Punctuation ends it only if it cannot be part of
/// the value.
fn unquoted(text: &str, from: usize) -> usize {
    let bytes = text.as_bytes();
    let mut at = from;
    while let Some(&b) = bytes.get(at) {
        let next = bytes.get(at + 1);
        let over = match b {
            b'[' => {
                at += text.get(at..).and_then(pseudonym::placeholder).unwrap_or(1);
                continue;
            }
            b'&' | b'"' | b'<' | b'>' | b'`' => true,
            b'\\' => matches!(next, Some(b'"' | b'n' | b'r' | b't')),
            b'%' => starts_with(bytes, at, b"%26"),
            b',' | b';' | b'|' => {
                let end = run(bytes, at + 1, |b| is_name(b) || b == b'"').min(at + 32);
                next.is_none_or(u8::is_ascii_whitespace)
                    || matches!(bytes.get(end), Some(b'=' | b':')) && end > at + 1
            }
            b')' | b']' | b'}' | b'\'' | b'.' => {
                next.is_none_or(|n| n.is_ascii_whitespace() || b",;)]}\"'".contains(n))
            }
            b => b.is_ascii_whitespace(),
        };
        if over {
            break;
        }
        at += 1;
    }
    at
}
