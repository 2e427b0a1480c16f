//! XML: keeps elements and attributes, and their texts by the policy.
//!
//! The crate has its own tokeniser. That of `quick-xml` stops at a bare `&`, cuts texts at
//! references although values are hidden as a whole, accepts any characters as a name, and
//! does not report where the quotes of attributes are. It could only search for `-->`,
//! `]]>` and `?>`.

use super::{Redactor, decisions::Part, detect, names, policy::Rule, text::prefix};
use crate::exchange::Content;
use std::ops::Range;

/// The deepest nesting of elements that is tracked.
const DEPTH: usize = 128;

/// Returns `None` if nothing of it is XML.
pub(super) fn body(r: &mut Redactor<'_>, bytes: &[u8], ended: bool) -> Option<Content> {
    let text = prefix(bytes, ended)?;
    let mark = text.len() - text.trim_start_matches('\u{feff}').len();
    let mut out = String::with_capacity(text.len() + text.len() / 4);
    out.push_str(text.get(..mark)?);
    let mut machine = Machine {
        r,
        text,
        at: mark,
        out,
        stack: Vec::new(),
        joined: String::new(),
        parts: 0,
        naming: false,
        named: None,
    };
    if !text.get(mark..)?.trim_start().starts_with('<') {
        return None;
    }
    while machine.at < text.len() && machine.step(ended).is_some() {}
    machine.join();
    let done = machine.at;
    (done > mark).then_some(Content::Text {
        text: machine.out,
        unparsed: (bytes.len() - done) as u64,
    })
}

struct Machine<'t, 'r, 'p> {
    r: &'r mut Redactor<'p>,
    text: &'t str,
    /// Input up to here is parsed and written.
    at: usize,
    out: String,
    stack: Vec<Rule>,
    /// The text of the element so far, and the number of its parts.
    joined: String,
    parts: usize,
    /// Whether the element names its siblings, as `key` does in a list.
    naming: bool,
    /// Parents of elements that were given a suspicious name.
    named: Option<usize>,
}

impl<'t> Machine<'t, '_, '_> {
    /// Redacts one text or one tag. Returns `None` if the rest cannot be parsed.
    fn step(&mut self, ended: bool) -> Option<()> {
        let rest = self.text.get(self.at..)?;
        if !rest.starts_with('<') {
            let end = rest.find('<');
            let (text, after) = rest.split_at_checked(end.unwrap_or(rest.len()))?;
            self.content(text, after, end.is_none() && !ended);
            self.at += text.len();
            return Some(());
        }
        if let Some(data) = rest.strip_prefix("<![CDATA[") {
            let end = data.find("]]>")?;
            self.out.push_str("<![CDATA[");
            self.content(data.get(..end)?, data.get(end + 3..)?, false);
            self.out.push_str("]]>");
            self.at += 9 + end + 3;
            return Some(());
        }
        if let Some(comment) = rest.strip_prefix("<!--") {
            let end = comment.find("-->")?;
            self.r.remember_words(comment.get(..end)?.as_bytes());
            self.out.push_str("<!---->");
            self.at += 4 + end + 3;
            return Some(());
        }
        if rest.starts_with("<?") {
            let end = rest.find("?>")? + 2;
            let instruction = rest.get(..end)?;
            if instruction.starts_with("<?xml ") && is_declaration(instruction) {
                self.out.push_str(instruction);
            } else {
                self.r.remember_words(instruction.as_bytes());
                self.out.push_str("<?dashcam?>");
            }
            self.at += end;
            return Some(());
        }
        // Entities can expand to any names and texts.
        if rest.starts_with("<!") {
            return None;
        }
        self.tag(rest)
    }

