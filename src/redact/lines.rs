//! Bodies that are a line, or an event, after the other.

use super::{Redactor, body::without_findings, json, policy::Rule};
use crate::exchange::Content;

/// JSON texts in lines, or each behind a record separator.
pub(super) fn json(r: &mut Redactor<'_>, bytes: &[u8], ended: bool) -> Option<Content> {
    // As text it is written, so as text it has to be read.
    let text = prefix(bytes, ended)?;
    let mut out = String::with_capacity(text.len() + text.len() / 4);
    let mut lines = text.split_inclusive(['\n', '\u{1e}']).peekable();
    while let Some(line) = lines.next() {
        let open = !ended && lines.peek().is_none();
        let value = line.trim_end_matches(['\n', '\r', '\u{1e}']);
        let (value, end) = line.split_at_checked(value.len())?;
        push_json(r, value, open && end.is_empty(), &mut out);
        out.push_str(end);
    }
    Some(Content::Text {
        text: out,
        unparsed: (bytes.len() - text.len()) as u64,
    })
}

/// One line: as JSON, or hidden as a whole.
fn push_json(r: &mut Redactor<'_>, line: &str, open: bool, out: &mut String) {
    if line.trim().is_empty() {
        return;
    }
    match json::part(r, line.as_bytes(), !open, Rule::default(), true) {
        Some(done) if done.complete || (open && done.unparsed == 0 && !done.blank) => {
            out.push_str(&done.text);
        }
        _ => {
            r.remember_words(line.as_bytes());
            let placeholder = r.hide_as(super::Action::Pseudonym, line.as_bytes(), open);
            out.push('"');
            out.push_str(&placeholder);
            out.push('"');
        }
    }
}

/// Server-sent events. The data of one event is one text, in however many lines.
pub(super) fn events(r: &mut Redactor<'_>, bytes: &[u8], ended: bool) -> Option<Content> {
    let known = prefix(bytes, ended)?;
    let text = known.strip_prefix('\u{feff}').unwrap_or(known);
    let mut out = String::with_capacity(text.len() + text.len() / 4);
    let mut data: Vec<&str> = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(['\n', '\r']);
        let (line, after) = rest.split_at_checked(end.unwrap_or(rest.len()))?;
        let after = after
            .strip_prefix("\r\n")
            .unwrap_or_else(|| after.get(1..).unwrap_or(""));
        rest = after;
        let open = !ended && rest.is_empty() && end.is_none();
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        if name == "data" && line.contains(':') {
            data.push(value);
            if !rest.is_empty() || !open {
                continue;
            }
        }
        push_data(r, &data, !ended && rest.is_empty(), &mut out);
        let had = !data.is_empty();
        data.clear();
        if name == "data" && had {
            break;
        }
        push_field(r, line, name, value, open, &mut out);
        if end.is_some() {
            out.push('\n');
        }
    }
    push_data(r, &data, !ended, &mut out);
    Some(Content::Text {
        text: out,
        unparsed: (bytes.len() - known.len()) as u64,
    })
}

fn push_data(r: &mut Redactor<'_>, data: &[&str], open: bool, out: &mut String) {
    if data.is_empty() {
        return;
    }
    let text = data.join("\n");
    let mut redacted = String::new();
    match text.trim_start().chars().next() {
        None => {}
        Some(_) if !open && matches!(text.trim(), "true" | "false" | "null" | "[DONE]") => {
            redacted.push_str(text.trim());
        }
        Some('{' | '[' | '"' | '-' | '0'..='9') => push_json(r, &text, open, &mut redacted),
        // Each line may be what the service says again.
        Some(_) if r.policy().is_strict() || open => {
            for line in data {
                r.remember(line);
            }
            r.remember_words(text.as_bytes());
            redacted = r.hide_as(super::Action::Pseudonym, text.as_bytes(), open);
        }
        Some(_) => redacted = without_findings(r, &text),
    }
    for line in redacted.split('\n') {
        out.push_str("data: ");
        out.push_str(line);
        out.push('\n');
    }
}

/// A line that is not data. Names of events are fields; IDs and comments are
/// values, and so is what has a name that is none.
fn push_field(
    r: &mut Redactor<'_>,
    line: &str,
    name: &str,
    value: &str,
    open: bool,
    out: &mut String,
) {
    let rule = r.policy().field_rule(name);
    match name {
        _ if line.is_empty() => {}
        "event" | "id" | "retry" if !open => {
            out.push_str(name);
            out.push_str(": ");
            match r.scalar(rule, value.as_bytes(), false) {
                Some(placeholder) => out.push_str(&placeholder),
                None => out.push_str(value),
            }
        }
        "" if value.is_empty() => out.push(':'),
        _ => {
            r.remember_words(line.as_bytes());
            out.push_str(": ");
            out.push_str(&r.hide_as(rule.how(), value.as_bytes(), open));
        }
    }
}

/// The text of a prefix, which may end inside of a character.
pub(super) fn prefix(bytes: &[u8], ended: bool) -> Option<&str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(e) if e.error_len().is_none() && !ended => {
            std::str::from_utf8(bytes.get(..e.valid_up_to())?).ok()
        }
        Err(_) => None,
    }
}
