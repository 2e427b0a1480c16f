//! JSON: copied as it is, with the strings, numbers and keys that must not be
//! written replaced.

use super::{
    Action, Policy, Redactor, decode, detect, graphql,
    json_scan::{self, Scan, Stop},
    policy::{Node, Rule},
    pseudonym::DROPPED,
    redactor::BOOL,
};
use crate::exchange::Content;

/// Containers in containers that are followed.
const DEPTH: usize = 128;

/// The longest text that may be the name of something, in bytes.
const LONGEST_NAME: usize = 64;

/// JSON in strings of JSON that is followed.
const LEVELS: u8 = 4;

/// `None` where nothing of it is JSON.
pub(super) fn body(r: &mut Redactor<'_>, bytes: &[u8], ended: bool) -> Option<Content> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let done = part(r, bytes, ended, Rule::default(), true)?;
    if done.blank && !bytes.is_empty() {
        return None;
    }
    Some(Content::Text {
        text: done.text,
        unparsed: done.unparsed as u64,
    })
}

/// JSON as a part of something else. `whole` where the paths of the policy
/// start at it.
pub(super) fn part(
    r: &mut Redactor<'_>,
    bytes: &[u8],
    ended: bool,
    rule: Rule,
    whole: bool,
) -> Option<Done> {
    let node = r.policy().paths().root().filter(|_| whole);
    Machine::new(r, bytes, ended, 0, rule, node).run()
}

/// Whether a text starts as an object or a list does.
fn starts_like_json(text: &str) -> bool {
    match text.bytes().next() {
        Some(b'{' | b'[') => true,
        Some(b) if b.is_ascii_graphic() => false,
        _ => text.trim_start().starts_with(['{', '[']),
    }
}

/// Whether a text is one JSON number.
pub(super) fn is_number(text: &str) -> bool {
    json_scan::number(text.as_bytes(), 0) == Some(text.len())
}

pub(super) struct Done {
    /// Empty where the redactor only remembers.
    pub(super) text: String,
    /// Whether the text differs from the input.
    replaced: bool,
    /// Whether there was nothing but white space.
    pub(super) blank: bool,
    pub(super) unparsed: usize,
    /// One JSON value and nothing else.
    pub(super) complete: bool,
}

/// What has to come next.
#[derive(Clone, Copy, PartialEq)]
enum Expect {
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    Colon,
    CommaOrEnd,
    Nothing,
}

struct Frame<'a, 'p> {
    object: bool,
    rule: Rule,
    node: Option<Node<'p>>,
    /// Which element of a list comes next.
    index: usize,
    /// What a member names, as in `{"name":"pin","value":1234}`.
    named: Option<&'a [u8]>,
}

/// Members that name what another one, behind them, is the value of.
const NAMING: &[&str] = &["name", "key", "id", "field", "param", "parameter", "header"];

/// Members that have the value of such a name.
const NAMED: &[&str] = &["value", "val", "values", "v", "content", "data", "text"];

/// Whether a string, as JSON writes it, is a suspicious name.
fn names_secret(policy: &Policy, raw: &[u8]) -> bool {
    let mut name = Vec::new();
    raw.len() <= LONGEST_NAME
        && decode::json(raw, false, &mut name).is_some()
        && std::str::from_utf8(&name).is_ok_and(|name| policy.field_rule(name).suspicious)
}

fn is_one_of(key: &str, all: &[&str]) -> bool {
    all.iter().any(|one| one.eq_ignore_ascii_case(key))
}

struct Machine<'a, 'r, 'p> {
    r: &'r mut Redactor<'p>,
    input: &'a [u8],
    /// The same, checked once, where all of it is UTF-8.
    text: Option<&'a str>,
    at: usize,
    /// Input up to here is in `out`, as it was or replaced.
    copied: usize,
    out: Vec<u8>,
    replaced: bool,
    stack: Vec<Frame<'a, 'p>>,
    expect: Expect,
    /// What is said of the value that comes next: by its name and by its place.
    rule: Rule,
    node: Option<Node<'p>>,
    /// Whether that may be the text of a GraphQL query.
    graphql: bool,
    /// Whether that names what another member has.
    naming: bool,
    /// The container that goes as a whole: containers around it, and what had
    /// been written before it.
    dropping: Option<(usize, usize)>,
    /// Where the last scalar or key that stays starts, until what follows it
    /// shows that it is one: `4111 1111` is no number followed by an error.
    open: Option<usize>,
    ended: bool,
    level: u8,
    decoded: Vec<u8>,
}

