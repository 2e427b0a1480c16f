use super::{
    Action, Decisions, Policy, Scrubber,
    decisions::{Decision, Part},
    decode, detect,
    json::is_number as is_json_number,
    key::Salt,
    names,
    policy::Rule,
    pseudonym::{self, Pseudonyms},
    search::{Index, Probes, Why, Work, is_plain},
};
use std::sync::{Arc, LazyLock};

/// The longest value whose pieces are remembered, in bytes.
const WORD: usize = 128;

/// The letters and digits of such a piece.
const PIECE: std::ops::RangeInclusive<usize> = 3..=9;

/// The longest file extension or host name ending, in bytes.
const END: usize = 4;

/// A number with fewer digits is a year, a month or a count.
const DIGITS: usize = 5;

/// Redacts the parts of one exchange, and remembers every hidden value.
///
/// Redact structured parts first; [`into_scrubber`](Self::into_scrubber) then returns the
/// scrubber for free text.
pub(crate) struct Redactor<'p> {
    policy: &'p Policy,
    hidden: Index,
    decisions: Decisions,
    pseudonyms: Pseudonyms,
    /// Whether only the remembered values matter, not the results.
    only_remembers: bool,
    /// The values asked for, if no others need to be remembered.
    asked: Option<&'p Probes>,
    /// The correlation ID, which is visible everywhere, so texts are not searched for it.
    id: String,
    /// Why a value without a rule of its own is hidden.
    why: Why,
    /// How the texts of a failed response are treated.
    voice: Voice<'p>,
    keeps_boundary: bool,
}

/// How messages in a failed response are treated.
#[derive(Clone, Copy)]
pub(crate) enum Voice<'p> {
    /// As other values: the response is not a failure.
    Values,
    /// As the service's own messages, which are skipped for now.
    Unheard(Answer),
    /// As the service's own messages, cleaned by this scrubber.
    Heard(Answer, &'p Scrubber),
}

/// Where a response has its message.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Answer {
    /// In its body.
    Http,
    /// In `grpc-message`.
    Grpc,
}

impl<'p> Redactor<'p> {
    pub(crate) fn new(policy: &'p Policy) -> Self {
        Self {
            policy,
            hidden: Index::default(),
            decisions: policy.take_decisions(),
            pseudonyms: Pseudonyms::new(policy.key()),
            only_remembers: false,
            asked: None,
            id: String::new(),
            why: Why::Told,
            voice: Voice::Values,
            keeps_boundary: false,
        }
    }

    /// Makes one for a failed response, after everything else.
    pub(crate) fn hearing(policy: &'p Policy, answer: Answer, scrubber: &'p Scrubber) -> Self {
        let mut this = Self::new(policy);
        this.pseudonyms = scrubber.pseudonyms().clone();
        this.voice = Voice::Heard(answer, scrubber);
        // All values that it hides are known already.
        static NOTHING: LazyLock<Probes> = LazyLock::new(Probes::default);
        this.asked(&NOTHING)
    }

    /// Sets the salt of the request.
    #[must_use]
    pub(crate) fn of(mut self, salt: Salt) -> Self {
        let fresh = Pseudonyms::new(self.policy.key());
        self.pseudonyms = fresh.of(salt);
        self
    }

    /// Sets the correlation ID of the request.
    #[must_use]
    pub(crate) fn named(mut self, id: &str) -> Self {
        id.clone_into(&mut self.id);
        self
    }

    /// Makes one with empty results: it only collects the values to hide, without hashing.
    /// It uses the decisions of the last one.
    pub(crate) fn only_to_remember(policy: &'p Policy, decisions: Decisions) -> Self {
        Self {
            policy,
            hidden: Index::default(),
            decisions,
            pseudonyms: Pseudonyms::new(policy.key()),
            only_remembers: true,
            asked: None,
            id: String::new(),
            why: Why::Told,
            voice: Voice::Values,
            keeps_boundary: false,
        }
    }

    /// Passes the decisions to the next redactor under the same policy.
    pub(crate) fn take_decisions(&mut self) -> Decisions {
        std::mem::take(&mut self.decisions)
    }

