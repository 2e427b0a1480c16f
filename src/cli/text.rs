//! Text of strangers, made safe for a terminal.

use crate::export::curl::is_unsafe;
use std::fmt::{self, Write};

/// Shows a text with what is unsafe escaped as in Rust and JSON.
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

/// JSON in which nothing unsafe stands: outside of strings there is none, and
/// within them each character may be escaped.
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

#[cfg(test)]
mod tests {
    use super::*;

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
