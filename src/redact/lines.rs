//! Bodies of lines or events.

use super::{
    Redactor, json,
    policy::Rule,
    text::{prefix, without_findings},
};
use crate::exchange::Content;

/// Redacts JSON texts in lines, or each behind a record separator.
pub(super) fn json(r: &mut Redactor<'_>, bytes: &[u8], ended: bool) -> Option<Content> {
    // It is written as text, so it must be read as text.
    let text = prefix(bytes, ended)?;
    let mut out = String::with_capacity(text.len() + text.len() / 4);
    let mut lines = push_mark(text, &mut out)
        .split_inclusive(['\n', '\u{1e}'])
        .peekable();
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

/// Redacts one line as JSON, or hides it as a whole.
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

/// Writes the byte order mark at the start of a text, and returns the rest.
fn push_mark<'t>(text: &'t str, out: &mut String) -> &'t str {
    match text.strip_prefix('\u{feff}') {
        Some(rest) => {
            out.push('\u{feff}');
            rest
        }
        None => text,
    }
}

/// One line of an event stream.
struct Line<'t> {
    /// The name, with its colon and the space after it.
    head: &'t str,
    name: &'t str,
    value: &'t str,
    /// The line end; empty at the end of the text.
    end: &'t str,
}

impl<'t> Line<'t> {
    /// Splits off the first line of a text.
    fn first(text: &'t str) -> Option<(Self, &'t str)> {
        let end = text.find(['\n', '\r']).unwrap_or(text.len());
        let (line, rest) = text.split_at_checked(end)?;
        let length = if rest.starts_with("\r\n") { 2 } else { 1 };
        let (end, rest) = rest.split_at_checked(length.min(rest.len()))?;
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        let head = line.get(..line.len() - value.len())?;
        Some((
            Self {
                head,
                name,
                value,
                end,
            },
            rest,
        ))
    }
}

/// Redacts server-sent events. The data lines of one event are one text.
pub(super) fn events(r: &mut Redactor<'_>, bytes: &[u8], ended: bool) -> Option<Content> {
    let known = prefix(bytes, ended)?;
    let mut out = String::with_capacity(known.len() + known.len() / 4);
    let mut rest = push_mark(known, &mut out);
    let mut data: Vec<Line<'_>> = Vec::new();
    while !rest.is_empty() {
        let (line, after) = Line::first(rest)?;
        rest = after;
        if line.name == "data" {
            data.push(line);
            continue;
        }
        push_data(r, &data, false, &mut out);
        data.clear();
        let open = !ended && line.end.is_empty();
        push_field(r, &line, open, &mut out);
        out.push_str(line.end);
    }
    push_data(r, &data, !ended, &mut out);
    Some(Content::Text {
        text: out,
        unparsed: (bytes.len() - known.len()) as u64,
    })
}

fn push_data(r: &mut Redactor<'_>, data: &[Line<'_>], open: bool, out: &mut String) {
    let Some(last) = data.last() else {
        return;
    };
    let values: Vec<_> = data.iter().map(|line| line.value).collect();
    let text = values.join("\n");
    let mut redacted = String::new();
    match text.trim_start().chars().next() {
        None => redacted.clone_from(&text),
        Some(_) if !open && matches!(text.trim(), "true" | "false" | "null" | "[DONE]") => {
            redacted.clone_from(&text);
        }
        Some('{' | '[' | '"' | '-' | '0'..='9') => push_json(r, &text, open, &mut redacted),
        // The service may repeat each line.
        Some(_) if r.policy().is_strict() || open => {
            for line in values {
                r.remember(line);
            }
            r.remember_words(text.as_bytes());
            redacted = r.hide_as(super::Action::Pseudonym, text.as_bytes(), open);
        }
        Some(_) => redacted = without_findings(r, &text),
    }
    // Hiding a value that spans lines leaves fewer lines; the others keep their form.
    let mut lines = redacted.split('\n').zip(data).peekable();
    while let Some((text, line)) = lines.next() {
        let line_end = if lines.peek().is_some() {
            line.end
        } else {
            last.end
        };
        out.push_str(line.head);
        out.push_str(text);
        out.push_str(line_end);
    }
}

/// Redacts a line that is not data. Event names are fields; IDs and comments are values; a
/// line with an unknown name is one value.
fn push_field(r: &mut Redactor<'_>, line: &Line<'_>, open: bool, out: &mut String) {
    let (name, value) = (line.name, line.value);
    let rule = r.policy().field_rule(name);
    match name {
        "event" | "id" | "retry" if !open => {
            out.push_str(line.head);
            match r.scalar(rule, value.as_bytes(), false) {
                Some(placeholder) => out.push_str(&placeholder),
                None => out.push_str(value),
            }
        }
        "" if value.is_empty() => out.push_str(line.head),
        _ => {
            r.remember_words(name.as_bytes());
            r.remember_words(value.as_bytes());
            r.remember(value);
            let whole = format!("{}{value}", line.head);
            let (head, value) = match name {
                "" | "event" | "id" | "retry" => (line.head, value),
                _ => (": ", whole.as_str()),
            };
            out.push_str(head);
            out.push_str(&r.hide_as(rule.how(), value.as_bytes(), open));
        }
    }
}
