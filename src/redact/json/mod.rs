//! JSON: copied as it is, with replacements for the strings, numbers and keys that must be
//! hidden.

#[cfg(test)]
mod props;
mod scalars;
mod scan;

pub(super) use self::scan::is_number;
use self::scan::{Scan, Stop};
use super::{
    Action, Policy, Redactor,
    decisions::{Decision, Part},
    decode,
    policy::{Node, Rule},
    pseudonym::DROPPED,
};
use crate::exchange::Content;
use std::convert::Infallible;

/// The deepest nesting of containers that is tracked.
const DEPTH: usize = 128;

/// The longest text that may be a name, in bytes of input.
const LONGEST_NAME: usize = 64;

/// Returns `None` if nothing of it is JSON.
pub(super) fn body(r: &mut Redactor<'_>, bytes: &[u8], ended: bool) -> Option<Content> {
    // A byte order mark is not part of JSON, and often the mistake in one.
    let (mark, bytes) = match bytes.strip_prefix(b"\xef\xbb\xbf") {
        Some(bytes) => ("\u{feff}", bytes),
        None => ("", bytes),
    };
    let mut done = part(r, bytes, ended, Rule::default(), true)?;
    if done.blank && !bytes.is_empty() {
        return None;
    }
    if !mark.is_empty() && !r.only_remembers() {
        done.text.insert_str(0, mark);
    }
    Some(Content::Text {
        text: done.text,
        unparsed: done.unparsed as u64,
    })
}

/// Returns whether a text begins like an object with a member.
pub(super) fn is_object(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let inner = bytes.trim_ascii_start().strip_prefix(b"{");
    inner.is_some_and(|inner| inner.trim_ascii_start().starts_with(b"\""))
}

/// Redacts JSON inside something else. `whole` says that the policy's paths start at it.
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

pub(super) struct Done {
    /// Empty if the redactor only remembers.
    pub(super) text: String,
    /// Whether the text differs from the input.
    pub(super) replaced: bool,
    /// Whether there was only white space.
    pub(super) blank: bool,
    pub(super) unparsed: usize,
    /// One JSON value and nothing else.
    pub(super) complete: bool,
}

/// Why reading stops.
#[derive(Clone, Copy, PartialEq)]
enum Halt {
    /// The input is over.
    End,
    /// Nothing from here on is written.
    Error,
}

struct Frame<'a, 'p> {
    object: bool,
    rule: Rule,
    node: Option<Node<'p>>,
    /// The index of the next element of a list.
    index: usize,
    /// The name that a member gives to a sibling, as in `{"name":"pin","value":1234}`.
    named: Option<&'a [u8]>,
}

/// Whether a string, with its JSON escapes, is a suspicious name.
fn names_secret(policy: &Policy, raw: &[u8]) -> bool {
    let mut name = Vec::new();
    // Each character may be escaped.
    raw.len() <= 6 * LONGEST_NAME
        && policy.may_hide_field(raw)
        && decode::json(raw, false, &mut name).is_some()
        && name.len() <= LONGEST_NAME
        && std::str::from_utf8(&name).is_ok_and(|name| {
            // The last step of a pointer.
            let last = name.rsplit('/').next().unwrap_or(name);
            policy.field_rule(last).suspicious
        })
}

/// The place of a value that a later member may name.
struct Mark<'p> {
    /// The number of containers around it.
    depth: usize,
    /// Its start, in the input and in the output.
    at: usize,
    out: usize,
    rule: Rule,
    node: Option<Node<'p>>,
}

/// How often the input may be read again because a name followed its value.
const AGAIN: usize = 4;

