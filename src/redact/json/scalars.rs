//! Strings, numbers and words: kept, or replaced.

use super::{
    Halt, Machine,
    scan::{self, Scan, Stop},
};
use crate::redact::{
    Action, Redactor,
    decisions::Part,
    detect, graphql,
    policy::Rule,
    pseudonym::DROPPED,
    redactor::{Answer, BOOL},
};

/// The deepest nesting of JSON in strings that is parsed.
const LEVELS: u8 = 4;

/// Returns whether a text starts like an object or a list.
fn starts_like_json(text: &str) -> bool {
    match text.bytes().next() {
        Some(b'{' | b'[') => true,
        Some(b) if b.is_ascii_graphic() => false,
        _ => text.trim_start().starts_with(['{', '[']),
    }
}

impl Machine<'_, '_, '_> {
    pub(super) fn word(&mut self) -> Result<(), Halt> {
        let rest = self.input.get(self.at..).unwrap_or_default();
        let word = [&b"true"[..], b"false", b"null"]
            .into_iter()
            .find(|w| rest.starts_with(w))
            .ok_or(Halt::Error)?;
        let end = self.at + word.len();
        if self.rule.suspicious && (word != b"null" || self.rule.hide == Some(Action::Drop)) {
            self.replace(
                end,
                match self.rule.hide {
                    Some(Action::Drop) => DROPPED,
                    Some(Action::Mask) => "****",
                    _ => BOOL,
                },
            );
        } else {
            self.keep(end);
        }
        Ok(())
    }

    pub(super) fn number(&mut self) -> Result<(), Halt> {
        let end = scan::number(self.input, self.at);
        // A number at the end of a prefix may be the start of a longer one.
        let cut = end.unwrap_or(self.input.len()) == self.input.len()
            && !(self.ended && self.stack.is_empty());
        let end = match end {
            Some(end) => end,
            None if cut => scan::number_like(self.input, self.at),
            None => return Err(Halt::Error),
        };
        if cut && end != self.input.len() {
            return Err(Halt::Error);
        }
        let text = self.text(self.at, end).ok_or(Halt::Error)?;
        if cut || self.rule.suspicious || detect::number(text) {
            let how = self.rule.how();
            self.replace_by(end, |r, out| r.push_number(how, text, cut, out));
        } else {
            self.keep(end);
        }
        Ok(())
    }

    pub(super) fn string(&mut self) -> Result<(), Halt> {
        let (scan, raw) = self.scan()?;
        if self.part == Part::Name && self.names(raw)? {
            // From the value that the name belongs to.
            return self.value();
        }
        let pair = !self.rule.suspicious && self.heads_pair(raw, scan.after());
        let decoded = std::mem::take(&mut self.decoded);
        let text = if scan.escaped {
            std::str::from_utf8(&decoded).ok()
        } else {
            self.text(self.at + 1, scan.end)
        };
        let done = match text {
            Some(text) => self.content(text, scan)?,
            None => {
                self.r.remember_words(raw);
                false
            }
        };
        self.decoded = decoded;
        if !done {
            self.hide_by(self.rule, scan);
        }
        if pair && let Some(frame) = self.stack.last_mut() {
            frame.rule.suspicious = true;
        }
        Ok(())
    }

    /// Handles a string that can be decoded. Returns `false` if it must be hidden.
    fn content(&mut self, text: &str, scan: Scan) -> Result<bool, Halt> {
        let whole = scan.stop == Stop::Quote;
        let json = starts_like_json(text);
        if json && self.level < LEVELS {
            return self.embedded(text, scan);
        }
        if self.may_be_query()
            && whole
            && !self.rule.suspicious
            && let Some(query) = graphql::query(self.r, text)
        {
            return self.replace_json(scan, &query);
        }
        if whole
            && !json
            && self.rule.own_words
            && !self.rule.suspicious
            && self.r.is_answering(Answer::Http)
        {
            return self.own_words(text, false, scan);
        }
        // Under `by_name`, a string that may be unparsed JSON is not kept.
        let unseen = json && !self.r.policy().is_strict();
        let stays = whole && !unseen && self.r.policy().string_stays(self.rule, text);
        if stays {
            self.keep(scan.after());
        }
        Ok(stays)
    }

    /// Handles a text in which the service reports a failure. `changed` says that it
    /// differs from the input.
    fn own_words(&mut self, text: &str, changed: bool, scan: Scan) -> Result<bool, Halt> {
        let said = self.r.own_words(text, false);
        if *said == *text && !changed {
            self.keep(scan.after());
            return Ok(true);
        }
        self.replace_json(scan, &said)
    }

    /// Returns whether the value may be the text of a GraphQL query.
    fn may_be_query(&self) -> bool {
        self.part == Part::Query && self.stack.len() <= 2
    }

    /// Handles JSON in a string, or a text that starts like it. Returns `false` if it must
    /// be hidden.
    fn embedded(&mut self, text: &str, scan: Scan) -> Result<bool, Halt> {
        let whole = scan.stop == Stop::Quote;
        let (rule, level) = (self.rule, self.level + 1);
        if !whole || rule.suspicious {
            // Its values are remembered, although it is hidden as a whole.
            self.r.quietly(|r| {
                let done = Machine::new(r, text.as_bytes(), whole, level, rule, None).run();
                if done.is_none_or(|done| done.unparsed > 0) {
                    r.remember_words(text.as_bytes());
                }
            });
            return Ok(false);
        }
        if self.may_be_query()
            && let Some(query) = graphql::query(self.r, text)
        {
            return self.replace_json(scan, &query);
        }
        let inner = Machine::new(self.r, text.as_bytes(), true, level, rule, None).run();
        let stays = match inner.filter(|i| i.complete) {
            // Its numbers and names may be values that are hidden elsewhere.
            Some(inner) if rule.own_words && self.r.is_answering(Answer::Http) => {
                let text = if inner.replaced { &inner.text } else { text };
                return self.own_words(text, inner.replaced, scan);
            }
            Some(inner) if inner.replaced => return self.replace_json(scan, &inner.text),
            Some(_) => true,
            None => {
                self.r.remember_words(text.as_bytes());
                let policy = self.r.policy();
                policy.is_strict() && policy.string_stays(rule, text)
            }
        };
        if stays {
            self.keep(scan.after());
        }
        Ok(stays)
    }

    /// Replaces the string by a quoted text.
    fn replace_json(&mut self, scan: Scan, text: &str) -> Result<bool, Halt> {
        let quoted = serde_json::to_string(text).map_err(|_| Halt::Error)?;
        let quoted = quoted.strip_prefix('"').and_then(|q| q.strip_suffix('"'));
        self.replace(scan.after(), quoted.ok_or(Halt::Error)?);
        Ok(true)
    }

    /// Replaces the string at the current position.
    pub(super) fn hide_by(&mut self, rule: Rule, scan: Scan) {
        let how = rule.how();
        if !scan.escaped
            && scan.stop == Stop::Quote
            && let Some(text) = self.text(self.at + 1, scan.end)
        {
            self.replace_by(scan.after(), |r, out| {
                r.because(rule.why(), |r| r.push_hidden_text(how, text, out));
            });
        } else {
            self.hide_odd(rule, scan);
        }
    }

    /// Escaped, cut, or invalid UTF-8.
    fn hide_odd(&mut self, rule: Rule, scan: Scan) {
        let raw = self.input.get(self.at + 1..scan.end).unwrap_or_default();
        let cut = scan.stop == Stop::Cut;
        let decoded = std::mem::take(&mut self.decoded);
        let mut bytes = if scan.escaped { &decoded } else { raw };
        if cut
            && let Err(e) = std::str::from_utf8(bytes)
            && e.error_len().is_none()
        {
            bytes = bytes.get(..e.valid_up_to()).unwrap_or(bytes);
        }
        self.replace_by(scan.after(), |r, out| {
            r.because(rule.why(), |r| r.push_hidden(rule.how(), bytes, cut, out));
        });
        self.decoded = decoded;
    }

    fn replace(&mut self, end: usize, text: &str) {
        self.replace_by(end, |r, out| {
            if !r.only_remembers() {
                out.push_str(text);
            }
        });
    }

    /// Replaces the token that ends at `end` by a string.
    fn replace_by(&mut self, end: usize, push: impl FnOnce(&mut Redactor<'_>, &mut String)) {
        self.replaced = true;
        self.copy(self.at);
        let quote = if self.r.only_remembers() { "" } else { "\"" };
        self.out.push_str(quote);
        push(self.r, &mut self.out);
        self.out.push_str(quote);
        self.copied = end;
        self.at = end;
    }
}
