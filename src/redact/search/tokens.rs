//! Decodes other alphabets in a text: base64, hex digits, lists of numbers.

use super::{
    escapes::pair,
    source::{Read, Source},
};
use std::ops::Range;

const LOWER: u8 = 1;
const UPPER: u8 = 2;
const DIGIT: u8 = 4;
/// A letter that is not a hex digit.
const OTHER: u8 = 8;
/// Characters of base64 other than letters and digits.
const SIGN: u8 = 16;
/// Separators of items of a list.
const BETWEEN: u8 = 32;

const ALNUM: u8 = LOWER | UPPER | DIGIT;

const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut b = 0;
    while b < 256 {
        let c = b as u8;
        let other = if c.is_ascii_hexdigit() { 0 } else { OTHER };
        classes[b] = match c {
            b'a'..=b'z' => LOWER | other,
            b'A'..=b'Z' => UPPER | other,
            b'0'..=b'9' => DIGIT,
            b'+' | b'-' | b'_' => SIGN | BETWEEN,
            b'/' => SIGN,
            b',' | b';' | b':' | b' ' | b'\t' | b'\n' | b'\r' | b'|' => BETWEEN,
            _ => 0,
        };
        b += 1;
    }
    classes
};

/// From this length on, a token may be cut.
const CUT: usize = 16;

/// How many percent of the decoded bytes must be text, and how many to be searched for long
/// values.
const TEXT: usize = 90;
const MIXED: usize = 60;

/// The fewest digits of a hex token, alone and after other letters.
const HEX: usize = 6;
const GLUED: usize = 12;

/// A part of a text that may be in another alphabet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Base64(Range<usize>),
    Hex(Range<usize>),
    List(Range<usize>),
}

impl Token {
    pub(super) fn range(&self) -> &Range<usize> {
        match self {
            Self::Base64(range) | Self::Hex(range) | Self::List(range) => range,
        }
    }
}

/// Reports every part of a text that may be in another alphabet.
pub(super) fn each<E>(bytes: &[u8], mut tell: impl FnMut(Token) -> Result<(), E>) -> Result<(), E> {
    let class = |at: usize| bytes.get(at).map_or(0, |b| CLASSES[usize::from(*b)]);
    let (mut at, mut list) = (0, Items::default());
    while at < bytes.len() {
        let start = at;
        // Pieces of letters and digits with signs between them.
        let (mut all, mut pieces) = (0, 0);
        loop {
            let piece = at;
            let mut bits = 0;
            while class(at) & ALNUM != 0 {
                bits |= class(at);
                at += 1;
            }
            if at > piece {
                let digits = bytes.get(piece..at).unwrap_or_default();
                if let Some(done) = list.item(digits, piece..at) {
                    tell(Token::List(done))?;
                }
                if let Some(range) = hex(digits, piece, bits) {
                    tell(Token::Hex(range))?;
                }
                all |= bits;
                pieces += 1;
                // A single piece is reported as the whole.
                if (piece > start || class(at) & SIGN != 0) && is_base64(digits, bits) {
                    tell(Token::Base64(piece..at))?;
                }
            }
            if class(at) & SIGN == 0 {
                break;
            }
            if class(at) & BETWEEN == 0
                && let Some(done) = list.end()
            {
                tell(Token::List(done))?;
            }
            at += 1;
        }
        let token = bytes.get(start..at).unwrap_or_default();
        if pieces > 0 && is_base64(token, all) && (pieces == 1 || all & OTHER != 0) {
            tell(Token::Base64(start..at))?;
        }
        // A path segment, with characters of the other alphabet.
        let parts = if pieces > 1 {
            memchr::memchr(b'/', token)
        } else {
            None
        };
        let mut from = start;
        for part in parts.iter().flat_map(|_| token.split(|b| *b == b'/')) {
            let bits = part
                .iter()
                .fold(0, |bits, b| bits | CLASSES[usize::from(*b)]);
            if bits & SIGN != 0 && is_base64(part, bits) {
                tell(Token::Base64(from..from + part.len()))?;
            }
            from += part.len() + 1;
        }
        if at < bytes.len() {
            if class(at) & BETWEEN == 0
                && let Some(done) = list.end()
            {
                tell(Token::List(done))?;
            }
            at += 1;
        }
    }
    list.end().map_or(Ok(()), |done| tell(Token::List(done)))
}

