//! Writes exchanges to files with one JSON object per line, and reads them.
//!
//! # Files
//!
//! Files are named `exchanges-<time>-<process>-<number>.jsonl`, with the UTC time at which
//! they were begun (`20250102T030405.678Z`), so that they sort by time as long as the system
//! clock does not go back. A file belongs to the exporter that made it. Any number of
//! processes can use one directory. On Unix new files have mode 0600 and new directories mode
//! 0700.
//!
//! The exporter writes every exchange at once, as one line. If a process is killed or the
//! disk is full, a torn line can be left; it is always the last of its file. A line that lacks
//! only its newline counts as complete. If the disk was full just there, the next file has the
//! exchange once more, with the same ID.
//!
//! # Age and compression
//!
//! A file is closed when it is [too large](JsonLinesBuilder::max_file_bytes) or
//! [too old](JsonLinesBuilder::max_file_age), and deleted when it
//! [was not written to for long](JsonLinesBuilder::max_age).
//!
//! With the feature `compression` closed files can be compressed. Their names then end in
//! `.gz`; the readers read both. Each file is compressed by the exporter that made it, into a
//! hidden file that is renamed once it is complete. A crash at any moment leaves one readable
//! copy. Meanwhile the copy takes room beyond the total size.
//!
//! # Size
//!
//! Before a file is begun, the oldest files in the directory, by name, are deleted until a
//! whole new file fits into the [total size](JsonLinesBuilder::max_total_bytes) and there are
//! fewer than 10 000 files. Only regular files with exactly such a name count, and only those
//! are deleted. A file that another writer changed during the last minute is deleted only if
//! deleting all others is not enough; its writer notices (on Unix from the file itself, also
//! on network file systems that report it) and begins a new one. This protects at most half of
//! the total size, and no file whose time lies in the future.
//!
//! No file of this process is deleted to make room for foreign ones. Files of other users (on
//! Unix), and files larger than half of the total size that this process did not write, are
//! deleted first. Files of others that cannot be deleted do not count, and a warning names the
//! first of them. If the process cannot delete its own files, or more than 16 of its user's,
//! and they exceed the total size, nothing is written, and the error names one.
//!
//! Whoever may write to the directory can delete exchanges and take up the room for them. A
//! warning reports if that is its group, everybody, or an owner that is neither this process
//! nor root. The same holds for the directories above it, in which it could be replaced, unless
//! they are sticky.
//!
//! # Index
//!
//! A file of more than 64 KiB has an index beside it, `exchanges-….idx`. With it,
//! [`find::Search`](crate::find::Search) and the program `dashcam` read only the exchanges that
//! a search asks for. The index has the same mode, counts for the sizes, and is deleted with
//! its file. It is optional: if it is missing, torn or outdated, the file is read.
//!
//! The exporter rebuilds such an index if its file is not compressed, and if no process wrote
//! to the file since the exporter was built. This includes files of other processes and of
//! older versions. It does so while no exchange waits, 8 MiB of files a second, the newest
//! first, as long as the total size has room: no exchange is deleted for an index.
//!
//! # Failures
//!
//! While nothing can be written, the newest exchanges are held in memory, and
//! [`Health::Degraded`] has the reason. The exporter tries again after one second, then after
//! two, and so on up to 30. It writes what was held first, in order.

mod builder;
#[cfg(feature = "compression")]
mod compress;
mod entries;
mod follow;
mod index;
mod line;
mod lookup;
mod names;
mod reader;
mod rebuild;
mod retention;
mod split;
mod stats;
mod storage;
#[cfg(test)]
mod tests;
mod torn;
mod writer;

pub use self::{builder::JsonLinesBuilder, stats::JsonLinesStats, torn::Torn};

#[cfg(all(fuzzing, feature = "full"))]
pub(crate) use self::lookup::any_index;
pub(crate) use self::{
    follow::Follow,
    index::Entry,
    lookup::{Wanted, look, paths},
};
use self::{
    index::Mark,
    line::LineError,
    stats::{Counters, add},
    writer::Writer,
};
use super::{ExportError, Exporter, Health, held::Waiting};
use crate::exchange::Exchange;
use std::{
    fmt, io,
    iter::FusedIterator,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
};

