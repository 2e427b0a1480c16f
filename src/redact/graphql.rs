//! GraphQL documents: keeps names and structure, hides literals.

use super::{Redactor, detect, names};
use crate::exchange::Content;

/// The deepest nesting of brackets.
const DEPTH: usize = 128;

/// Redacts a body that is a document.
pub(super) fn body(r: &mut Redactor<'_>, bytes: &[u8], ended: bool) -> Option<Content> {
    let text = std::str::from_utf8(bytes).ok().filter(|_| ended)?;
    Some(Content::Text {
        text: query(r, text)?,
        unparsed: 0,
    })
}

/// The words that start definitions.
const STARTS: [&str; 4] = ["query", "mutation", "subscription", "fragment"];

/// Redacts a whole executable document. Returns `None` for a text with anything that is not
/// a token of the language, or that is not a balanced document: callers also pass texts
/// that are only perhaps a document.
pub(super) fn query(r: &mut Redactor<'_>, text: &str) -> Option<String> {
    if !is_document(text) {
        return None;
    }
    let mut out = String::with_capacity(text.len());
    for token in Tokens(text) {
        let token = token?;
        match token.chars().next()? {
            '"' => {
                let inner = inside(token);
                let placeholder = r.hide(inner.as_bytes());
                remember_escaped(r, inner);
                out.push('"');
                out.push_str(&placeholder);
                out.push('"');
            }
            '-' | '0'..='9' => {
                out.push('"');
                let placeholder = r.hide_number(super::Action::Pseudonym, token, false);
                out.push_str(&placeholder);
                out.push('"');
            }
            '#' => {
                r.remember_words(token.as_bytes());
                out.push('#');
            }
            c if is_name(c) => {
                if names::identifier_like(token) && !detect::is_sensitive(token, r.policy().names())
                {
                    out.push_str(token);
                } else {
                    let placeholder = r.hide(token.as_bytes());
                    out.push_str(&placeholder);
                }
            }
            _ => out.push_str(token),
        }
    }
    Some(out)
}

/// Returns a literal without its quotes, one or three on each side. Escaped quotes belong
/// to the literal.
fn inside(token: &str) -> &str {
    ["\"\"\"", "\""]
        .iter()
        .find_map(|quote| token.strip_prefix(quote)?.strip_suffix(quote))
        .unwrap_or_default()
}

/// A literal is remembered with its escapes and without.
fn remember_escaped(r: &mut Redactor<'_>, inner: &str) {
    if inner.contains('\n') {
        // Services remove the indentation of a block string.
        inner.lines().for_each(|line| r.remember(line));
    }
    let mut plain = Vec::new();
    if inner.contains('\\') && super::decode::json(inner.as_bytes(), false, &mut plain).is_some() {
        r.remember(&String::from_utf8_lossy(&plain));
    }
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Returns whether a text consists of definitions with balanced brackets, each with a
/// selection.
fn is_document(text: &str) -> bool {
    let mut open = Vec::new();
    // Whether a definition has begun, whether its selection is over, and its words so far
    // outside of brackets.
    let (mut begun, mut selections, mut words) = (false, 0_usize, 0_usize);
    for token in Tokens(text) {
        let Some(token) = token else { return false };
        let Some(first) = token.chars().next() else {
            return false;
        };
        match first {
            ' ' | '\n' | '\r' | '\t' | ',' | '\u{feff}' | '#' => {}
            '{' | '(' | '[' => {
                if open.is_empty() && !begun && first != '{' || open.len() >= DEPTH {
                    return false;
                }
                begun = true;
                open.push(first);
            }
            '}' | ')' | ']' => {
                let fits = match open.pop() {
                    Some('{') => first == '}',
                    Some('(') => first == ')',
                    Some(_) => first == ']',
                    None => false,
                };
                if !fits {
                    return false;
                }
                if open.is_empty() && first == '}' {
                    (begun, words) = (false, 0);
                    selections += 1;
                }
            }
            _ if !open.is_empty() => {}
            _ if !begun => {
                if !STARTS.contains(&token) {
                    return false;
                }
                begun = true;
            }
            // A name, `on`, a type; and directives.
            c if is_name(c) => {
                words += 1;
                if words > 16 {
                    return false;
                }
            }
            '@' => {}
            _ => return false,
        }
    }
    open.is_empty() && !begun && selections > 0
}

/// Iterates over the tokens of a text, including white space; `None` for anything that is
/// not a token.
struct Tokens<'t>(&'t str);

