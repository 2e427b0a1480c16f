use super::{
    detect,
    names::{self, Names},
    pseudonym::Key,
};
use std::{collections::HashSet, error, fmt, sync::Arc};

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
/// The key of the pseudonyms is random and made once per process, so that
/// equal values can be joined within one process only; see
/// [`with_key`](Self::with_key). Cloning is cheap.
#[derive(Clone)]
pub struct Policy(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    strict: bool,
    names: Names,
    headers: HashSet<String>,
    query: HashSet<String>,
    fields: HashSet<String>,
    unmatched_paths: bool,
    key: Key,
}

/// What a name says about its values.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Rule {
    /// The value goes, and everything below it.
    pub(super) suspicious: bool,
    pub(super) allowed: Allowed,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Allowed {
    #[default]
    No,
    /// By the crate's own list: only values that look like one of a few.
    Default,
    /// By the service.
    Explicit,
}

impl Policy {
    /// What is not known to be harmless is replaced.
    ///
    /// Header and query values stay by an allow-list of names. In JSON and
    /// form bodies and in facts, numbers, booleans and null stay unless their
    /// name or value is suspicious; strings stay only under an allowed field
    /// name, up to 64 characters, when no detector objects.
    #[must_use]
    pub fn strict() -> Self {
        Self(Arc::new(Inner {
            strict: true,
            names: Names::new(),
            headers: HashSet::new(),
            query: HashSet::new(),
            fields: HashSet::new(),
            unmatched_paths: false,
            key: Key::process(),
        }))
    }

    /// What is not known to be harmful stays: an opening, to be taken on purpose.
    ///
    /// Values of suspicious names, and values in which a detector finds
    /// something, are replaced; every other string is written as it is, names
    /// of people and free text included. Path segments stay by the same rule.
    #[must_use]
    pub fn by_name() -> Self {
        let mut policy = Self::strict();
        Arc::make_mut(&mut policy.0).strict = false;
        policy
    }

    /// Lets the values of one header stay, apart from what a detector finds in them.
    ///
    /// Suspicious names stay hidden. The default list has the headers of
    /// content negotiation, caching, framing and tracing; `location` and
    /// `referer` are redacted as the URLs they are.
    #[must_use]
    pub fn allow_header(mut self, name: &str) -> Self {
        insert(&mut Arc::make_mut(&mut self.0).headers, name);
        self
    }

    /// Lets the values of one query key stay, up to 64 characters, when no
    /// detector objects.
    ///
    /// Suspicious names stay hidden. The default list has the usual keys of
    /// paging, sorting and formats.
    #[must_use]
    pub fn allow_query(mut self, key: &str) -> Self {
        insert(&mut Arc::make_mut(&mut self.0).query, key);
        self
    }

    /// Lets strings of one field stay, up to 64 characters, when no detector objects.
    ///
    /// The field may be a JSON key, a form key, a path parameter or a fact.
    /// Suspicious names stay hidden. The default list has fields such as
    /// `status` and `currency`, whose values stay only while they look like
    /// one of a few: ASCII words with at most five digits.
    #[must_use]
    pub fn allow_field(mut self, name: &str) -> Self {
        insert(&mut Arc::make_mut(&mut self.0).fields, name);
        self
    }

    /// Makes a name suspicious everywhere: headers, query, fields, and
    /// `name=value` in free text.
    ///
    /// It matches every name that contains it once both are folded. Suspicious
    /// names, these and the built-in ones, beat every allow-list.
    #[must_use]
    pub fn deny_name(mut self, name: &str) -> Self {
        Arc::make_mut(&mut self.0).names.deny(name);
        self
    }

    /// Lets the path of a request without a route template stay, apart from
    /// segments in which a detector finds something.
    ///
    /// By default every segment of such a path is replaced, short numbers excepted.
    #[must_use]
    pub fn allow_unmatched_paths(mut self) -> Self {
        Arc::make_mut(&mut self.0).unmatched_paths = true;
        self
    }