/// Nothing from here on is written.
struct Error;

impl<'a, 'r, 'p> Machine<'a, 'r, 'p> {
    fn new(
        r: &'r mut Redactor<'p>,
        input: &'a [u8],
        ended: bool,
        level: u8,
        rule: Rule,
        node: Option<Node<'p>>,
    ) -> Self {
        Self {
            input,
            text: std::str::from_utf8(input).ok(),
            at: 0,
            copied: 0,
            out: if r.only_remembers() {
                Vec::new()
            } else {
                Vec::with_capacity(input.len() + input.len() / 4)
            },
            r,
            replaced: false,
            stack: Vec::new(),
            expect: Expect::Value,
            rule,
            node,
            graphql: false,
            naming: false,
            dropping: None,
            open: None,
            ended,
            level,
            decoded: Vec::new(),
        }
    }

    fn run(mut self) -> Option<Done> {
        let end = loop {
            self.at = json_scan::space(self.input, self.at);
            let Some(&b) = self.input.get(self.at) else {
                let whole = self.ended && self.expect == Expect::Nothing;
                break self.open.filter(|_| !whole).unwrap_or(self.input.len());
            };
            if self.step(b).is_err() {
                break self.open.unwrap_or(self.at);
            }
        };
        self.copy(end);
        if let Some((_, from)) = self.dropping.take() {
            self.drop_from(from);
        }
        let parsed = self.input.get(..end).unwrap_or_default();
        Some(Done {
            text: String::from_utf8(self.out).ok()?,
            replaced: self.replaced,
            blank: parsed.trim_ascii().is_empty(),
            unparsed: self.input.len() - end,
            complete: end == self.input.len() && self.expect == Expect::Nothing,
        })
    }

    fn step(&mut self, b: u8) -> Result<(), Error> {
        match (self.expect, b) {
            (Expect::Value | Expect::ValueOrEnd, b'{' | b'[') => self.open(b == b'{')?,
            (Expect::ValueOrEnd | Expect::CommaOrEnd, b']') => self.close(false)?,
            (Expect::KeyOrEnd | Expect::CommaOrEnd, b'}') => self.close(true)?,
            (Expect::Value | Expect::ValueOrEnd, _) => {
                self.open = None;
                match b {
                    b'"' => self.string()?,
                    b'-' | b'0'..=b'9' => self.number()?,
                    _ => self.word()?,
                }
                self.after_value();
            }
            (Expect::Key | Expect::KeyOrEnd, b'"') => {
                self.open = None;
                self.key()?;
                self.expect = Expect::Colon;
            }
            (Expect::Colon, b':') => self.punctuation(Expect::Value),
            (Expect::CommaOrEnd, b',') => {
                let object = self.stack.last().is_some_and(|f| f.object);
                self.punctuation(if object { Expect::Key } else { Expect::Value });
                if !object {
                    self.element();
                }
            }
            _ => return Err(Error),
        }
        Ok(())
    }

    fn punctuation(&mut self, expect: Expect) {
        self.open = None;
        self.at += 1;
        self.expect = expect;
    }

    fn open(&mut self, object: bool) -> Result<(), Error> {
        if self.stack.len() >= DEPTH {
            return Err(Error);
        }
        if self.rule.hide == Some(Action::Drop) && self.dropping.is_none() {
            self.copy(self.at);
            self.dropping = Some((self.stack.len(), self.out.len()));
        }
        self.stack.push(Frame {
            object,
            rule: self.rule,
            node: self.node,
            index: 0,
            named: None,
        });
        self.punctuation(if object {
            Expect::KeyOrEnd
        } else {
            Expect::ValueOrEnd
        });
        if !object {
            self.element();
        }
        Ok(())
    }

    /// Comes to the next element of a list.
    fn element(&mut self) {
        let Some(frame) = self.stack.last_mut() else {
            return;
        };
        self.rule = frame.rule;
        self.graphql = false;
        self.naming = false;
        if let Some(node) = frame.node {
            self.node = node.index(frame.index);
            frame.index += 1;
            let path = self.node.and_then(Node::action);
            self.rule = frame.rule.below(Rule::default(), path);
        }
    }

    /// Writes in the place of everything from here on that it was dropped.
    fn drop_from(&mut self, from: usize) {
        self.replaced = true;
        if !self.r.only_remembers() {
            self.out.truncate(from);
            self.out.push(b'"');
            self.out.extend_from_slice(DROPPED.as_bytes());
            self.out.push(b'"');
        }
    }

