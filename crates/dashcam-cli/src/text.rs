//! Makes text of clients safe for a terminal.

use percent_encoding::percent_decode_str;
use std::{
    borrow::Cow,
    fmt::{self, Write},
};

/// Whether a character controls a terminal or changes the direction of text.
pub(super) fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            // Line and paragraph separators, direction marks, embeddings, overrides and
            // isolates, and the byte order mark.
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}' | '\u{feff}'
        )
}

/// Shows a text with unsafe characters escaped, as Rust does.
#[derive(Debug)]
pub(super) struct Plain<'a>(pub(super) &'a str);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.contains(is_unsafe) {
            return f.pad(self.0);
        }
        let mut safe = String::with_capacity(self.0.len() + 16);
        for c in self.0.chars() {
            if is_unsafe(c) {
                safe.extend(c.escape_default());
            } else {
                safe.push(c);
            }
        }
        f.pad(&safe)
    }
}

/// Escapes unsafe characters in JSON. They occur only in strings, where any character may
/// be escaped.
pub(super) fn safe_json(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    for c in json.chars() {
        if is_unsafe(c) && c != '\n' {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                let _ = write!(safe, "\\u{unit:04x}");
            }
        } else {
            safe.push(c);
        }
    }
    safe
}

/// Decodes the placeholders in a query, a form or a URL. The exchange has them
/// percent-encoded, so that the whole stays a query. Text that clients encoded stays.
pub(super) fn readable(text: &str) -> Cow<'_, str> {
    const STARTS: [&str; 2] = ["%5B~", "%2A%2A%2A%2A"];
    let start = |text: &str| STARTS.iter().filter_map(|start| text.find(start)).min();
    let mut rest = text;
    let mut out = String::new();
    while let Some(at) = start(rest) {
        let (before, from) = rest.split_at_checked(at).unwrap_or((rest, ""));
        out.push_str(before);
        let end = match from.strip_prefix("%5B~") {
            Some(inner) => placeholder(inner).map(|end| end + "%5B~".len()),
            // The shown rest of a masked value has letters, digits and more stars.
            None => Some(
                from.find(|c: char| !(c.is_alphanumeric() || c == '%'))
                    .unwrap_or(from.len()),
            ),
        };
        let (shown, next) = match end.and_then(|end| from.split_at_checked(end)) {
            Some((encoded, next)) => (percent_decode_str(encoded).decode_utf8_lossy(), next),
            None => match from.split_at_checked(1) {
                Some((sign, next)) => (Cow::from(sign), next),
                None => break,
            },
        };
        out.push_str(&shown);
        rest = next;
    }
    if rest.len() == text.len() {
        return Cow::Borrowed(text);
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// The end of the encoded inside of a placeholder, including its bracket: hash and facts,
/// separated by spaces.
fn placeholder(inner: &str) -> Option<usize> {
    let end = inner.find("%5D")?;
    let facts = inner.get(..end)?.replace("%20", "").replace("%3D", "");
    let plain = facts.bytes().all(|b| b.is_ascii_alphanumeric());
    plain.then_some(end + "%5D".len())
}

/// The longest text in a line of a list.
const SHORT: usize = 160;

/// The part of a text that fits into a line; `…` stands for the rest.
pub(crate) fn short(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(SHORT) {
        Some((at, _)) => line.get(..at).unwrap_or_default().to_owned() + "…",
        None if line.len() < text.trim_end().len() => line.to_owned() + " …",
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_readable_wherever_they_are_encoded() {
        for (encoded, shown) in [
            ("a=1&b=%41", "a=1&b=%41"),
            (
                "q=%5B~36a11ea64f60212b%20len%3D16%20ascii%20digits%5D&x=%20",
                "q=[~36a11ea64f60212b len=16 ascii digits]&x=%20",
            ),
            (
                "%5B~%20dropped%5D=%5B~%20len%3D3%5D",
                "[~ dropped]=[~ len=3]",
            ),
            (
                "https://x/?a=%5B~36a11ea64f60212b%5D#f",
                "https://x/?a=[~36a11ea64f60212b]#f",
            ),
            ("q=%2A%2A%2A%2Aords&b=%2A", "q=****ords&b=%2A"),
            // Not of the redactor.
            ("q=%5B~%0A%1B%5D", "q=%5B~%0A%1B%5D"),
            ("q=%5B~abc", "q=%5B~abc"),
            ("%5B~%5B~ab%5D", "%5B~[~ab]"),
            ("é%5B~é%5D", "é%5B~é%5D"),
        ] {
            assert_eq!(readable(encoded), shown);
        }
    }

    #[test]
    fn nothing_unsafe_is_left() {
        let hostile = "a\u{1b}[2J\r\n\t\u{7}\u{7f}\u{9b}31m\u{202e}x\u{2066}\u{feff}é";
        let plain = Plain(hostile).to_string();
        assert_eq!(
            plain,
            "a\\u{1b}[2J\\r\\n\\t\\u{7}\\u{7f}\\u{9b}31m\\u{202e}x\\u{2066}\\u{feff}é"
        );
        let json = serde_json::to_string(hostile).unwrap();
        let safe = safe_json(&json);
        assert!(!safe.contains(is_unsafe), "{safe}");
        assert_eq!(serde_json::from_str::<String>(&safe).unwrap(), hostile);
        assert_eq!(format!("{:<3}|", Plain("a")), "a  |");
    }
}
