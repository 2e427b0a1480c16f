//! Escapes that are made of letters or digits, undone.
//!
//! Those that only put a mark before a mark need nothing: marks do not count.

use super::source::{Read, Source};
use memchr::{memchr2, memchr3, memmem};

/// The most encodings of one text that are undone, one inside the other.
const PASSES: usize = 3;

/// What a text was written from.
pub(super) struct Undone {
    pub(super) text: Option<Read>,
    /// The other way to read it, where what looks like an escape may be none: `C:\bob`.
    pub(super) other: Option<Read>,
    /// The bytes that were looked at.
    pub(super) work: usize,
}

/// Whether nothing in it could be an escape.
pub(super) fn is_plain(bytes: &[u8]) -> bool {
    memchr3(b'\\', b'%', b'&', bytes).is_none() && {
        let mut rest = bytes;
        loop {
            match memchr2(b'=', 0, rest) {
                None => return true,
                Some(at) if may_be_quoted(rest, at) => return false,
                Some(at) => rest = rest.get(at + 1..).unwrap_or_default(),
            }
        }
    }
}

/// Whether quoted-printable may begin here, or a zero.
fn may_be_quoted(bytes: &[u8], at: usize) -> bool {
    match bytes.get(at..) {
        Some([0, ..] | [b'=', b'\n', ..] | [b'=', b'\r', b'\n', ..]) => true,
        // The second byte of a letter comes behind the first.
        Some([b'=', a, b, ..]) => quoted(*a, *b).is_some_and(|b| !(0x80..0xc0).contains(&b)),
        _ => false,
    }
}

pub(super) fn undo(source: Source<'_>) -> Undone {
    let mut done = Undone {
        text: None,
        other: None,
        work: 0,
    };
    if is_plain(source.bytes) {
        return done;
    }
    let mut unsure = false;
    done.text = passes(source, false, &mut unsure, &mut done.work);
    if unsure {
        done.other = passes(source, true, &mut unsure, &mut done.work);
    }
    done
}

fn passes(source: Source<'_>, keep: bool, unsure: &mut bool, work: &mut usize) -> Option<Read> {
    let mut read: Option<Read> = None;
    for _ in 0..PASSES {
        let joined = without_breaks(read.as_ref().map_or(source, Read::source));
        read = joined.or(read);
        let from = read.as_ref().map_or(source, Read::source);
        if is_plain(from.bytes) {
            break;
        }
        *work += from.bytes.len();
        let mut pass = Pass {
            from,
            out: Read::default(),
            keep,
            unsure: false,
            changed: false,
            run: (0, 0),
        };
        pass.all();
        *unsure |= pass.unsure;
        if !pass.changed {
            break;
        }
        read = Some(pass.out);
    }
    // Kept as it is, that is the other way to read it.
    if keep && read.is_none() {
        read = Some(Read::default());
        if let Some(read) = &mut read {
            read.copy(source, 0, source.bytes.len());
        }
    }
    read
}

/// Soft line breaks of quoted-printable may stand inside other escapes.
fn without_breaks(source: Source<'_>) -> Option<Read> {
    let bytes = source.bytes;
    if memmem::find(bytes, b"=\n").is_none() && memmem::find(bytes, b"=\r\n").is_none() {
        return None;
    }
    let (mut out, mut from) = (Read::default(), 0);
    for at in memchr::memchr_iter(b'=', bytes) {
        let length = match bytes.get(at + 1..) {
            Some([b'\n', ..]) => 2,
            Some([b'\r', b'\n', ..]) => 3,
            _ => continue,
        };
        out.copy(source, from, at);
        from = at + length;
    }
    out.copy(source, from, bytes.len());
    Some(out)
}

struct Pass<'a> {
    from: Source<'a>,
    out: Read,
    /// Whether what may be no escape stays.
    keep: bool,
    unsure: bool,
    changed: bool,
    /// Where the last escape of a byte ended, and its sign.
    run: (usize, u8),
}

/// What stands at a place.
enum Token {
    /// So many bytes for one byte of the text.
    Byte(u8, usize),
    Char(char, usize),
    /// For something that is no symbol.
    Gap(usize),
    /// A sign and a letter, for something that is no symbol: `\n`.
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

