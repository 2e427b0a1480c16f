//! Tokens, by prefix, by format and by randomness.

use super::{before, run, starts_with};
use crate::redact::decode;
use std::ops::Range;

/// Prefixes of issued keys, and the fewest characters after them.
const PREFIXES: &[(&[u8], usize)] = &[
    (b"AKIA", 16),
    (b"ASIA", 16),
    (b"AIza", 30),
    (b"ghp_", 16),
    (b"gho_", 16),
    (b"ghs_", 16),
    (b"ghu_", 16),
    (b"ghr_", 16),
    (b"github_pat_", 16),
    (b"xoxa-", 10),
    (b"xoxb-", 10),
    (b"xoxp-", 10),
    (b"xoxr-", 10),
    (b"xoxs-", 10),
    (b"xapp-", 10),
    (b"sk_live_", 10),
    (b"sk_test_", 10),
    (b"rk_live_", 10),
    (b"rk_test_", 10),
    (b"pk_live_", 10),
    (b"whsec_", 10),
    (b"sk-", 16),
    (b"glpat-", 16),
    (b"npm_", 30),
    (b"hf_", 30),
    (b"SG.", 30),
    (b"ya29.", 16),
    (b"shpat_", 16),
    (b"pypi-", 30),
    (b"dckr_pat_", 16),
    (b"dop_v1_", 30),
];

/// The shortest token that is found by its randomness.
const LONG: usize = 20;

/// Words that follow "bearer" in prose.
const PROSE: &[&str] = &[
    "token",
    "tokens",
    "auth",
    "authentication",
    "authorization",
    "realm",
    "scheme",
    "header",
    "credential",
    "credentials",
    "challenge",
    "prefix",
    "format",
    "missing",
    "invalid",
];

pub(super) fn scan(text: &[u8], out: &mut Vec<Range<usize>>) {
    let mut at = 0;
    while let Some(&b) = text.get(at) {
        let fresh = !before(text, at).is_ascii_alphanumeric();
        let found = match b {
            _ if !fresh => None,
            b'-' => pem(text, at),
            b'e' => jwt(text, at).or_else(|| key(text, at)),
            b'b' | b'B' => {
                schemes(text, at, out);
                None
            }
            b if b.is_ascii_alphabetic() => key(text, at),
            _ => None,
        };
        if let Some(end) = found {
            out.push(at..end);
            at = end.max(at + 1);
        } else {
            at += 1;
        }
    }
    let mut at = 0;
    while at < text.len() {
        let end = run(text, at, is_token);
        if end == at {
            at += 1;
        } else {
            at = look(text, at, end, out);
        }
    }
}

fn is_token(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'+' | b'/' | b'-')
}

fn is_base64url(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')
}

/// A private key block, to its end or to the end of the text.
fn pem(text: &[u8], from: usize) -> Option<usize> {
    const END: &[u8] = b"PRIVATE KEY";
    if !starts_with(text, from, b"-----begin ") {
        return None;
    }
    let label = text.get(from..(from + 64).min(text.len()))?;
    label.windows(END.len()).position(|w| w == END)?;
    let body = from + 11;
    let rest = text.get(body..)?;
    let Some(end) = rest.windows(9).position(|w| w == b"-----END ") else {
        return Some(text.len());
    };
    let end = body + end + 9;
    let last = run(text, end, |b| b.is_ascii_alphanumeric() || b == b' ');
    Some(run(text, last, |b| b == b'-'))
}

/// Three or more base64url parts, the first of which starts with an encoded `{"`.
fn jwt(text: &[u8], from: usize) -> Option<usize> {
    if text.get(from + 1) != Some(&b'y') || is_base64url(before(text, from)) {
        return None;
    }
    let head = run(text, from, is_base64url);
    if head - from < 16 || text.get(head) != Some(&b'.') {
        return None;
    }
    let payload = run(text, head + 1, is_base64url);
    if payload == head + 1 || text.get(payload) != Some(&b'.') {
        return None;
    }
    Some(run(text, payload + 1, |b| is_base64url(b) || b == b'.'))
}

/// The first letters of the prefixes, by byte.
const FIRST: [bool; 256] = {
    let mut first = [false; 256];
    let mut n = 0;
    while n < PREFIXES.len() {
        first[PREFIXES[n].0[0] as usize] = true;
        n += 1;
    }
    first
};

/// A key with a known prefix.
fn key(text: &[u8], from: usize) -> Option<usize> {
    if !FIRST[usize::from(*text.get(from)?)] {
        return None;
    }
    let tail = |b: u8| is_base64url(b) || b == b'.';
    let rest = text.get(from..)?;
    let (prefix, least) = PREFIXES.iter().find(|(p, _)| rest.starts_with(p))?;
    let start = from + prefix.len();
    let window = text.get(start..(start + least).min(text.len()))?;
    let fits = window.len() == *least
        && window.iter().all(|&b| tail(b))
        && window.iter().any(u8::is_ascii_alphanumeric)
        // `sk-` and `npm_` also start names.
        && (prefix.len() > 4 || distinct(text, start));
    fits.then(|| run(text, start, tail))
}

