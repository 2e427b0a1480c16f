//! The names under which the fields of a callsite are written.

use std::borrow::Cow;
use tracing::Metadata;

/// The names of a callsite's fields, each once.
///
/// `tracing` allows two fields of a callsite to have the same name: the later ones are `name#2`,
/// `name#3`. A raw identifier has its plain name (`r#type` is `type`).
#[derive(Debug)]
pub(crate) struct FieldNames {
    /// The field with an event's text: the first of that name. A span has none: its `message` is a
    /// field like any other.
    pub(crate) message: Option<usize>,
    /// Indexed like the fields. Another field may have the name of the text, too.
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

/// Returns a field's name without the prefix of a raw identifier.
pub(crate) fn plain_name(name: &'static str) -> &'static str {
    name.strip_prefix("r#").unwrap_or(name)
}

/// Returns whether an event was made from a record of the `log` crate. An event of the macros has
/// a file, whatever its target and its fields are called.
fn is_logged(metadata: &Metadata<'_>) -> bool {
    metadata.is_event()
        && metadata.target() == "log"
        && metadata.name() == "log event"
        && metadata.file().is_none()
}