    /// Sets whether the boundary of the next multipart body is kept, because its head shows
    /// it.
    pub(crate) fn keep_boundary(&mut self, keep: bool) {
        self.keeps_boundary = keep;
    }

    pub(super) fn keeps_boundary(&self) -> bool {
        self.keeps_boundary
    }

    pub(super) fn only_remembers(&self) -> bool {
        self.only_remembers
    }

    /// Passes data of which nothing is written.
    pub(crate) fn quietly<R>(&mut self, f: impl FnOnce(&mut Self) -> R) -> R {
        let before = std::mem::replace(&mut self.only_remembers, true);
        let result = f(self);
        self.only_remembers = before;
        result
    }

    /// Makes one that remembers only values that texts may contain.
    #[must_use]
    pub(crate) fn asked(mut self, probes: &'p Probes) -> Self {
        self.asked = Some(probes);
        self
    }

    /// Returns whether no text can contain any part of a value.
    fn is_unasked(&self, value: &[u8]) -> bool {
        let asked = |probes: &Probes| !is_plain(value) || probes.may_be_in(value);
        !self.asked.is_none_or(asked)
    }

    /// Hides values without a rule of their own for this reason, while `f` runs.
    pub(super) fn because<R>(&mut self, why: Why, f: impl FnOnce(&mut Self) -> R) -> R {
        let before = std::mem::replace(&mut self.why, why);
        let result = f(self);
        self.why = before;
        result
    }

    /// Passes a failed response.
    pub(crate) fn answering<R>(&mut self, voice: Voice<'p>, f: impl FnOnce(&mut Self) -> R) -> R {
        let before = std::mem::replace(&mut self.voice, voice);
        let result = f(self);
        self.voice = before;
        result
    }

    /// Returns whether messages count as the service's own.
    pub(super) fn is_answering(&self, with: Answer) -> bool {
        match self.voice {
            Voice::Values => false,
            Voice::Unheard(answer) | Voice::Heard(answer, _) => answer == with,
        }
    }

    /// Returns the service's own message without what must be hidden; nothing while
    /// messages are skipped.
    pub(super) fn own_words(&self, text: &str, cut: bool) -> String {
        let all = 0..text.len();
        match self.voice {
            Voice::Heard(_, scrubber) if cut => scrubber.cut(text, &[all]).into_owned(),
            Voice::Heard(_, scrubber) => scrubber.said(text, &[all]).into_owned(),
            _ => String::new(),
        }
    }

    /// Returns the rule for a header's name.
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

    /// Redacts a fact. Its placeholder can be joined, because requests are searched by
    /// facts.
    pub(crate) fn fact(&mut self, name: &str, value: &str) -> String {
        let rule = self.policy.field_rule(name);
        if self.policy.string_stays(rule, value) && self.json_stays(value) {
            value.to_owned()
        } else {
            let how = rule.hide.unwrap_or(Action::Join);
            self.because(rule.why(), |r| r.hide_as(how, value.as_bytes(), false))
        }
    }

    /// Makes the scrubber search for a value that is hidden elsewhere.
    pub(crate) fn remember(&mut self, value: &str) {
        if value != self.id && !self.is_unasked(value.as_bytes()) {
            self.hidden.add(value, self.why);
        }
    }

    /// Returns whether a text contains a value that is hidden so far.
    pub(super) fn hides(&self, text: &str) -> bool {
        let (mut work, mut found) = (Work::new(u64::MAX), Vec::new());
        let whole = 0..text.len();
        let done = self.hidden.find(text, &[whole], &mut work, &mut found);
        done.is_err() || !found.is_empty()
    }

    /// Remembers the parts of a value between the separators of URLs, lists and JSON,
    /// because services write them alone.
    pub(super) fn remember_parts(&mut self, value: &str) {
        if self.is_unasked(value.as_bytes()) {
            return;
        }
        let separates = |c: char| ";,=:?&#\"'{}[]()|<>\\/\t@".contains(c);
        self.remember_between(value, separates);
        self.remember_pieces(value);
        if value.contains('%') {
            let decoded = decode::percent(value);
            let decoded = String::from_utf8_lossy(&decoded);
            self.remember_between(&decoded, separates);
            self.remember_pieces(&decoded);
        }
    }

