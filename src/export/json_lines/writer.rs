use super::{
    names,
    retention::Retention,
    stats::Counters,
    storage::{Storage, Target},
};
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// How often a line is written anew when its file is deleted meanwhile, and
/// how many names are tried for a new file.
const ATTEMPTS: usize = 3;
const NAMES: usize = 100;

/// Writes lines to one file after the other.
pub(super) struct Writer {
    dir: PathBuf,
    max_file: u64,
    retention: Retention,
    storage: Box<dyn Storage>,
    counters: Arc<Counters>,
    current: Option<Current>,
}

struct Current {
    target: Box<dyn Target>,
    path: PathBuf,
    bytes: u64,
}

impl Writer {
    /// At least two files fit into the total, so that a new file never costs
    /// all old ones.
    pub(super) fn new(
        dir: PathBuf,
        max_file: u64,
        max_total: u64,
        storage: Box<dyn Storage>,
        counters: Arc<Counters>,
    ) -> Self {
        Self {
            dir,
            max_file: max_file.min(max_total / 2),
            retention: Retention::new(max_total),
            storage,
            counters,
            current: None,
        }
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The longest line that can be written at all.
    pub(super) fn max_line(&self) -> u64 {
        self.retention.max_total()
    }

    /// Shows whether files can be made.
    pub(super) fn probe(&self) -> io::Result<()> {
        self.storage.make_dir(&self.dir)?;
        let path = self.dir.join(names::probe());
        drop(self.storage.create(&path)?);
        fs::remove_file(path)
    }

    /// Writes one line, which ends with a newline. After an error the next
    /// line goes to a new file, so that a part of this line is the last thing
    /// in its file.
    pub(super) fn write(&mut self, line: &[u8]) -> io::Result<()> {
        let length = u64::try_from(line.len()).unwrap_or(u64::MAX);
        for _ in 0..ATTEMPTS {
            let mut current = match self.current.take() {
                Some(current) if current.bytes.saturating_add(length) <= self.max_file => current,
                _ => self.open(length)?,
            };
            if let Err(error) = current.target.append(line) {
                if current.bytes == 0 {
                    // It has no complete line; leaving it there would leave
                    // one more with every attempt.
                    drop(current.target);
                    let _ = fs::remove_file(current.path);
                }
                return Err(error);
            }
            // Looked at after writing, so that no line goes unnoticed into a
            // file that somebody deleted, whether before or meanwhile.
            if current.target.is_gone() {
                continue;
            }
            current.bytes = current.bytes.saturating_add(length);
            self.current = Some(current);
            return Ok(());
        }
        Err(io::Error::other("its files are deleted while it writes"))
    }

    /// Brings the current file to the device.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        let Some(mut current) = self.current.take() else {
            return Ok(());
        };
        current.target.sync()?;
        self.current = Some(current);
        Ok(())
    }

    fn open(&mut self, length: u64) -> io::Result<Current> {
        self.storage.make_dir(&self.dir)?;
        let needed = self.max_file.max(length);
        self.retention
            .make_room(&self.dir, needed, &self.counters)?;
        let mut failure = None;
        for _ in 0..NAMES {
            let name = names::next();
            let path = self.dir.join(&name);
            match self.storage.create(&path) {
                Ok(target) => {
                    self.retention.made(name);
                    return Ok(Current {
                        target,
                        path,
                        bytes: 0,
                    });
                }
                // A process with the same ID on another machine or in another
                // container has this name.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => failure = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(failure.unwrap_or_else(|| io::Error::other("no name for a file")))
    }
}
