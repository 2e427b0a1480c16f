//! Which values stay, and what happens to those that do not.

mod error;
mod model;
mod paths;
#[cfg(test)]
mod tests;
#[cfg(feature = "config")]
mod toml;

pub use self::error::PolicyError;
use self::model::{Base, KeySource, PolicyModel};
pub(super) use self::{
    model::{Allowed, Rule},
    paths::{Node, Paths},
};

use super::{
    Action, Decisions, detect,
    key::Key,
    names::{self, Names},
};
use std::{
    collections::HashMap,
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex},
};

/// The shortest key that [`Policy::with_key`] takes, in bytes.
const KEY: usize = 16;

/// The most characters of a string that stays because of its field's name.
const SHORT: usize = 64;

/// Decides which values are written as they are and which as placeholders.
///
/// [`Policy::strict`], the default, writes what is on its allow-lists;
/// [`Policy::by_name`] writes what is not on its deny-list. Under both, values
/// of a suspicious name, and values that look like a credential, a card number
/// or an address, never stay.
///
/// A policy is data: it implements [`Serialize`](serde::Serialize) and
/// [`Deserialize`](serde::Deserialize) in the form of `docs/redaction.md`, and with the
/// feature `config` it is read from TOML. Each method here is one entry of that form. The
/// form has the source of the key, never the key itself.
///
/// The key of the pseudonyms is random and made once per process, so that
/// equal values can be joined within one process only; see
/// [`with_key`](Self::with_key). Cloning is cheap.
///
/// ```
/// use dashcam::redact::{Action, Policy};
///
/// # fn main() -> Result<(), dashcam::redact::PolicyError> {
/// let policy = Policy::strict()
///     .header("x-tenant", Action::Keep)
///     .field("sku", Action::Keep)
///     .field("birthday", Action::Drop)
///     .path("$.items[*].note", Action::Shape)?
///     .deny_name("nickname");
/// # drop(policy);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Policy(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    model: PolicyModel,
    names: Names,
    headers: HashMap<String, Action>,
    query: HashMap<String, Action>,
    cookies: HashMap<String, Action>,
    fields: HashMap<String, Action>,
    /// Folded.
    own_words: Vec<String>,
    /// Whether one of them does not stay.
    hides_fields: bool,
    paths: Paths,
    key: Key,
    warm: Warm,
}

/// What the last redactor decided about names; nothing in a changed copy.
#[derive(Default)]
struct Warm(Mutex<Decisions>);

impl Clone for Warm {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Policy {
    /// For a change, after which nothing that was decided before holds.
    fn inner(&mut self) -> &mut Inner {
        let inner = Arc::make_mut(&mut self.0);
        inner.warm = Warm::default();
        inner
    }

    fn base(base: Base) -> Self {
        let model = PolicyModel {
            base,
            ..PolicyModel::default()
        };
        Self(Arc::new(Inner {
            model,
            names: Names::new(),
            headers: HashMap::new(),
            query: HashMap::new(),
            cookies: HashMap::new(),
            fields: HashMap::new(),
            own_words: Vec::new(),
            hides_fields: false,
            paths: Paths::default(),
            key: Key::process(),
            warm: Warm::default(),
        }))
    }

    /// What is not known to be harmless is replaced.
    ///
    /// Header and query values stay by an allow-list of names. In bodies and in
    /// facts, numbers, booleans and null stay unless their name or value is
    /// suspicious; strings stay only under an allowed field name, up to 64
    /// characters, when no detector objects. Text in no known format is not
    /// written.
    #[must_use]
    pub fn strict() -> Self {
        Self::base(Base::Strict)
    }

    /// What is not known to be harmful stays: an opening, to be taken on purpose.
    ///
    /// Values of suspicious names, and values in which a detector finds
    /// something, are replaced; every other string is written as it is, names
    /// of people and free text included. Path segments stay by the same rule.
    #[must_use]
    pub fn by_name() -> Self {
        Self::base(Base::ByName)
    }

    /// The plain form. It has no key that was given to [`with_key`](Self::with_key), and
    /// none with two scopes.
    pub(crate) fn model(&self) -> &PolicyModel {
        &self.0.model
    }