    /// Remembers the short pieces between the separators of a value that is one word, such
    /// as the names in an address, because services write them alone. Longer pieces are
    /// found as parts of the value.
    pub(super) fn remember_pieces(&mut self, value: &str) {
        let separates = |c: char| c.is_ascii_punctuation();
        let separated = value.len() <= WORD && value.bytes().any(|b| b.is_ascii_punctuation());
        if !separated || value.contains(char::is_whitespace) {
            return;
        }
        // Words that are no name of a person.
        if detect::is_uuid(value) || detect::is_time(value.as_bytes()) {
            return;
        }
        let (all, mut before) = (symbols(value), "");
        for piece in value.split_inclusive(separates) {
            let bare = piece.trim_end_matches(separates);
            // File extensions and host name endings are common words.
            let end = before.ends_with('.') && bare.len() <= END && bare.is_ascii();
            before = piece;
            let digits = bare.bytes().all(|b| b.is_ascii_digit());
            let symbols = symbols(bare);
            if symbols < all && PIECE.contains(&symbols) && !end && !(digits && symbols < DIGITS) {
                self.hidden.add(bare, Why::All);
            }
        }
    }

    /// Remembers a file name without directory and extensions, because services derive
    /// other names from it.
    pub(super) fn remember_file(&mut self, name: &str) {
        let name = name.rsplit(['/', '\\']).next().unwrap_or(name);
        let stems = [name.rsplit_once('.'), name.split_once('.')];
        for (stem, _) in stems.into_iter().flatten() {
            self.remember(stem);
            self.remember_pieces(stem);
        }
    }

    fn remember_between(&mut self, value: &str, separates: impl Fn(char) -> bool) {
        if !value.contains(&separates) {
            return;
        }
        let all = symbols(value);
        for part in value.split(separates) {
            if symbols(part) < all {
                self.hidden.add(part.trim(), Why::All);
            }
        }
        self.remember_json(value);
    }

    /// Remembers the words of text in an unknown format.
    pub(super) fn remember_words(&mut self, bytes: &[u8]) {
        if self.is_unasked(bytes) {
            return;
        }
        match std::str::from_utf8(bytes) {
            // In ASCII, UTF-16 is UTF-8 with zeros.
            Ok(text) if !text.contains('\0') => self.hidden.add_words(text, Why::All),
            // A prefix may end inside of a character.
            Err(error) if error.error_len().is_none() => {
                let valid = bytes.get(..error.valid_up_to());
                let valid = valid.and_then(|valid| std::str::from_utf8(valid).ok());
                self.hidden.add_words(valid.unwrap_or_default(), Why::All);
            }
            _ => self.hidden.add_words_of(bytes, Why::All),
        }
    }

    /// Returns the keyed hash of a content of which nothing is written.
    pub(super) fn content_hash(&self, bytes: &[u8]) -> String {
        let mut out = String::new();
        if !self.only_remembers {
            self.pseudonyms.push_content(bytes, &mut out);
        }
        out
    }

    /// Returns the placeholders of values that are not remembered.
    pub(super) fn pseudonyms(&self) -> &Pseudonyms {
        &self.pseudonyms
    }

    /// What was hidden.
    pub(crate) fn into_hidden(mut self) -> Arc<Index> {
        Arc::new(std::mem::take(&mut self.hidden))
    }

    pub(crate) fn into_scrubber(mut self) -> Scrubber {
        let fresh = Pseudonyms::new(self.policy.key());
        let pseudonyms = std::mem::replace(&mut self.pseudonyms, fresh);
        let policy = self.policy.clone();
        Scrubber::new(policy, pseudonyms, [self.into_hidden()])
    }

    /// Returns the placeholder of a value, and remembers it.
    pub(super) fn hide(&mut self, value: &[u8]) -> String {
        self.hide_as(Action::Pseudonym, value, false)
    }

