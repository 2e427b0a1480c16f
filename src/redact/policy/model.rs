//! A policy as plain data.

use super::{Action, Policy, PolicyError, names};
use crate::{
    plain_file,
    redact::{key::Key, search::Why},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{collections::BTreeMap, path::PathBuf};

/// Larger files are no keys.
const MAX_KIB: u64 = 64;

/// Where a policy starts.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Base {
    /// [`Policy::strict`].
    #[default]
    Strict,
    /// [`Policy::by_name`].
    ByName,
}

/// A [`Policy`] as plain data: what `docs/redaction.md` describes.
///
/// Names are compared folded, so that `x-tenant` and `X_Tenant` are one; to
/// give a name twice is an error.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PolicyModel {
    /// Where it starts; `strict` unless said otherwise.
    pub(super) base: Base,
    /// Names that are suspicious beside the built-in ones.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) deny: Vec<String>,
    /// Fields whose texts are the service's own words in answers that are failures,
    /// beside the built-in ones.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) own_words: Vec<String>,
    /// Whether paths of requests without a route stay.
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
    /// By field; what starts with `$` is a path in JSON bodies.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) fields: BTreeMap<String, Action>,
    /// The key of the pseudonyms; without one it is random per process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<KeySource>,
}

/// Where the key of the pseudonyms comes from. The key itself is no part of it,
/// so that a policy can be shown to anybody.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct KeySource {
    /// Written into every exchange. A new key needs a new ID.
    pub(super) id: String,
    /// The scope, as in [`Policy::with_scope`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) scope: Option<String>,
    /// The environment variable that has the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) env: Option<String>,
    /// The file that has the key: a regular file, or a link to one, of at most 64 KiB.
    /// White space at its end is no part of it.
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

    /// The key, as a policy has it. A file is a regular one of 64 KiB at most.
    pub(super) fn read(&self) -> Result<Key, PolicyError> {
        if self.id.is_empty() {
            let message = "expected a name for the key, such as a date";
            return Err(PolicyError::invalid("key.id", message));
        }
        let key = match (&self.env, &self.file) {
            (Some(variable), None) => std::env::var_os(variable)
                .ok_or_else(|| {
                    let message = format!("the environment has no {variable}");
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

/// What a name says about its values.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in crate::redact) struct Rule {
    /// The value goes, and everything below it.
    pub(in crate::redact) suspicious: bool,
    pub(in crate::redact) allowed: Allowed,
    /// How it goes, where the policy says so.
    pub(in crate::redact) hide: Option<Action>,
    /// In answers that are failures, a text of it is the service's own.
    pub(in crate::redact) own_words: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in crate::redact) enum Allowed {
    #[default]
    No,
    /// By the crate's own list: only values that look like one of a few.
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

    /// Why a value goes that goes by this.
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

    /// What holds for a value below one of the rule `above`, at a place of which
    /// a path says something.
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
            // A place without its `$` would be a name that nothing has.
            if kind == "fields" && name.contains(['.', '[']) {
                let message = format!(
                    "expected `$.{name}` for a place, or a name without `.` and `[`, which \
                     are not compared"
                );
                return Err(PolicyError::invalid(field, message));
            }
            let folded = folded(&field, name)?;
            if let Some(before) = seen.insert(folded, name) {
                let message = format!("is the same name as {before:?}");
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

impl Serialize for Policy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.model().serialize(serializer)
    }
}

/// Reads the key, too, where the form says where it is. The error says what [`PolicyError`]
/// says.
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
