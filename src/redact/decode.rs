//! Decoding and encoding of values.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, percent_encode};

/// Keeps the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

pub(super) fn percent(text: &str) -> Vec<u8> {
    percent_decode(text.as_bytes()).collect()
}

/// As in forms and queries, where `+` is a space.
pub(super) fn form(text: impl AsRef<[u8]>) -> Vec<u8> {
    let mut bytes = text.as_ref().to_vec();
    for b in &mut bytes {
        if *b == b'+' {
            *b = b' ';
        }
    }
    percent_decode(&bytes).collect()
}

pub(super) fn push_percent(bytes: &[u8], out: &mut String) {
    out.extend(percent_encode(bytes, RESERVED));
}

/// Decodes base64 in either alphabet as far as possible. Returns `None` if a character is
/// in neither. It does not validate.
pub(super) fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3 + 2);
    let (mut bits, mut held) = (0_u32, 0_u32);
    for b in text {
        let six = match b {
            b'A'..=b'Z' => b - b'A',
            b'a'..=b'z' => b - b'a' + 26,
            b'0'..=b'9' => b - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            b'=' => break,
            _ => return None,
        };
        bits = (bits << 6 | u32::from(six)) & 0xffff;
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held & 0xff) as u8);
        }
    }
    Some(out)
}

/// Decodes the inside of a JSON string. Returns `None` if an escape is invalid. `cut`
/// allows an incomplete escape at the end. Lone surrogates become U+FFFD.
pub(super) fn json(raw: &[u8], cut: bool, out: &mut Vec<u8>) -> Option<()> {
    out.clear();
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        let (plain, escape) = rest.split_at_checked(at)?;
        out.extend_from_slice(plain);
        let (byte, used) = match escape.get(1) {
            None => return cut.then_some(()),
            Some(b'b') => (8, 2),
            Some(b'f') => (12, 2),
            Some(b'n') => (b'\n', 2),
            Some(b'r') => (b'\r', 2),
            Some(b't') => (b'\t', 2),
            Some(&b @ (b'"' | b'\\' | b'/')) => (b, 2),
            Some(b'u') => {
                let Some((c, used)) = unicode(escape) else {
                    let tail = escape.get(2..).unwrap_or_default();
                    let short = tail.len() < 4 && tail.iter().all(u8::is_ascii_hexdigit);
                    return (cut && short).then_some(());
                };
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                rest = escape.get(used..)?;
                continue;
            }
            Some(_) => return None,
        };
        out.push(byte);
        rest = escape.get(used..)?;
    }
    out.extend_from_slice(rest);
    Some(())
}

/// Decodes escapes of JSON and Rust leniently: invalid ones stay.
pub(super) fn escapes(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|b| *b == b'\\') {
        let (before, escape) = rest.split_at_checked(at).unwrap_or((rest, &[]));
        plain.extend_from_slice(before);
        let (c, used) = match escape.get(1) {
            Some(b'n') => ('\n', 2),
            Some(b't') => ('\t', 2),
            Some(b'r') => ('\r', 2),
            Some(b'0') => ('\0', 2),
            Some(b'b') => ('\u{8}', 2),
            Some(b'f') => ('\u{c}', 2),
            Some(b'u') => unicode(escape)
                .or_else(|| braced(escape))
                .unwrap_or(('u', 2)),
            Some(b) if b.is_ascii() => (char::from(*b), 2),
            _ => ('\\', 1),
        };
        plain.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        rest = escape.get(used..).unwrap_or_default();
    }
    plain.extend_from_slice(rest);
    plain
}

/// `\u{1f600}`.
fn braced(escape: &[u8]) -> Option<(char, usize)> {
    let digits = escape.strip_prefix(b"\\u{")?;
    let end = digits.iter().take(7).position(|b| *b == b'}')?;
    let digits = std::str::from_utf8(digits.get(..end)?).ok()?;
    let code = u32::from_str_radix(digits, 16).ok()?;
    Some((char::from_u32(code)?, end + 4))
}

fn unicode(escape: &[u8]) -> Option<(char, usize)> {
    let unit = |from: usize| {
        let digits = escape.get(from..from + 4)?;
        digits
            .iter()
            .try_fold(0_u32, |n, &b| Some(n << 4 | char::from(b).to_digit(16)?))
    };
    let first = unit(2)?;
    if (0xd800..0xdc00).contains(&first)
        && escape.get(6..8) == Some(b"\\u")
        && let Some(second @ 0xdc00..0xe000) = unit(8)
    {
        let c = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        return Some((char::from_u32(c)?, 12));
    }
    Some((
        char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER),
        6,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_strings() {
        let mut out = Vec::new();
        let mut read = |raw: &[u8], cut| {
            json(raw, cut, &mut out).map(|()| String::from_utf8_lossy(&out).into_owned())
        };
        assert_eq!(read(br"\u0070ass\n\/", false).as_deref(), Some("pass\n/"));
        assert_eq!(read(br"\ud83d\ude00!", false).as_deref(), Some("😀!"));
        assert_eq!(read(br"\ud83dx", false).as_deref(), Some("\u{fffd}x"));
        assert_eq!(read(br"a\u00", true).as_deref(), Some("a"));
        assert_eq!(read(br"a\", true).as_deref(), Some("a"));
        assert_eq!(read(br"a\u00", false), None);
        assert_eq!(read(br"a\x", true), None);
        assert_eq!(read(br"a\u00zz", true), None);
    }

    #[test]
    fn base64_both_alphabets() {
        assert_eq!(base64(b"dXNlcjpwYXNz").as_deref(), Some(&b"user:pass"[..]));
        assert_eq!(base64(b"_-8=").as_deref(), Some(&b"\xff\xef"[..]));
        assert_eq!(base64(b"a.b"), None);
    }
}