    /// Reads what begins here. How long it is.
    fn one(&mut self, at: usize) -> usize {
        let bytes = self.from.bytes.get(at..).unwrap_or_default();
        let sign = bytes.first().copied().unwrap_or_default();
        let token = match sign {
            b'\\' => backslash(bytes),
            b'%' => percent(bytes),
            b'&' => entity(bytes),
            b'=' => equals(bytes),
            _ => Token::Gap(1),
        };
        let place = |length: usize| self.from.span(at, at + length);
        match token {
            Token::Byte(byte, length) => {
                let before = self.run == (at, sign);
                let next = bytes.get(length..).unwrap_or_default();
                let last = !(next.first() == Some(&sign) && is_byte(next));
                let alone = !before && last;
                // The sign itself escaped, or an escape in it: `%2548`.
                if sign == b'%' && length > 3 && last {
                    self.unsure = true;
                    if self.keep {
                        self.changed = true;
                        self.out.push(sign, place(3));
                        return 3;
                    }
                }
                // Few texts have a single byte escaped so: `=` often stands before digits.
                let rare = sign == b'=' && (alone || byte < 0x80);
                self.unsure |= alone || rare;
                if (self.keep && alone && !rare) || (rare && !self.keep) {
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
            Token::Letter(length) if self.keep => {
                self.out.push(sign, place(length - 1));
                length - 1
            }
            Token::Letter(length) | Token::Gap(length) => {
                self.unsure |= matches!(token, Token::Letter(_));
                self.changed = true;
                if sign != 0 {
                    // Line breaks may be soft ones.
                    let gap = match (&token, bytes.get(length - 1)) {
                        (Token::Letter(_), Some(b'n')) => b'\n',
                        (Token::Letter(_), Some(b'r')) => b'\r',
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

/// Whether a byte is escaped here.
fn is_byte(bytes: &[u8]) -> bool {
    let token = match bytes.first() {
        Some(b'\\') => backslash(bytes),
        Some(b'%') => percent(bytes),
        _ => equals(bytes),
    };
    matches!(token, Token::Byte(..))
}

/// How many backslashes this begins with.
fn signs(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|b| **b == b'\\').count()
}

fn backslash(bytes: &[u8]) -> Token {
    let n = signs(bytes);
    let Some(rest) = bytes.get(n..) else {
        return Token::Not;
    };
    let read = match rest {
        // Capitals, too: texts are written in capitals as a whole.
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
        [b'n' | b'r' | b't' | b'b' | b'f' | b'v' | b'a' | b'e', ..] => Token::Letter(n + 1),
        [b'0', ..] => Token::Byte(0, n + 1),
        _ => Token::Not,
    };
    // The signs before what is none are passed at once.
    match read {
        Token::Not if n > 1 => Token::Gap(n),
        read => read,
    }
}

/// `{e9}` behind a sign.
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

/// Four digits, or twice four behind signs of the same kind.
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

/// `%41`, and however often that was escaped again.
fn percent(bytes: &[u8]) -> Token {
    let mut n = 1;
    while bytes.get(n..n + 2) == Some(b"25")
        && bytes
            .get(n + 2..n + 4)
            .is_some_and(|b| b.iter().all(u8::is_ascii_hexdigit) || b.starts_with(b"u"))
    {
        n += 2;
    }
    match bytes.get(n..) {
        Some([b'u', digits @ ..]) => unit(digits, n, n + 1),
        Some([a, b, ..]) => pair(*a, *b).map_or(Token::Not, |byte| Token::Byte(byte, n + 2)),
        _ => Token::Not,
    }
}

/// `=C3`, of an ASCII byte only where that needs it.
fn equals(bytes: &[u8]) -> Token {
    match bytes {
        [_, a, b, ..] => quoted(*a, *b).map_or(Token::Not, |byte| Token::Byte(byte, 3)),
        _ => Token::Not,
    }
}

fn quoted(a: u8, b: u8) -> Option<u8> {
    let upper = !a.is_ascii_lowercase() && !b.is_ascii_lowercase();
    pair(a, b).filter(|b| {
        upper
            && (*b >= 0x80 || b.is_ascii_graphic() || matches!(b, b' ' | b'\t' | b'\n' | b'\r'))
            && !b.is_ascii_alphanumeric()
    })
}

/// `&eacute;`, `&#233;`, `&#xe9;`, and however often that was escaped again.
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
        None if n > 1 => Token::Gap(n),
        None => Token::Not,
    }
}

/// What names of entities say about their first letter. It is dropped anyway.
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

/// The number that so many digits are.
fn number(digits: &[u8], length: usize) -> Option<u32> {
    let digits = digits.get(..length).filter(|d| !d.is_empty())?;
    digits
        .iter()
        .all(u8::is_ascii_hexdigit)
        .then_some(())
        .and_then(|()| u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok())
}

/// The byte of two digits.
pub(super) fn pair(a: u8, b: u8) -> Option<u8> {
    let digit = |b: u8| char::from(b).to_digit(16);
    Some((digit(a)? << 4 | digit(b)?) as u8)
}
