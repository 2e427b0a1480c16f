//! Which values are kept, and how the others are written.

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

/// The length of the shortest key, in bytes.
const KEY: usize = 16;

/// The most characters of a string that is kept because of its field's name.
const SHORT: usize = 64;

/// Decides which values are written as they are and which as placeholders.
///
/// [`Policy::strict`], the default, keeps the values on its allow-lists.
/// [`Policy::by_name`] keeps the values that are not on its deny-list. Neither keeps a
/// value that has a suspicious name or that looks like a credential, a card number or an
/// address.
///
/// A policy implements [`Serialize`](serde::Serialize) and
/// [`Deserialize`](serde::Deserialize) in the form that `docs/redaction.md` describes; with
/// the feature `config`, [`from_toml`](Self::from_toml) parses it. Each setter is one entry
/// of that form.
///
/// The form names where the key is and never contains the key. Deserializing reads the key
/// from the named environment variable or file, and fails if it cannot. Serializing fails if
/// the form cannot name the key: use [`with_key_env`](Self::with_key_env) or
/// [`with_key_file`](Self::with_key_file), and at most one scope.
///
/// By default the key of the pseudonyms is random for each process, so that equal values
/// can be joined within one process only; see [`with_key`](Self::with_key). Cloning is
/// cheap.
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

/// The last redactor's decisions about names; empty in a changed copy.
#[derive(Default)]
struct Warm(Mutex<Decisions>);

impl Clone for Warm {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Policy {
    /// Returns the data for a change, and drops the decisions made before it.
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

    /// Returns the policy that replaces everything not known to be harmless.
    ///
    /// It keeps header and query values by an allow-list of names. In bodies and facts it
    /// keeps numbers, booleans and null unless their name or value is suspicious; it keeps
    /// strings only under an allowed field name, up to 64 characters, and if no detector
    /// matches. Text in an unknown format is not written.
    #[must_use]
    pub fn strict() -> Self {
        Self::base(Base::Strict)
    }

    /// Returns the policy that keeps everything not known to be harmful. Choose it on
    /// purpose: it keeps personal data.
    ///
    /// It replaces values with suspicious names, and values in which a detector matches. It
    /// keeps every other string, including names of people and free text. The same rule
    /// holds for path segments.
    #[must_use]
    pub fn by_name() -> Self {
        Self::base(Base::ByName)
    }

    /// The plain form. It has no key that was given to [`with_key`](Self::with_key), and
    /// none with two scopes.
    pub(crate) fn model(&self) -> &PolicyModel {
        &self.0.model
    }

    /// Sets how the values of a header are written.
    ///
    /// [`Action::Keep`] keeps them, except parts in which a detector matches; suspicious
    /// names stay hidden. Default: headers of content negotiation, caching, framing and
    /// tracing are kept; `location` and `referer` are redacted as URLs.
    #[must_use]
    pub fn header(mut self, name: &str, action: Action) -> Self {
        let inner = self.inner();
        insert(&mut inner.headers, name, action);
        inner.model.headers.insert(name.to_owned(), action);
        self
    }

    /// Sets how the values of a query key are written.
    ///
    /// [`Action::Keep`] keeps values of up to 64 characters if no detector matches;
    /// suspicious names stay hidden. Default: the usual keys of paging, sorting and formats
    /// are kept.
    #[must_use]
    pub fn query(mut self, key: &str, action: Action) -> Self {
        let inner = self.inner();
        insert(&mut inner.query, key, action);
        inner.model.query.insert(key.to_owned(), action);
        self
    }

    /// Sets how the values of a cookie are written, sent or set.
    ///
    /// [`Action::Keep`] keeps values of up to 64 characters if no detector matches;
    /// suspicious names stay hidden. Default: no cookie is kept.
    #[must_use]
    pub fn cookie(mut self, name: &str, action: Action) -> Self {
        let inner = self.inner();
        insert(&mut inner.cookies, name, action);
        inner.model.cookies.insert(name.to_owned(), action);
        self
    }

    /// Sets how the values of a field are written, and, if they are not kept, everything
    /// below it.
    ///
    /// A field is a JSON key at any depth, a form key, a part of a multipart form, an XML
    /// element or attribute, a path parameter or a fact. [`Action::Keep`] keeps strings of
    /// up to 64 characters if no detector matches; suspicious names stay hidden. Default:
    /// fields such as `status` and `currency` are kept while their values look like those
    /// of an enumeration: ASCII words with at most five digits.
    ///
    /// A name that is a path as in [`path`](Self::path) works as one. Any other name with a
    /// `.` or `[`, such as `card.number`, hides every field with its last name, `number`,
    /// and never keeps one. Deserializing a policy with such a name is an error.
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

    /// Sets how the value at a path in JSON bodies is written: `$.card.number`,
    /// `$.items[*].note`, `$[0].name`, `$.*.id`.
    ///
    /// Names are compared folded. If several rules match, one that hides overrides one that
    /// keeps, and a path overrides a name.
    ///
    /// # Errors
    ///
    /// Returns an error if the path is malformed. A path is `$`, then 1 to 32 of `.name`,
    /// `.*`, `[n]` and `[*]`.
    pub fn path(mut self, path: &str, action: Action) -> Result<Self, PolicyError> {
        let inner = self.inner();
        inner.paths.insert(path, action)?;
        inner.model.fields.insert(path.to_owned(), action);
        Ok(self)
    }

