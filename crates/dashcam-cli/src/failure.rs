use std::io;

/// Why a command could not be done.
#[derive(Debug)]
pub(super) enum Failure {
    /// Nobody reads standard output any more.
    Closed,
    /// In a sentence that says what to do.
    Cannot(String),
}

impl Failure {
    pub(super) fn cannot(why: impl Into<String>) -> Self {
        Self::Cannot(why.into())
    }
}

/// Of writing to standard output.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::Closed
        } else {
            Self::Cannot(format!("standard output cannot be written: {error}"))
        }
    }
}
