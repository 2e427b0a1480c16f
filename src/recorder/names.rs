//! What the fields of a callsite are called where they are written.

use std::borrow::Cow;
use tracing::Metadata;

/// The names of a callsite's fields, each once.
///
/// `tracing` lets a callsite name two fields alike: the later ones are `name#2`,
/// `name#3`. A raw identifier is called as it reads (`r#type` is `type`).
#[derive(Debug)]
pub(crate) struct FieldNames {
    /// The field that is an event's text, which is the first of that name. A span
    /// has none: its `message` is a field like any other.
    pub(crate) message: Option<usize>,
    /// By the fields' indices. The text's is not taken from the others.
    pub(crate) names: Vec<Cow<'static, str>>,
    /// Whether it is a record of the `log` crate, which has its origin as fields.
    pub(crate) logged: bool,
}

impl FieldNames {
    pub(crate) fn of(metadata: &Metadata<'static>) -> Self {
        let fields = metadata.fields();
        let raw: Vec<_> = fields
            .iter()
            .map(|field| plain_name(field.name()))
            .collect();
        let is_text = |name: &&str| metadata.is_event() && *name == "message";
        let message = raw.iter().position(is_text);
        let mut names: Vec<Cow<'static, str>> = Vec::with_capacity(raw.len());
        for (index, name) in raw.iter().enumerate() {
            let taken = |names: &[Cow<'_, str>], name: &str| {
                let mut others = names.iter().enumerate();
                others.any(|(other, taken)| Some(other) != message && taken == name)
            };
            let mut own = Cow::Borrowed(*name);
            let mut n = 1;
            while Some(index) != message && (taken(&names, &own) || n > 1 && raw.contains(&&*own)) {
                n += 1;
                own = Cow::Owned(format!("{name}#{n}"));
            }
            names.push(own);
        }
        Self {
            message,
            names,
            logged: is_logged(metadata),
        }
    }
}

/// A field's name without the mark of a raw identifier.
pub(crate) fn plain_name(name: &'static str) -> &'static str {
    name.strip_prefix("r#").unwrap_or(name)
}

/// Whether an event was made of a record of the `log` crate. Those of the macros
/// have a file, whatever their target and their fields are called.
fn is_logged(metadata: &Metadata<'_>) -> bool {
    metadata.is_event()
        && metadata.target() == "log"
        && metadata.name() == "log event"
        && metadata.file().is_none()
}
