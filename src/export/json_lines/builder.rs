use super::{
    JsonLines,
    stats::Counters,
    storage::{Disk, Storage},
    writer::{Rotation, Writer},
};
use std::{path::PathBuf, sync::Arc, time::Duration};

const MIB: u64 = 1024 * 1024;

/// Settings of a [`JsonLines`].
#[derive(Clone, Debug)]
#[must_use = "does nothing until `build` is called"]
pub struct JsonLinesBuilder {
    dir: PathBuf,
    max_file_bytes: u64,
    max_total_bytes: u64,
    max_held: usize,
    max_file_age: Duration,
    max_age: Option<Duration>,
    #[cfg(feature = "compression")]
    compress: bool,
}

impl JsonLinesBuilder {
    pub(super) fn new(dir: PathBuf) -> Self {
        Self {
            dir,
            max_file_bytes: 16 * MIB,
            max_total_bytes: 256 * MIB,
            max_held: 64,
            max_file_age: Duration::from_secs(24 * 60 * 60),
            max_age: None,
            #[cfg(feature = "compression")]
            compress: false,
        }
    }

    /// A file that would grow over this size, with its index, is closed and a new one
    /// begun; 16 MiB by default, and never more than half of
    /// [`max_total_bytes`](Self::max_total_bytes). A larger exchange gets a
    /// file of its own.
    pub fn max_file_bytes(mut self, bytes: u64) -> Self {
        self.max_file_bytes = bytes;
        self
    }

    /// The size of all exchange files in the directory together, those of
    /// other processes and of earlier runs and the indexes included; 256 MiB by default.
    ///
    /// Room for a whole file is made before a file is begun, by deleting the
    /// oldest. So one process alone never exceeds this size; where several
    /// share the directory each may exceed it by the file it is writing.
    pub fn max_total_bytes(mut self, bytes: u64) -> Self {
        self.max_total_bytes = bytes;
        self
    }

    /// A file is closed so long after it was begun, also where nothing is
    /// written; 24 hours by default, at least a second.
    pub fn max_file_age(mut self, age: Duration) -> Self {
        self.max_file_age = age.max(Duration::from_secs(1));
        self
    }

    /// Deletes files that were written to last so long ago, those of other
    /// processes and of earlier runs included; never by default. They are looked
    /// for whenever a file is begun, and once a minute. An exchange is there for
    /// this time and [`max_file_age`](Self::max_file_age) at most, where a process
    /// runs that deletes it.
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }

    /// Compresses files with gzip once they are closed; not by default. Happens on
    /// the exporter's thread, some 100 ms for a file of 16 MiB. The file that is
    /// open when the process ends stays as it is.
    #[cfg(feature = "compression")]
    pub fn compress(mut self, compress: bool) -> Self {
        self.compress = compress;
        self
    }

    /// How many exchanges are held in memory while nothing can be written; 64
    /// by default, at least 1, and never more than 8 MiB of text. The newest
    /// are held.
    pub fn max_held(mut self, exchanges: usize) -> Self {
        self.max_held = exchanges;
        self
    }

    /// The exporter. Makes the directory, where missing, and tries to write a
    /// file in it, which it deletes again. Where that fails the exporter begins as
    /// [degraded](crate::export::Health::Degraded) and tries again later.
    #[must_use]
    pub fn build(self) -> JsonLines {
        self.build_on(Box::new(Disk))
    }

    pub(super) fn build_on(self, storage: Box<dyn Storage>) -> JsonLines {
        let counters = Arc::new(Counters::default());
        let rotation = Rotation {
            max_file: self.max_file_bytes,
            max_file_age: self.max_file_age,
            max_total: self.max_total_bytes,
            max_age: self.max_age,
            #[cfg(feature = "compression")]
            compress: self.compress,
        };
        let writer = Writer::new(self.dir, &rotation, storage, Arc::clone(&counters));
        JsonLines::start(writer, self.max_held, counters)
    }
}
