//! Undoes escapes that consist of letters or digits.
//!
//! Escapes of punctuation by punctuation need nothing, because punctuation does not count.
//! Wide letters and other spaces are normalised first, because escapes, numbers and other
//! alphabets consist of the usual ones.

use super::source::{Read, Source};
use memchr::{memchr, memchr2, memchr2_iter};

/// The most nested encodings of one text that are undone.
const PASSES: usize = 3;

/// The decoded form of a text.
pub(super) struct Undone {
    pub(super) text: Option<Read>,
    /// Other readings, in which an apparent escape is not one, as in `C:\bob`, or is
    /// another one.
    pub(super) others: Vec<Read>,
    /// How many bytes were read.
    pub(super) work: usize,
}

/// How to read ambiguous escapes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// As an escape, preferably of a character rather than of a byte.
    Escapes,
    /// Literally.
    Signs,
    /// Literally, except that a possible character is a byte.
    Bytes,
}

/// The readings of a text in addition to the first one.
#[derive(Clone, Copy, Default)]
struct Unsure {
    signs: bool,
    bytes: bool,
}

/// Up to this length, bytes are read one by one.
const SHORT: usize = 256;

/// Bytes that begin an escape, bytes of an entity, and bytes that may begin one.
const ESCAPE: u8 = 1;
const ENTITY: u8 = 2;
const END: u8 = 4;
const MAYBE: u8 = 8;

const KINDS: [u8; 256] = {
    let mut kinds = [0; 256];
    kinds[b'\\' as usize] = ESCAPE;
    kinds[b'%' as usize] = ESCAPE;
    kinds[b'&' as usize] = ENTITY;
    kinds[b';' as usize] = END;
    kinds[b'=' as usize] = MAYBE;
    kinds[0] = MAYBE;
    kinds
};

/// Returns whether nothing in it can be an escape.
pub(super) fn is_plain(bytes: &[u8]) -> bool {
    let kinds = if bytes.len() <= SHORT {
        bytes.iter().fold(0, |all, b| all | KINDS[usize::from(*b)])
    } else {
        let has = |kind, b| if memchr(b, bytes).is_some() { kind } else { 0 };
        let maybe = memchr2(b'=', 0, bytes).map_or(0, |_| MAYBE);
        let escape = memchr2(b'\\', b'%', bytes).map_or(0, |_| ESCAPE);
        escape | has(ENTITY, b'&') | has(END, b';') | maybe
    };
    if kinds & ESCAPE != 0 || kinds & (ENTITY | END) == ENTITY | END {
        return false;
    }
    if !bytes.is_ascii() && next_form(bytes, 0, false).is_some() {
        return false;
    }
    kinds & MAYBE == 0 || memchr2_iter(b'=', 0, bytes).all(|at| !may_be_quoted(bytes, at))
}

/// Returns whether quoted-printable, or a zero, may begin here.
fn may_be_quoted(bytes: &[u8], at: usize) -> bool {
    match bytes.get(at..) {
        Some([0, ..] | [b'=', b'\n', ..] | [b'=', b'\r', b'\n', ..]) => true,
        // The second byte of a letter follows the first.
        Some([b'=', a, b, next @ ..]) => {
            quoted(*a, *b, next.first() == Some(&b'=')).is_some_and(|b| !(0x80..0xc0).contains(&b))
        }
        _ => false,
    }
}

pub(super) fn undo(source: Source<'_>) -> Undone {
    let mut done = Undone {
        text: None,
        others: Vec::new(),
        work: 0,
    };
    if is_plain(source.bytes) {
        return done;
    }
    let mut unsure = Unsure::default();
    done.text = passes(source, Reading::Escapes, &mut unsure, &mut done.work);
    let Unsure { signs, bytes } = unsure;
    for (may_be, reading) in [(signs, Reading::Signs), (bytes, Reading::Bytes)] {
        if may_be {
            let other = passes(source, reading, &mut unsure, &mut done.work);
            done.others.extend(other);
        }
    }
    done
}