fn is_base64(token: &[u8], bits: u8) -> bool {
    let kinds = bits & ALNUM;
    if token.len() < 4 || kinds == LOWER || kinds == DIGIT {
        return false;
    }
    if token.len() < CUT {
        let first = token.first();
        return starts_as_text(token)
            && !(kinds == UPPER && token.iter().all(|b| Some(b) == first));
    }
    // This many digits are of more than one kind, and hex is decoded as hex only.
    let mixed = kinds & LOWER != 0 || kinds & DIGIT != 0 && starts_as_text(token);
    mixed && kinds & UPPER != 0 && bits & OTHER != 0
}

/// Returns whether the first decoded bytes may be text.
fn starts_as_text(token: &[u8]) -> bool {
    let Some([a, b, c, d]) = token
        .first_chunk()
        .map(|t| t.map(|b| SEXTETS[usize::from(b)]))
    else {
        return false;
    };
    let [a, b, c] = [a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d];
    // The first is an ASCII letter, or begins another one. With the byte of a script, or a
    // zero, after it, it is wide.
    if matches!(b, 0..0x34) && !is_text(b) {
        return b == 0 || token.len() >= 8;
    }
    if is_text(a) {
        return (is_text(b) && (is_text(c) || c >= 0xc0))
            || (b >= 0xc0 && (0x80..0xc0).contains(&c));
    }
    a >= 0xc0 && (0x80..0xc0).contains(&b)
}

/// Returns the digits that a piece consists of, or ends with.
fn hex(piece: &[u8], at: usize, bits: u8) -> Option<Range<usize>> {
    if bits & DIGIT == 0 || piece.len() < HEX {
        return None;
    }
    let other = if bits & OTHER == 0 {
        None
    } else {
        piece.iter().rposition(|b| !b.is_ascii_hexdigit())
    };
    let from = other.map_or(0, |at| at + 1);
    let marked = matches!(piece, [b'0', b'x' | b'X', ..]) && from == 2;
    let least = if from == 0 || marked { HEX } else { GLUED };
    (piece.len() - from >= least).then(|| at + from..at + piece.len())
}

/// Decodes as many hex digits as there is room for, and returns the number of bytes.
fn decode16(digits: &[u8], out: &mut [u8]) -> usize {
    let (pairs, _) = digits.as_chunks::<2>();
    let mut length = 0;
    for ([a, b], out) in pairs.iter().zip(out) {
        *out = pair(*a, *b).unwrap_or_default();
        length += 1;
    }
    length
}

/// The items of a list, up to its end.
#[derive(Default)]
struct Items {
    from: usize,
    to: usize,
    count: usize,
}

impl Items {
    /// Takes the next item, or something else. Returns the list that ends with it.
    fn item(&mut self, piece: &[u8], range: Range<usize>) -> Option<Range<usize>> {
        if piece.len() > 8
            || (!is_mark(piece) && unit(piece, 10).is_none() && unit(piece, 16).is_none())
        {
            return self.end();
        }
        if self.count == 0 {
            self.from = range.start;
        }
        self.to = range.end;
        self.count += usize::from(!is_mark(piece));
        None
    }

    #[inline]
    fn end(&mut self) -> Option<Range<usize>> {
        if self.count == 0 {
            return None;
        }
        let count = std::mem::take(&mut self.count);
        (count >= 3).then_some(self.from..self.to)
    }
}

/// The prefix of a character's number: `U+00EB`.
fn is_mark(item: &[u8]) -> bool {
    matches!(item, b"U" | b"u")
}

/// Parses an item of a list to this base: a byte, a UTF-16 unit or the number of a
/// character.
fn unit(item: &[u8], base: u32) -> Option<u32> {
    let digits = match *item {
        [b'0', b'x' | b'X', ref digits @ ..] if base == 16 => digits,
        [_, _] | [_, _, _, _, ..] if base == 16 => item,
        [_, ..] if base == 10 => item,
        _ => return None,
    };
    let add = |n: u32, b: &u8| Some(n * base + char::from(*b).to_digit(base)?);
    let most = if base == 16 { 6 } else { 7 };
    let unit = digits
        .get(..most.min(digits.len()))?
        .iter()
        .try_fold(0, add)?;
    (digits.len() <= most && unit <= u32::from(char::MAX)).then_some(unit)
}

/// A step of reading a token.
pub(super) enum Step {
    /// This many bytes were read.
    Work(usize),
    /// It is a text, which may contain anything.
    Text(Read),
    /// Partly one.
    Mixed(Read),
}

