use super::{
    Action, Decisions, Policy, Scrubber, body,
    decisions::{Decision, Part},
    decode, detect, headers, json,
    key::Salt,
    memory::Memory,
    names,
    policy::Rule,
    pseudonym::{self, Pseudonyms},
    url, xml,
};
use crate::exchange::Content;
use std::borrow::Cow;

/// Texts whose escapes are taken away, where it has no known format.
const ESCAPES: usize = 12;

/// The most bytes that are made in that.
const UNESCAPED: usize = 256 * 1024;

/// Redacts the parts of one exchange, and remembers every value it hid.
///
/// Structured parts come first; [`into_scrubber`](Self::into_scrubber) then
/// gives what cleans the free text.
pub(crate) struct Redactor<'p> {
    policy: &'p Policy,
    memory: Memory,
    decisions: Decisions,
    pseudonyms: Pseudonyms,
    /// Whether only what is remembered matters, not what is returned.
    only_remembers: bool,
}

impl<'p> Redactor<'p> {
    pub(crate) fn new(policy: &'p Policy) -> Self {
        Self {
            policy,
            memory: Memory::default(),
            decisions: policy.take_decisions(),
            pseudonyms: Pseudonyms::new(policy.key()),
            only_remembers: false,
        }
    }

    /// One for what belongs to the request that has this salt.
    #[must_use]
    pub(crate) fn of(mut self, salt: Salt) -> Self {
        let fresh = Pseudonyms::new(self.policy.key());
        self.pseudonyms = fresh.of(salt);
        self
    }

    /// One whose answers are empty: it only collects what has to be hidden,
    /// which spares the hashes. The decisions are those of the last one.
    #[cfg(feature = "gate")]
    pub(crate) fn only_to_remember(policy: &'p Policy, decisions: Decisions) -> Self {
        Self {
            policy,
            memory: Memory::default(),
            decisions,
            pseudonyms: Pseudonyms::new(policy.key()),
            only_remembers: true,
        }
    }

    /// Gives the decisions to the next one under the same policy.
    #[cfg(feature = "gate")]
    pub(crate) fn take_decisions(&mut self) -> Decisions {
        std::mem::take(&mut self.decisions)
    }

    pub(super) fn only_remembers(&self) -> bool {
        self.only_remembers
    }

    /// Lets it see something of which nothing is written.
    pub(super) fn quietly(&mut self, f: impl FnOnce(&mut Self)) {
        let before = std::mem::replace(&mut self.only_remembers, true);
        f(self);
        self.only_remembers = before;
    }

    /// What the name of a header says about its value.
    pub(super) fn header_rule(&mut self, name: &str) -> Rule {
        let policy = self.policy;
        let decide = || Decision {
            rule: policy.header_rule(name),
            ..Decision::default()
        };
        self.decisions.headers.get(name, decide).rule
    }