fn passes(
    source: Source<'_>,
    reading: Reading,
    unsure: &mut Unsure,
    work: &mut usize,
) -> Option<Read> {
    let mut read: Option<Read> = None;
    for done in 0..=PASSES {
        let usual = usual(read.as_ref().map_or(source, Read::source));
        read = usual.or(read);
        let from = read.as_ref().map_or(source, Read::source);
        if done == PASSES || is_plain(from.bytes) {
            break;
        }
        *work += from.bytes.len();
        let mut pass = Pass {
            from,
            out: Read::default(),
            reading,
            unsure: Unsure::default(),
            changed: false,
            run: (0, 0),
        };
        pass.all();
        unsure.signs |= pass.unsure.signs;
        unsure.bytes |= pass.unsure.bytes;
        if !pass.changed {
            break;
        }
        read = Some(pass.out);
    }
    // Reading it literally is the other reading.
    if reading != Reading::Escapes && read.is_none() {
        read = Some(Read::default());
        if let Some(read) = &mut read {
            read.copy(source, 0, source.bytes.len());
        }
    }
    read
}

/// Without variant forms, which may be inside escapes.
fn usual(source: Source<'_>) -> Option<Read> {
    let bytes = source.bytes;
    let (mut out, mut from, ascii) = (None::<Read>, 0, bytes.is_ascii());
    while let Some((at, form)) = next_form(bytes, from, ascii) {
        let out = out.get_or_insert_default();
        out.copy(source, from, at);
        from = at + form.length;
        if let Some(usual) = form.usual {
            out.push(usual, source.span(at, from));
        }
    }
    if let Some(out) = &mut out {
        out.copy(source, from, bytes.len());
    }
    out
}

/// A variant form of a character, or a soft line break.
struct Form {
    usual: Option<u8>,
    length: usize,
}

/// Finds the next one, from a position on.
fn next_form(bytes: &[u8], mut from: usize, ascii: bool) -> Option<(usize, Form)> {
    loop {
        let rest = bytes.get(from..)?;
        let next = if ascii {
            memchr2(b'=', b'\n', rest)
        } else {
            let first = |b: &u8| matches!(b, b'=' | b'\n' | 0xc2 | 0xe2 | 0xe3 | 0xef);
            rest.iter().position(first)
        };
        let at = from + next?;
        let (before, rest) = bytes.split_at_checked(at)?;
        if let Some(form) = form(before, rest) {
            return Some((at, form));
        }
        from = at + 1;
    }
}

fn form(before: &[u8], bytes: &[u8]) -> Option<Form> {
    let (usual, length) = match *bytes {
        // Lines that end inside an escape.
        [b'\n', ref next @ ..] if is_begun(before) && is_continued(next) => (None, 1),
        [b'\n', 0x80..0xc0, ..] if before.last() >= Some(&0x80) => (None, 1),
        // Soft line breaks of quoted-printable.
        [b'=', b'\n', ..] => (None, 2),
        [b'=', b'\r', b'\n', ..] => (None, 3),
        // Remains of soft line breaks where white space was changed.
        [b'=', b' ', b'=', a, b, ..] if pair(a, b) >= Some(0x80) => (None, 2),
        [b'=', b'=', a, b, ..] if pair(a, b) >= Some(0x80) => (None, 1),
        [0xef, high @ (0xbc | 0xbd), low, ..] => {
            let n = (high & 1) << 6 | (low & 0x3f);
            (Some(matches!(n, 1..0x5f).then_some(n + b' ')?), 3)
        }
        [0xc2, 0xa0, ..] => (Some(b' '), 2),
        [0xe3, 0x80, 0x80, ..] | [0xe2, 0x80, 0x80..0x8b | 0xaf, ..] => (Some(b' '), 3),
        [0xe2, 0x80, 0x98 | 0x99, ..] => (Some(b'\''), 3),
        _ => return None,
    };
    Some(Form { usual, length })
}