    fn tag(&mut self, rest: &'t str) -> Option<()> {
        self.join();
        if let Some(name) = rest.strip_prefix("</") {
            let end = name.find('>')?;
            self.stack.pop()?;
            self.naming = false;
            if self.named.is_some_and(|depth| depth > self.stack.len()) {
                self.named = None;
            }
            let (name, _) = name.split_at_checked(end)?;
            let bare = name.trim_end();
            self.out.push_str("</");
            self.name(bare);
            self.out.push_str(name.get(bare.len()..)?);
            self.out.push('>');
            self.at += 2 + end + 1;
            return Some(());
        }
        let name = word(rest, 1)?;
        let above = self.stack.last().copied().unwrap_or_default();
        let element = self.rule(name).below(above, None);
        let mut attributes = Vec::new();
        let (closed, end) = read(rest, 1 + name.len(), &mut attributes)?;
        // The text of `<field name="password">` and a sibling `value` have that name.
        let mut content = element;
        let local = name.rsplit(':').next().unwrap_or(name);
        self.naming = Part::of(local) == Part::Name && !closed;
        if self.naming {
            self.named = None;
        } else if self.named == Some(self.stack.len()) {
            content.suspicious = true;
        }
        for Attribute { name, value, .. } in &attributes {
            if Part::of(name) == Part::Name {
                content = self.rule(&unescape(value)).below(content, None);
            }
        }
        self.out.push('<');
        self.name(name);
        let mut written = 1 + name.len();
        for attribute in attributes {
            let Attribute { name, value, at } = attribute;
            self.out.push_str(rest.get(written..at.start)?);
            self.name(name);
            let inner = at.end - value.len();
            self.out.push_str(rest.get(at.start + name.len()..inner)?);
            written = at.end;
            let plain = unescape(value);
            let space = is_namespace(name, &plain) && !content.suspicious;
            if space && !detect::is_sensitive(&plain, self.r.policy().names()) {
                self.out.push_str(value);
            } else {
                let rule = self.rule(name).below(content, None);
                self.value(rule, value, &plain, false);
            }
        }
        self.out.push_str(rest.get(written..end)?);
        if !closed {
            if self.stack.len() >= DEPTH {
                return None;
            }
            self.stack.push(content);
        }
        self.at += end;
        Some(())
    }

    fn rule(&self, name: &str) -> Rule {
        // Returns a name without its namespace prefix.
        let local = name.rsplit(':').next().unwrap_or(name);
        self.r.policy().field_rule(local)
    }

    fn name(&mut self, name: &str) {
        if names::identifier_like(name) && !detect::is_sensitive(name, self.r.policy().names()) {
            self.out.push_str(name);
        } else {
            self.r.remember(name);
            self.out.push_str("hidden");
        }
    }

    /// Ends the text of an element. Its parts are one value together.
    fn join(&mut self) {
        if self.parts > 1 {
            self.r.remember(&self.joined);
        }
        self.joined.clear();
        self.parts = 0;
    }

    fn content(&mut self, text: &str, after: &str, cut: bool) {
        let mut rule = self.stack.last().copied().unwrap_or_default();
        let trimmed = text.trim();
        if trimmed.is_empty() {
            self.out.push_str(text);
            return;
        }
        let (left, right) = text.split_once(trimmed).unwrap_or_default();
        self.out.push_str(left);
        let plain = unescape(trimmed);
        if self.naming && self.rule(&plain).suspicious {
            self.named = self.stack.len().checked_sub(1);
        }
        self.joined.push_str(&unescape(text));
        self.parts += 1;
        // A part does not show what the whole value is, such as a card number.
        let goes_on = after.starts_with("<!") || after.starts_with("<?");
        let goes_on = goes_on || !(after.is_empty() || after.starts_with('<'));
        rule.suspicious |= goes_on || self.parts > 1;
        self.value(rule, trimmed, &plain, cut);
        self.out.push_str(right);
    }

    fn value(&mut self, rule: Rule, raw: &str, plain: &str, cut: bool) {
        match self.r.scalar(rule, plain.as_bytes(), cut) {
            Some(placeholder) => {
                self.r.remember_words(plain.as_bytes());
                self.out.push_str(&placeholder);
            }
            None => self.out.push_str(raw),
        }
    }
}

/// An attribute, from its name to the end of its value, without the quote.
struct Attribute<'t> {
    name: &'t str,
    value: &'t str,
    at: Range<usize>,
}