    /// What happens to the values of one header.
    ///
    /// [`Action::Keep`] lets them stay, apart from what a detector finds in
    /// them; suspicious names stay hidden. The default list keeps the headers of
    /// content negotiation, caching, framing and tracing; `location` and
    /// `referer` are redacted as the URLs they are.
    #[must_use]
    pub fn header(mut self, name: &str, action: Action) -> Self {
        let inner = self.inner();
        insert(&mut inner.headers, name, action);
        inner.model.headers.insert(name.to_owned(), action);
        self
    }

    /// What happens to the values of one query key.
    ///
    /// [`Action::Keep`] lets values of up to 64 characters stay, when no detector
    /// objects; suspicious names stay hidden. The default list keeps the usual
    /// keys of paging, sorting and formats.
    #[must_use]
    pub fn query(mut self, key: &str, action: Action) -> Self {
        let inner = self.inner();
        insert(&mut inner.query, key, action);
        inner.model.query.insert(key.to_owned(), action);
        self
    }

    /// What happens to the values of one cookie, sent or set.
    ///
    /// [`Action::Keep`] lets values of up to 64 characters stay, when no detector
    /// objects; suspicious names stay hidden. By default no cookie stays.
    #[must_use]
    pub fn cookie(mut self, name: &str, action: Action) -> Self {
        let inner = self.inner();
        insert(&mut inner.cookies, name, action);
        inner.model.cookies.insert(name.to_owned(), action);
        self
    }

    /// What happens to the values of one field, and to everything below it
    /// where they are not kept.
    ///
    /// A field is a JSON key at any depth, a form key, a part of a multipart
    /// form, an XML element or attribute, a path parameter or a fact.
    /// [`Action::Keep`] lets strings of up to 64 characters stay, when no
    /// detector objects; suspicious names stay hidden. The default list has
    /// fields such as `status` and `currency`, whose values stay only while they
    /// look like one of a few: ASCII words with at most five digits.
    ///
    /// A name is no place. What is one, as for [`path`](Self::path), is taken for
    /// one; anything else with a `.` or `[` in it, such as `card.number`, hides every
    /// field of its last name, `number`, and keeps none.
    /// Deserializing a policy refuses it.
    #[must_use]
    pub fn field(mut self, name: &str, action: Action) -> Self {
        if name.starts_with('$')
            && let Ok(policy) = self.clone().path(name, action)
        {
            return policy;
        }
        let inner = self.inner();
        let mut model = name;
        if name.contains(['.', '[']) {
            if action == Action::Keep {
                return self;
            }
            insert(&mut inner.fields, name, action);
            let mut steps = name.rsplit(['.', '[', ']']);
            let letter = |step: &&str| step.contains(|c: char| c.is_alphabetic());
            model = steps.find(letter).unwrap_or(name);
        }
        insert(&mut inner.fields, model, action);
        inner.hides_fields |= action != Action::Keep;
        inner.model.fields.insert(model.to_owned(), action);
        self
    }

    /// What happens to one place in JSON bodies: `$.card.number`,
    /// `$.items[*].note`, `$[0].name`, `$.*.id`.
    ///
    /// Names are compared folded. Where several rules meet, one that hides wins
    /// over one that keeps, and the path over the name.
    ///
    /// # Errors
    ///
    /// When the path is malformed: it starts with `$`, and `.name`, `.*`,
    /// `[n]` and `[*]` follow.
    pub fn path(mut self, path: &str, action: Action) -> Result<Self, PolicyError> {
        let inner = self.inner();
        inner.paths.insert(path, action)?;
        inner.model.fields.insert(path.to_owned(), action);
        Ok(self)
    }

    /// Makes a name suspicious everywhere: headers, query, fields, and
    /// `name=value` in free text.
    ///
    /// It matches every name that contains it once both are folded. Suspicious
    /// names, these and the built-in ones, beat [`Action::Keep`].
    #[must_use]
    pub fn deny_name(mut self, name: &str) -> Self {
        let inner = self.inner();
        inner.names.deny(name);
        inner.model.deny.push(name.to_owned());
        self
    }