impl<'t> Iterator for Tokens<'t> {
    type Item = Option<&'t str>;

    fn next(&mut self) -> Option<Self::Item> {
        let first = self.0.chars().next()?;
        let length = token(self.0, first);
        let split = length.and_then(|length| self.0.split_at_checked(length));
        let Some((token, rest)) = split else {
            self.0 = "";
            return Some(None);
        };
        self.0 = rest;
        Some(Some(token))
    }
}

fn token(text: &str, first: char) -> Option<usize> {
    let run = |kind: fn(char) -> bool| text.find(|c| !kind(c)).unwrap_or(text.len());
    match first {
        c if c.is_ascii_alphabetic() || c == '_' => Some(run(is_name)),
        '-' | '0'..='9' => {
            let end = run(|c| is_name(c) || matches!(c, '-' | '+' | '.'));
            text.get(..end)
                .filter(|t| super::json::is_number(t))
                .map(str::len)
        }
        '"' if text.starts_with("\"\"\"") => {
            let mut from = 3;
            loop {
                let at = from + text.get(from..)?.find("\"\"\"")?;
                if !text.get(..at)?.ends_with('\\') {
                    return Some(at + 3);
                }
                from = at + 3;
            }
        }
        '"' => {
            let mut escaped = false;
            for (at, b) in text.bytes().enumerate().skip(1) {
                match b {
                    b'\n' | b'\r' => return None,
                    _ if escaped => escaped = false,
                    b'\\' => escaped = true,
                    b'"' => return Some(at + 1),
                    _ => {}
                }
            }
            None
        }
        '#' => Some(run(|c| !matches!(c, '\n' | '\r'))),
        '.' => text.starts_with("...").then_some(3),
        '\u{feff}' => Some(3),
        ' ' | '\n' | '\r' | '\t' | ',' => {
            Some(run(|c| matches!(c, ' ' | '\n' | '\r' | '\t' | ',')))
        }
        '{' | '}' | '(' | ')' | '[' | ']' | '!' | '$' | ':' | '=' | '@' | '|' | '&' => Some(1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::redact::{
        Redactor,
        tests::{plain, strict},
    };

    fn query(text: &str) -> Option<String> {
        super::query(&mut Redactor::new(&strict()), text).map(|text| plain(&text))
    }

    #[test]
    fn literals_go_and_names_stay() {
        let text = "query Find($id: ID! = \"x\") { user(id: $id, name: \"Zoë\\n\", age: 42, flag: true)\n { id ...F } }";
        assert_eq!(
            query(text).unwrap(),
            "query Find($id: ID! = \"[~# len=1 ascii alpha]\") { user(id: $id, name: \"[~# len=5 bytes=6 unicode mixed]\", age: \"[~# num 2digits]\", flag: true)\n { id ...F } }"
        );
        assert_eq!(
            query("{ a(b: \"\"\"secret \"quoted\" words\"\"\") # and words\n}").unwrap(),
            "{ a(b: \"[~# len=21 ascii mixed]\") #\n}"
        );
        assert!(
            query("{ ghp_abcdefghijklmnop1234567890 }")
                .unwrap()
                .contains("[~#")
        );
    }

    #[test]
    fn what_is_no_document_does_not_come_through() {
        for text in [
            "",
            "words",
            "query words without end",
            "{ a",
            "{ a }}",
            "{ a(b: \"c) }",
            "query { a(] }",
            "subscription john smith",
            "{ a ä }",
            "{ a: 'x' }",
            "(a) { b }",
            "{ a } secret words",
            "query a b c d e f g h i j k l m n o p q r s t { a }",
        ] {
            assert_eq!(query(text), None, "{text}");
        }
    }
}