/// The longest line, newline included, and the size of all lines held in memory.
const MAX_LINE: usize = 8 * 1024 * 1024;

/// The most bytes that the line buffer keeps between exchanges.
const KEPT_BUFFER: usize = 256 * 1024;

/// Writes exchanges to files in a directory, one JSON object per line.
///
/// The [module page](self) describes the files, their limits, and what happens while they
/// cannot be written.
///
/// ```no_run
/// use dashcam::export::JsonLines;
///
/// let exporter = JsonLines::builder("/var/log/orders/exchanges")
///     .max_total_bytes(64 * 1024 * 1024)
///     .build();
/// let stats = exporter.stats();
/// # let _ = (exporter, stats);
/// ```
pub struct JsonLines {
    writer: Writer,
    waiting: Waiting<(Vec<u8>, Option<Mark>)>,
    /// The line that is being written; empty between calls.
    line: Vec<u8>,
    /// The entry of the line in the index.
    mark: Option<Mark>,
    counters: Arc<Counters>,
}

impl JsonLines {
    /// Returns a builder for this directory. The exporter creates it if it is missing. A
    /// relative path is resolved when the exporter is built; an empty one is the current
    /// directory.
    pub fn builder(dir: impl Into<PathBuf>) -> JsonLinesBuilder {
        JsonLinesBuilder::new(dir.into())
    }

    /// Reads the exchanges that `JsonLines` wrote: those of all files in a directory, in the
    /// order of the files' names, or those of one file.
    ///
    /// The iterator reads each file up to its end at that time. It returns an error for
    /// each place that holds no exchange and continues behind it; it skips blank lines. In
    /// a directory it skips files that were deleted meanwhile, and returns an error with
    /// line 0 for a file that cannot be opened. With the feature `compression` it
    /// decompresses files whose names end in `.gz`. [`find::Search`](crate::find::Search)
    /// reads by conditions, and in the order of time.
    ///
    /// ```no_run
    /// use dashcam::export::JsonLines;
    ///
    /// for item in JsonLines::read("/var/log/orders/exchanges")? {
    ///     match item {
    ///         Ok(exchange) => println!("{} {}", exchange.id, exchange.outcome),
    ///         Err(torn) => eprintln!("skipped {torn}"),
    ///     }
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// - The directory cannot be listed, or the file cannot be opened.
    /// - [`InvalidInput`](io::ErrorKind::InvalidInput): the path is neither a directory nor a
    ///   regular file, nor a link to one. Reading it could last for ever.
    /// - [`Unsupported`](io::ErrorKind::Unsupported): the file is compressed, and the feature
    ///   `compression` is off.
    pub fn read(
        path: impl AsRef<Path>,
    ) -> io::Result<impl FusedIterator<Item = Result<Exchange, Torn>> + Send + Sync + fmt::Debug>
    {
        reader::read(path.as_ref())
    }

    /// Returns the counters, which stay readable after the exporter was moved or dropped.
    #[must_use]
    pub fn stats(&self) -> JsonLinesStats {
        JsonLinesStats(Arc::clone(&self.counters))
    }

    fn start(writer: Writer, max_held: usize, counters: Arc<Counters>) -> Self {
        let mut this = Self {
            writer,
            waiting: Waiting::new(max_held, MAX_LINE),
            line: Vec::new(),
            mark: None,
            counters,
        };
        if let Err(error) = this.writer.probe() {
            this.failed(&error);
        }
        this
    }

    /// Writes the line, or holds it.
    fn write_or_hold(&mut self) {
        if self.waiting.trouble().is_some() {
            self.hold();
            if self.waiting.is_due() {
                let _ = self.recover();
            }
            return;
        }
        match self.writer.write(&self.line, self.mark.as_ref()) {
            Ok(()) => add(&self.counters.written, 1),
            Err(error) => {
                self.hold();
                self.failed(&error);
            }
        }
    }

    fn hold(&mut self) {
        let (line, mark) = (self.line.clone(), self.mark);
        let bytes = line.len();
        self.waiting.push((line, mark), bytes);
        self.count_held();
    }

