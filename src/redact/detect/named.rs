//! Values beside suspicious names without an operator between them: elements, tuples,
//! flags, members that name one another, and words.

use super::{before, pairs, run, run_back, starts_with};
use crate::redact::names::Names;
use std::ops::Range;

/// The longest name that is checked, in bytes.
const NAME: usize = 64;

/// How far back a tag, the steps before a name, or the previous member may extend.
const NEAR: usize = 256;

/// Members that have the value of a sibling name.
const VALUES: &[&[u8]] = &[
    b"value", b"val", b"values", b"v", b"content", b"data", b"text", b"to", b"new", b"old",
];

/// Encodings of `<` and `>`.
const OPEN: &[&[u8]] = &[b"<", b"&lt;", b"\\u003c", b"%3c"];
const CLOSE: &[&[u8]] = &[b">", b"&gt;", b"\\u003e", b"%3e"];

/// Fields that occur beside passwords in lists of names.
const FIELDS: &[&[u8]] = &[
    b"email",
    b"id",
    b"login",
    b"name",
    b"phone",
    b"user",
    b"user_id",
    b"username",
];

/// Words of parsers before a syntax token.
const PARSERS: &[&[u8]] = &[
    b"expected",
    b"found",
    b"got",
    b"unexpected",
    b"unknown",
    b"near",
];

/// Words that follow the name of a flag in prose.
const PROSE: &[&[u8]] = &[
    b"and",
    b"are",
    b"can",
    b"cannot",
    b"for",
    b"has",
    b"in",
    b"is",
    b"may",
    b"must",
    b"not",
    b"of",
    b"or",
    b"requires",
    b"should",
    b"to",
    b"was",
    b"with",
    b"without",
];

/// Returns whether a text may contain a suspicious name.
pub(super) fn may_be_in(text: &[u8], names: &Names) -> bool {
    names.next_in(text, 0).is_some()
}

pub(super) fn scan(text: &str, names: &Names, out: &mut Vec<Range<usize>>) {
    let bytes = text.as_bytes();
    let mut folded = String::new();
    let mut at = 0;
    // A value that was found is not searched.
    let mut free = 0;
    while let Some(hit) = names.next_in(bytes, at) {
        let before = bytes.get(..hit).unwrap_or_default();
        let from = run_back(before, hit, is_name).max(at);
        let end = run(bytes, hit, is_name).max(hit + 1);
        let start = if starts_with(bytes, from.saturating_sub(1), b"%3c") {
            (from + 2).min(end)
        } else if starts_with(bytes, from.saturating_sub(1), b"\\u003c") {
            (from + 5).min(end)
        } else {
            from
        };
        at = end;
        let fits = start >= free && end - start <= NAME && start < end;
        if fits
            && let Some(name) = text.get(start..end)
            && names.may_be_suspicious(name.as_bytes())
            // First, because a value may extend to the end of the text.
            && names.suspicious(name, &mut folded)
            && let Some(value) = beside(text, start..end)
            && !value.is_empty()
        {
            if value.start >= end {
                free = value.end;
            }
            out.push(value);
        }
    }
}

fn is_name(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b >= 0x80 || matches!(b, b'_' | b'-' | b'.' | b'$')
}

fn is_blank(b: u8) -> bool {
    matches!(b, b' ' | b'\t')
}

fn is_quote(b: u8) -> bool {
    matches!(b, b'"' | b'\'' | b'`')
}

fn one_of(words: &[&[u8]], word: &[u8]) -> bool {
    words.iter().any(|w| w.eq_ignore_ascii_case(word))
}

/// Returns the value beside a name.
fn beside(text: &str, name: Range<usize>) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    if let Some(value) = element(bytes, &name) {
        return Some(value);
    }
    // Around the name: the steps of a pointer, an atom's colon, quotes.
    let far = name.start.saturating_sub(NEAR);
    let near = bytes.get(far..).unwrap_or_default();
    let steps = |b: u8| is_name(b) || b == b'/';
    let mut from = far + run_back(near, name.start - far, steps);
    if before(bytes, from) == b':' && !is_quote(before(bytes, from - 1)) {
        let space = from < 2 || !is_name(before(bytes, from - 1));
        from -= usize::from(space);
    }
    let slash = run(bytes, name.end, |b| b == b'\\');
    let quote = before(bytes, from);
    let quoted = is_quote(quote) && bytes.get(slash) == Some(&quote);
    let (from, to) = if quoted {
        (run_back(bytes, from - 1, |b| b == b'\\'), slash + 1)
    } else {
        (from, name.end)
    };
    let next = run(bytes, to, is_blank);
    if let Some(value) = member(text, from, to) {
        return Some(value);
    }
    let atom = bytes.get(from) == Some(&b':');
    if (quoted || atom) && bytes.get(next) == Some(&b',') {
        return tuple(bytes, from, next + 1);
    }
    if quoted && !is_blank(*bytes.get(to)?) {
        return None;
    }
    match *bytes.get(to)? {
        b'(' => return constructor(text, &name),
        b' ' if bytes.get(next) == Some(&b'{') => return structure(text, &name, next),
        b' ' | b'\t' => {}
        _ => return None,
    }
    words(text, &name, next)
}

