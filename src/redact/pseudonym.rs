//! Pseudonyms: the placeholders of hidden values.

use super::{
    Action,
    guess::few,
    key::{HASH, Key, Salt, UNKEYED, push_keyed},
};
use std::{collections::HashSet, sync::OnceLock};

/// The most guessable values whose hash is joined.
const JOINED: usize = 1024;

/// The longest content whose hash is not joined, in bytes.
const CONTENT: usize = 64;

/// Makes the placeholders of one request.
///
/// A hash can be joined across requests, unless the value could be guessed: then it is
/// valid in this request only.
#[derive(Clone)]
pub(super) struct Pseudonyms {
    key: Option<[u8; 32]>,
    /// `None` is a salt that nothing else has.
    salt: Option<Salt>,
    /// The key of this request, made when it is needed.
    own: OnceLock<[u8; 32]>,
    /// Guessable values at a place where the policy joins: each has the joined hash from
    /// there on, wherever it occurs.
    joined: HashSet<Box<[u8]>>,
}

impl Pseudonyms {
    pub(super) fn new(key: &Key) -> Self {
        Self {
            key: key.bytes().copied(),
            salt: None,
            own: OnceLock::new(),
            joined: HashSet::new(),
        }
    }

    /// For the request with this salt, and its calls.
    #[must_use]
    pub(super) fn of(mut self, salt: Salt) -> Self {
        self.salt = Some(salt);
        self.own.take();
        self
    }

    /// Takes another salt if none was given. Returns whether one was used.
    pub(super) fn renew(&mut self) -> bool {
        self.own.take().is_some()
    }

    /// Records the action for a value, for its later occurrences.
    pub(super) fn note(&mut self, how: Action, value: &[u8]) {
        if how == Action::Join && self.joined.len() < JOINED && few(value) {
            self.joined.insert(value.into());
        }
    }

    /// Appends 16 hex digits, or `unkeyed`.
    pub(super) fn push_hash(&self, how: Action, value: &[u8], out: &mut String) {
        let joins = how == Action::Join || !few(value) || self.joined.contains(value);
        self.push_under(joins, value, out);
    }

    /// Appends the hash of a content with many values, such as a body in an unknown format.
    /// A short content may be known except for one value.
    pub(super) fn push_content(&self, content: &[u8], out: &mut String) {
        self.push_under(content.len() > CONTENT, content, out);
    }

    fn push_under(&self, joins: bool, value: &[u8], out: &mut String) {
        match &self.key {
            None => out.push_str(UNKEYED),
            Some(key) if joins => push_keyed(key, value, out),
            Some(key) => {
                let salt = || self.salt.unwrap_or_else(Salt::fresh);
                push_keyed(self.own.get_or_init(|| salt().key(key)), value, out);
            }
        }
    }

    /// The short form, without facts.
    pub(super) fn push_short(&self, value: &[u8], out: &mut String) {
        out.push_str("[~");
        if value.is_empty() {
            out.push_str(" empty");
        } else {
            self.push_hash(Action::Pseudonym, value, out);
        }
        out.push(']');
    }

    /// The placeholder of a text, with the facts of its shape.
    pub(super) fn push_value(&self, value: &[u8], cut: bool, out: &mut String) {
        self.push(Action::Pseudonym, value, cut, out);
    }

    /// Returns the replacement of a text.
    pub(super) fn push(&self, how: Action, value: &[u8], cut: bool, out: &mut String) {
        match how {
            Action::Drop => return out.push_str(DROPPED),
            Action::Mask => return push_mask(value, cut, out),
            Action::Keep | Action::Join | Action::Pseudonym | Action::Shape => {}
        }
        out.push_str("[~");
        if value.is_empty() {
            out.push_str(" empty");
        } else {
            if how != Action::Shape {
                self.push_hash(how, value, out);
            }
            push_shape(value, out);
        }
        out.push_str(if cut { " cut]" } else { "]" });
    }

    /// Returns the replacement of a number, given as its text.
    pub(super) fn push_number(&self, how: Action, text: &str, cut: bool, out: &mut String) {
        match how {
            Action::Drop => return out.push_str(DROPPED),
            Action::Mask => return push_mask(text.as_bytes(), cut, out),
            Action::Keep | Action::Join | Action::Pseudonym | Action::Shape => {}
        }
        out.push_str("[~");
        if how != Action::Shape {
            self.push_hash(how, text.as_bytes(), out);
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

/// The replacement of a dropped value.
pub(super) const DROPPED: &str = "[~ dropped]";

/// The fewest characters of a value whose last four may be shown.
const MASKED: usize = 12;

fn push_mask(value: &[u8], cut: bool, out: &mut String) {
    out.push_str("****");
    // The end of a cut value is not the end of the value.
    let text = std::str::from_utf8(value).ok().filter(|_| !cut);
    let end = text.filter(|text| text.chars().nth(MASKED - 1).is_some());
    let start = end.and_then(|text| text.char_indices().rev().nth(3));
    if let (Some(text), Some((at, _))) = (end, start) {
        let plain = |c: char| if c.is_alphanumeric() { c } else { '*' };
        out.extend(text.get(at..).unwrap_or_default().chars().map(plain));
    }
}

/// Returns the placeholder of a boolean. It has no hash, because there are only two values.
pub(super) const BOOL: &str = "[~ bool]";

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

/// Returns the length of the placeholder that `text` starts with.
///
/// Strict, because a recognised placeholder is written unchanged: only the words of the
/// grammar, and few of them.
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

    fn keyed() -> Pseudonyms {
        Pseudonyms::new(&Key::new("k", b"0123456789abcdef"))
    }

    fn value(bytes: &[u8]) -> String {
        let mut out = String::new();
        keyed().push_value(bytes, false, &mut out);
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
        keyed().push_number(Action::Pseudonym, "-120.5e3", true, &mut out);
        assert_eq!(out.get(18..), Some(" num neg 3digits frac exp cut]"));
        assert_eq!(placeholder(&out), Some(out.len()));
    }

    #[test]
    fn without_a_key_there_is_no_hash() {
        let (mut a, mut b) = (String::new(), String::new());
        let unkeyed = Pseudonyms::new(&Key::unkeyed());
        unkeyed.push_short(b"one", &mut a);
        unkeyed.push_short(b"two, which is long", &mut b);
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
