//! Searches an output for secrets, raw and decoded, with decoders of its own.

use crate::leaks::make::{CARD, MARK, NUMBER};
use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use std::{
    borrow::Cow,
    collections::HashSet,
    hash::{DefaultHasher, Hasher},
    io::Read,
};

/// How many nested encodings it decodes.
const DEPTH: usize = 4;

/// The most that is read of one compressed piece.
const MOST: u64 = 4 << 20;

/// The kinds of needles, in the order in which they are built.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Plain,
    Digits,
    /// With how many bytes before the mark in its group of three.
    Base64(usize),
    Hex,
}

pub(crate) struct Search {
    finder: AhoCorasick,
    kinds: Vec<Kind>,
}

impl Search {
    pub(crate) fn new() -> Self {
        let mut needles: Vec<(Vec<u8>, Kind)> = Vec::new();
        for mark in [MARK.to_owned(), MARK.to_uppercase()] {
            let bytes = mark.as_bytes();
            let wide = |zeros: &[u8]| bytes.iter().flat_map(|b| [&[*b], zeros].concat()).collect();
            needles.push((bytes.to_vec(), Kind::Plain));
            needles.push((wide(&[0]), Kind::Plain));
            needles.push((wide(&[0, 0, 0]), Kind::Plain));
            needles.push((bytes.iter().rev().copied().collect(), Kind::Plain));
            for before in 0..3 {
                let padded = [&[0, 0, 0][..before], bytes].concat();
                let text = crate::leaks::encode::base64(&padded);
                let from = (before * 8).div_ceil(6);
                let to = padded.len() * 8 / 6;
                needles.push((text.as_bytes()[from..to].to_vec(), Kind::Base64(before)));
            }
            let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
            needles.push((hex.to_uppercase().into_bytes(), Kind::Hex));
            needles.push((hex.into_bytes(), Kind::Hex));
        }
        for number in [NUMBER, CARD, "4539 581", "4539-581"] {
            needles.push((number.as_bytes().to_vec(), Kind::Digits));
        }
        let (needles, kinds): (Vec<_>, Vec<_>) = needles.into_iter().unzip();
        let finder = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::DFA))
            .build(&needles)
            .unwrap();
        Self { finder, kinds }
    }

    /// Returns the first secret in an output: the decoders that found it, and the text around it.
    pub(crate) fn find(&self, output: &[u8]) -> Option<String> {
        let mut seen = HashSet::new();
        let mut todo = vec![(Cow::Borrowed(output), String::from("raw"), DEPTH)];
        while let Some((bytes, path, depth)) = todo.pop() {
            if bytes.len() < MARK.len() || !seen.insert(hash(&bytes)) {
                continue;
            }
            for found in self.finder.find_overlapping_iter(&bytes) {
                let kind = self.kinds[found.pattern().as_usize()];
                if confirmed(&bytes, found.range(), kind) {
                    let from = found.start().saturating_sub(60);
                    let near = &bytes[from..bytes.len().min(found.end() + 80)];
                    let near = String::from_utf8_lossy(near).into_owned();
                    return Some(format!("{path} {kind:?}: …{near}…"));
                }
            }
            if depth == 0 {
                continue;
            }
            for (name, decode) in DECODERS {
                if let Some(decoded) = decode(&bytes) {
                    todo.push((Cow::Owned(decoded), format!("{path} > {name}"), depth - 1));
                }
            }
        }
        None
    }
}

/// Whether two texts are the same for this test.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}

fn is_base64(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"+/-_".contains(&b)
}

/// The run of bytes of a kind around a range.
fn run(
    bytes: &[u8],
    range: &std::ops::Range<usize>,
    kind: fn(u8) -> bool,
) -> std::ops::Range<usize> {
    let before = bytes[..range.start]
        .iter()
        .rev()
        .take_while(|b| kind(**b))
        .count();
    let after = bytes[range.end..].iter().take_while(|b| kind(**b)).count();
    range.start - before..range.end + after
}