/// `<password>x</password>`, and `<key>password</key><string>x</string>`.
fn element(bytes: &[u8], name: &Range<usize>) -> Option<Range<usize>> {
    let ends = |at: usize, marks: &[&[u8]]| {
        marks.iter().find_map(|mark| {
            let start = at.checked_sub(mark.len())?;
            starts_with(bytes, start, mark).then_some(start)
        })
    };
    // After the prefix of a namespace.
    let mut first = name.start;
    if before(bytes, first) == b':' {
        first = run_back(bytes, first - 1, is_name);
    }
    let content = if ends(first, OPEN).is_some() {
        let (open, close) = tag_end(bytes, name.end)?;
        (before(bytes, open) != b'/').then_some(close)?
    } else if ends(name.start, CLOSE).is_some() && mark(bytes, name.end, OPEN).is_some() {
        // The end of this element and the start of the next.
        let (_, end) = tag_end(bytes, name.end)?;
        let next = run(bytes, end, |b| b.is_ascii_whitespace());
        mark(bytes, next, OPEN)?;
        tag_end(bytes, next)?.1
    } else {
        return None;
    };
    Some(inside(bytes, content))
}

/// Returns the mark that starts here, and its length.
fn mark(bytes: &[u8], at: usize, marks: &[&[u8]]) -> Option<usize> {
    let found = marks.iter().find(|mark| starts_with(bytes, at, mark));
    found.map(|mark| mark.len())
}

/// Returns where the tag around this ends: before its mark, and after it.
fn tag_end(bytes: &[u8], from: usize) -> Option<(usize, usize)> {
    let to = (from + NEAR).min(bytes.len());
    (from..to).find_map(|at| Some((at, at + mark(bytes, at, CLOSE)?)))
}

/// Returns the text of an element, up to the next tag.
fn inside(bytes: &[u8], from: usize) -> Range<usize> {
    const DATA: &[u8] = b"<![cdata[";
    let from = run(bytes, from, |b| b.is_ascii_whitespace());
    if starts_with(bytes, from, DATA) {
        let start = from + DATA.len();
        let rest = bytes.get(start..).unwrap_or_default();
        let end = memchr::memmem::find(rest, b"]]>");
        return start..end.map_or(bytes.len(), |end| start + end);
    }
    let mut end = from;
    while end < bytes.len() && mark(bytes, end, OPEN).is_none() {
        end += 1;
    }
    from..run_back(bytes, end, |b| b.is_ascii_whitespace()).max(from)
}

/// The name is itself the value of a member: `name="password">x`, a field of a multipart
/// form, or another member has the named value.
fn member(text: &str, from: usize, to: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let operator = run_back(bytes, from, is_blank);
    if !matches!(before(bytes, operator), b'=' | b':' | b'>') {
        return None;
    }
    let rest = bytes.get(to..)?;
    let quoted = is_quote(before(bytes, to));
    if quoted && mark(bytes, to, CLOSE).is_some() {
        return Some(inside(bytes, to + mark(bytes, to, CLOSE)?));
    }
    for gap in [&b"\r\n\r\n"[..], b"\n\n"] {
        if quoted && rest.starts_with(gap) {
            let start = to + gap.len();
            return Some(start..run(bytes, start, |b| !matches!(b, b'\r' | b'\n')));
        }
    }
    let separates = |b: u8| b.is_ascii_whitespace() || matches!(b, b',' | b';' | b'&');
    let next = run(bytes, to, separates);
    if next > to
        && let Some(after) = value_name(bytes, next)
    {
        return Some(pairs::value(text, after, false));
    }
    // The member with the value may come first.
    let marks = |b: u8| is_quote(b) || b == b'\\';
    let key = run_back(bytes, operator, |b| matches!(b, b'=' | b':' | b'>'));
    let key = run_back(bytes, run_back(bytes, key, is_blank), marks);
    let key = run_back(bytes, run_back(bytes, key, is_name), marks);
    let head = text.get(..key)?;
    let near = key.saturating_sub(NEAR);
    let mut at = near;
    let mut found = None;
    while at < key {
        let word = run(head.as_bytes(), at, is_name);
        if word == at {
            at += 1;
            continue;
        }
        let whole = at > near || !is_name(before(bytes, at));
        if whole && let Some(after) = value_name(head.as_bytes(), at) {
            let value = pairs::value(head, after, false);
            let gap = head.as_bytes().get(value.end..);
            let over = |b: &u8| separates(*b) || marks(*b);
            if gap.is_some_and(|gap| gap.len() <= 8 && gap.iter().all(over)) {
                found = Some(value);
            }
        }
        at = word;
    }
    found
}

/// Returns the position after the operator of a member with the value, if one starts here.
fn value_name(bytes: &[u8], from: usize) -> Option<usize> {
    let quote = |b: u8| is_quote(b) || b == b'\\';
    let start = run(bytes, from, quote);
    let end = run(bytes, start, is_name);
    let operator = run(bytes, run(bytes, end, quote), is_blank);
    let is = matches!(bytes.get(operator), Some(b'=' | b':'));
    (is && one_of(VALUES, bytes.get(start..end)?)).then_some(operator + 1)
}

