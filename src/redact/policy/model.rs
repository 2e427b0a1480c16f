//! A policy as plain data.

use super::{Action, Policy, PolicyError, names};
use crate::{
    plain_file,
    redact::{key::Key, search::Why},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use std::{collections::BTreeMap, path::PathBuf};

/// A larger file is not a key.
const MAX_KIB: u64 = 64;

/// The policy to start from.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Base {
    /// [`Policy::strict`].
    #[default]
    Strict,
    /// [`Policy::by_name`].
    ByName,
}

/// A [`Policy`] as plain data, in the form that `docs/redaction.md` describes.
///
/// Names are compared folded, so that `x-tenant` and `X_Tenant` are equal; giving a name
/// twice is an error.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PolicyModel {
    /// The policy to start from. Default: `strict`.
    pub(super) base: Base,
    /// Names that are suspicious in addition to the built-in ones.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) deny: Vec<String>,
    /// Fields whose texts are the service's own messages in responses that are failures, in
    /// addition to the built-in ones.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) own_words: Vec<String>,
    /// Whether paths of requests without a route are kept.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) unmatched_paths: bool,
    /// By header.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) headers: BTreeMap<String, Action>,
    /// By query key.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) query: BTreeMap<String, Action>,
    /// By cookie.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) cookies: BTreeMap<String, Action>,
    /// By field; a name that starts with `$` is a path in JSON bodies.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) fields: BTreeMap<String, Action>,
    /// Where the key of the pseudonyms is. Default: a random key for each process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<KeySource>,
}

/// Where the key of the pseudonyms is. It does not contain the key, so that a policy may be
/// public.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct KeySource {
    /// Written into every exchange. A new key needs a new ID.
    pub(super) id: String,
    /// The scope, as in [`Policy::with_scope`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) scope: Option<String>,
    /// The environment variable with the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) env: Option<String>,
    /// The file with the key: a regular file, or a link to one, of at most 64 KiB. White
    /// space at its end is not part of the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) file: Option<PathBuf>,
}

impl KeySource {
    pub(super) fn env(id: String, variable: String) -> Self {
        Self {
            id,
            env: Some(variable),
            ..Self::default()
        }
    }

    pub(super) fn file(id: String, file: PathBuf) -> Self {
        Self {
            id,
            file: Some(file),
            ..Self::default()
        }
    }

    /// Reads the key.
    pub(super) fn read(&self) -> Result<Key, PolicyError> {
        if self.id.is_empty() {
            let message = "expected a name for the key, such as a date";
            return Err(PolicyError::invalid("key.id", message));
        }
        let key = match (&self.env, &self.file) {
            (Some(variable), None) => std::env::var_os(variable)
                .ok_or_else(|| {
                    let message = format!("the environment variable {variable} is not set");
                    PolicyError::invalid("key.env", message)
                })?
                .into_encoded_bytes(),
            (None, Some(file)) => plain_file::read(file, MAX_KIB)
                .map_err(|e| PolicyError::invalid("key.file", format!("{}: {e}", file.display())))?
                .trim_ascii_end()
                .to_owned(),
            _ => {
                let message = "expected either `env` or `file`";
                return Err(PolicyError::invalid("key", message));
            }
        };
        if key.len() < super::KEY {
            return Err(PolicyError::KeyTooShort { length: key.len() });
        }
        let made = Key::new(&self.id, &key);
        Ok(self.scope.as_ref().map_or(made.clone(), |s| made.scoped(s)))
    }
}

/// How values of a name are written.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in crate::redact) struct Rule {
    /// The value is hidden, and everything below it.
    pub(in crate::redact) suspicious: bool,
    pub(in crate::redact) allowed: Allowed,
    /// How it is hidden, if the policy has an action for it.
    pub(in crate::redact) hide: Option<Action>,
    /// In responses that are failures, its text is the service's own message.
    pub(in crate::redact) own_words: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in crate::redact) enum Allowed {
    #[default]
    No,
    /// By the built-in list: only values that look like those of an enumeration.
    Default,
    /// By the service.
    Explicit,
}

impl Rule {
    pub(in crate::redact) fn hiding(action: Action) -> Self {
        Self {
            suspicious: true,
            allowed: Allowed::No,
            hide: Some(action),
            own_words: false,
        }
    }