    pub(crate) fn policy(&self) -> &'p Policy {
        self.policy
    }

    /// One header field. `sensitive` is what the header value says of itself.
    ///
    /// Of credentials the scheme stays, of cookies the names and the
    /// attributes.
    pub(crate) fn header(&mut self, name: &str, value: &[u8], sensitive: bool) -> String {
        headers::header(self, name, value, sensitive)
    }

    /// A path without its query. With a route template the literals stay and
    /// parameters are fields of their name; without one segments are data.
    pub(crate) fn path(&mut self, path: &str, route: Option<&str>) -> String {
        url::path(self, path, route)
    }

    /// A query string without `?`; the result is one too.
    pub(crate) fn query(&mut self, query: &str) -> String {
        url::query(self, query)
    }

    /// The captured prefix of a body; `ended` where that is all of it.
    ///
    /// What is understood is said in [`body`](super::body).
    pub(crate) fn body(
        &mut self,
        content_type: Option<&str>,
        content_encoding: Option<&str>,
        bytes: &[u8],
        ended: bool,
    ) -> Content {
        body::body(self, content_type, content_encoding, bytes, ended)
    }

    /// A fact: the value where it may stay, or its placeholder, which joins: facts
    /// are what requests are found by.
    pub(crate) fn fact(&mut self, name: &str, value: &str) -> String {
        let rule = self.policy.field_rule(name);
        if self.policy.string_stays(rule, value) && self.json_stays(value) {
            value.to_owned()
        } else {
            let how = rule.hide.unwrap_or(Action::Join);
            self.hide_as(how, value.as_bytes(), false)
        }
    }

    /// Makes the scrubber look for a value that was hidden elsewhere.
    pub(crate) fn remember(&mut self, value: &str) {
        self.memory.add(value);
    }

    /// Remembers the user before the host of a URI, of which nothing is written.
    pub(crate) fn user_of(&mut self, uri: &http::Uri) {
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        if let Some((user, _)) = authority.rsplit_once('@') {
            url::remember_user(self, user);
        }
    }

    /// Remembers the parts of a value between the separators of URLs, lists and
    /// JSON, as they are and percent-decoded.
    pub(super) fn remember_parts(&mut self, value: &str) {
        let separates = |c: char| ";,=:?&#\"'{}[]()|<>\\/\t".contains(c);
        if value.contains(separates) {
            self.memory.add_parts(value, separates);
            self.remember_json(value);
        }
        if value.contains('%') {
            let decoded = String::from_utf8_lossy(&decode::percent(value)).into_owned();
            self.memory.add(&decoded);
            self.memory.add_parts(&decoded, separates);
            self.remember_json(&decoded);
        }
    }

    /// Remembers the strings of a value that is JSON, which services take apart.
    fn remember_json(&mut self, value: &str) {
        if value.trim_start().starts_with(['{', '[']) {
            let rule = Rule {
                suspicious: true,
                ..Rule::default()
            };
            self.quietly(|r| drop(json::part(r, value.as_bytes(), false, rule, false)));
        }
    }

    /// Remembers the words of text in no known format, as it is and without what may
    /// be escapes in it, of one kind in another.
    pub(super) fn remember_words(&mut self, bytes: &[u8]) {
        self.remember_words_of(bytes);
        let mut texts = vec![Cow::Borrowed(bytes)];
        let (mut at, mut left) = (0, UNESCAPED);
        while let Some(text) = texts.get(at) {
            let mut plain = Vec::new();
            if text.contains(&b'%') || text.contains(&b'+') {
                plain.push(decode::form(text));
            }
            if text.contains(&b'\\') {
                plain.push(decode::escapes(text));
            }
            if text.contains(&b'&') {
                plain.push(xml::unescape(&String::from_utf8_lossy(text)).into_bytes());
            }
            for plain in plain {
                if plain.len() <= left && !texts.iter().any(|text| **text == *plain) {
                    left -= plain.len();
                    self.remember_words_of(&plain);
                    texts.push(Cow::Owned(plain));
                }
            }
            at += 1;
            if at > ESCAPES {
                break;
            }
        }
    }

    fn remember_words_of(&mut self, bytes: &[u8]) {
        let text = match std::str::from_utf8(bytes) {
            // In ASCII, UTF-16 is UTF-8 with zeros.
            Ok(text) if !text.contains('\0') => text,
            // A prefix may end inside of a character.
            Err(error) if error.error_len().is_none() => bytes
                .get(..error.valid_up_to())
                .and_then(|valid| std::str::from_utf8(valid).ok())
                .unwrap_or_default(),
            _ => return self.remember_other_words(bytes),
        };
        self.memory.add_words(text);
    }

    /// Remembers the words of what is no UTF-8: as services read it that take it
    /// for Latin-1, or with what is wrong replaced, or for UTF-16 or UTF-32.
    fn remember_other_words(&mut self, bytes: &[u8]) {
        let near = bytes.get(..1024).unwrap_or(bytes);
        let zeros = near.iter().filter(|b| **b == 0).count();
        let control = |b: &&u8| **b < 0x20 && !matches!(**b, b'\t' | b'\n' | b'\r' | 0);
        if near.iter().filter(control).count() > 2 + near.len() / 16 {
            // Compressed or binary: there are no words.
            return;
        }
        if zeros * 8 > near.len() * 5 {
            for big in [false, true] {
                let unit = |four: &[u8]| match *four {
                    [a, b, c, d] if big => u32::from_be_bytes([a, b, c, d]),
                    [a, b, c, d] => u32::from_le_bytes([a, b, c, d]),
                    _ => 0,
                };
                let chars = bytes.chunks_exact(4).map(unit);
                let text: String = chars
                    .map(|c| char::from_u32(c).unwrap_or(char::REPLACEMENT_CHARACTER))
                    .collect();
                self.remember_wide(&text);
            }
            return;
        }
        if zeros * 4 > near.len() {
            // Of ASCII the zeros are in one half of each unit; of other text in none.
            let first = near.iter().step_by(2).filter(|b| **b == 0).count();
            let orders: &[bool] = match (first, zeros - first) {
                (first, second) if first > 3 * second => &[true],
                (first, second) if second > 3 * first => &[false],
                _ => &[false, true],
            };
            for &big in orders {
                let unit = |pair: &[u8]| match *pair {
                    [a, b] if big => u16::from_be_bytes([a, b]),
                    [a, b] => u16::from_le_bytes([a, b]),
                    _ => 0,
                };
                let units: Vec<u16> = bytes.chunks_exact(2).map(unit).collect();
                self.remember_wide(&String::from_utf16_lossy(&units));
            }
            return;
        }
        self.memory.add_words(&String::from_utf8_lossy(bytes));
        let latin: String = bytes.iter().map(|&b| char::from(b)).collect();
        self.memory.add_words(&latin);
    }

    /// Remembers the words of text that came in wide characters, and its strings
    /// where it is JSON.
    fn remember_wide(&mut self, text: &str) {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if text.matches('\0').count() * 4 > text.len() {
            // Taken in the wrong order, or something else.
            return self.memory.add_words(text);
        }
        self.remember_words(text.as_bytes());
        self.remember_json(text);
    }

    /// The keyed hash of a content of which nothing is written.
    pub(super) fn content_hash(&self, bytes: &[u8]) -> String {
        let mut out = String::new();
        if !self.only_remembers {
            self.pseudonyms.push_content(bytes, &mut out);
        }
        out
    }

    /// The placeholders of what is not remembered.
    pub(super) fn pseudonyms(&self) -> &Pseudonyms {
        &self.pseudonyms
    }

    pub(crate) fn into_scrubber(mut self) -> Scrubber {
        let fresh = Pseudonyms::new(self.policy.key());
        let pseudonyms = std::mem::replace(&mut self.pseudonyms, fresh);
        Scrubber::new(
            self.policy.clone(),
            pseudonyms,
            std::mem::take(&mut self.memory),
        )
    }

    /// The placeholder of a value, which is remembered.
    pub(super) fn hide(&mut self, value: &[u8]) -> String {
        self.hide_as(Action::Pseudonym, value, false)
    }

    /// What stands in the place of a value, which is remembered.
    pub(super) fn hide_as(&mut self, how: Action, value: &[u8], cut: bool) -> String {
        let mut out = String::new();
        self.push_hidden(how, value, cut, &mut out);
        out
    }

    /// Remembers what stands behind a suspicious name, or in front of a host, inside
    /// of a longer value that was hidden: services say it without the rest.
    fn remember_named(&mut self, value: &str) {
        if memchr::memchr3(b'=', b':', b'@', value.as_bytes()).is_none() {
            return;
        }
        for found in detect::find(value, self.policy.names()) {
            if found.len() < value.len()
                && let Some(part) = value.get(found)
            {
                self.memory.add(part);
                if part.contains('%') {
                    let decoded = String::from_utf8_lossy(&decode::percent(part)).into_owned();
                    self.memory.add(&decoded);
                }
            }
        }
    }

    pub(super) fn hide_number(&mut self, how: Action, text: &str, cut: bool) -> String {
        let mut out = String::new();
        self.push_number(how, text, cut, &mut out);
        out
    }

    /// Appends what stands in the place of a value, which is remembered.
    pub(super) fn push_hidden(&mut self, how: Action, value: &[u8], cut: bool, out: &mut String) {
        match std::str::from_utf8(value) {
            Ok(text) => self.remember_hidden(text),
            Err(_) => self.remember(&String::from_utf8_lossy(value)),
        }
        self.pseudonyms.note(how, value);
        if !self.only_remembers {
            self.pseudonyms.push(how, value, cut, out);
        }
    }

    /// As [`push_hidden`](Self::push_hidden), of a whole text.
    pub(super) fn push_hidden_text(&mut self, how: Action, text: &str, out: &mut String) {
        self.remember_hidden(text);
        self.pseudonyms.note(how, text.as_bytes());
        if !self.only_remembers {
            self.pseudonyms.push(how, text.as_bytes(), false, out);
        }
    }

    fn remember_hidden(&mut self, text: &str) {
        self.remember(text);
        self.remember_named(text);
    }

    pub(super) fn push_number(&mut self, how: Action, text: &str, cut: bool, out: &mut String) {
        self.remember(text);
        self.pseudonyms.note(how, text.as_bytes());
        if !self.only_remembers {
            self.pseudonyms.push_number(how, text, cut, out);
        }
    }

    /// The replacement of a scalar that is written without quotes, where it
    /// has to be replaced: numbers, booleans and null are told by their look.
    pub(super) fn scalar(&mut self, rule: Rule, value: &[u8], cut: bool) -> Option<String> {
        if let Ok(text) = std::str::from_utf8(value)
            && !cut
        {
            let stays = match text {
                "" | "null" => true,
                "true" | "false" => !rule.suspicious,
                _ if json::is_number(text) => !rule.suspicious && !detect::number(text),
                _ => self.policy.string_stays(rule, text),
            };
            if stays && self.json_stays(text) {
                return None;
            }
        }
        Some(self.hide_as(rule.how(), value, cut))
    }

    /// The key that a text, behind its quote, starts with, where it is the one
    /// that is expected: its length, and what it says.
    pub(super) fn expected_key(&mut self, text: &[u8]) -> Option<(usize, Decision)> {
        self.decisions.keys.expect(text)
    }

    /// Whether a value that stays as a text stays as JSON, too, should it be some.
    /// What was not looked into to its end stays where its own name lets it.
    pub(super) fn json_stays(&mut self, text: &str) -> bool {
        // Without a quote nothing in it has a name.
        if !text.trim_start().starts_with(['{', '[']) || !text.contains('"') {
            return true;
        }
        match json::part(self, text.as_bytes(), true, Rule::default(), false) {
            Some(done) if done.complete => !done.replaced,
            _ => self.policy.is_strict(),
        }
    }

    /// What a key says of itself and of its values.
    pub(super) fn key(&mut self, key: &str) -> Decision {
        let policy = self.policy;
        self.decisions.keys.get(key, || decide(key, policy))
    }
}

impl Drop for Redactor<'_> {
    fn drop(&mut self) {
        let decisions = std::mem::take(&mut self.decisions);
        self.policy.give_decisions(decisions);
    }
}

fn decide(key: &str, policy: &Policy) -> Decision {
    Decision {
        stays: names::identifier_like(key) && !detect::is_sensitive(key, policy.names()),
        rule: policy.field_rule(key),
        part: Part::of(key),
    }
}

/// The placeholder of a boolean, as a JSON string.
pub(super) const BOOL: &str = pseudonym::BOOL;
