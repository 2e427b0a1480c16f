//! Writes JSON text into a buffer. The general serialiser would take several times as long
//! for a line as everything else.

use std::fmt::{self, Write};

/// Writes a string with its quotes, escaped by RFC 8259 (section 7).
pub(super) fn string(out: &mut Vec<u8>, text: &str) {
    utf8(out, text.as_bytes());
}

/// Writes bytes that are known to be a text as a string.
pub(super) fn utf8(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    contents(out, text);
    out.push(b'"');
}

/// Writes the `Display` text of a value as a string.
pub(super) fn display(out: &mut Vec<u8>, value: impl fmt::Display) {
    out.push(b'"');
    // The writer below never fails.
    let _ = write!(Escaped(out), "{value}");
    out.push(b'"');
}

struct Escaped<'o>(&'o mut Vec<u8>);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        contents(self.0, text.as_bytes());
        Ok(())
    }
}

fn contents(out: &mut Vec<u8>, text: &[u8]) {
    let mut rest = text;
    loop {
        let plain = plain_prefix(rest);
        let (before, after) = rest.split_at(plain);
        out.extend_from_slice(before);
        let Some((&byte, after)) = after.split_first() else {
            return;
        };
        escape(out, byte);
        rest = after;
    }
}

/// How many bytes can be copied unescaped.
fn plain_prefix(bytes: &[u8]) -> usize {
    let mut rest = bytes;
    while let Some((word, after)) = rest.split_first_chunk::<8>() {
        if !is_plain(*word) {
            break;
        }
        // The last word may overlap the one before it.
        match bytes.last_chunk::<8>() {
            Some(last) if after.len() < 8 && is_plain(*last) => return bytes.len(),
            _ => rest = after,
        }
    }
    let special = |b: &u8| *b < 0x20 || matches!(b, b'"' | b'\\');
    let done = bytes.len() - rest.len();
    done + rest.iter().position(special).unwrap_or(rest.len())
}

/// Whether eight bytes hold no control character, no quote and no backslash. It checks all
/// of them at once by arithmetic.
fn is_plain(bytes: [u8; 8]) -> bool {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES << 7;
    let word = u64::from_le_bytes(bytes);
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word;
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    let quote = zeros(word ^ (ONES * u64::from(b'"')));
    let backslash = zeros(word ^ (ONES * u64::from(b'\\')));
    (control | quote | backslash) & HIGH == 0
}

fn escape(out: &mut Vec<u8>, byte: u8) {
    let short = match byte {
        b'"' | b'\\' => byte,
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x08 => b'b',
        0x0c => b'f',
        _ => {
            const HEX: &[u8; 16] = b"0123456789abcdef";
            let digit = |n: u8| HEX[usize::from(n & 0xf)];
            out.extend_from_slice(b"\\u00");
            out.extend_from_slice(&[digit(byte >> 4), digit(byte)]);
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_text_reads_back(text in any::<String>(), more in "[\\x00-\\x7f]{0,40}") {
            for text in [text, more] {
                let mut out = Vec::new();
                string(&mut out, &text);
                prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text.clone());
                let mut shown = Vec::new();
                display(&mut shown, &text);
                prop_assert_eq!(shown, out);
            }
        }
    }

    #[test]
    fn every_position_in_a_word_is_seen() {
        for special in ['"', '\\', '\n', '\u{1f}', '\0'] {
            for at in 0..24 {
                let mut text = "é".repeat(6) + &"x".repeat(12);
                let at = (at..).find(|n| text.is_char_boundary(*n)).unwrap();
                text.insert(at, special);
                let mut out = Vec::new();
                string(&mut out, &text);
                assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
            }
        }
    }
}
