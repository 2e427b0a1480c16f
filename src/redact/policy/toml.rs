//! Policies as TOML.

use super::{
    Policy, PolicyError,
    model::{PolicyModel, compile},
};
use std::ops::Range;

impl Policy {
    /// Parses a policy from TOML in the form that `docs/redaction.md` describes.
    ///
    /// ```
    /// use dashcam::redact::Policy;
    ///
    /// let policy = Policy::from_toml(r#"
    ///     base = "strict"
    ///     deny = ["nickname"]
    ///
    ///     [headers]
    ///     x-tenant = "keep"
    ///
    ///     [fields]
    ///     "$.card.number" = "mask"
    /// "#);
    /// assert!(policy.is_ok());
    ///
    /// let error = Policy::from_toml("[fields]\nsku = \"kept\"").unwrap_err();
    /// assert!(error.to_string().starts_with("line 2: fields.sku: "), "{error}");
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the text is not such a form, a name or a path is empty,
    /// malformed or given twice, [`Action::Keep`](super::Action::Keep) is set for a
    /// suspicious name, or the key cannot be read. The error names the line and the entry,
    /// and what is expected.
    pub fn from_toml(text: &str) -> Result<Self, PolicyError> {
        compile(&PolicyModel::from_toml(text)?).map_err(|error| match error {
            PolicyError::Invalid { field, message, .. } => PolicyError::Invalid {
                line: find(text, &field),
                field,
                message,
            },
            other => other,
        })
    }
}

impl PolicyModel {
    pub(super) fn from_toml(text: &str) -> Result<Self, PolicyError> {
        let line = |span: Option<Range<usize>>| span.map(|span| line(text, span.start));
        let from = toml::Deserializer::parse(text).map_err(|e| PolicyError::Invalid {
            line: line(e.span()),
            field: String::new(),
            message: e.message().to_owned(),
        })?;
        serde_path_to_error::deserialize(from).map_err(|error| {
            let field = error.path().to_string();
            let error = error.into_inner();
            PolicyError::Invalid {
                line: line(error.span()),
                field: field.trim_matches(['.', '?']).to_owned(),
                message: error.message().to_owned(),
            }
        })
    }
}

fn line(text: &str, at: usize) -> usize {
    let before = text.as_bytes().get(..at).unwrap_or_default();
    before.iter().filter(|b| **b == b'\n').count() + 1
}

/// Returns the line of an entry that was parsed and is invalid.
fn find(text: &str, field: &str) -> Option<usize> {
    let document = toml::de::DeTable::parse(text).ok()?;
    let (table, name) = field.split_once('.').unwrap_or((field, ""));
    let table = table.split('[').next()?;
    let (key, value) = document.get_ref().get_key_value(table)?;
    let inner = value.get_ref().as_table();
    let span = match inner.and_then(|inner| inner.get_key_value(name)) {
        Some((key, _)) => key.span(),
        None => key.span(),
    };
    Some(line(text, span.start))
}