    /// Makes the texts of a field the service's own words, in answers that are
    /// failures: 4xx, 5xx, and gRPC calls that did not end with OK.
    ///
    /// Such texts are written like an event's: without what the request hides
    /// elsewhere and without what a detector finds. Built in are `error`, `message`,
    /// `detail`, `title`, `reason` and `description` in JSON. Suspicious names and
    /// fields with an action of their own are not affected.
    #[must_use]
    pub fn own_words(mut self, name: &str) -> Self {
        let inner = self.inner();
        let mut folded = String::new();
        names::fold(name, &mut folded);
        if !folded.is_empty() {
            inner.own_words.push(folded);
            inner.model.own_words.push(name.to_owned());
        }
        self
    }

    /// Lets the path of a request without a route template stay, apart from
    /// segments in which a detector finds something.
    ///
    /// By default every segment of such a path is replaced, short numbers excepted.
    #[must_use]
    pub fn allow_unmatched_paths(mut self) -> Self {
        self.inner().model.unmatched_paths = true;
        self
    }

    /// Makes pseudonyms under this key, so that they can be joined across
    /// processes and restarts that share it. `dashcam key new` makes one.
    ///
    /// `key_id` is written into every exchange; the key never is. Who has the
    /// key can test guesses against pseudonyms, so treat it as a secret. To
    /// rotate it, give a new key a new ID: pseudonyms of the two cannot be joined.
    ///
    /// # Errors
    /// When the key is shorter than 16 bytes.
    pub fn with_key(mut self, key_id: impl Into<String>, key: &[u8]) -> Result<Self, PolicyError> {
        if key.len() < KEY {
            return Err(PolicyError::KeyTooShort { length: key.len() });
        }
        let inner = self.inner();
        inner.key = Key::new(&key_id.into(), key);
        inner.model.key = None;
        Ok(self)
    }

    /// As [`with_key`](Self::with_key), with the key that the environment variable has now.
    ///
    /// # Errors
    ///
    /// The variable is not set, the key is shorter than 16 bytes, or `key_id` is empty.
    pub fn with_key_env(
        self,
        key_id: impl Into<String>,
        variable: impl Into<String>,
    ) -> Result<Self, PolicyError> {
        self.with_source(KeySource::env(key_id.into(), variable.into()))
    }

    /// As [`with_key`](Self::with_key), with the key that the file has now: a regular file,
    /// or a link to one, of at most 64 KiB. White space at its end is no part of the key.
    ///
    /// # Errors
    ///
    /// The file cannot be read, the key is shorter than 16 bytes, or `key_id` is empty.
    pub fn with_key_file(
        self,
        key_id: impl Into<String>,
        file: impl Into<PathBuf>,
    ) -> Result<Self, PolicyError> {
        self.with_source(KeySource::file(key_id.into(), file.into()))
    }

    fn with_source(mut self, source: KeySource) -> Result<Self, PolicyError> {
        let key = source.read()?;
        let inner = self.inner();
        inner.key = key;
        inner.model.key = Some(source);
        Ok(self)
    }

    /// Limits what can be joined: under one key, values of different scopes have
    /// different pseudonyms.
    ///
    /// Services that may not be joined with each other, or purposes, are scopes.
    /// The scope follows the key ID in exchanges, behind a `/`. It applies to the
    /// key that is set, so it comes after [`with_key`](Self::with_key).
    #[must_use]
    pub fn with_scope(mut self, scope: &str) -> Self {
        let inner = self.inner();
        inner.key = inner.key.scoped(scope);
        // The form has one scope.
        match &mut inner.model.key {
            Some(source) if source.scope.is_none() => source.scope = Some(scope.to_owned()),
            key => *key = None,
        }
        self
    }

    /// `strict` or `by_name`.
    #[must_use]
    pub fn name(&self) -> &str {
        match self.0.model.base {
            Base::Strict => "strict",
            Base::ByName => "by_name",
        }
    }

    /// Names the key of the pseudonyms: the name given with it, or
    /// `process-xxxxxxxx` for the random key of this process. It is `unkeyed`
    /// where the system had no random bytes; then pseudonyms have no hash.
    #[must_use]
    pub fn key_id(&self) -> &str {
        self.0.key.id()
    }

    pub(super) fn take_decisions(&self) -> Decisions {
        match self.0.warm.0.try_lock() {
            Ok(mut warm) => std::mem::take(&mut *warm),
            Err(_) => Decisions::default(),
        }
    }

