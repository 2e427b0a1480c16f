//! Pseudonyms: what is written in the place of a value.

use super::policy::Action;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::sync::OnceLock;

/// Hex digits of the keyed hash in a placeholder.
const HASH: usize = 16;

/// Stands where a hash would, when there is no key.
const UNKEYED: &str = "unkeyed";

/// The key of the pseudonyms.
#[derive(Clone)]
pub(super) struct Key {
    id: String,
    /// `None` where the system gave no random bytes. A hash under a guessable
    /// key could be tried out, so then there are no hashes.
    mac: Option<Hmac<Sha256>>,
}

impl Key {
    pub(super) fn new(id: String, key: &[u8]) -> Self {
        Self {
            id,
            mac: Hmac::new_from_slice(key).ok(),
        }
    }

    /// The random key of this process.
    pub(super) fn process() -> Self {
        static KEY: OnceLock<Key> = OnceLock::new();
        KEY.get_or_init(Self::random).clone()
    }

    fn random() -> Self {
        let (mut key, mut id) = ([0; 32], [0; 4]);
        if getrandom::fill(&mut key).is_ok() && getrandom::fill(&mut id).is_ok() {
            let mut name = "process-".to_owned();
            push_hex(&id, &mut name);
            Self::new(name, &key)
        } else {
            Self::unkeyed()
        }
    }

    pub(super) fn unkeyed() -> Self {
        Self {
            id: UNKEYED.to_owned(),
            mac: None,
        }
    }