/// Returns whether more than lower-case words follow a short prefix closely.
fn distinct(text: &[u8], from: usize) -> bool {
    let near = text.get(from..(from + 48).min(text.len()));
    let near = near.unwrap_or_default();
    let near = near.get(..run(near, 0, is_base64url)).unwrap_or_default();
    near.iter()
        .any(|b| b.is_ascii_digit() || b.is_ascii_uppercase())
}

/// The credentials after `Bearer` and `Basic`.
fn schemes(text: &[u8], from: usize, out: &mut Vec<Range<usize>>) {
    let word = |b: u8| is_token(b) || matches!(b, b'.' | b'~' | b'=' | b'%' | b':');
    let gap = |at: usize| Some(run(text, at, |b| matches!(b, b' ' | b'\t'))).filter(|&g| g > at);
    if starts_with(text, from, b"bearer")
        && let Some(start) = gap(from + 6)
    {
        let end = run(text, start, word);
        let token = text.get(start..end).unwrap_or_default();
        let letters = run(token, 0, |b| b.is_ascii_alphabetic());
        let name = token.get(..letters).unwrap_or_default();
        let prose = PROSE
            .iter()
            .any(|p| p.as_bytes().eq_ignore_ascii_case(name));
        let plain = name.len() == token.len() && token.len() < 16;
        let named = text.get(from) == Some(&b'B');
        // Behind `token_type=bearer` comes another pair.
        let name = run(token, 0, |b| b.is_ascii_alphabetic() || b == b'_');
        let value = token.get(name..).unwrap_or_default();
        let pair = name > 0 && value.starts_with(b"=") && value.iter().any(|b| *b != b'=');
        if !(pair || token.len() < 3 || (prose && plain) || (plain && !named)) {
            out.push(start..end);
        }
    } else if starts_with(text, from, b"basic")
        && let Some(start) = gap(from + 5)
    {
        let end = run(text, start, |b| is_token(b) || b == b'=');
        let token = text.get(start..end).unwrap_or_default();
        if decode::base64(token).is_some_and(|d| d.contains(&b':')) {
            out.push(start..end);
        }
    }
}

/// Checks one run of token characters, and returns where to continue.
fn look(text: &[u8], from: usize, end: usize, out: &mut Vec<Range<usize>>) -> usize {
    let padding = run(text, end, |b| b == b'=') - end;
    let padded = (1..=2).contains(&padding)
        && !text
            .get(end + padding)
            .is_some_and(u8::is_ascii_alphanumeric);
    if end - from >= LONG {
        let (mut first, mut last, mut random) = (None, from, 0);
        // Segments with capitals beside random ones are more of the same token.
        let (mut before, mut after) = (from, true);
        let mut at = from;
        while at < end {
            let stop = run(text, at, |b| is_token(b) && b != b'/');
            let part = text.get(at..stop).unwrap_or_default();
            let capital = part.iter().any(u8::is_ascii_uppercase);
            let part = segment(part);
            random += part;
            if part >= 6 {
                first = first.or(Some(before));
                (last, after) = (stop, true);
            } else if capital && after {
                last = stop;
            } else if !capital {
                (before, after) = (stop + 1, false);
            }
            at = stop + 1;
        }
        if random >= LONG
            && let Some(first) = first
        {
            let base64 = padded || text.get(from..end).is_some_and(|t| t.contains(&b'+'));
            if base64 {
                out.push(from..end + if padded { padding } else { 0 });
            } else {
                out.push(first..last);
            }
        }
    }
    end
}

/// Counts the random-looking characters of one path segment.
fn segment(text: &[u8]) -> usize {
    let mut text = text;
    let mut seen = [false; 256];
    let (mut random, mut hex) = (0, 0);
    while !text.is_empty() {
        if super::digits::uuid(text, 0) {
            text = text.get(36..).unwrap_or_default();
            continue;
        }
        let end = run(text, 0, |b| b.is_ascii_alphanumeric());
        let (piece, rest) = text.split_at_checked(end).unwrap_or((text, &[]));
        text = rest.get(1..).unwrap_or_default();
        if plain(piece) {
            continue;
        }
        if piece.iter().all(u8::is_ascii_hexdigit) {
            hex += piece.len();
        } else {
            random += piece.len();
        }
        for &b in piece {
            if let Some(seen) = seen.get_mut(usize::from(b)) {
                *seen = true;
            }
        }
    }
    // Short hexadecimal identifiers are common.
    if hex >= LONG || random > 0 {
        random += hex;
    }
    let distinct = seen.iter().filter(|s| **s).count();
    if distinct >= 8 || random < LONG {
        random
    } else {
        0
    }
}

/// Returns whether a piece is a word, a number, or a word with a number at one end.
fn plain(piece: &[u8]) -> bool {
    let (mut turns, mut humps) = (0, 0);
    for pair in piece.windows(2) {
        if let [a, b] = pair {
            turns += usize::from(a.is_ascii_digit() != b.is_ascii_digit());
            humps += usize::from(a.is_ascii_lowercase() && b.is_ascii_uppercase());
        }
    }
    turns <= 1 && humps * 5 <= piece.len()
}