/// Returns whether these bytes end with a part of an escape.
fn is_begun(bytes: &[u8]) -> bool {
    let bytes = bytes.last_chunk::<9>().map_or(bytes, |last| last);
    let Some(at) = bytes.iter().rposition(|b| matches!(b, b'\\' | b'%')) else {
        return false;
    };
    let hex = |digits: &[u8]| digits.iter().all(u8::is_ascii_hexdigit);
    let (Some(sign), Some(mut part)) = (bytes.get(at), bytes.get(at + 1..)) else {
        return false;
    };
    if *sign == b'%' {
        while let Some(rest) = part.strip_prefix(b"25") {
            part = rest;
        }
        return part.len() < 2 && hex(part);
    }
    match part {
        [] => true,
        [b'u', b'{', digits @ ..] => digits.len() < 6 && hex(digits),
        [b'x' | b'X', digits @ ..] => digits.len() < 2 && hex(digits),
        [b'u' | b'U', digits @ ..] => digits.len() < 4 && hex(digits),
        digits => digits.len() < 3 && hex(digits),
    }
}

/// Returns whether these bytes may be the rest of an escape.
fn is_continued(bytes: &[u8]) -> bool {
    bytes
        .first()
        .is_some_and(|b| b.is_ascii_hexdigit() || b"xXuU{}".contains(b))
}

struct Pass<'a> {
    from: Source<'a>,
    out: Read,
    reading: Reading,
    unsure: Unsure,
    changed: bool,
    /// Where the last escape of a byte ended, and its introducer.
    run: (usize, u8),
}

/// The unit at a position.
enum Token {
    /// This many bytes encode one byte of the text.
    Byte(u8, usize),
    Char(char, usize),
    /// Encodes a character that is not a symbol.
    Gap(usize),
    /// An introducer and a letter encode a character that is not a symbol: `\n`.
    Letter(usize),
    Not,
}

impl Pass<'_> {
    fn all(&mut self) {
        let bytes = self.from.bytes;
        let mut at = 0;
        while at < bytes.len() {
            let rest = bytes.get(at..).unwrap_or_default();
            let plain = rest
                .iter()
                .position(|b| matches!(b, b'\\' | b'%' | b'&' | b'=' | 0))
                .unwrap_or(rest.len());
            self.out.copy(self.from, at, at + plain);
            at += plain;
            if at < bytes.len() {
                at += self.one(at);
            }
        }
    }

    /// Reads the unit that begins here, and returns its length.
    fn one(&mut self, at: usize) -> usize {
        let bytes = self.from.bytes.get(at..).unwrap_or_default();
        let sign = bytes.first().copied().unwrap_or_default();
        let before = self.run == (at, sign);
        let keep = self.reading != Reading::Escapes;
        let mut either = false;
        let token = match sign {
            b'\\' => match bare(bytes).filter(|_| !before) {
                Some(token) => {
                    let other = backslash(bytes);
                    either = matches!(other, Token::Byte(..));
                    self.unsure.signs = true;
                    self.unsure.bytes |= either;
                    if keep { other } else { token }
                }
                None => backslash(bytes),
            },
            b'%' => percent(bytes),
            b'&' => entity(bytes),
            b'=' => equals(bytes, before),
            _ => Token::Gap(1),
        };
        let place = |length: usize| self.from.span(at, at + length);
        match token {
            Token::Byte(byte, length) => {
                let next = bytes.get(length..).unwrap_or_default();
                let last = !(next.first() == Some(&sign) && is_byte(next));
                let alone = !before && last;
                // The introducer itself is escaped, or an escape is inside it: `%2548`.
                if sign == b'%' && length > 3 && last {
                    self.unsure.signs = true;
                    if keep {
                        self.changed = true;
                        self.out.push(sign, place(3));
                        return 3;
                    }
                }
                // Few texts escape a single byte in this way: `=` often precedes digits.
                let rare = sign == b'=' && (alone || byte < 0x80);
                self.unsure.signs |= alone || rare;
                let stays = alone && !rare && !(either && self.reading == Reading::Bytes);
                if (keep && stays) || (rare && !keep) {
                    self.out.copy(self.from, at, at + length);
                    return length;
                }
                self.run = (at + length, sign);
                self.changed = true;
                let signs = signs(bytes);
                if signs > 2 && signs % 2 == 1 {
                    self.out.push(sign, place(1));
                }
                self.out.push(byte, place(length));
                length
            }
            Token::Char(c, length) => {
                self.changed = true;
                self.out.push_char(c, place(length));
                length
            }
            Token::Letter(length) if keep => {
                self.out.push(sign, place(length - 1));
                length - 1
            }
            Token::Letter(length) | Token::Gap(length) => {
                self.unsure.signs |= matches!(token, Token::Letter(_));
                self.changed = true;
                if sign != 0 {
                    // Line breaks may be soft.
                    let gap = match (&token, bytes.get(length - 1)) {
                        (Token::Letter(_), Some(b'n' | b'N')) => b'\n',
                        (Token::Letter(_), Some(b'r' | b'R')) => b'\r',
                        _ => b' ',
                    };
                    self.out.push(gap, place(length));
                }
                length
            }
            Token::Not => {
                self.out.push(sign, place(1));
                1
            }
        }
    }
}

