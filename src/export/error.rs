use std::{error::Error, fmt};

/// The error of an export or a flush.
///
/// [`Display`](fmt::Display) shows what failed. [`source`](Error::source) is the cause, if it
/// was set.
#[derive(Debug)]
#[non_exhaustive]
pub struct ExportError {
    what: String,
    permanent: bool,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl ExportError {
    /// Creates an error from a text about what failed.
    #[must_use]
    pub fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            permanent: false,
            source: None,
        }
    }

    /// Sets the cause. Default: none.
    #[must_use]
    pub fn with_source(self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            source: Some(source.into()),
            ..self
        }
    }

    /// Marks the error as permanent: [`Exporter::retry`](super::Exporter::retry) gives the
    /// exchange up instead of exporting it again.
    #[must_use]
    pub fn permanent(self) -> Self {
        Self {
            permanent: true,
            ..self
        }
    }

    pub(super) fn is_permanent(&self) -> bool {
        self.permanent
    }
}

impl fmt::Display for ExportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl Error for ExportError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_what_and_why() {
        let error = ExportError::new("writing a file").with_source(std::io::Error::other("full"));
        assert_eq!(error.to_string(), "writing a file");
        assert_eq!(error.source().unwrap().to_string(), "full");
        assert!(ExportError::new("x").source().is_none());
    }
}
