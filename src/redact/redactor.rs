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

/// The longest value of which pieces are remembered, in bytes.
const WORD: usize = 128;

/// Letters and digits of such a piece.
const PIECE: std::ops::RangeInclusive<usize> = 3..=9;

/// The longest end of a file's name or of the name of a host, in bytes.
const END: usize = 4;

/// Fewer digits than this are a year, a month or a count.
const DIGITS: usize = 5;

/// Redacts the parts of one exchange, and remembers every value it hid.
///
/// Structured parts come first; [`into_scrubber`](Self::into_scrubber) then
/// gives what cleans the free text.
pub(crate) struct Redactor<'p> {
    policy: &'p Policy,
    hidden: Index,
    decisions: Decisions,
    pseudonyms: Pseudonyms,
    /// Whether only what is remembered matters, not what is returned.
    only_remembers: bool,
    /// What is asked for, where nothing else has to be remembered.
    asked: Option<&'p Probes>,
    /// The correlation ID, which is written everywhere, so that nobody looks for it.
    id: String,
    /// Why it hides what has no rule of its own.
    why: Why,
    /// What the texts of an answer are that says what went wrong.
    voice: Voice<'p>,
    keeps_boundary: bool,
}

/// What the messages in an answer are, which says what went wrong.
#[derive(Clone, Copy)]
pub(crate) enum Voice<'p> {
    /// Values as others: the answer is no failure.
    Values,
    /// The service's own words, which are not looked at yet.
    Unheard(Answer),
    /// The service's own words, of which goes what this hides.
    Heard(Answer, &'p Scrubber),
}

