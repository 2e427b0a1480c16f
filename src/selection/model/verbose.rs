use super::{RulesError, serde_as_text};
use crate::selection::Directives;
use std::{fmt, str::FromStr};
use tracing::level_filters::LevelFilter;

/// Directives, with their text.
#[derive(Clone, Debug)]
pub(in crate::selection) struct Verbose {
    text: String,
    directives: Directives,
}

impl Verbose {
    pub(super) fn new(text: &str) -> Result<Self, RulesError> {
        Ok(Self {
            text: text.to_owned(),
            directives: text.parse()?,
        })
    }

    pub(in crate::selection) fn directives(&self) -> &Directives {
        &self.directives
    }
}

impl Default for Verbose {
    fn default() -> Self {
        Self {
            text: "debug".to_owned(),
            directives: Directives::level(LevelFilter::DEBUG),
        }
    }
}

impl PartialEq for Verbose {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl FromStr for Verbose {
    type Err = RulesError;

    fn from_str(text: &str) -> Result<Self, RulesError> {
        Self::new(text)
    }
}

impl fmt::Display for Verbose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

serde_as_text!(Verbose, "a level or a list such as `info,my_service=trace`");