    /// Another key for every scope, made of this one.
    pub(super) fn scoped(&self, scope: &str) -> Self {
        let mac = self.mac.clone().and_then(|mut mac| {
            mac.update(b"dashcam scope\0");
            mac.update(scope.as_bytes());
            Hmac::new_from_slice(&mac.finalize().into_bytes()).ok()
        });
        Self {
            id: format!("{}/{scope}", self.id),
            mac,
        }
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Appends 16 hex digits, or `unkeyed`.
    pub(super) fn push_hash(&self, value: &[u8], out: &mut String) {
        let Some(mac) = &self.mac else {
            out.push_str(UNKEYED);
            return;
        };
        let mut mac = mac.clone();
        mac.update(value);
        let tag = mac.finalize().into_bytes();
        push_hex(tag.get(..HASH / 2).unwrap_or_default(), out);
    }

    /// The short form, without facts.
    pub(super) fn push_short(&self, value: &[u8], out: &mut String) {
        out.push_str("[~");
        if value.is_empty() {
            out.push_str(" empty");
        } else {
            self.push_hash(value, out);
        }
        out.push(']');
    }

    /// The placeholder of a text, with the facts of its shape.
    pub(super) fn push_value(&self, value: &[u8], cut: bool, out: &mut String) {
        self.push(Action::Pseudonym, value, cut, out);
    }

    /// What stands in the place of a text.
    pub(super) fn push(&self, how: Action, value: &[u8], cut: bool, out: &mut String) {
        match how {
            Action::Drop => return out.push_str(DROPPED),
            Action::Mask => return push_mask(value, cut, out),
            Action::Keep | Action::Pseudonym | Action::Shape => {}
        }
        out.push_str("[~");
        if value.is_empty() {
            out.push_str(" empty");
        } else {
            if how != Action::Shape {
                self.push_hash(value, out);
            }
            push_shape(value, out);
        }
        out.push_str(if cut { " cut]" } else { "]" });
    }

    /// What stands in the place of a number, given as its text.
    pub(super) fn push_number(&self, how: Action, text: &str, cut: bool, out: &mut String) {
        match how {
            Action::Drop => return out.push_str(DROPPED),
            Action::Mask => return push_mask(text.as_bytes(), cut, out),
            Action::Keep | Action::Pseudonym | Action::Shape => {}
        }
        out.push_str("[~");
        if how != Action::Shape {
            self.push_hash(text.as_bytes(), out);
        }
        out.push_str(" num");
        let digits = text.strip_prefix('-');
        if digits.is_some() {
            out.push_str(" neg");
        }
        let digits = digits.unwrap_or(text);
        let whole = digits.bytes().take_while(u8::is_ascii_digit).count();
        out.push(' ');
        push_count(whole, out);
        out.push_str("digits");
        if digits.contains('.') {
            out.push_str(" frac");
        }
        if digits.contains(['e', 'E']) {
            out.push_str(" exp");
        }
        out.push_str(if cut { " cut]" } else { "]" });
    }
}

/// What is left of a value that is dropped.
pub(super) const DROPPED: &str = "[~ dropped]";

/// Characters of a value whose last four may be shown.
const MASKED: usize = 12;

fn push_mask(value: &[u8], cut: bool, out: &mut String) {
    out.push_str("****");
    // The end of what was cut is not its end.
    let text = std::str::from_utf8(value).ok().filter(|_| !cut);
    let end = text.filter(|text| text.chars().nth(MASKED - 1).is_some());
    let start = end.and_then(|text| text.char_indices().rev().nth(3));
    if let (Some(text), Some((at, _))) = (end, start) {
        let plain = |c: char| if c.is_alphanumeric() { c } else { '*' };
        out.extend(text.get(at..).unwrap_or_default().chars().map(plain));
    }
}

/// The placeholder of a boolean. It has no hash: there are only two.
pub(super) const BOOL: &str = "[~ bool]";

fn push_hex(bytes: &[u8], out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |n: u8| char::from(DIGITS[usize::from(n & 15)]);
    out.reserve(2 * bytes.len());
    for b in bytes {
        out.push(digit(b >> 4));
        out.push(digit(*b));
    }
}

fn push_count(n: usize, out: &mut String) {
    if n >= 10 {
        push_count(n / 10, out);
    }
    // One digit, so the cast loses nothing.
    out.push(char::from(b'0' + (n % 10) as u8));
}

fn push_shape(value: &[u8], out: &mut String) {
    let Ok(text) = std::str::from_utf8(value) else {
        out.push_str(" bytes=");
        push_count(value.len(), out);
        out.push_str(" binary");
        return;
    };
    let (mut chars, mut digits, mut letters, mut control) = (0_usize, 0_usize, 0_usize, false);
    if text.is_ascii() {
        chars = value.len();
        for b in value {
            digits += usize::from(b.is_ascii_digit());
            letters += usize::from(b.is_ascii_alphabetic());
            control |= b.is_ascii_control();
        }
    } else {
        for c in text.chars() {
            chars += 1;
            digits += usize::from(c.is_ascii_digit());
            letters += usize::from(c.is_alphabetic());
            control |= c.is_control();
        }
    }
    out.push_str(" len=");
    push_count(chars, out);
    if chars != value.len() {
        out.push_str(" bytes=");
        push_count(value.len(), out);
    }
    out.push_str(if chars == value.len() {
        " ascii"
    } else {
        " unicode"
    });
    out.push_str(match (digits == chars, letters == chars) {
        (true, _) => " digits",
        (_, true) => " alpha",
        _ if digits + letters == chars => " alnum",
        _ => " mixed",
    });
    if control {
        out.push_str(" control");
    }
    let space = |c: Option<char>| c.is_some_and(char::is_whitespace);
    if space(text.chars().next()) || space(text.chars().next_back()) {
        out.push_str(" space-edge");
    }
}

/// The facts that are plain words.
const FACTS: &[&str] = &[
    "ascii",
    "unicode",
    "binary",
    "digits",
    "alpha",
    "alnum",
    "mixed",
    "control",
    "space-edge",
    "num",
    "neg",
    "frac",
    "exp",
    "cut",
];

/// The length of the placeholder that `text` starts with.
///
/// Strict, because what is recognised here is written unchanged: only the
/// words of the grammar, and few of them.
pub(super) fn placeholder(text: &str) -> Option<usize> {
    let body = text.strip_prefix("[~")?;
    let inner = body.as_bytes().iter().take(160).position(|&b| b == b']')?;
    let inner = body.get(..inner)?;
    let mut words = inner.split(' ');
    let hash = words.next()?;
    let known = if hash.is_empty() {
        matches!(inner, " empty" | " empty cut" | " bool" | " dropped")
    } else {
        let hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        (hash == UNKEYED || (hash.len() == HASH && hash.bytes().all(hex)))
            && inner.split(' ').count() <= 9
            && words.all(is_fact)
    };
    known.then_some(inner.len() + 3)
}

fn is_fact(word: &str) -> bool {
    let count = |n: &str| !n.is_empty() && n.len() <= 8 && n.bytes().all(|b| b.is_ascii_digit());
    FACTS.contains(&word)
        || word.strip_prefix("len=").is_some_and(count)
        || word.strip_prefix("bytes=").is_some_and(count)
        || word.strip_suffix("digits").is_some_and(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(bytes: &[u8]) -> String {
        let mut out = String::new();
        Key::new("k".into(), b"0123456789abcdef").push_value(bytes, false, &mut out);
        assert_eq!(placeholder(&out), Some(out.len()), "{out}");
        out.split_off(if bytes.is_empty() { 2 } else { 18 })
    }

    #[test]
    fn shapes() {
        assert_eq!(value(b"hunter2hunt2"), " len=12 ascii alnum]");
        assert_eq!(value(b""), " empty]");
        assert_eq!(value(b"123"), " len=3 ascii digits]");
        assert_eq!(value("Zoë".as_bytes()), " len=3 bytes=4 unicode alpha]");
        assert_eq!(value(b" a\x00 "), " len=4 ascii mixed control space-edge]");
        assert_eq!(value(b"\xff\xfe"), " bytes=2 binary]");
    }

    #[test]
    fn numbers() {
        let mut out = String::new();
        Key::new("k".into(), b"0123456789abcdef").push_number(
            Action::Pseudonym,
            "-120.5e3",
            true,
            &mut out,
        );
        assert_eq!(out.get(18..), Some(" num neg 3digits frac exp cut]"));
        assert_eq!(placeholder(&out), Some(out.len()));
    }

    #[test]
    fn hash_is_hmac_sha256() {
        // RFC 4231, test case 2.
        let mut out = String::new();
        Key::new("k".into(), b"Jefe").push_hash(b"what do ya want for nothing?", &mut out);
        assert_eq!(out, "5bdcc146bf60754e");
    }

    #[test]
    fn without_a_key_there_is_no_hash() {
        let (mut a, mut b) = (String::new(), String::new());
        Key::unkeyed().push_short(b"one", &mut a);
        Key::unkeyed().push_short(b"two", &mut b);
        assert_eq!((a.as_str(), b.as_str()), ("[~unkeyed]", "[~unkeyed]"));
        assert_eq!(placeholder(&a), Some(10));
    }

    #[test]
    fn only_the_grammar_is_a_placeholder() {
        for text in [
            "[~]",
            "[~hunter2]",
            "[~3f9a1c2b7d4e5a60 hunter2]",
            "[~ len=4]",
            "[~ 41111111]",
            "[~3f9a1c2b7d4e5a60",
            "[~3F9A1C2B7D4E5A60]",
            "[~3f9a1c2b7d4e5a60 len=4111111111111111]",
            "[~3f9a1c2b7d4e5a60  ascii]",
            "[3f9a1c2b7d4e5a60]",
        ] {
            assert_eq!(placeholder(text), None, "{text}");
        }
        assert_eq!(placeholder("[~3f9a1c2b7d4e5a60] and more"), Some(19));
    }
}