    /// Returns why this rule hides a value.
    pub(in crate::redact) fn why(self) -> Why {
        if self.suspicious || self.hide.is_some() {
            Why::Told
        } else {
            Why::All
        }
    }

    pub(in crate::redact) fn how(self) -> Action {
        self.hide.unwrap_or(Action::Pseudonym)
    }

    /// Returns the rule for a value below one with the rule `above`, with the action of a
    /// matching path.
    pub(in crate::redact) fn below(self, above: Self, path: Option<Action>) -> Self {
        let hide = path.filter(|a| *a != Action::Keep);
        Self {
            suspicious: self.suspicious || above.suspicious || hide.is_some(),
            allowed: match path {
                Some(Action::Keep) => Allowed::Explicit,
                _ => self.allowed,
            },
            hide: hide.or(self.hide).or(above.hide),
            own_words: self.own_words,
        }
    }
}

pub(super) fn compile(model: &PolicyModel) -> Result<Policy, PolicyError> {
    let mut policy = Policy::base(model.base);
    for (n, name) in model.deny.iter().enumerate() {
        folded(&format!("deny[{n}]"), name)?;
        policy = policy.deny_name(name);
    }
    for (n, name) in model.own_words.iter().enumerate() {
        folded(&format!("own_words[{n}]"), name)?;
        policy = policy.own_words(name);
    }
    if model.unmatched_paths {
        policy = policy.allow_unmatched_paths();
    }
    let kinds: [(
        &str,
        &BTreeMap<String, Action>,
        fn(Policy, &str, Action) -> Policy,
    ); 4] = [
        ("headers", &model.headers, Policy::header),
        ("query", &model.query, Policy::query),
        ("cookies", &model.cookies, Policy::cookie),
        ("fields", &model.fields, Policy::field),
    ];
    for (kind, map, set) in kinds {
        let mut seen: BTreeMap<String, &str> = BTreeMap::new();
        for (name, action) in map {
            let field = format!("{kind}.{name}");
            if kind == "fields" && name.starts_with('$') {
                policy = policy.path(name, *action)?;
                continue;
            }
            // A path without its `$` would be a name that no field has.
            if kind == "fields" && name.contains(['.', '[']) {
                let message =
                    format!("expected `$.{name}` for a path, or a name without `.` and `[`");
                return Err(PolicyError::invalid(field, message));
            }
            let folded = folded(&field, name)?;
            if let Some(before) = seen.insert(folded, name) {
                let message = format!("is the same name as {before:?}; give it once");
                return Err(PolicyError::invalid(field, message));
            }
            if *action == Action::Keep && policy.names().suspicious(name, &mut String::new()) {
                let message = "a suspicious name cannot be kept; expected another action";
                return Err(PolicyError::invalid(field, message));
            }
            policy = set(policy, name, *action);
        }
    }
    match &model.key {
        Some(source) => policy.with_source(source.clone()),
        None => Ok(policy),
    }
}

/// Fails if the form cannot name the policy's key: it was given to
/// [`with_key`](Policy::with_key), it has more than one scope, or it is the random one and
/// has a scope.
impl Serialize for Policy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let model = self.model();
        // Without an entry for the key, the form stands for the random one.
        if model.key.is_none() && self.key_id() != Key::process().id() {
            return Err(ser::Error::custom(format_args!(
                "key: the form cannot name where the key {:?} is; set it with `with_key_env` or \
                 `with_key_file`, and then at most one scope",
                self.key_id()
            )));
        }
        model.serialize(serializer)
    }
}

/// If the form names an environment variable or a file with the key, reads the key from it,
/// and fails if it cannot. The error has the text of [`PolicyError`].
impl<'de> Deserialize<'de> for Policy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let model = PolicyModel::deserialize(deserializer)?;
        compile(&model).map_err(de::Error::custom)
    }
}

fn folded(field: &str, name: &str) -> Result<String, PolicyError> {
    let mut folded = String::new();
    names::fold(name, &mut folded);
    if folded.is_empty() {
        let message = "expected a name with a letter or a digit";
        return Err(PolicyError::invalid(field, message));
    }
    Ok(folded)
}
