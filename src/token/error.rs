use crate::selection::RulesError;
use std::{borrow::Cow, fmt};

/// A key, a token, or a setting of these cannot be used. The text says what was expected, and
/// shows no part of a key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TokenError(Cow<'static, str>);

impl TokenError {
    pub(super) const fn new(text: &'static str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

impl From<RulesError> for TokenError {
    fn from(error: RulesError) -> Self {
        Self(error.to_string().into())
    }
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TokenError {}