    /// Returns the replacement of a value under this rule, and remembers the value.
    pub(super) fn hide_by(&mut self, rule: Rule, value: &[u8], cut: bool) -> String {
        self.because(rule.why(), |r| r.hide_as(rule.how(), value, cut))
    }

    /// Returns the replacement of a value, and remembers the value.
    pub(super) fn hide_as(&mut self, how: Action, value: &[u8], cut: bool) -> String {
        let mut out = String::new();
        self.push_hidden(how, value, cut, &mut out);
        out
    }

    /// Remembers the parts behind a suspicious name, or in front of a host, inside a longer
    /// hidden value, because services write them without the rest.
    fn remember_named(&mut self, value: &str) {
        if memchr::memchr3(b'=', b':', b'@', value.as_bytes()).is_none() {
            return;
        }
        for found in detect::find(value, self.policy.names()) {
            if found.len() < value.len()
                && let Some(part) = value.get(found)
            {
                self.hidden.add(part, Why::Told);
            }
        }
    }

    pub(super) fn hide_number(&mut self, how: Action, text: &str, cut: bool) -> String {
        let mut out = String::new();
        self.push_number(how, text, cut, &mut out);
        out
    }

    /// Appends the replacement of a value, and remembers the value.
    pub(super) fn push_hidden(&mut self, how: Action, value: &[u8], cut: bool, out: &mut String) {
        match std::str::from_utf8(value) {
            Ok(text) => self.remember_hidden(text),
            Err(_) => self.hidden.add_bytes(value, self.why),
        }
        self.pseudonyms.note(how, value);
        if !self.only_remembers {
            self.pseudonyms.push(how, value, cut, out);
        }
    }

    /// As [`push_hidden`](Self::push_hidden), for a whole text.
    pub(super) fn push_hidden_text(&mut self, how: Action, text: &str, out: &mut String) {
        self.remember_hidden(text);
        self.pseudonyms.note(how, text.as_bytes());
        if !self.only_remembers {
            self.pseudonyms.push(how, text.as_bytes(), false, out);
        }
    }

    fn remember_hidden(&mut self, text: &str) {
        if text == self.id || self.is_unasked(text.as_bytes()) {
            return;
        }
        self.remember(text);
        self.remember_named(text);
        self.remember_pieces(text);
    }

    pub(super) fn push_number(&mut self, how: Action, text: &str, cut: bool, out: &mut String) {
        self.remember(text);
        self.pseudonyms.note(how, text.as_bytes());
        if !self.only_remembers {
            self.pseudonyms.push_number(how, text, cut, out);
        }
    }

    /// Returns the replacement of an unquoted scalar, if it must be replaced: numbers,
    /// booleans and null are recognised by their form.
    pub(super) fn scalar(&mut self, rule: Rule, value: &[u8], cut: bool) -> Option<String> {
        if let Ok(text) = std::str::from_utf8(value)
            && !cut
        {
            let stays = match text {
                "" | "null" => true,
                "true" | "false" => !rule.suspicious,
                _ if is_json_number(text) => !rule.suspicious && !detect::number(text),
                _ => self.policy.string_stays(rule, text),
            };
            if stays && self.json_stays(text) {
                return None;
            }
        }
        Some(self.hide_by(rule, value, cut))
    }

    /// Returns the length and the decision of the expected key, if a text behind its quote
    /// starts with it.
    pub(super) fn expected_key(&mut self, text: &[u8]) -> Option<(usize, Decision)> {
        self.decisions.keys.expect(text)
    }

    /// Returns the decision about a key and its values.
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

/// Counts letters and digits: a piece that has them all is equivalent to the text.
fn symbols(text: &str) -> usize {
    text.chars().filter(|c| c.is_alphanumeric()).count()
}

fn decide(key: &str, policy: &Policy) -> Decision {
    Decision {
        stays: names::identifier_like(key) && !detect::is_sensitive(key, policy.names()),
        rule: policy.field_rule(key),
        part: Part::of(key),
    }
}

/// Returns the placeholder of a boolean, as a JSON string.
pub(super) const BOOL: &str = pseudonym::BOOL;