/// Whether a needle is no coincidence: hashes and identifiers are random digits, and there are
/// many of them.
fn confirmed(bytes: &[u8], range: std::ops::Range<usize>, kind: Kind) -> bool {
    let readable = |text: &[u8]| {
        let good = text.iter().filter(|b| (0x20..0x7f).contains(*b)).count();
        good * 10 >= text.len() * 8
    };
    match kind {
        Kind::Plain => true,
        Kind::Digits => {
            let run = &bytes[run(bytes, &range, |b| b.is_ascii_alphanumeric())];
            let hex = run.iter().all(u8::is_ascii_hexdigit);
            !hex || run.iter().all(u8::is_ascii_digit)
        }
        Kind::Hex => {
            let run = run(bytes, &range, |b| b.is_ascii_hexdigit());
            let from = run.start + (range.start - run.start) % 2;
            let text = std::str::from_utf8(&bytes[from..run.end]).unwrap();
            let decoded: Vec<u8> = (0..text.len() / 2)
                .map(|n| u8::from_str_radix(&text[2 * n..2 * n + 2], 16).unwrap())
                .collect();
            decoded.len() > 8 && readable(&decoded)
        }
        Kind::Base64(before) => {
            let run = run(bytes, &range, is_base64);
            // The start of the group with the needle.
            let digits = (before * 8).div_ceil(6);
            let start = range.start.saturating_sub(digits).max(run.start);
            let from = start - (start - run.start) / 4 * 4;
            decode_base64(&bytes[from..run.end]).is_some_and(|d| d.len() > 8 && readable(&d))
        }
    }
}

fn decode_base64(run: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(run.len());
    let (mut bits, mut held) = (0_u32, 0);
    for b in run {
        let six = match b {
            b'A'..=b'Z' => b - b'A',
            b'a'..=b'z' => b - b'a' + 26,
            b'0'..=b'9' => b - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = (bits << 6 | u32::from(six)) & 0xffff;
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held) as u8);
        }
    }
    Some(out)
}

type Decoder = fn(&[u8]) -> Option<Vec<u8>>;

const DECODERS: &[(&str, Decoder)] = &[
    ("json", json),
    ("percent", |bytes| hexed(bytes, b'%')),
    ("quoted-printable", printable),
    ("html", html),
    ("base64", base64),
    ("gzip", gunzip),
];

/// JSON's and Rust's escapes.
fn json(bytes: &[u8]) -> Option<Vec<u8>> {
    if !bytes.contains(&b'\\') {
        return None;
    }
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] != b'\\' {
            out.push(bytes[at]);
            at += 1;
            continue;
        }
        let (c, used) = match bytes.get(at + 1) {
            Some(b'u') => {
                let rest = &bytes[at + 2..];
                let (digits, used) = match rest.strip_prefix(b"{") {
                    Some(rest) => {
                        let end = rest.iter().take(7).position(|b| *b == b'}').unwrap_or(0);
                        (&rest[..end], end + 4)
                    }
                    None => (&rest[..rest.len().min(4)], 6),
                };
                let code = std::str::from_utf8(digits)
                    .ok()
                    .and_then(|digits| u32::from_str_radix(digits, 16).ok());
                match code {
                    Some(code) => (char::from_u32(code).unwrap_or('?'), used),
                    None => ('u', 2),
                }
            }
            Some(b'n') => ('\n', 2),
            Some(b't') => ('\t', 2),
            Some(b'r') => ('\r', 2),
            Some(b) if b.is_ascii() => (char::from(*b), 2),
            _ => ('\\', 1),
        };
        out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        at += used;
    }
    Some(out)
}

/// Two digits after a sign. A line break after `=` is ignored.
fn hexed(bytes: &[u8], sign: u8) -> Option<Vec<u8>> {
    let pair = |at: usize| {
        let digits = std::str::from_utf8(bytes.get(at + 1..at + 3)?).ok()?;
        u8::from_str_radix(digits, 16).ok()
    };
    if !bytes.contains(&sign) {
        return None;
    }
    let mut out = Vec::with_capacity(bytes.len());
    let (mut at, mut any) = (0, false);
    while at < bytes.len() {
        if bytes[at] == sign {
            if let Some(b) = pair(at) {
                (any, at) = (true, at + 3);
                out.push(b);
                continue;
            }
            let soft = [&b"=\r\n"[..], b"=\n"]
                .into_iter()
                .find(|soft| bytes[at..].starts_with(soft));
            if let Some(soft) = soft {
                (any, at) = (true, at + soft.len());
                continue;
            }
        }
        out.push(bytes[at]);
        at += 1;
    }
    any.then_some(out)
}

/// Where it has a letter of the mark, or a broken line: `=` is everywhere.
fn printable(bytes: &[u8]) -> Option<Vec<u8>> {
    let telling =
        |rest: &[u8]| matches!(rest, [b'5' | b'7', b'a' | b'A', ..] | [b'\r' | b'\n', ..]);
    let mut signs = bytes.iter().enumerate().filter(|(_, b)| **b == b'=');
    signs
        .any(|(at, _)| telling(&bytes[at + 1..]))
        .then(|| hexed(bytes, b'='))?
}