/// Returns whether a byte is escaped here.
fn is_byte(bytes: &[u8]) -> bool {
    let token = match bytes.first() {
        Some(b'\\') => backslash(bytes),
        Some(b'%') => percent(bytes),
        _ => equals(bytes, true),
    };
    matches!(token, Token::Byte(..))
}

/// Counts the backslashes at the start.
fn signs(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|b| **b == b'\\').count()
}

/// The number of a character directly after the introducer, as in CSS and SQL: `\44f ` and
/// `\00eb`. It is ambiguous.
fn bare(bytes: &[u8]) -> Option<Token> {
    let n = signs(bytes);
    let rest = bytes.get(n..)?;
    let run = rest
        .iter()
        .take(7)
        .take_while(|b| b.is_ascii_hexdigit())
        .count();
    // A space ends a short one, and may itself be escaped.
    let space = match rest.get(run..) {
        Some([b' ' | b'+', ..]) => 1,
        Some([b'%', b'2', b'0', ..]) => 3,
        _ => 0,
    };
    let length = match rest {
        [b'0', b'0', b'0', b'0', ..] => run.min(6),
        [b'0', ..] if run >= 4 => 4,
        [b'0', b'0'..=b'7', b'0'..=b'7', ..] => return None,
        _ if space > 0 && (1..7).contains(&run) => run,
        // Bytes in octal digits do not end after the first byte of a letter.
        [b'3', ..] if run >= 4 => 4,
        [b'0'..=b'3', b'0'..=b'7', b'0'..=b'7', ..] => return None,
        _ if (3..7).contains(&run) => run,
        _ => return None,
    };
    let c = char::from_u32(number(rest, length)?)?;
    let space = if length == run { space } else { 0 };
    Some(Token::Char(c, n + length + space))
}