    pub(super) fn give_decisions(&self, decisions: Decisions) {
        if !decisions.is_empty()
            && let Ok(mut warm) = self.0.warm.0.try_lock()
        {
            *warm = decisions;
        }
    }

    pub(crate) fn key(&self) -> &Key {
        &self.0.key
    }

    pub(super) fn names(&self) -> &Names {
        &self.0.names
    }

    pub(super) fn paths(&self) -> &Paths {
        &self.0.paths
    }

    pub(super) fn is_strict(&self) -> bool {
        self.0.model.base == Base::Strict
    }

    pub(super) fn keeps_unmatched_paths(&self) -> bool {
        self.0.model.unmatched_paths || !self.is_strict()
    }

    pub(super) fn header_rule(&self, name: &str) -> Rule {
        self.rule(name, names::HEADERS, &self.0.headers)
    }

    pub(super) fn query_rule(&self, name: &str) -> Rule {
        self.rule(name, names::QUERY, &self.0.query)
    }

    pub(super) fn cookie_rule(&self, name: &str) -> Rule {
        self.rule(name, &[], &self.0.cookies)
    }

    /// Whether values of event fields of this name are never written.
    pub(crate) fn hides_field(&self, name: &str) -> bool {
        self.field_rule(name).suspicious
    }

    /// Whether a field of this name, as JSON writes it, may be one whose value goes.
    pub(super) fn may_hide_field(&self, name: &[u8]) -> bool {
        self.0.hides_fields || self.0.names.may_be_suspicious(name)
    }

    pub(super) fn field_rule(&self, name: &str) -> Rule {
        self.rule(name, names::FIELDS, &self.0.fields)
    }

    fn is_own_words(&self, folded: &str) -> bool {
        names::MESSAGES.contains(&folded) || self.0.own_words.iter().any(|own| own == folded)
    }

    fn rule(&self, name: &str, list: &[&str], own: &HashMap<String, Action>) -> Rule {
        let mut folded = String::new();
        let suspicious = self.0.names.suspicious(name, &mut folded);
        match own.get(&folded) {
            Some(Action::Keep) => Rule {
                suspicious,
                allowed: Allowed::Explicit,
                hide: None,
                own_words: self.is_own_words(&folded),
            },
            Some(action) => Rule::hiding(*action),
            None => Rule {
                suspicious,
                allowed: if list.contains(&folded.as_str()) {
                    Allowed::Default
                } else {
                    Allowed::No
                },
                hide: None,
                own_words: self.is_own_words(&folded),
            },
        }
    }

    /// Whether a string of a field may be written.
    pub(super) fn string_stays(&self, rule: Rule, value: &str) -> bool {
        if rule.suspicious {
            return false;
        }
        let named = match rule.allowed {
            _ if !self.is_strict() => true,
            Allowed::No => false,
            Allowed::Default => one_of_few(value),
            Allowed::Explicit => value.len() <= SHORT || value.chars().nth(SHORT).is_none(),
        };
        named && !detect::is_sensitive_value(value, &self.0.names)
    }

    /// Whether a query value may be written.
    pub(super) fn query_stays(&self, rule: Rule, value: &str) -> bool {
        let empty = value.is_empty() && rule.allowed == Allowed::Default && !rule.suspicious;
        empty || self.string_stays(rule, value)
    }

    /// Whether the value of a cookie may be written.
    pub(super) fn cookie_stays(&self, rule: Rule, value: &str) -> bool {
        rule.allowed == Allowed::Explicit && self.string_stays(rule, value)
    }
}

fn insert(map: &mut HashMap<String, Action>, name: &str, action: Action) {
    let mut folded = String::new();
    names::fold(name, &mut folded);
    if !folded.is_empty() {
        map.insert(folded, action);
    }
}

/// Whether a value looks like one of an enumeration, not like data. Five
/// digits let an SQLSTATE or an error number through, but no one-time code.
fn one_of_few(value: &str) -> bool {
    !value.is_empty()
        && value.len() <= SHORT
        && value.bytes().all(|b| {
            b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b':' | b'/' | b'+' | b',')
        })
        && value.bytes().filter(u8::is_ascii_digit).count() <= 5
}

impl Default for Policy {
    fn default() -> Self {
        Self::strict()
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy")
            .field("name", &self.name())
            .field("key_id", &self.key_id())
            .finish_non_exhaustive()
    }
}