    /// Writes the lines that are held.
    fn recover(&mut self) -> io::Result<()> {
        let result = self.write_held();
        self.count_held();
        result.inspect_err(|error| self.failed(error))
    }

    fn write_held(&mut self) -> io::Result<()> {
        if self.waiting.len() == 0 {
            self.writer.probe()?;
        }
        self.waiting.hand_over(|(line, mark)| {
            self.writer.write(line, mark.as_ref())?;
            add(&self.counters.written, 1);
            Ok(())
        })
    }

    fn failed(&mut self, error: &io::Error) {
        add(&self.counters.failed, 1);
        let dir = self.writer.dir().display();
        // Nothing on the disk can be freed against these.
        let advice = match error.kind() {
            io::ErrorKind::PermissionDenied
            | io::ErrorKind::ReadOnlyFilesystem
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::AlreadyExists
            | io::ErrorKind::NotFound => {
                "; set DASHCAM_DIR or `.directory(…)` to a directory that the service may write to"
            }
            _ => "",
        };
        self.waiting
            .failed(format!("writing to {dir}: {error}{advice}"));
    }

    fn count_held(&self) {
        let Counters {
            held,
            dropped_from_ring,
            ..
        } = &*self.counters;
        held.store(self.waiting.len(), Ordering::Relaxed);
        dropped_from_ring.store(self.waiting.lost(), Ordering::Relaxed);
    }

    fn max_line(&self) -> usize {
        let possible = usize::try_from(self.writer.max_line()).unwrap_or(usize::MAX);
        MAX_LINE.min(possible)
    }
}

impl Exporter for JsonLines {
    /// Writes the exchange, or holds it in memory while nothing can be written.
    ///
    /// # Errors
    ///
    /// The exchange is longer than 8 MiB as a line, or, with its entry in the index (112
    /// bytes), than the total size.
    fn export(&mut self, exchange: &Exchange) -> Result<(), ExportError> {
        let max = self.max_line();
        let serialised = line::serialise(exchange, &mut self.line, max);
        let result = match serialised {
            Ok(()) => {
                self.mark = Mark::of(exchange);
                self.write_or_hold();
                Ok(())
            }
            Err(error) => {
                add(&self.counters.refused, 1);
                Err(match error {
                    LineError::TooLong => {
                        ExportError::new(format!("the exchange is longer than {max} bytes"))
                    }
                    LineError::Json(error) => {
                        ExportError::new("the exchange cannot be serialised").with_source(error)
                    }
                })
            }
        };
        self.line.clear();
        self.line.shrink_to(KEPT_BUFFER);
        result
    }

    /// Tries at once to write what is held, and syncs the file that was written last to the
    /// device.
    fn flush(&mut self) -> Result<(), ExportError> {
        if self.waiting.trouble().is_some() {
            self.recover().map_err(|error| {
                ExportError::new("exchanges are held in memory").with_source(error)
            })?;
        }
        self.writer.sync().map_err(|error| {
            ExportError::new("cannot sync a file to the device").with_source(error)
        })
    }

    fn health(&self) -> Health {
        match self.waiting.trouble() {
            None => Health::Ok,
            Some(why) => Health::Degraded {
                why: why.to_owned(),
            },
        }
    }

    fn held(&self) -> u64 {
        self.waiting.len()
    }

    fn lost(&self) -> u64 {
        self.waiting.lost()
    }

    fn directory(&self) -> Option<PathBuf> {
        Some(self.writer.dir().to_owned())
    }

    fn warnings(&self) -> Vec<String> {
        self.writer.warnings()
    }

    fn tick(&mut self) {
        if self.waiting.is_due() {
            let _ = self.recover();
        }
        // A file that cannot be deleted now is tried again, and reported if it takes needed
        // room.
        let _ = self.writer.tick();
    }

    fn idle(&mut self) -> bool {
        self.waiting.trouble().is_none() && self.writer.idle()
    }
}

impl fmt::Debug for JsonLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonLines")
            .field("dir", &self.writer.dir())
            .field("health", &self.health())
            .field("stats", &self.counters)
            .finish_non_exhaustive()
    }
}