struct Machine<'a, 'r, 'p> {
    r: &'r mut Redactor<'p>,
    input: &'a [u8],
    /// The same as text, checked once, if all of it is UTF-8.
    text: Option<&'a str>,
    at: usize,
    /// Input up to here is in `out`, unchanged or replaced.
    copied: usize,
    out: String,
    /// Whether something visible could not be written.
    unreadable: bool,
    replaced: bool,
    stack: Vec<Frame<'a, 'p>>,
    /// Whether there was a complete value.
    done: bool,
    /// The rule for the next value, by its name and by its path.
    rule: Rule,
    node: Option<Node<'p>>,
    /// The role of that value for its siblings.
    part: Part,
    /// Values whose names may follow.
    marks: Vec<Mark<'p>>,
    /// How many bytes were read again.
    again: usize,
    /// The container that is hidden as a whole: the number of containers around it, and the
    /// output before it.
    dropping: Option<(usize, usize)>,
    /// The start of the last visible scalar or key, until the next token confirms it: `4111
    /// 1111` is not a number followed by an error.
    open: Option<usize>,
    ended: bool,
    level: u8,
    decoded: Vec<u8>,
}

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
                String::new()
            } else {
                String::with_capacity(input.len() + input.len() / 4)
            },
            unreadable: false,
            r,
            replaced: false,
            stack: Vec::new(),
            done: false,
            rule,
            node,
            part: Part::None,
            marks: Vec::new(),
            again: 0,
            dropping: None,
            open: None,
            ended,
            level,
            decoded: Vec::new(),
        }
    }

    fn run(mut self) -> Option<Done> {
        let Err(halt) = self.read();
        let end = match (halt, self.open) {
            (Halt::End, Some(open)) if !(self.ended && self.done) => open,
            (Halt::End, _) => self.input.len(),
            (Halt::Error, open) => open.unwrap_or(self.at),
        };
        self.copy(end);
        if let Some((_, from)) = self.dropping.take() {
            self.drop_from(from);
        }
        if self.unreadable {
            return None;
        }
        let parsed = self.input.get(..end).unwrap_or_default();
        Some(Done {
            text: self.out,
            replaced: self.replaced,
            blank: parsed.trim_ascii_start().is_empty(),
            unparsed: self.input.len() - end,
            complete: end == self.input.len() && self.done,
        })
    }

    fn read(&mut self) -> Result<Infallible, Halt> {
        loop {
            self.value()?;
            self.behind()?;
        }
    }

    /// Reads one scalar or empty container, and the containers that open before it.
    fn value(&mut self) -> Result<(), Halt> {
        loop {
            match self.next()? {
                b'"' => return self.string(),
                b'{' => {
                    self.open(true)?;
                    if self.next()? == b'}' {
                        return self.close(true);
                    }
                    self.key()?;
                }
                b'[' => {
                    self.open(false)?;
                    if self.next()? == b']' {
                        return self.close(false);
                    }
                }
                b'-' | b'0'..=b'9' => return self.number(),
                _ => return self.word(),
            }
        }
    }

    /// Continues after a value, to the start of the next one.
    fn behind(&mut self) -> Result<(), Halt> {
        loop {
            let Some(frame) = self.stack.last() else {
                self.done = true;
                self.next()?;
                return Err(Halt::Error);
            };
            let object = frame.object;
            match self.next()? {
                b',' => {
                    self.punctuation();
                    if object {
                        return self.key();
                    }
                    self.element();
                    return Ok(());
                }
                b'}' => self.close(true)?,
                b']' => self.close(false)?,
                _ => return Err(Halt::Error),
            }
        }
    }

    /// Skips white space, and returns the next byte without consuming it.
    fn next(&mut self) -> Result<u8, Halt> {
        match self.input.get(self.at) {
            Some(&b) if b > b' ' => Ok(b),
            _ => {
                self.at = scan::space(self.input, self.at);
                self.input.get(self.at).copied().ok_or(Halt::End)
            }
        }
    }

    fn punctuation(&mut self) {
        self.open = None;
        self.at += 1;
    }

    fn open(&mut self, object: bool) -> Result<(), Halt> {
        if self.stack.len() >= DEPTH {
            return Err(Halt::Error);
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
        self.punctuation();
        if !object {
            self.element();
        }
        Ok(())
    }

    /// Advances to the next element of a list.
    fn element(&mut self) {
        let Some(frame) = self.stack.last_mut() else {
            return;
        };
        self.rule = frame.rule;
        self.part = Part::None;
        let index = frame.index;
        frame.index += 1;
        if let Some(node) = frame.node {
            self.node = node.index(index);
            let path = self.node.and_then(Node::action);
            self.rule = frame.rule.below(Rule::default(), path);
        }
    }

    fn close(&mut self, object: bool) -> Result<(), Halt> {
        if self.stack.pop().is_none_or(|f| f.object != object) {
            return Err(Halt::Error);
        }
        self.punctuation();
        while self
            .marks
            .last()
            .is_some_and(|m| m.depth > self.stack.len())
        {
            self.marks.pop();
        }
        if let Some((depth, from)) = self.dropping
            && depth == self.stack.len()
        {
            self.dropping = None;
            self.copied = self.at;
            self.drop_from(from);
        }
        Ok(())
    }

    /// Copies the input up to here, unless it is replaced.
    fn copy(&mut self, to: usize) {
        if self.r.only_remembers() {
            return;
        }
        match self.text(self.copied, to) {
            Some(kept) => self.out.push_str(kept),
            None => self.unreadable |= self.copied < to,
        }
        self.copied = self.copied.max(to);
    }

    /// Replaces everything from here on by the mark for dropped data.
    fn drop_from(&mut self, from: usize) {
        self.replaced = true;
        if !self.r.only_remembers() {
            self.out.truncate(from);
            self.out.push('"');
            self.out.push_str(DROPPED);
            self.out.push('"');
        }
    }

    /// Returns a part of the input between ASCII characters.
    fn text(&self, from: usize, to: usize) -> Option<&'a str> {
        match self.text {
            Some(text) => text.get(from..to),
            None => std::str::from_utf8(self.input.get(from..to)?).ok(),
        }
    }

    fn keep(&mut self, end: usize) {
        self.open = Some(self.at);
        self.at = end;
    }

    /// Reads the string at the current position.
    fn scan(&mut self) -> Result<(Scan, &'a [u8]), Halt> {
        let scan = scan::string(self.input, self.at + 1);
        if scan.stop == Stop::Control {
            return Err(Halt::Error);
        }
        let raw = self.input.get(self.at + 1..scan.end).unwrap_or_default();
        if scan.escaped {
            decode::json(raw, scan.stop == Stop::Cut, &mut self.decoded).ok_or(Halt::Error)?;
        }
        Ok((scan, raw))
    }

    /// Reads a key and the colon after it.
    fn key(&mut self) -> Result<(), Halt> {
        if self.next()? != b'"' {
            return Err(Halt::Error);
        }
        let start = self.at + 1;
        let rest = self.input.get(start..).unwrap_or_default();
        let (scan, hidden) = match self.r.expected_key(rest) {
            Some((length, decision)) => {
                let scan = Scan::plain(start + length);
                let key = self.text(start, scan.end);
                (scan, self.take_over(decision, key))
            }
            None => self.other_key()?,
        };
        match hidden {
            None => self.keep(scan.after()),
            Some(how) => self.hide_by(Rule::hiding(how), scan),
        }
        if self.next()? != b':' {
            return Err(Halt::Error);
        }
        self.punctuation();
        if self.part == Part::Value && !self.rule.suspicious {
            self.mark();
        }
        Ok(())
    }

    /// Records where the next value starts, because its name may follow.
    fn mark(&mut self) {
        self.copy(self.at);
        self.marks.push(Mark {
            depth: self.stack.len(),
            at: self.at,
            out: self.out.len(),
            rule: self.rule,
            node: self.node,
        });
    }

    /// Applies a name that a member gives to its siblings. Earlier siblings are read again,
    /// up to a limit.
    fn names(&mut self, raw: &'a [u8]) -> Result<bool, Halt> {
        let depth = self.stack.len();
        let policy = self.r.policy();
        let Some(frame) = self.stack.last_mut() else {
            return Ok(false);
        };
        // A second name does not revert the first.
        if frame.named.is_none_or(|named| !names_secret(policy, named)) {
            frame.named = Some(raw);
        }
        let mut first = None;
        while let Some(mark) = self.marks.pop_if(|mark| mark.depth == depth) {
            first = Some(mark);
        }
        let Some(mark) = first else {
            return Ok(false);
        };
        if !names_secret(policy, raw) {
            self.marks.push(mark);
            return Ok(false);
        }
        self.out.truncate(mark.out);
        self.copied = mark.at;
        self.again += self.at - mark.at;
        self.at = mark.at;
        self.open = None;
        if self.again > AGAIN * self.input.len() {
            return Err(Halt::Error);
        }
        self.rule = Rule {
            suspicious: true,
            ..mark.rule
        };
        self.node = mark.node;
        self.part = Part::Value;
        Ok(true)
    }

    /// Returns whether the string that ends here is the first of two in a list, and a name.
    fn heads_pair(&self, raw: &[u8], end: usize) -> bool {
        let first = self.stack.last().is_some_and(|f| !f.object && f.index == 1);
        if !first || raw.contains(&b' ') || !names_secret(self.r.policy(), raw) {
            return false;
        }
        let comma = scan::space(self.input, end);
        let next = scan::space(self.input, comma + 1);
        if self.input.get(comma) != Some(&b',') {
            return false;
        }
        let after = match self.input.get(next) {
            Some(b'{' | b'[') => return true,
            Some(b'"') => scan::string(self.input, next + 1).after(),
            _ => scan::bare(self.input, next),
        };
        let over = scan::space(self.input, after);
        self.input.get(over).is_none_or(|b| *b == b']')
    }

    /// Handles a key other than the expected one.
    fn other_key(&mut self) -> Result<(Scan, Option<Action>), Halt> {
        let (scan, _) = self.scan()?;
        let decoded = std::mem::take(&mut self.decoded);
        let key = if scan.escaped {
            std::str::from_utf8(&decoded).ok()
        } else {
            self.text(self.at + 1, scan.end)
        };
        let decision = match key {
            Some(key) => self.r.key(key),
            // A key that cannot be decoded may be any name.
            None => Decision {
                rule: Rule::hiding(Action::Pseudonym),
                ..Decision::default()
            },
        };
        let decision = Decision {
            stays: decision.stays && scan.stop == Stop::Quote,
            ..decision
        };
        let hidden = self.take_over(decision, key);
        self.decoded = decoded;
        Ok((scan, hidden))
    }

    /// Applies a key's decision to its value. Returns the key's replacement, if it must be
    /// hidden.
    fn take_over(&mut self, decision: Decision, key: Option<&str>) -> Option<Action> {
        let frame = self.stack.last()?;
        let mut above = frame.rule;
        // Keys below a suspicious name may be its values.
        let stays = decision.stays && !above.suspicious;
        let hidden = if stays { None } else { Some(above.how()) };
        if decision.part == Part::Value
            && let Some(name) = frame.named
        {
            above.suspicious |= names_secret(self.r.policy(), name);
        }
        self.node = match (frame.node, key) {
            (Some(node), Some(key)) => node.name(key),
            _ => None,
        };
        self.part = decision.part;
        self.rule = decision.rule.below(above, self.node.and_then(Node::action));
        hidden
    }
}