    fn close(&mut self, object: bool) -> Result<(), Error> {
        if self.stack.pop().is_none_or(|f| f.object != object) {
            return Err(Error);
        }
        self.open = None;
        self.at += 1;
        if let Some((depth, from)) = self.dropping
            && depth == self.stack.len()
        {
            self.dropping = None;
            self.copied = self.at;
            self.drop_from(from);
        }
        self.after_value();
        Ok(())
    }

    fn after_value(&mut self) {
        self.expect = if self.stack.is_empty() {
            Expect::Nothing
        } else {
            Expect::CommaOrEnd
        };
    }

    /// Copies the input up to here, unless it was replaced.
    fn copy(&mut self, to: usize) {
        if self.r.only_remembers() {
            return;
        }
        let kept = self.input.get(self.copied..to).unwrap_or_default();
        self.out.extend_from_slice(kept);
        self.copied = self.copied.max(to);
    }

    /// Writes a string in the place of the token that ends at `end`.
    fn replace(&mut self, end: usize, text: &str) {
        self.replaced = true;
        if !self.r.only_remembers() {
            self.copy(self.at);
            self.out.push(b'"');
            self.out.extend_from_slice(text.as_bytes());
            self.out.push(b'"');
        }
        self.copied = end;
        self.at = end;
    }

    fn keep(&mut self, end: usize) {
        self.open = Some(self.at);
        self.at = end;
    }

    fn word(&mut self) -> Result<(), Error> {
        let rest = self.input.get(self.at..).unwrap_or_default();
        let word = [&b"true"[..], b"false", b"null"]
            .into_iter()
            .find(|w| rest.starts_with(w))
            .ok_or(Error)?;
        let end = self.at + word.len();
        if self.rule.suspicious && (word != b"null" || self.rule.hide == Some(Action::Drop)) {
            match self.rule.hide {
                Some(Action::Drop) => self.replace(end, DROPPED),
                Some(Action::Mask) => self.replace(end, "****"),
                _ => self.replace(end, BOOL),
            }
        } else {
            self.keep(end);
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), Error> {
        let end = json_scan::number(self.input, self.at);
        // A number at the end of a prefix may be the start of a longer one.
        let cut = end.unwrap_or(self.input.len()) == self.input.len()
            && !(self.ended && self.stack.is_empty());
        let end = match end {
            Some(end) => end,
            None if cut => json_scan::number_like(self.input, self.at),
            None => return Err(Error),
        };
        if cut && end != self.input.len() {
            return Err(Error);
        }
        let text = self.text(self.at, end).ok_or(Error)?;
        if cut || self.rule.suspicious || detect::number(text) {
            let placeholder = self.r.hide_number(self.rule.how(), text, cut);
            self.replace(end, &placeholder);
        } else {
            self.keep(end);
        }
        Ok(())
    }

    /// A part of the input between ASCII characters.
    fn text(&self, from: usize, to: usize) -> Option<&'a str> {
        match self.text {
            Some(text) => text.get(from..to),
            None => std::str::from_utf8(self.input.get(from..to)?).ok(),
        }
    }

    /// The content of a string.
    fn content(&self, scan: Scan) -> Option<&str> {
        if scan.escaped {
            std::str::from_utf8(&self.decoded).ok()
        } else {
            self.text(self.at + 1, scan.end)
        }
    }

    /// Reads the string at the current place.
    fn scan(&mut self) -> Result<(Scan, &'a [u8]), Error> {
        let scan = json_scan::string(self.input, self.at + 1);
        if scan.stop == Stop::Control {
            return Err(Error);
        }
        let raw = self.input.get(self.at + 1..scan.end).unwrap_or_default();
        if scan.escaped {
            decode::json(raw, scan.stop == Stop::Cut, &mut self.decoded).ok_or(Error)?;
        }
        Ok((scan, raw))
    }

    fn string(&mut self) -> Result<(), Error> {
        let (scan, raw) = self.scan()?;
        if self.naming
            && let Some(frame) = self.stack.last_mut()
        {
            frame.named = Some(raw);
        }
        let Some(text) = self.content(scan) else {
            self.r.remember_words(raw);
            self.hide(raw, scan);
            return Ok(());
        };
        let whole = scan.stop == Stop::Quote;
        let json = starts_like_json(text);
        if json && self.level < LEVELS {
            let text = text.to_owned();
            return self.embedded(&text, raw, scan);
        }
        if self.graphql && whole && !self.rule.suspicious {
            let text = text.to_owned();
            if let Some(query) = graphql::query(self.r, &text) {
                return self.replace_json(scan, &query);
            }
        }
        let Some(text) = self.content(scan) else {
            return Err(Error);
        };
        // By name alone, what may be JSON that was not looked into does not stay.
        let unseen = json && !self.r.policy().is_strict();
        if whole && !unseen && self.r.policy().string_stays(self.rule, text) {
            self.keep(scan.after());
        } else {
            self.hide(raw, scan);
        }
        Ok(())
    }