/// Parses the attributes of a start tag. Returns whether it is also the end tag, and where
/// it ends.
fn read<'t>(
    rest: &'t str,
    from: usize,
    attributes: &mut Vec<Attribute<'t>>,
) -> Option<(bool, usize)> {
    let mut at = from;
    loop {
        at += space(rest, at);
        let tail = rest.get(at..)?;
        if tail.starts_with('>') {
            return Some((false, at + 1));
        }
        if tail.starts_with("/>") {
            return Some((true, at + 2));
        }
        let name = word(rest, at)?;
        let start = at;
        at += name.len();
        at += space(rest, at);
        at += rest.get(at..)?.starts_with('=').then_some(1)?;
        at += space(rest, at);
        let tail = rest.get(at..)?;
        let quote = tail.chars().next().filter(|q| matches!(q, '"' | '\''))?;
        let value = tail.get(1..)?;
        let value = value.get(..value.find(quote)?)?;
        at += 1 + value.len();
        attributes.push(Attribute {
            name,
            value,
            at: start..at,
        });
        at += 1;
    }
}

/// Returns whether an attribute declares a namespace, and its value is a namespace name.
fn is_namespace(name: &str, value: &str) -> bool {
    (name == "xmlns" || name.starts_with("xmlns:"))
        && ["http://", "https://", "urn:"]
            .iter()
            .any(|scheme| value.starts_with(scheme))
        && value.len() <= 128
        && value
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-._~:/#+".contains(&b))
}

/// Returns whether an instruction is the XML declaration and has nothing else.
fn is_declaration(text: &str) -> bool {
    let inner = text
        .strip_prefix("<?xml ")
        .and_then(|t| t.strip_suffix("?>"));
    let known = |part: &str| {
        let (name, quoted) = part.split_once('=')?;
        let quote = quoted.chars().next().filter(|q| matches!(q, '"' | '\''))?;
        let value = quoted.strip_prefix(quote)?.strip_suffix(quote)?;
        Some(match name {
            "version" => matches!(value, "1.0" | "1.1"),
            "encoding" => is_charset(&value.to_ascii_lowercase()),
            "standalone" => matches!(value, "yes" | "no"),
            _ => false,
        })
    };
    inner.is_some_and(|inner| {
        inner
            .split_whitespace()
            .all(|part| known(part) == Some(true))
    })
}

fn is_charset(name: &str) -> bool {
    let numbered = ["iso-8859-", "windows-"].iter().any(|family| {
        let number = name.strip_prefix(family);
        number.is_some_and(|n| matches!(n.len(), 1..=4) && n.bytes().all(|b| b.is_ascii_digit()))
    });
    numbered
        || matches!(
            name,
            "utf-8"
                | "utf8"
                | "utf-16"
                | "us-ascii"
                | "ascii"
                | "shift_jis"
                | "euc-jp"
                | "gb2312"
                | "gbk"
                | "big5"
        )
}

fn space(text: &str, from: usize) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    rest.len() - rest.trim_start().len()
}

/// Returns the name that starts here.
fn word(text: &str, from: usize) -> Option<&str> {
    let rest = text.get(from..)?;
    let end = rest.find(|c: char| !(c.is_alphanumeric() || "_-.:".contains(c)))?;
    rest.get(..end).filter(|name| !name.is_empty())
}

/// Resolves the predefined entities of XML, and character references.
pub(super) fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let end = after.bytes().take(12).position(|b| b == b';');
        let name = end.and_then(|end| after.get(..end));
        if let Some(c) = name.and_then(reference) {
            out.push(c);
            rest = after
                .get(name.map_or(0, str::len) + 1..)
                .unwrap_or_default();
        } else {
            out.push('&');
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

fn reference(name: &str) -> Option<char> {
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => {
            let digits = name.strip_prefix('#')?;
            let number = match digits.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => digits.parse(),
            };
            char::from_u32(number.ok()?)?
        }
    })
}