/// Reads a token in every possible way.
pub(super) fn read<E>(
    source: Source<'_>,
    token: Token,
    mut tell: impl FnMut(Step) -> Result<(), E>,
) -> Result<(), E> {
    let bytes = |range: &Range<usize>| source.bytes.get(range.clone()).unwrap_or_default();
    match token {
        Token::Base64(range) => {
            let all = bytes(&range);
            let shifts = if all.len() < CUT { 1 } else { 4 };
            let mut best: Option<(usize, Vec<u8>, usize)> = None;
            for shift in 0..shifts {
                let digits = all.get(shift..).unwrap_or_default();
                if !sampled(digits, 4, decode64, shift == 0) {
                    continue;
                }
                tell(Step::Work(all.len()))?;
                let mut decoded = vec![0; digits.len()];
                let length = decode64(digits, &mut decoded);
                decoded.truncate(length);
                let mut share = share(&decoded);
                // Letters of another script in UTF-16 have no recognisable form.
                if share < TEXT && shift == 0 && utf16(&decoded).is_some() {
                    share = TEXT - 1;
                }
                if best.as_ref().is_none_or(|best| share > best.0) {
                    best = Some((share, decoded, shift));
                }
            }
            let Some((share, decoded, shift)) = best else {
                return Ok(());
            };
            let place = |at: usize| {
                let from = range.start + shift + at / 3 * 4 + at % 3;
                source.span(from, (from + 2).min(range.end))
            };
            content(decoded, place, share, tell)
        }
        Token::Hex(range) => {
            let all = bytes(&range);
            for shift in 0..if all.len() < GLUED { 1 } else { 2 } {
                let digits = all.get(shift..).unwrap_or_default();
                if !sampled(digits, 2, decode16, true) {
                    continue;
                }
                tell(Step::Work(all.len() / 2))?;
                let mut decoded = vec![0; digits.len() / 2];
                decode16(digits, &mut decoded);
                let share = share(&decoded);
                let place = |at: usize| {
                    let from = range.start + shift + at * 2;
                    source.span(from, from + 2)
                };
                content(decoded, place, share, &mut tell)?;
            }
            Ok(())
        }
        Token::List(range) => {
            for base in [10, 16] {
                tell(Step::Work(range.len() / 4))?;
                let Some((units, places)) = list(bytes(&range), base) else {
                    continue;
                };
                let place = |at: usize| {
                    let item = places.get(at).cloned().unwrap_or_default();
                    source.span(range.start + item.start, range.start + item.end)
                };
                let decoded = units.iter().map(|unit| u8::try_from(*unit).ok());
                let decoded = decoded.collect::<Option<Vec<u8>>>().unwrap_or_default();
                // A cut may leave half a number at each end, and the text before may not be
                // an item.
                let mut share = share(&decoded);
                if share < TEXT && decoded.len() >= CUT {
                    let starts = decoded.len().saturating_sub(1);
                    let inner = (1..4).filter_map(|from| decoded.get(from..starts));
                    share = inner.map(self::share).fold(share, usize::max);
                }
                match characters(&units, place) {
                    Some(text) if share < TEXT => tell(text)?,
                    _ => content(decoded, place, share, &mut tell)?,
                }
            }
            Ok(())
        }
    }
}

/// Returns whether digits may encode text, from samples at the start and in the middle.
/// Groups have this many digits.
fn sampled(digits: &[u8], group: usize, decode: fn(&[u8], &mut [u8]) -> usize, wide: bool) -> bool {
    let middle = digits.len() / 2 / group * group;
    let mut sample = [0; 12];
    [0, middle].into_iter().any(|from| {
        let length = decode(digits.get(from..).unwrap_or_default(), &mut sample);
        let sample = sample.get(..length).unwrap_or_default();
        share(sample) >= MIXED || (wide && utf16(sample).is_some())
    })
}

fn list(bytes: &[u8], base: u32) -> Option<(Vec<u32>, Vec<Range<usize>>)> {
    let (mut units, mut places, mut at) = (Vec::new(), Vec::new(), 0);
    for item in bytes.split(|b| !b.is_ascii_alphanumeric()) {
        if !item.is_empty() && !is_mark(item) {
            units.push(unit(item, base)?);
            places.push(at..at + item.len());
        }
        at += item.len() + 1;
    }
    Some((units, places))
}

