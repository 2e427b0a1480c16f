use std::{error, fmt};

/// Why a [`Policy`](super::Policy) could not be made.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum PolicyError {
    /// The key has fewer than 16 bytes.
    KeyTooShort {
        /// The bytes it has.
        length: usize,
    },
    /// A field of the model, or the text it was read from, is wrong.
    Invalid {
        /// The line in the text, counted from 1, where there is one.
        line: Option<usize>,
        /// The field, such as `headers.x-tenant`; empty where it is the whole.
        field: String,
        /// What is wrong, or what was expected.
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
                write!(f, "the key has {length} bytes and needs at least {least}")
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