/// `("password", "x")`: exactly two; more are a list of names.
fn tuple(bytes: &[u8], from: usize, after: usize) -> Option<Range<usize>> {
    let opens = matches!(
        before(bytes, from),
        0 | b'(' | b'[' | b'{' | b' ' | b'\n' | b'\t'
    );
    let start = run(bytes, after, |b| b.is_ascii_whitespace());
    let value = pairs::text(bytes, start).filter(|_| opens)?;
    let behind = run(bytes, value.end, |b| is_quote(b) || b == b'\\');
    let behind = run(bytes, behind, |b| b.is_ascii_whitespace());
    let alone = !matches!(bytes.get(behind), Some(b',' | b':' | b'='));
    let field = one_of(FIELDS, bytes.get(value.clone())?);
    (alone && !field).then_some(value)
}

/// `Password("x")`, `Pin(1234)`.
fn constructor(text: &str, name: &Range<usize>) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let at = pairs::unwrapped(bytes, name.end + 1);
    let is_type = bytes.get(name.start).is_some_and(u8::is_ascii_uppercase);
    let digits = at..run(bytes, at, |b| b.is_ascii_digit());
    pairs::text(bytes, at).or((is_type && !digits.is_empty()).then_some(digits))
}

/// `Secret { inner: "x" }`, but not `AuthError { .. }`, which only mentions one.
fn structure(text: &str, name: &Range<usize>, open: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let word = bytes.get(name.clone())?;
    let last = word.iter().rposition(u8::is_ascii_uppercase)?;
    let is_type = word.first().is_some_and(u8::is_ascii_uppercase);
    let last = word.get(last..)?;
    let holds: &[&[u8]] = &[
        b"Bearer",
        b"Cookie",
        b"Credential",
        b"Credentials",
        b"Key",
        b"Password",
        b"Passphrase",
        b"Pin",
        b"Secret",
        b"String",
        b"Token",
    ];
    if !is_type || !one_of(holds, last) {
        return None;
    }
    let inner = pairs::nested(text, open)?;
    let end = inner.end - usize::from(before(bytes, inner.end) == b'}');
    Some(inner.start + 1..end.max(inner.start + 1))
}

/// A name and a value as words: a flag, `password 'x'`, `password is x1`, `TOKEN x1`.
fn words(text: &str, name: &Range<usize>, at: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let first = bytes.get(at..run(bytes, at, |b| !b.is_ascii_whitespace()))?;
    if starts_with(bytes, name.start, b"--") {
        let flag = first.first().is_none_or(|b| *b == b'-') || one_of(PROSE, first);
        return (!flag).then(|| said(bytes, at));
    }
    let end = run_back(bytes, name.start, is_blank);
    let previous = run_back(bytes, end, |b| b.is_ascii_alphabetic());
    if one_of(PARSERS, bytes.get(previous..end)?) {
        return None;
    }
    if let Some(value) = pairs::text(bytes, at) {
        let inner = bytes.get(value.clone())?;
        let symbols = inner
            .iter()
            .filter(|b| b.is_ascii_alphanumeric() || **b >= 0x80);
        return (symbols.take(3).count() == 3).then_some(value);
    }
    let arrow = first == b"->";
    if arrow || one_of(&[b"is", b"was"], first) {
        let next = run(bytes, at + first.len(), is_blank);
        let value = said(bytes, next);
        let word = bytes.get(value.clone())?;
        let any = arrow || value.start > next || (word.len() >= 4 && turns(word) > 0);
        return any.then_some(value);
    }
    let upper = bytes
        .get(name.clone())?
        .iter()
        .all(|b| !b.is_ascii_lowercase());
    let value = said(bytes, at);
    let word = bytes.get(value.clone())?;
    (word.len() >= 6 && turns(word) > if upper { 0 } else { 2 }).then_some(value)
}

/// Returns the text in quotes, or a word without punctuation.
fn said(bytes: &[u8], at: usize) -> Range<usize> {
    let end = run(bytes, at, |b| {
        !b.is_ascii_whitespace() && !matches!(b, b'"' | b'<' | b'>' | b'`' | b',' | b';')
    });
    let end = run_back(bytes, end, |b| b",;:.!?)]}'".contains(&b));
    pairs::text(bytes, at).unwrap_or(at..end.max(at))
}

/// Counts changes between letters and digits; digits alone count once.
fn turns(word: &[u8]) -> usize {
    let kind = |b: &u8| (b.is_ascii_digit(), b.is_ascii_alphabetic());
    let digits = word.iter().all(u8::is_ascii_digit);
    let plain = word
        .iter()
        .all(|b| b.is_ascii_alphanumeric() || b"_-.~+/=!".contains(b));
    let turn = |pair: &[u8]| match pair {
        [a, b] => kind(a) != kind(b) && a.is_ascii_alphanumeric() && b.is_ascii_alphanumeric(),
        _ => false,
    };
    match (plain, digits) {
        (false, _) => 0,
        (_, true) => 1,
        _ => word.windows(2).filter(|pair| turn(pair)).count(),
    }
}