/// Where an answer says what went wrong.
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

    /// One for an answer that says what went wrong, after all else.
    pub(crate) fn hearing(policy: &'p Policy, answer: Answer, scrubber: &'p Scrubber) -> Self {
        let mut this = Self::new(policy);
        this.pseudonyms = scrubber.pseudonyms().clone();
        this.voice = Voice::Heard(answer, scrubber);
        // All that it hides is known already.
        static NOTHING: LazyLock<Probes> = LazyLock::new(Probes::default);
        this.asked(&NOTHING)
    }

    /// One for what belongs to the request that has this salt.
    #[must_use]
    pub(crate) fn of(mut self, salt: Salt) -> Self {
        let fresh = Pseudonyms::new(self.policy.key());
        self.pseudonyms = fresh.of(salt);
        self
    }

    /// One for a request that has this correlation ID.
    #[must_use]
    pub(crate) fn named(mut self, id: &str) -> Self {
        id.clone_into(&mut self.id);
        self
    }

    /// One whose answers are empty: it only collects what has to be hidden,
    /// which spares the hashes. The decisions are those of the last one.
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

    /// Gives the decisions to the next one under the same policy.
    pub(crate) fn take_decisions(&mut self) -> Decisions {
        std::mem::take(&mut self.decisions)
    }

    /// Says whether the boundary of the next multipart body stays: where its head shows
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

    /// Lets it see something of which nothing is written.
    pub(crate) fn quietly<R>(&mut self, f: impl FnOnce(&mut Self) -> R) -> R {
        let before = std::mem::replace(&mut self.only_remembers, true);
        let result = f(self);
        self.only_remembers = before;
        result
    }

    /// One that remembers only what may be asked for.
    #[must_use]
    pub(crate) fn asked(mut self, probes: &'p Probes) -> Self {
        self.asked = Some(probes);
        self
    }

    /// Whether nothing of a value is asked for.
    fn is_unasked(&self, value: &[u8]) -> bool {
        let asked = |probes: &Probes| !is_plain(value) || probes.may_be_in(value);
        !self.asked.is_none_or(asked)
    }

    /// Lets it hide what has no rule of its own for this reason.
    pub(super) fn because<R>(&mut self, why: Why, f: impl FnOnce(&mut Self) -> R) -> R {
        let before = std::mem::replace(&mut self.why, why);
        let result = f(self);
        self.why = before;
        result
    }

    /// Lets it see an answer that says what went wrong.
    pub(crate) fn answering<R>(&mut self, voice: Voice<'p>, f: impl FnOnce(&mut Self) -> R) -> R {
        let before = std::mem::replace(&mut self.voice, voice);
        let result = f(self);
        self.voice = before;
        result
    }

    /// Whether the messages in what it sees are the service's own words.
    pub(super) fn is_answering(&self, with: Answer) -> bool {
        match self.voice {
            Voice::Values => false,
            Voice::Unheard(answer) | Voice::Heard(answer, _) => answer == with,
        }
    }

    /// The service's own words, as far as they may be written; none of them where
    /// they are not looked at yet.
    pub(super) fn own_words(&self, text: &str, cut: bool) -> String {
        let all = 0..text.len();
        match self.voice {
            Voice::Heard(_, scrubber) if cut => scrubber.cut(text, &[all]).into_owned(),
            Voice::Heard(_, scrubber) => scrubber.said(text, &[all]).into_owned(),
            _ => String::new(),
        }
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

    /// A fact: the value where it may stay, or its placeholder, which joins: facts
    /// are what requests are found by.
    pub(crate) fn fact(&mut self, name: &str, value: &str) -> String {
        let rule = self.policy.field_rule(name);
        if self.policy.string_stays(rule, value) && self.json_stays(value) {
            value.to_owned()
        } else {
            let how = rule.hide.unwrap_or(Action::Join);
            self.because(rule.why(), |r| r.hide_as(how, value.as_bytes(), false))
        }
    }

    /// Makes the scrubber look for a value that was hidden elsewhere.
    pub(crate) fn remember(&mut self, value: &str) {
        if value != self.id && !self.is_unasked(value.as_bytes()) {
            self.hidden.add(value, self.why);
        }
    }

    /// Whether a text says what was hidden so far.
    pub(super) fn hides(&self, text: &str) -> bool {
        let (mut work, mut found) = (Work::new(u64::MAX), Vec::new());
        let whole = 0..text.len();
        let done = self.hidden.find(text, &[whole], &mut work, &mut found);
        done.is_err() || !found.is_empty()
    }

    /// Remembers the parts of a value between the separators of URLs, lists and
    /// JSON, which services say alone.
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

    /// Remembers the short pieces between the separators of a value that is one word,
    /// such as the names in an address: services say one of them alone. Longer pieces
    /// are found as a part of the value.
    pub(super) fn remember_pieces(&mut self, value: &str) {
        let separates = |c: char| c.is_ascii_punctuation();
        let separated = value.len() <= WORD && value.bytes().any(|b| b.is_ascii_punctuation());
        if !separated || value.contains(char::is_whitespace) {
            return;
        }
        // What no person is called by.
        if detect::is_uuid(value) || detect::is_time(value.as_bytes()) {
            return;
        }
        let (all, mut before) = (symbols(value), "");
        for piece in value.split_inclusive(separates) {
            let bare = piece.trim_end_matches(separates);
            // The ends of files and of names of hosts are words that all use.
            let end = before.ends_with('.') && bare.len() <= END && bare.is_ascii();
            before = piece;
            let digits = bare.bytes().all(|b| b.is_ascii_digit());
            let symbols = symbols(bare);
            if symbols < all && PIECE.contains(&symbols) && !end && !(digits && symbols < DIGITS) {
                self.hidden.add(bare, Why::All);
            }
        }
    }

    /// Remembers the name of a file without its directory and its ends: services name
    /// things after it.
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

    /// Remembers the words of text in no known format.
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

    /// The placeholder of a value, which is remembered.
    pub(super) fn hide(&mut self, value: &[u8]) -> String {
        self.hide_as(Action::Pseudonym, value, false)
    }

    /// What stands in the place of a value that goes by this rule, which is remembered.
    pub(super) fn hide_by(&mut self, rule: Rule, value: &[u8], cut: bool) -> String {
        self.because(rule.why(), |r| r.hide_as(rule.how(), value, cut))
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
                self.hidden.add(part, Why::Told);
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
            Err(_) => self.hidden.add_bytes(value, self.why),
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

    /// The replacement of a scalar that is written without quotes, where it
    /// has to be replaced: numbers, booleans and null are told by their look.
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

    /// The key that a text, behind its quote, starts with, where it is the one
    /// that is expected: its length, and what it says.
    pub(super) fn expected_key(&mut self, text: &[u8]) -> Option<(usize, Decision)> {
        self.decisions.keys.expect(text)
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

/// Letters and digits of a text: a piece that has them all says no less than it.
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

/// The placeholder of a boolean, as a JSON string.
pub(super) const BOOL: &str = pseudonym::BOOL;
