//! Scanning of JSON tokens.

/// Why a string ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Stop {
    Quote,
    /// The input ended inside it.
    Cut,
    /// A control character, which JSON requires to be escaped.
    Control,
}

/// One string.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scan {
    /// The end of its content.
    pub(super) end: usize,
    pub(super) stop: Stop,
    pub(super) escaped: bool,
}

impl Scan {
    /// A complete string without escapes.
    pub(super) fn plain(end: usize) -> Self {
        Self {
            end,
            stop: Stop::Quote,
            escaped: false,
        }
    }

    /// The position after the string.
    pub(super) fn after(self) -> usize {
        self.end + usize::from(self.stop == Stop::Quote)
    }
}

/// Repeats a byte in every lane.
const fn lanes(b: u8) -> u64 {
    u64::from_le_bytes([b; 8])
}

/// Scans the string whose content starts here, eight bytes at a time.
pub(super) fn string(input: &[u8], from: usize) -> Scan {
    let mut at = from;
    let mut escaped = false;
    let end = |end, stop, escaped| Scan { end, stop, escaped };
    loop {
        while let Some(word) = input.get(at..).and_then(|rest| rest.first_chunk()) {
            // A set high bit marks a byte to check. Borrows reach only lanes above a true
            // one, so the lowest is always correct.
            let word = u64::from_le_bytes(*word);
            let quote = word ^ lanes(b'"');
            let slash = word ^ lanes(b'\\');
            let marks = (quote.wrapping_sub(lanes(1)) & !quote
                | slash.wrapping_sub(lanes(1)) & !slash
                | word.wrapping_sub(lanes(0x20)) & !word)
                & lanes(0x80);
            if marks != 0 {
                at += (marks.trailing_zeros() / 8) as usize;
                break;
            }
            at += 8;
        }
        match input.get(at) {
            None => return end(input.len(), Stop::Cut, escaped),
            Some(b'"') => return end(at, Stop::Quote, escaped),
            Some(b'\\') => {
                escaped = true;
                at += 2;
            }
            Some(0..0x20) => return end(at, Stop::Control, escaped),
            Some(_) => at += 1,
        }
    }
}

/// Skips white space.
pub(super) fn space(input: &[u8], from: usize) -> usize {
    let mut at = from;
    while matches!(input.get(at), Some(b' ' | b'\n' | b'\r' | b'\t')) {
        at += 1;
    }
    at
}

/// Returns the end of the number that starts here.
pub(super) fn number(input: &[u8], from: usize) -> Option<usize> {
    let digits = |from: usize| {
        let mut at = from;
        while input.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        (at > from).then_some(at)
    };
    let start = from + usize::from(input.get(from) == Some(&b'-'));
    let mut at = digits(start)?;
    if input.get(start) == Some(&b'0') && at > start + 1 {
        return None;
    }
    if input.get(at) == Some(&b'.') {
        at = digits(at + 1)?;
    }
    if matches!(input.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(input.get(at + 1), Some(b'+' | b'-')));
        at = digits(at + 1 + sign)?;
    }
    Some(at)
}

/// Returns the end of the characters of numbers.
pub(super) fn number_like(input: &[u8], from: usize) -> usize {
    let mut at = from;
    while matches!(
        input.get(at),
        Some(b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')
    ) {
        at += 1;
    }
    at
}

/// Returns the end of a number or a word.
pub(super) fn bare(input: &[u8], from: usize) -> usize {
    let mut at = number_like(input, from);
    while input.get(at).is_some_and(u8::is_ascii_alphabetic) {
        at += 1;
    }
    at
}

/// Returns whether a text is one JSON number.
pub(in crate::redact) fn is_number(text: &str) -> bool {
    number(text.as_bytes(), 0) == Some(text.len())
}
