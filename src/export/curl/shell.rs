//! Quoting that means the same in POSIX shells, zsh and fish.

use std::fmt::Write as _;

/// The longest single argument. Linux allows 128 KiB.
const LONGEST: usize = 100 * 1024;

/// A body as the command has it.
pub(super) enum Data {
    /// A word.
    Argument(String),
    /// A command that prints it.
    Input(String),
}

impl Data {
    pub(super) fn of(bytes: Vec<u8>) -> Self {
        match String::from_utf8(bytes) {
            Ok(text) if text.len() <= LONGEST && is_plain(&text) => Self::Argument(quote(&text)),
            Ok(text) => Self::Input(print(text.as_bytes())),
            Err(error) => Self::Input(print(error.as_bytes())),
        }
    }
}

/// One word that the shell reads as exactly this text. The text has no NUL, and does not
/// end with a line feed if it has control characters.
pub(super) fn quote(text: &str) -> String {
    let bare = |b: u8| b.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(&b);
    // At the start of a word some of these are code: in zsh `=ls` is the path of `ls`, and
    // `%1` a job.
    let starts = |b: &u8| b.is_ascii_alphanumeric() || b"-_./".contains(b);
    if text.as_bytes().first().is_some_and(starts) && text.bytes().all(bare) {
        return text.to_owned();
    }
    if is_plain(text) {
        let mut out = String::with_capacity(text.len() + 2);
        out.push('\'');
        for c in text.chars() {
            match c {
                '\'' => out.push_str(r"'\''"),
                // A backslash between quotes is itself, except in fish, where it escapes.
                '\\' => out.push_str(r"'\\'"),
                c => out.push(c),
            }
        }
        out.push('\'');
        return out;
    }
    format!("\"$({})\"", print(text.as_bytes()))
}

/// Whether a terminal or an editor interprets the character instead of showing it.
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

/// Whether a terminal shows the character, and accepts it when pasted: a shell completes
/// words at a tab.
fn is_plain(text: &str) -> bool {
    text.chars().all(|c| c == '\n' || !is_unsafe(c))
}

/// A command that prints exactly these bytes. It uses `%b`, because not every `printf`
/// allows a format that begins with a hyphen.
fn print(bytes: &[u8]) -> String {
    let mut out = String::from("printf '%b' '");
    for &b in bytes {
        if b.is_ascii_alphanumeric() || b" -_./:;=@+,?&{}[]()<>\"*#%|~^$".contains(&b) {
            out.push(char::from(b));
        } else {
            let _ = write!(out, r"\0{b:03o}");
        }
    }
    out.push('\'');
    out
}

/// One comment line that cannot end early, and has nothing that a shell acts on: in zsh, a
/// pasted line that begins with `#` is a command.
pub(super) fn comment(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unsafe(c) {
            out.extend(c.escape_default());
        } else if ";&|<>()$`\\\"'!{}".contains(c) {
            out.push('_');
        } else {
            out.push(c);
        }
    }
    out
}