    /// JSON in a string, or what starts like it.
    fn embedded(&mut self, text: &str, raw: &[u8], scan: Scan) -> Result<(), Error> {
        let whole = scan.stop == Stop::Quote;
        let (rule, level) = (self.rule, self.level + 1);
        if whole && !rule.suspicious {
            if self.graphql
                && let Some(query) = graphql::query(self.r, text)
            {
                return self.replace_json(scan, &query);
            }
            let inner = Machine::new(self.r, text.as_bytes(), true, level, rule, None).run();
            match inner.filter(|i| i.complete) {
                Some(inner) if !inner.replaced => {
                    self.keep(scan.after());
                    return Ok(());
                }
                Some(inner) => return self.replace_json(scan, &inner.text),
                None => {
                    self.r.remember_words(text.as_bytes());
                    let policy = self.r.policy();
                    if policy.is_strict() && policy.string_stays(rule, text) {
                        self.keep(scan.after());
                        return Ok(());
                    }
                }
            }
        } else {
            // What is in it is known from here on, though it goes as a whole.
            self.r.quietly(|r| {
                let done = Machine::new(r, text.as_bytes(), whole, level, rule, None).run();
                if done.is_none_or(|done| done.unparsed > 0) {
                    r.remember_words(text.as_bytes());
                }
            });
        }
        self.hide(raw, scan);
        Ok(())
    }

    /// Writes a text, quoted, in the place of the string.
    fn replace_json(&mut self, scan: Scan, text: &str) -> Result<(), Error> {
        let quoted = serde_json::to_string(text).map_err(|_| Error)?;
        let quoted = quoted.strip_prefix('"').and_then(|q| q.strip_suffix('"'));
        self.replace(scan.after(), quoted.ok_or(Error)?);
        Ok(())
    }

    fn key(&mut self) -> Result<(), Error> {
        let (scan, raw) = self.scan()?;
        let (mut above, node, named) = self
            .stack
            .last()
            .map(|f| (f.rule, f.node, f.named))
            .unwrap_or_default();
        self.graphql = false;
        self.naming = false;
        self.node = None;
        let decoded = std::mem::take(&mut self.decoded);
        let key = if scan.escaped {
            std::str::from_utf8(&decoded).ok()
        } else {
            self.text(self.at + 1, scan.end)
        };
        let (stays, rule) = match key {
            Some(key) => {
                let (stays, rule) = self.r.key(key);
                self.node = node.and_then(|node| node.name(key));
                self.naming = is_one_of(key, NAMING);
                self.graphql = key == "query" && self.stack.len() <= 2;
                // Below a suspicious name the keys may be what it names.
                let stays = stays && !above.suspicious;
                above.suspicious |= is_one_of(key, NAMED)
                    && named.is_some_and(|name| names_secret(self.r.policy(), name));
                (stays, rule)
            }
            // What cannot be read may be any name.
            None => (false, Rule::hiding(Action::Pseudonym)),
        };
        self.decoded = decoded;
        self.rule = rule.below(above, self.node.and_then(Node::action));
        if stays && scan.stop == Stop::Quote {
            self.keep(scan.after());
        } else {
            self.hide_as(above.how(), raw, scan);
        }
        Ok(())
    }

    /// Replaces the string at the current place.
    fn hide(&mut self, raw: &[u8], scan: Scan) {
        self.hide_as(self.rule.how(), raw, scan);
    }

    fn hide_as(&mut self, how: Action, raw: &[u8], scan: Scan) {
        let cut = scan.stop == Stop::Cut;
        let decoded = std::mem::take(&mut self.decoded);
        let mut bytes = if scan.escaped { &decoded } else { raw };
        if cut
            && let Err(e) = std::str::from_utf8(bytes)
            && e.error_len().is_none()
        {
            bytes = bytes.get(..e.valid_up_to()).unwrap_or(bytes);
        }
        if scan.escaped {
            self.r.remember(&String::from_utf8_lossy(raw));
        }
        let placeholder = self.r.hide_as(how, bytes, cut);
        self.decoded = decoded;
        self.replace(scan.after(), &placeholder);
    }
}