fn backslash(bytes: &[u8]) -> Token {
    let n = signs(bytes);
    let Some(rest) = bytes.get(n..) else {
        return Token::Not;
    };
    let read = match rest {
        // Capitals, too, because whole texts are changed to capitals.
        [b'x' | b'u' | b'X' | b'U', b'{', digits @ ..] => braced(digits, n + 2),
        [b'x' | b'X', a, b, ..] => pair(*a, *b).map_or(Token::Not, |byte| Token::Byte(byte, n + 3)),
        [b'u', digits @ ..] => unit(digits, n, n + 1),
        [b'U', digits @ ..] => match number(digits, 8).and_then(char::from_u32) {
            Some(c) => Token::Char(c, n + 9),
            None => unit(digits, n, n + 1),
        },
        [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..] => {
            Token::Byte((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'), n + 3)
        }
        [a, b, ..]
            if pair(*a, *b) >= Some(0x80) || matches!((a, b), (b'0', b'9' | b'a' | b'd')) =>
        {
            Token::Byte(pair(*a, *b).unwrap_or_default(), n + 2)
        }
        [letter, ..] if b"nrtbfvae".contains(&letter.to_ascii_lowercase()) => Token::Letter(n + 1),
        [b'0', ..] => Token::Byte(0, n + 1),
        _ => Token::Not,
    };
    // Introducers before a byte that is not an escape are skipped at once. An escaped
    // introducer may follow.
    match (read, rest) {
        // Zeros are removed. This may be inside a number, a list or another escape.
        (Token::Not, [b'\'', b'0'..=b'9', ..]) => Token::Char('\0', n),
        (Token::Not, [b, ..]) if b.is_ascii_punctuation() && !b"\"'".contains(b) => {
            Token::Char('\0', n)
        }
        (Token::Not, [b'x' | b'u' | b'X' | b'U', b'%' | b'&' | b'\\', ..]) => Token::Char('\\', n),
        (Token::Not, _) if n > 1 => Token::Gap(n),
        (read, _) => read,
    }
}

/// `{e9}` after an introducer.
fn braced(digits: &[u8], before: usize) -> Token {
    let length = digits
        .iter()
        .take(7)
        .take_while(|b| b.is_ascii_hexdigit())
        .count();
    match number(digits, length).and_then(char::from_u32) {
        Some(c) if digits.get(length) == Some(&b'}') => Token::Char(c, before + length + 1),
        _ => Token::Not,
    }
}

/// Four digits, or twice four after introducers of the same kind.
fn unit(digits: &[u8], signs: usize, before: usize) -> Token {
    let Some(high) = number(digits, 4) else {
        return Token::Not;
    };
    if let Some(c) = char::from_u32(high) {
        return Token::Char(c, before + 4);
    }
    let low = digits.get(4 + signs + 1..).and_then(|low| number(low, 4));
    let marked = matches!(digits.get(4 + signs), Some(b'u' | b'U'));
    match low {
        Some(low @ 0xdc00..0xe000) if marked && high < 0xdc00 => {
            let c = char::from_u32(0x10000 + ((high - 0xd800) << 10 | (low - 0xdc00)));
            Token::Char(c.unwrap_or(' '), before + 4 + signs + 5)
        }
        _ => Token::Char(' ', before + 4),
    }
}

/// `%41`, escaped any number of times.
fn percent(bytes: &[u8]) -> Token {
    let mut n = 1;
    while bytes.get(n..n + 2) == Some(b"25")
        && match bytes.get(n + 2..) {
            Some([b'u', unit @ ..]) => {
                unit.iter()
                    .take(4)
                    .filter(|b| b.is_ascii_hexdigit())
                    .count()
                    == 4
            }
            Some([a, b, ..]) => a.is_ascii_hexdigit() && b.is_ascii_hexdigit(),
            _ => false,
        }
    {
        n += 2;
    }
    match bytes.get(n..) {
        Some([b'u', digits @ ..]) => unit(digits, n, n + 1),
        Some([a, b, ..]) => pair(*a, *b).map_or(Token::Not, |byte| Token::Byte(byte, n + 2)),
        _ => Token::Not,
    }
}

/// `=C3`. For an ASCII byte only if that needs escaping; in small letters only beside other
/// escapes.
fn equals(bytes: &[u8], before: bool) -> Token {
    match bytes {
        [_, a, b, next @ ..] => quoted(*a, *b, before || next.first() == Some(&b'='))
            .map_or(Token::Not, |byte| Token::Byte(byte, 3)),
        _ => Token::Not,
    }
}

fn quoted(a: u8, b: u8, beside: bool) -> Option<u8> {
    let upper = !a.is_ascii_lowercase() && !b.is_ascii_lowercase();
    pair(a, b).filter(|b| {
        let needed = b.is_ascii_graphic() || matches!(b, b' ' | b'\t' | b'\n' | b'\r');
        (upper && needed && !b.is_ascii_alphanumeric()) || (*b >= 0x80 && (upper || beside))
    })
}

/// `&eacute;`, `&#233;`, `&#xe9;`, escaped any number of times.
fn entity(bytes: &[u8]) -> Token {
    let mut n = 1;
    while bytes.get(n..n + 4) == Some(b"amp;") {
        n += 4;
    }
    let rest = bytes.get(n..).unwrap_or_default();
    let Some(length) = rest.iter().take(9).position(|b| *b == b';') else {
        return if n > 1 { Token::Gap(n) } else { Token::Not };
    };
    let name = rest.get(..length).unwrap_or_default();
    let end = n + length + 1;
    let c = match name {
        [b'#', b'x' | b'X', digits @ ..] => number(digits, digits.len()).and_then(char::from_u32),
        [b'#', digits @ ..] => std::str::from_utf8(digits)
            .ok()
            .and_then(|d| d.parse().ok())
            .and_then(char::from_u32),
        name => named(name),
    };
    match c {
        Some(c) => Token::Char(c, end),
        // The escaped text is itself an escape.
        None if n > 1 && matches!(rest.first(), Some(b'%' | b'\\')) => Token::Char('&', n),
        None if n > 1 => Token::Gap(n),
        None => Token::Not,
    }
}

/// Suffixes of entity names that describe their first letter; dropped.
const MARKS: [&[u8]; 8] = [
    b"acute", b"grave", b"circ", b"uml", b"tilde", b"ring", b"cedil", b"caron",
];

fn named(name: &[u8]) -> Option<char> {
    let name = name.to_ascii_lowercase();
    let c = match name.as_slice() {
        b"lt" | b"gt" | b"quot" | b"apos" | b"nbsp" | b"ndash" | b"mdash" | b"hellip"
        | b"lsquo" | b"rsquo" | b"ldquo" | b"rdquo" | b"laquo" | b"raquo" | b"bull" | b"middot"
        | b"copy" | b"reg" | b"trade" | b"euro" | b"pound" | b"sect" | b"deg" | b"times"
        | b"comma" | b"period" | b"colon" | b"semi" | b"sol" | b"bsol" | b"num" | b"percnt"
        | b"lpar" | b"rpar" | b"excl" | b"quest" | b"equals" | b"plus" | b"commat" | b"dollar"
        | b"lowbar" | b"hyphen" | b"tab" | b"newline" | b"iexcl" | b"iquest" => ' ',
        b"szlig" => 'ß',
        b"aelig" => 'æ',
        b"oelig" => 'œ',
        b"eth" => 'ð',
        b"thorn" => 'þ',
        b"oslash" => 'ø',
        [letter, mark @ ..] if letter.is_ascii_alphabetic() && MARKS.contains(&mark) => {
            char::from(*letter)
        }
        _ => return None,
    };
    Some(c)
}

/// Parses this many digits.
fn number(digits: &[u8], length: usize) -> Option<u32> {
    let digits = digits.get(..length).filter(|d| !d.is_empty())?;
    digits
        .iter()
        .all(u8::is_ascii_hexdigit)
        .then_some(())
        .and_then(|()| u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok())
}

/// Parses a byte of two digits.
pub(super) fn pair(a: u8, b: u8) -> Option<u8> {
    let digit = |b: u8| char::from(b).to_digit(16);
    Some((digit(a)? << 4 | digit(b)?) as u8)
}