fn html(bytes: &[u8]) -> Option<Vec<u8>> {
    if !bytes.contains(&b'&') {
        return None;
    }
    let mut out = Vec::with_capacity(bytes.len());
    let (mut at, mut any) = (0, false);
    while at < bytes.len() {
        let end = if bytes[at] == b'&' {
            bytes[at..].iter().take(12).position(|b| *b == b';')
        } else {
            None
        };
        let c = end
            .and_then(|end| std::str::from_utf8(&bytes[at + 1..at + end]).ok())
            .and_then(|name| match name {
                "amp" => Some('&'),
                "lt" => Some('<'),
                "gt" => Some('>'),
                "quot" => Some('"'),
                "apos" => Some('\''),
                _ => {
                    let digits = name.strip_prefix('#')?;
                    let code = match digits.strip_prefix(['x', 'X']) {
                        Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                        None => digits.parse().ok()?,
                    };
                    char::from_u32(code)
                }
            });
        match (c, end) {
            (Some(c), Some(end)) => {
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                any = true;
                at += end + 1;
            }
            _ => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    any.then_some(out)
}

/// Decodes long runs of base64, whose content may be encoded again. Needles find other content
/// without it.
fn base64(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    for run in bytes.split(|b| !is_base64(*b)).filter(|r| r.len() >= 16) {
        // Hashes and identifiers have lower case only.
        if !run.iter().any(u8::is_ascii_uppercase) || !run.iter().any(u8::is_ascii_lowercase) {
            continue;
        }
        for from in 0..4 {
            let Some(decoded) = decode_base64(&run[from..]) else {
                continue;
            };
            let text = decoded.iter().filter(|b| (0x20..0x7f).contains(*b)).count();
            if decoded.starts_with(&[0x1f, 0x8b]) || text * 10 >= decoded.len() * 8 {
                out.extend_from_slice(&decoded);
                out.push(b'\n');
            }
        }
    }
    (!out.is_empty()).then_some(out)
}

fn gunzip(bytes: &[u8]) -> Option<Vec<u8>> {
    if std::str::from_utf8(bytes).is_ok() {
        // Text contains no compressed data.
        return None;
    }
    let mut all = Vec::new();
    let starts = bytes.windows(3).enumerate();
    for (at, _) in starts.filter(|(_, start)| *start == [0x1f, 0x8b, 8]) {
        let decoder = flate2::read::MultiGzDecoder::new(&bytes[at..]);
        let _ = decoder.take(MOST).read_to_end(&mut all);
    }
    (!all.is_empty()).then_some(all)
}

#[test]
fn every_encoding_is_looked_through() {
    use crate::leaks::encode;
    let search = Search::new();
    let secret = format!("{MARK} inner&\"<{MARK}");
    let json = encode::quote(&secret);
    let hex: String = secret.bytes().map(|b| format!("{b:02x}")).collect();
    let printable: String = secret.bytes().map(|b| format!("={b:02X}")).collect();
    for written in [
        secret.clone(),
        secret.to_uppercase(),
        encode::quote(&json),
        encode::utf16(&secret, true)
            .iter()
            .map(|b| char::from(*b))
            .collect(),
        encode::quote(
            &encode::utf16(&secret, false)
                .iter()
                .map(|b| char::from(*b))
                .collect::<String>(),
        ),
        encode::all_percent(&secret),
        encode::all_percent(&encode::all_percent(&secret)),
        encode::references(&secret),
        encode::html(&encode::references(&secret)),
        encode::base64(secret.as_bytes()),
        encode::base64(format!("a{secret}").as_bytes()),
        encode::base64(format!("ab{secret}").as_bytes()),
        encode::base64(encode::references(&secret).as_bytes()),
        encode::base64(&encode::gzip(encode::all_percent(&secret).as_bytes())),
        encode::all_percent(&encode::base64(secret.as_bytes())),
        hex.to_uppercase(),
        hex,
        printable,
        format!("{}=\r\n{}", &secret[..2], &secret[2..]),
        secret.chars().rev().collect(),
        format!("{NUMBER}7"),
        format!("id{CARD}000"),
    ] {
        let output = format!("{{\"a\":\"x{written}\"}}");
        let wide = [&[0, 159][..], &encode::gzip(output.as_bytes())].concat();
        assert!(search.find(output.as_bytes()).is_some(), "{output}");
        assert!(search.find(&wide).is_some(), "{output}");
    }
    for harmless in [
        "zqv x",
        "zqv",
        "a4539581bcd0",
        "[~7a71767800000000]",
        "enF2ezzz",
    ] {
        assert_eq!(search.find(harmless.as_bytes()), None);
    }
}