/// Reports characters, or UTF-16 units, unless they are clearly not text.
fn characters(units: &[u32], place: impl Fn(usize) -> (u32, u32)) -> Option<Step> {
    let (mut read, mut text, mut high) = (Read::default(), 0, None);
    for (at, unit) in units.iter().enumerate() {
        let c = match (high.take(), *unit) {
            (_, 0xd800..0xdc00) => {
                high = Some((*unit, place(at).0));
                text += 1;
                continue;
            }
            (Some((high, from)), 0xdc00..0xe000) => {
                let c = 0x10000 + ((high - 0xd800) << 10 | (unit - 0xdc00));
                char::from_u32(c).map(|c| (c, from))
            }
            _ => char::from_u32(*unit).map(|c| (c, place(at).0)),
        };
        if let Some((c, from)) = c {
            text += usize::from(!c.is_control() || c.is_whitespace());
            read.push_char(c, (from, place(at).1));
        }
    }
    (text * 100 >= units.len() * TEXT).then_some(Step::Text(read))
}

/// Reports decoded bytes, unless they are clearly not text.
fn content<E>(
    mut decoded: Vec<u8>,
    place: impl Fn(usize) -> (u32, u32),
    share: usize,
    mut tell: impl FnMut(Step) -> Result<(), E>,
) -> Result<(), E> {
    let length = decoded.len();
    let mut read = Read::default();
    let mut text = share >= TEXT;
    if !text && let Some(wide) = utf16(&decoded) {
        for (at, c) in wide {
            let (from, to) = (place(at).0, place(at + 1).1);
            read.push_char(c, (from, to));
        }
        text = true;
    } else if text || share >= MIXED && length >= 12 {
        for (at, b) in decoded.drain(..).enumerate() {
            read.push(b, place(at));
        }
    } else {
        return Ok(());
    }
    tell(if text {
        Step::Text(read)
    } else {
        Step::Mixed(read)
    })
}

/// Returns how many percent of the bytes can be text.
fn share(bytes: &[u8]) -> usize {
    let (mut text, mut zeros, mut high) = (0, 0, 0);
    for b in bytes {
        text += usize::from(is_text(*b));
        zeros += usize::from(*b == 0);
        high += usize::from(*b >= 0x80);
    }
    // A cut may leave half a character at each end.
    let skip = bytes
        .iter()
        .take(3)
        .take_while(|b| (0x80..0xc0).contains(*b))
        .count();
    let whole = high > 0
        && match std::str::from_utf8(bytes.get(skip..).unwrap_or_default()) {
            Ok(_) => true,
            Err(e) => e.error_len().is_none(),
        };
    // Letters of Latin-1, and zeros of wide encodings.
    let good =
        text + if whole || high * 4 <= bytes.len() {
            high
        } else {
            0
        } + if text + high >= zeros / 4 && zeros * 3 >= bytes.len() {
            zeros
        } else {
            0
        };
    (good * 100).checked_div(bytes.len()).unwrap_or(0)
}

fn is_text(b: u8) -> bool {
    matches!(b, b' '..0x7f | b'\t' | b'\n' | b'\r')
}

/// Letters of one script in UTF-16: every other byte is mostly the same.
fn utf16(bytes: &[u8]) -> Option<Vec<(usize, char)>> {
    let (pairs, _) = bytes.as_chunks::<2>();
    if pairs.len() < 3 {
        return None;
    }
    for high in [1, 0] {
        let page = pairs.iter().map(|pair| pair[high]).find(|b| *b != 0)?;
        let same = pairs
            .iter()
            .filter(|pair| matches!(pair[high], b if b == page || b == 0));
        if (1..0x34).contains(&page) && same.count() * 5 >= pairs.len() * 4 {
            let unit = |pair: &[u8; 2]| u16::from(pair[high]) << 8 | u16::from(pair[1 - high]);
            let chars = char::decode_utf16(pairs.iter().map(unit));
            let chars = chars.map(|c| c.unwrap_or(' ')).enumerate();
            return Some(chars.map(|(at, c)| (at * 2, c)).collect());
        }
    }
    None
}

/// Decodes base64 of either alphabet as far as possible, and returns the number of bytes.
fn decode64(token: &[u8], out: &mut [u8]) -> usize {
    let (mut bits, mut have, mut length) = (0_u32, 0, 0);
    for b in token {
        if length == out.len() {
            break;
        }
        bits = bits << 6 | u32::from(SEXTETS[usize::from(*b)]);
        have += 6;
        if have >= 8 {
            have -= 8;
            if let Some(byte) = out.get_mut(length) {
                *byte = (bits >> have) as u8;
                length += 1;
            }
        }
    }
    length
}

const SEXTETS: [u8; 256] = {
    let mut sextets = [0; 256];
    let mut b = 0;
    while b < 256 {
        let c = b as u8;
        sextets[b] = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => 0,
        };
        b += 1;
    }
    sextets
};
