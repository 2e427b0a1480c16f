//! Cuts a line that is too long as written: an escape makes up to six bytes of one.

use super::format::LineFormat;
use std::ops::Range;

/// The shortest length that texts are cut to. After that, fields and spans are left out.
const SHORTEST: usize = 64;
/// The mark at the end of a text that was cut.
const MARK: &str = "…";

/// Makes the open object of a line, which `text` holds, fit into `room` bytes. It cuts the
/// longest texts, and if that is not enough, leaves out fields and spans from the end.
/// Returns the number of both.
pub(super) fn fit(text: &mut Vec<u8>, room: usize, format: &LineFormat) -> u32 {
    if text.len() <= room {
        return 0;
    }
    let mut cut = 0;
    let parts = Parts::of(text, format);
    let longest = cap(&parts.texts, text.len() - room);
    let mut short = Vec::with_capacity(room);
    let mut done = 0;
    for part in parts.texts {
        if part.len() <= longest + MARK.len() {
            continue;
        }
        let end = boundary(text, part.start, part.start + longest);
        let end = before_placeholder(text, part.start, end);
        short.extend_from_slice(text.get(done..end).unwrap_or_default());
        short.extend_from_slice(MARK.as_bytes());
        done = part.end;
        cut += 1;
    }
    short.extend_from_slice(text.get(done..).unwrap_or_default());
    if short.len() > room {
        // From the end, so that no comma is left.
        for unit in Parts::of(&short, format).units.into_iter().rev() {
            if short.len() <= room {
                break;
            }
            short.drain(unit);
            cut += 1;
        }
    }
    *text = short;
    cut
}

/// The length to which texts are cut, so that so many bytes are removed.
fn cap(texts: &[Range<usize>], too_many: usize) -> usize {
    let mut lengths: Vec<usize> = texts.iter().map(Range::len).collect();
    lengths.sort_unstable_by(|a, b| b.cmp(a));
    let mut sum = 0;
    for (n, length) in lengths.iter().enumerate() {
        sum += length;
        let next = lengths.get(n + 1).copied().unwrap_or(0);
        // With the mark, all texts so far have this length.
        let left = sum.saturating_sub(too_many) / (n + 1);
        if left >= next {
            return left.saturating_sub(MARK.len()).max(SHORTEST);
        }
    }
    SHORTEST
}

/// The last place up to `end` that is not inside of a character or an escape.
fn boundary(text: &[u8], start: usize, end: usize) -> usize {
    let mut at = start;
    loop {
        let next = at
            + match text.get(at..) {
                Some([b'\\', b'u', ..]) => 6,
                Some([b'\\', ..]) => 2,
                Some([byte, ..]) => 1 + (byte.leading_ones() as usize).saturating_sub(1),
                _ => return at,
            };
        if next > end {
            return at;
        }
        at = next;
    }
}

/// The start and the end of a placeholder of the redactor; queries have them encoded.
const PLACEHOLDERS: [(&[u8], &[u8]); 2] = [(b"[~", b"]"), (b"%5B~", b"%5D")];
/// The longest placeholder. A longer text is not one.
const PLACEHOLDER: usize = 256;

/// The last place up to `end` that is not inside of a placeholder either: a part of one
/// would look like a text of the service.
fn before_placeholder(text: &[u8], start: usize, end: usize) -> usize {
    let mut at = end;
    for (open, close) in PLACEHOLDERS {
        // The start of the placeholder may be cut itself.
        let from = start.max(end.saturating_sub(PLACEHOLDER));
        let to = (end + open.len() - 1).min(text.len());
        let last = text.get(from..to).unwrap_or_default();
        let Some(begin) = last.windows(open.len()).rposition(|part| part == open) else {
            continue;
        };
        let begin = from + begin;
        let inside = text.get(begin..end).unwrap_or_default();
        if !inside.windows(close.len()).any(|part| part == close) {
            at = at.min(begin);
        }
    }
    at
}

/// The parts of a line that may be cut.
struct Parts {
    /// The contents of the texts that may be cut, without quotes.
    texts: Vec<Range<usize>>,
    /// Fields and spans, each with the comma before it.
    units: Vec<Range<usize>>,
}

impl Parts {
    fn of(text: &[u8], format: &LineFormat) -> Self {
        let mut parts = Self {
            texts: Vec::new(),
            units: Vec::new(),
        };
        let mut depth = 0_u32;
        // At the top: the member that is being read, and whether it is dashcam's own.
        let (mut member, mut own) = (&b""[..], true);
        // The start of the part that is being read.
        let mut unit = None;
        let mut at = 0;
        while let Some(&byte) = text.get(at) {
            let units_here = match depth {
                1 => !own,
                2 => member == b"fields" || member == b"spans",
                _ => false,
            };
            match byte {
                b'"' => {
                    let end = end_of(text, at);
                    let content = text.get(at + 1..end).unwrap_or_default();
                    if text.get(end + 1) == Some(&b':') {
                        if depth == 1 {
                            member = content;
                            own = std::str::from_utf8(content)
                                .is_ok_and(|name| format.reserves(name));
                        } else if depth == 2 && member == b"fields" {
                            unit.get_or_insert(at);
                        }
                    } else if depth > 1 || !own || member == b"message" || content.len() > 256 {
                        parts.texts.push(at + 1..end);
                    }
                    at = end + 1;
                    continue;
                }
                b'{' | b'[' => {
                    if depth == 2 && member == b"spans" {
                        unit.get_or_insert(at);
                    }
                    depth += 1;
                }
                b'}' | b']' => {
                    if units_here && let Some(start) = unit.take() {
                        parts.units.push(start..at);
                    }
                    depth = depth.saturating_sub(1);
                }
                b',' if units_here || depth == 1 => {
                    if let Some(start) = unit.take().filter(|_| units_here) {
                        parts.units.push(start..at);
                    }
                    // At the top, the name that follows shows whose member it is.
                    unit = Some(at);
                    if depth == 1 {
                        own = true;
                    }
                }
                _ => {}
            }
            at += 1;
        }
        if depth == 1
            && !own
            && let Some(start) = unit
        {
            parts.units.push(start..text.len());
        }
        parts
    }
}

/// The end of the string that begins with the quote here.
fn end_of(text: &[u8], quote: usize) -> usize {
    let mut at = quote + 1;
    while let Some(found) = memchr::memchr2(b'"', b'\\', text.get(at..).unwrap_or_default()) {
        at += found;
        if text.get(at) == Some(&b'"') {
            return at;
        }
        at += 2;
    }
    text.len()
}