    /// Makes pseudonyms under this key, so that they can be joined across
    /// processes and restarts that share it.
    ///
    /// `key_id` is written into every exchange; the key never is. Who has the
    /// key can test guesses against pseudonyms, so treat it as a secret.
    ///
    /// # Errors
    /// When the key is shorter than 16 bytes.
    pub fn with_key(mut self, key_id: impl Into<String>, key: &[u8]) -> Result<Self, PolicyError> {
        if key.len() < KEY {
            return Err(PolicyError::KeyTooShort { length: key.len() });
        }
        Arc::make_mut(&mut self.0).key = Key::new(key_id.into(), key);
        Ok(self)
    }

    /// `strict` or `by_name`.
    #[must_use]
    pub fn name(&self) -> &str {
        if self.0.strict { "strict" } else { "by_name" }
    }

    /// Names the key of the pseudonyms: the name given with it, or
    /// `process-xxxxxxxx` for the random key of this process. It is `unkeyed`
    /// where the system had no random bytes; then pseudonyms have no hash.
    #[must_use]
    pub fn key_id(&self) -> &str {
        self.0.key.id()
    }

    pub(super) fn key(&self) -> &Key {
        &self.0.key
    }

    pub(super) fn names(&self) -> &Names {
        &self.0.names
    }

    pub(super) fn is_strict(&self) -> bool {
        self.0.strict
    }

    pub(super) fn keeps_unmatched_paths(&self) -> bool {
        self.0.unmatched_paths || !self.0.strict
    }

    pub(super) fn header_rule(&self, name: &str) -> Rule {
        self.rule(name, names::HEADERS, &self.0.headers)
    }

    pub(super) fn query_rule(&self, name: &str) -> Rule {
        self.rule(name, names::QUERY, &self.0.query)
    }

    /// Whether values of event fields of this name are never written.
    #[cfg(feature = "gate")]
    pub(crate) fn hides_field(&self, name: &str) -> bool {
        self.field_rule(name).suspicious
    }

    pub(super) fn field_rule(&self, name: &str) -> Rule {
        self.rule(name, names::FIELDS, &self.0.fields)
    }

    fn rule(&self, name: &str, list: &[&str], own: &HashSet<String>) -> Rule {
        let mut folded = String::new();
        let suspicious = self.0.names.suspicious(name, &mut folded);
        let allowed = if own.contains(&folded) {
            Allowed::Explicit
        } else if list.contains(&folded.as_str()) {
            Allowed::Default
        } else {
            Allowed::No
        };
        Rule {
            suspicious,
            allowed,
        }
    }

    /// Whether a string of a field may be written.
    pub(super) fn string_stays(&self, rule: Rule, value: &str) -> bool {
        if rule.suspicious {
            return false;
        }
        let named = match rule.allowed {
            _ if !self.0.strict => true,
            Allowed::No => false,
            Allowed::Default => one_of_few(value),
            Allowed::Explicit => value.chars().nth(SHORT).is_none(),
        };
        named && !detect::is_sensitive(value, &self.0.names)
    }

    /// Whether a query value may be written.
    pub(super) fn query_stays(&self, rule: Rule, value: &str) -> bool {
        let named = match rule.allowed {
            _ if !self.0.strict => true,
            Allowed::No => false,
            Allowed::Default => value.is_empty() || one_of_few(value),
            Allowed::Explicit => value.chars().nth(SHORT).is_none(),
        };
        named && !rule.suspicious && !detect::is_sensitive(value, &self.0.names)
    }
}

fn insert(set: &mut HashSet<String>, name: &str) {
    let mut folded = String::new();
    names::fold(name, &mut folded);
    if !folded.is_empty() {
        set.insert(folded);
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

/// Why a [`Policy`] could not be made.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum PolicyError {
    /// The key has fewer than 16 bytes.
    KeyTooShort {
        /// The bytes it has.
        length: usize,
    },
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeyTooShort { length } => {
                write!(f, "the key has {length} bytes and needs at least {KEY}")
            }
        }
    }
}

impl error::Error for PolicyError {}
