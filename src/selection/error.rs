use std::{fmt, path::PathBuf};

/// Rules, or a part of a rule such as its levels or a path, cannot be read.
///
/// It is the first error of a text; [`others`](Self::others) has one of each other rule.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct RulesError {
    /// The file, if the rules are in one.
    pub file: Option<PathBuf>,
    /// The line, counted from 1, if the text has lines.
    pub line: Option<usize>,
    /// The column, counted from 1: in characters for TOML, in bytes for JSON.
    pub column: Option<usize>,
    /// The field, such as `rule[0].when.method`; empty if the error is about the whole.
    pub field: String,
    /// What is wrong, or what was expected.
    pub message: String,
    others: Box<[Self]>,
}

impl RulesError {
    /// Creates an error without a place.
    pub(super) fn expected(message: impl Into<String>) -> Self {
        Self {
            file: None,
            line: None,
            column: None,
            field: String::new(),
            message: message.into(),
            others: Box::default(),
        }
    }

    /// Returns one error of each other rule, in the order of the rules, 99 at most. It is
    /// empty if the text is no TOML or JSON.
    #[must_use]
    pub fn others(&self) -> &[Self] {
        &self.others
    }
}

#[cfg(feature = "config")]
impl RulesError {
    pub(super) fn at(place: Option<(usize, usize)>, field: String, message: String) -> Self {
        Self {
            line: place.map(|(line, _)| line),
            column: place.map(|(_, column)| column),
            field,
            ..Self::expected(message)
        }
    }

    pub(super) fn and(self, others: Vec<Self>) -> Self {
        Self {
            others: others.into(),
            ..self
        }
    }

    pub(super) fn in_file(self, file: impl Into<PathBuf>) -> Self {
        let file = file.into();
        let others = self.others.into_iter();
        Self {
            others: others.map(|other| other.in_file(&file)).collect(),
            file: Some(file),
            ..self
        }
    }
}

/// How many errors of other rules the text shows.
const SHOWN: usize = 9;

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
        f.write_str(&self.message)?;
        for other in self.others.iter().take(SHOWN) {
            write!(f, "; {other}")?;
        }
        match self.others.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, "; and errors in {more} more rules"),
        }
    }
}

impl std::error::Error for RulesError {}
