use std::{error, fmt};

/// A [`Policy`](super::Policy) is invalid.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum PolicyError {
    /// The key has fewer than 16 bytes.
    KeyTooShort {
        /// Its length in bytes.
        length: usize,
    },
    /// An entry of the policy, or the text that it is parsed from, is invalid.
    Invalid {
        /// The line in the text, counted from 1, if there is a text.
        line: Option<usize>,
        /// The entry, such as `headers.x-tenant`; empty if it is the whole text.
        field: String,
        /// What is wrong, or what is expected.
        message: String,
    },
}

impl PolicyError {
    pub(super) fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid {
            line: None,
            field: field.into(),
            message: message.into(),
        }
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeyTooShort { length } => {
                let least = super::KEY;
                write!(f, "the key has {length} bytes; it needs at least {least}")
            }
            Self::Invalid {
                line,
                field,
                message,
            } => {
                if let Some(line) = line {
                    write!(f, "line {line}: ")?;
                }
                if !field.is_empty() {
                    write!(f, "{field}: ")?;
                }
                f.write_str(message)
            }
        }
    }
}

impl error::Error for PolicyError {}
