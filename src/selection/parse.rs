//! Rules as text.

use super::{Rule, Rules, RulesError, model::TIME};
use std::ops::Range;

impl Rules {
    /// Reads rules as TOML, which `docs/rules.md` describes.
    ///
    /// # Errors
    ///
    /// The text cannot be read; the error has the place.
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
            let others = others_in_toml(text, &field);
            let message = match span.as_ref().filter(|_| field.is_empty()) {
                Some(span) if is_time(text, span.start) => TIME,
                _ => error.message(),
            };
            RulesError::at(at(span), field, message.to_owned()).and(others)
        })
    }

    /// Reads rules as JSON of the same form.
    ///
    /// # Errors
    ///
    /// The text cannot be read; the error has the place.
    pub fn from_json(text: &str) -> Result<Self, RulesError> {
        // A byte order mark, which some editors write, and TOML allows.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut from = serde_json::Deserializer::from_str(text);
        let at =
            |error: &serde_json::Error| (error.line() > 0).then(|| (error.line(), error.column()));
        let rules = serde_path_to_error::deserialize(&mut from).map_err(|error| {
            let field = field(error.path());
            let error = error.into_inner();
            let value = serde_json::from_str(text).unwrap_or_default();
            let others = others_in_json(&value, &field);
            RulesError::at(at(&error), field, without_position(&error)).and(others)
        })?;
        from.end()
            .map_err(|error| RulesError::at(at(&error), String::new(), without_position(&error)))?;
        Ok(rules)
    }

    /// Reads rules as a JSON value of the same form.
    ///
    /// # Errors
    ///
    /// The value cannot be read; the error has the field.
    pub fn from_json_value(value: &serde_json::Value) -> Result<Self, RulesError> {
        serde_path_to_error::deserialize(value).map_err(|error| {
            let field = field(error.path());
            let others = others_in_json(value, &field);
            RulesError::at(None, field, error.into_inner().to_string()).and(others)
        })
    }
}

/// Whether this is the place of a time. A word there is no TOML, so the parser does not know
/// what was expected.
fn is_time(text: &str, at: usize) -> bool {
    let before = text.get(..at).unwrap_or_default();
    let entry = before.rsplit(['\n', '{', ',']).next().unwrap_or_default();
    let key = entry.split_once('=').map(|(key, _)| key.trim());
    matches!(key, Some("expires" | "from"))
}

/// The most errors of other rules.
const MOST: usize = 99;

/// Whether a rule is not the one that the first error is about.
fn is_other(first: &str, index: usize) -> bool {
    let rest = first.strip_prefix(&format!("rule[{index}]"));
    !rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn inner(index: usize, path: &serde_path_to_error::Path) -> String {
    let rule = format!("rule[{index}]");
    match field(path) {
        path if path.is_empty() => rule,
        path => rule + "." + &path,
    }
}

fn others_in_toml(text: &str, first: &str) -> Vec<RulesError> {
    let Ok(document) = toml::de::DeTable::parse(text) else {
        return Vec::new();
    };
    let rules = document.get_ref().get("rule");
    let rules = rules.and_then(|rules| rules.get_ref().as_array());
    let error = |(index, rule): (usize, &toml::Spanned<toml::de::DeValue<'_>>)| {
        let from = toml::de::ValueDeserializer::from(rule.clone());
        let error = serde_path_to_error::deserialize::<_, Rule>(from).err()?;
        let field = inner(index, error.path());
        let error = error.into_inner();
        let whole = field.ends_with(']').then(|| rule.span());
        let span = whole.or_else(|| error.span());
        let at = span.map(|span| position(text, span.start));
        Some(RulesError::at(at, field, error.message().to_owned()))
    };
    let rules = rules.into_iter().flatten().enumerate();
    let others = rules.filter(|(index, _)| is_other(first, *index));
    others.filter_map(error).take(MOST).collect()
}

fn others_in_json(value: &serde_json::Value, first: &str) -> Vec<RulesError> {
    let rules = value.get("rule").and_then(|rules| rules.as_array());
    let error = |(index, rule): (usize, &serde_json::Value)| {
        let error = serde_path_to_error::deserialize::<_, Rule>(rule).err()?;
        let field = inner(index, error.path());
        Some(RulesError::at(None, field, error.into_inner().to_string()))
    };
    let rules = rules.into_iter().flatten().enumerate();
    let others = rules.filter(|(index, _)| is_other(first, *index));
    others.filter_map(error).take(MOST).collect()
}

/// Returns the place of a rule that is wrong as a whole; the parser knows that of the list.
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

/// Returns the path without its marks of unknown places.
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

/// Reads TOML or JSON, by the name of the file.
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
