//! E-mail addresses and user information of URLs.

use super::{run, run_back, starts_with};
use std::ops::Range;

/// How far ahead a password with a `/` is searched for.
const FAR: usize = 256;

pub(super) fn scan(text: &[u8], out: &mut Vec<Range<usize>>) {
    let mut at = 0;
    while let Some(&b) = text.get(at) {
        match b {
            b'@' => address(text, at, at + 1, out),
            b'%' if starts_with(text, at, b"%40") => address(text, at, at + 3, out),
            b':' if starts_with(text, at, b"://") => user(text, at + 3, out),
            _ => {}
        }
        at += 1;
    }
}

fn is_local(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b >= 0x80 || b"._%+-'~!$*^".contains(&b)
}

fn is_domain(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b >= 0x80 || matches!(b, b'.' | b'-')
}

/// An address around the `@` at `at..after`.
fn address(text: &[u8], at: usize, after: usize, out: &mut Vec<Range<usize>>) {
    // `%` is a character of local parts, and an `%40` further left does not end one, so the
    // way back is bounded: longer local parts are not deliverable.
    let floor = at.saturating_sub(FAR);
    let near = text.get(floor..at).unwrap_or_default();
    let start = floor + run_back(near, near.len(), is_local);
    let end = run(text, after, is_domain);
    let domain = text.get(after..end).unwrap_or_default();
    let domain = domain.strip_suffix(b".").unwrap_or(domain);
    let Some(dot) = domain.iter().rposition(|&b| b == b'.') else {
        return;
    };
    let top = domain.get(dot + 1..).unwrap_or_default();
    if start < at && dot > 0 && top.len() >= 2 && !top.iter().all(u8::is_ascii_digit) {
        out.push(start..after + domain.len());
    }
}

/// Returns the user information of the authority that starts here.
fn user(text: &[u8], from: usize, out: &mut Vec<Range<usize>>) {
    let to = (from + FAR).min(text.len());
    let near = text.get(..to).unwrap_or_default();
    let word = |b: u8| !b.is_ascii_whitespace() && !matches!(b, b'"' | b'<' | b'>' | b'\\');
    let authority = run(near, from, |b| word(b) && !matches!(b, b'/' | b'?' | b'#'));
    let last = |to: usize| {
        let part = near.get(from..to).unwrap_or_default();
        part.iter().rposition(|&b| b == b'@').map(|at| from + at)
    };
    let at = last(authority).or_else(|| {
        // `user:pass/word@host`: the text after the colon is not a port.
        let part = near.get(from..authority)?;
        let colon = part.iter().position(|&b| b == b':')?;
        let port = part.get(colon + 1..)?;
        if part.starts_with(b"[") || port.iter().all(u8::is_ascii_digit) {
            return None;
        }
        last(run(near, from, word))
    });
    if let Some(at) = at {
        out.push(from..at);
    } else if to < text.len() && authority == to {
        // Not an authority: too long.
        out.push(from..to);
    }
}
