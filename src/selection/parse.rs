//! Rules as text.

use super::Rules;
use std::{fmt, ops::Range, path::PathBuf};

impl Rules {
    /// Reads TOML, as `docs/rules.md` describes it.
    ///
    /// # Errors
    ///
    /// What is wrong, and where.
    pub fn from_toml(text: &str) -> Result<Self, RulesError> {
        let at = |span: Option<Range<usize>>| span.map(|span| position(text, span.start));
        let read = toml::Deserializer::parse(text)
            .map_err(|error| (String::new(), error))
            .and_then(|from| {
                serde_path_to_error::deserialize(from)
                    .map_err(|error| (field(error.path()), error.into_inner()))
            });
        read.map_err(|(field, error)| {
            let span = rule_span(text, &field).or_else(|| error.span());
            RulesError::new(at(span), field, error.message().to_owned())
        })
    }

    /// Reads JSON of the same form.
    ///
    /// # Errors
    ///
    /// What is wrong, and where.
    pub fn from_json(text: &str) -> Result<Self, RulesError> {
        // Editors of some systems mark texts with it, which TOML allows.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut from = serde_json::Deserializer::from_str(text);
        let at =
            |error: &serde_json::Error| (error.line() > 0).then(|| (error.line(), error.column()));
        let rules = serde_path_to_error::deserialize(&mut from).map_err(|error| {
            let field = field(error.path());
            let error = error.into_inner();
            RulesError::new(at(&error), field, without_position(&error))
        })?;
        from.end().map_err(|error| {
            RulesError::new(at(&error), String::new(), without_position(&error))
        })?;
        Ok(rules)
    }

    /// Reads a JSON value of the same form.
    ///
    /// # Errors
    ///
    /// What is wrong, and in which field.
    pub fn from_json_value(value: &serde_json::Value) -> Result<Self, RulesError> {
        serde_path_to_error::deserialize(value).map_err(|error| {
            let field = field(error.path());
            RulesError::new(None, field, error.into_inner().to_string())
        })
    }
}

/// Rules cannot be read.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct RulesError {
    /// The file, where they are in one.
    pub file: Option<PathBuf>,
    /// The line, counted from 1, where there are lines.
    pub line: Option<usize>,
    /// The column, counted from 1 in characters for TOML and in bytes for JSON.
    pub column: Option<usize>,
    /// The field, such as `rule[0].when.method`; empty where it is the whole.
    pub field: String,
    /// What is wrong, or what was expected.
    pub message: String,
}

impl RulesError {
    fn new(at: Option<(usize, usize)>, field: String, message: String) -> Self {
        Self {
            file: None,
            line: at.map(|(line, _)| line),
            column: at.map(|(_, column)| column),
            field,
            message,
        }
    }

    pub(super) fn in_file(self, file: impl Into<PathBuf>) -> Self {
        Self {
            file: Some(file.into()),
            ..self
        }
    }
}

impl fmt::Display for RulesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{}:", file.display())?;
        }
        if let (Some(line), Some(column)) = (self.line, self.column) {
            write!(f, "{line}:{column}:")?;
        }
        if self.file.is_some() || self.line.is_some() {
            f.write_str(" ")?;
        }
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for RulesError {}

/// Where a rule is that is wrong as a whole: the parser says where the list is.
fn rule_span(text: &str, field: &str) -> Option<Range<usize>> {
    let index: usize = field
        .strip_prefix("rule[")?
        .strip_suffix(']')?
        .parse()
        .ok()?;
    let document = toml::de::DeTable::parse(text).ok()?;
    let rules = document.get_ref().get("rule")?.get_ref();
    Some(rules.as_array()?.get(index)?.span())
}

fn position(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at.min(text.len())).unwrap_or_default();
    let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let column = before.get(start..).unwrap_or_default().chars().count() + 1;
    (line, column)
}

/// The path without what it says of unknown places.
fn field(path: &serde_path_to_error::Path) -> String {
    let text = path.to_string();
    text.trim_matches(['.', '?']).to_owned()
}

fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(end) => text.get(..end).unwrap_or_default().to_owned(),
        None => text,
    }
}

/// Reads either, as the name of the file says.
pub(super) fn by_name(file: &std::path::Path, text: &str) -> Result<Rules, RulesError> {
    let is_json = file
        .extension()
        .is_some_and(|e| e.eq_ignore_ascii_case("json"));
    let rules = if is_json {
        Rules::from_json(text)
    } else {
        Rules::from_toml(text)
    };
    rules.map_err(|error| error.in_file(file))
}
