use crate::plain_file::NotRegular;
use std::{
    error::Error,
    fmt, io,
    path::{Path, PathBuf},
};

/// A place in a file where no exchange could be read.
///
/// [`Display`](fmt::Display) shows the file, the line and the reason.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Torn {
    /// The file.
    pub path: PathBuf,
    /// The line, from 1; 0 if the file could not be opened.
    pub line: u64,
    /// The offset of the line in the file, in bytes.
    pub offset: u64,
    pub(super) reason: Reason,
}

impl Torn {
    pub(super) fn new(path: &Path, line: u64, offset: u64, reason: Reason) -> Self {
        Self {
            path: path.to_owned(),
            line,
            offset,
            reason,
        }
    }

    /// Of a file that cannot be read at all.
    pub(crate) fn of_file(path: &Path, error: &io::Error) -> Self {
        Self::new(path, 0, 0, Reason::of(error))
    }

    /// Returns whether the file ends within the line, because its writer was stopped or is
    /// writing the line now.
    #[must_use]
    pub fn is_unfinished(&self) -> bool {
        self.reason == Reason::EndOfFile
    }
}

/// What is wrong with a line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Reason {
    /// The file ends within the line.
    EndOfFile,
    /// The line is not an exchange as JSON.
    InvalidJson {
        /// The parser's message, at most 500 characters of it.
        message: String,
    },
    /// The line has another format, or another version of this one.
    UnknownSchema {
        /// At most 64 characters of the line's schema.
        schema: String,
    },
    /// The line is longer than 16 MiB.
    TooLong,
    /// 64 MiB held only lines that are blank or longer than 16 MiB: the rest of the file
    /// is not read.
    NoLines,
    /// The path is a FIFO, a socket or a device. Reading it could last for ever, so it was
    /// not opened.
    NotAFile,
    /// The file cannot be read from here on.
    Read(io::ErrorKind),
}

impl Reason {
    /// Why a file could not be read.
    pub(super) fn of(error: &io::Error) -> Self {
        match error.kind() {
            // Broken gzip has that kind, too.
            _ if error
                .get_ref()
                .is_some_and(<dyn Error + Send + Sync>::is::<NotRegular>) =>
            {
                Self::NotAFile
            }
            io::ErrorKind::FileTooLarge => Self::NoLines,
            kind => Self::Read(kind),
        }
    }
}

impl fmt::Display for Torn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.path.display(), self.line)?;
        match &self.reason {
            Reason::EndOfFile => f.write_str("the file ends within the line"),
            Reason::InvalidJson { message } => write!(f, "not an exchange: {message}"),
            Reason::UnknownSchema { schema } => write!(f, "unknown schema {schema:?}"),
            Reason::NoLines => {
                f.write_str("no line of use in 64 MiB; the rest of the file is not read")
            }
            Reason::NotAFile => f.write_str("not a regular file"),
            Reason::TooLong => f.write_str("the line is too long"),
            Reason::Read(kind) => write!(f, "cannot be read: {kind}"),
        }
    }
}

impl Error for Torn {}
