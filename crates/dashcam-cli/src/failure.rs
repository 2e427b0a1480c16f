use std::io;

/// Why a command failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The reader closed standard output.
    Closed,
    /// The reason, and what to do.
    Cannot(String),
}

impl Failure {
    pub(super) fn cannot(why: impl Into<String>) -> Self {
        Self::Cannot(why.into())
    }
}

/// An error of writing to standard output.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::Closed
        } else {
            Self::Cannot(format!("cannot write to standard output: {error}"))
        }
    }
}
