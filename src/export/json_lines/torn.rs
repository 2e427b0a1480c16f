use crate::plain_file::NotRegular;
use std::{
    error::Error,
    fmt, io,
    path::{Path, PathBuf},
};

/// A place in a file where no exchange could be read.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Torn {
    /// The file.
    pub path: PathBuf,
    /// The line, from 1.
    pub line: u64,
    /// Where the line begins, in bytes from the start of the file.
    pub offset: u64,
    /// What is wrong with it.
    pub reason: TornReason,
}

impl Torn {
    pub(super) fn new(path: &Path, line: u64, offset: u64, reason: TornReason) -> Self {
        Self {
            path: path.to_owned(),
            line,
            offset,
            reason,
        }
    }

    /// Of a file that cannot be read at all.
    pub(crate) fn of_file(path: &Path, error: &io::Error) -> Self {
        Self::new(path, 0, 0, TornReason::of(error))
    }
}

/// What is wrong with a line.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum TornReason {
    /// The file ends within the line: its writer was stopped, or is writing
    /// it now.
    EndOfFile,
    /// It is not an exchange as JSON.
    InvalidJson {
        /// What the parser says, at most 500 characters of it.
        message: String,
    },
    /// It belongs to another format, or to another version of this one.
    UnknownSchema {
        /// What it says it is, at most 64 characters of it.
        schema: String,
    },
    /// It is longer than 16 MiB.
    TooLong,
    /// 64 MiB went by that are no line, blank, or longer than 16 MiB: the rest of the
    /// file is not read.
    NoLines,
    /// There is something under the file's name that is no regular file: a FIFO, a
    /// socket or a device, which could be read for ever, and was not opened.
    NotAFile,
    /// The file cannot be read from here on.
    Read(
        /// What kind of error that was.
        io::ErrorKind,
    ),
}

impl TornReason {
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
            TornReason::EndOfFile => f.write_str("the file ends within the line"),
            TornReason::InvalidJson { message } => write!(f, "not an exchange: {message}"),
            TornReason::UnknownSchema { schema } => write!(f, "unknown schema {schema:?}"),
            TornReason::NoLines => {
                f.write_str("no line of use in 64 MiB; the rest of the file is not read")
            }
            TornReason::NotAFile => f.write_str("not a regular file"),
            TornReason::TooLong => f.write_str("the line is too long"),
            TornReason::Read(kind) => write!(f, "cannot be read: {kind}"),
        }
    }
}

impl Error for Torn {}