    /// Makes a name suspicious everywhere: headers, query, fields, and
    /// `name=value` in free text.
    ///
    /// It matches every name that contains it, once both are folded. Suspicious names,
    /// these and the built-in ones, override [`Action::Keep`].
    #[must_use]
    pub fn deny_name(mut self, name: &str) -> Self {
        let inner = self.inner();
        inner.names.deny(name);
        inner.model.deny.push(name.to_owned());
        self
    }

    /// Treats the texts of a field as the service's own messages, in responses that are
    /// failures: 4xx, 5xx, and gRPC calls that did not end with OK.
    ///
    /// Such texts are redacted as those of events: without values that the request hides
    /// elsewhere and without parts in which a detector matches. Default: `error`,
    /// `message`, `detail`, `title`, `reason` and `description` in JSON. Suspicious names,
    /// and fields with an action of their own, are not affected.
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

    /// Keeps the path of a request without a route template, except segments in which a
    /// detector matches.
    ///
    /// Default: every segment of such a path is replaced, except short numbers.
    #[must_use]
    pub fn allow_unmatched_paths(mut self) -> Self {
        self.inner().model.unmatched_paths = true;
        self
    }

    /// Sets the key of the pseudonyms, so that they can be joined across processes and
    /// restarts with the same key. Default: a random key for each process. `dashcam key
    /// new` makes a key.
    ///
    /// `key_id` is written into every exchange; the key never is. Treat the key as a
    /// secret, because it allows testing guesses against pseudonyms. To rotate it, give the
    /// new key a new ID: pseudonyms of the two cannot be joined.
    ///
    /// # Errors
    /// Returns an error if the key is shorter than 16 bytes.
    pub fn with_key(mut self, key_id: impl Into<String>, key: &[u8]) -> Result<Self, PolicyError> {
        if key.len() < KEY {
            return Err(PolicyError::KeyTooShort { length: key.len() });
        }
        let inner = self.inner();
        inner.key = Key::new(&key_id.into(), key);
        inner.model.key = None;
        Ok(self)
    }

    /// Reads the key of [`with_key`](Self::with_key) from an environment variable, now.
    ///
    /// # Errors
    ///
    /// Returns an error if the variable is not set, the key is shorter than 16 bytes, or
    /// `key_id` is empty.
    pub fn with_key_env(
        self,
        key_id: impl Into<String>,
        variable: impl Into<String>,
    ) -> Result<Self, PolicyError> {
        self.with_source(KeySource::env(key_id.into(), variable.into()))
    }

    /// Reads the key of [`with_key`](Self::with_key) from a file, now: a regular file, or a
    /// link to one, of at most 64 KiB. White space at its end is not part of the key.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be read, the key is shorter than 16 bytes, or
    /// `key_id` is empty.
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

    /// Sets the scope of the pseudonyms: under one key, pseudonyms of different scopes
    /// cannot be joined. Default: none.
    ///
    /// Use a scope for each service or purpose whose data must not be joined. Exchanges
    /// have the scope after the key ID, behind a `/`. It applies to the current key, so
    /// call it after [`with_key`](Self::with_key).
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

    /// Returns `strict` or `by_name`.
    #[must_use]
    pub fn name(&self) -> &str {
        match self.0.model.base {
            Base::Strict => "strict",
            Base::ByName => "by_name",
        }
    }

    /// Returns the ID of the key: the one given with it, or `process-xxxxxxxx` for the
    /// random key of this process. It is `unkeyed` if the system has no random bytes;
    /// pseudonyms then have no hash.
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

    /// Returns the key if it was set, so that other processes can have the same.
    pub(crate) fn shared_key(&self) -> Result<&Key, PolicyError> {
        if self.0.key.is_random() {
            let message = "the policy has only the random key of this process, under which no \
                           other process writes; set the service's key, such as with \
                           `with_key_file`";
            return Err(PolicyError::invalid("key", message));
        }
        Ok(&self.0.key)
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

    /// Returns whether values of event fields with this name are never written.
    pub(crate) fn hides_field(&self, name: &str) -> bool {
        self.field_rule(name).suspicious
    }

    /// Returns whether the value of a field with this name, as written in JSON, may be
    /// hidden.
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

    /// Returns whether a string of a field may be written.
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

    /// Returns whether a query value may be written.
    pub(super) fn query_stays(&self, rule: Rule, value: &str) -> bool {
        let empty = value.is_empty() && rule.allowed == Allowed::Default && !rule.suspicious;
        empty || self.string_stays(rule, value)
    }

    /// Returns whether the value of a cookie may be written.
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

/// Returns whether a value looks like one of an enumeration, not like data. Five digits
/// allow an SQLSTATE or an error number, but not a one-time code.
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
