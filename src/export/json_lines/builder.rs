use super::{
    JsonLines,
    stats::Counters,
    storage::{Disk, Storage},
    writer::{Rotation, Writer},
};
use std::{path::PathBuf, sync::Arc, time::Duration};

const MIB: u64 = 1024 * 1024;

/// Builds a [`JsonLines`].
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

    /// Sets the size in bytes, with the index, at which a file is closed and a new one begun.
    /// Default: 16 MiB; at most half of [`max_total_bytes`](Self::max_total_bytes). A larger
    /// exchange has a file of its own.
    pub fn max_file_bytes(mut self, bytes: u64) -> Self {
        self.max_file_bytes = bytes;
        self
    }

    /// Sets the total size in bytes of all exchange files in the directory, including indexes
    /// and the files of other processes and of earlier runs. Default: 256 MiB.
    ///
    /// The oldest files are deleted before a file is begun, to make room for a whole one. So
    /// one process alone never exceeds this size. Each of several processes that share the
    /// directory may exceed it by the file that it is writing.
    pub fn max_total_bytes(mut self, bytes: u64) -> Self {
        self.max_total_bytes = bytes;
        self
    }

    /// Sets how long after its beginning a file is closed, even if nothing is written.
    /// Default: 24 hours; at least a second.
    pub fn max_file_age(mut self, age: Duration) -> Self {
        self.max_file_age = age.max(Duration::from_secs(1));
        self
    }

    /// Sets how long after their last write files are deleted, including those of other
    /// processes and of earlier runs. Default: never. They are deleted when a file is begun,
    /// and once a minute. While such a process runs, an exchange is kept for at most this time
    /// and [`max_file_age`](Self::max_file_age) together.
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }

    /// Sets whether files are compressed with gzip once they are closed. Default: `false`. The
    /// exporter's thread does that, in some 100 ms for a file of 16 MiB. The file that is open
    /// when the process ends stays uncompressed.
    #[cfg(feature = "compression")]
    pub fn compress(mut self, compress: bool) -> Self {
        self.compress = compress;
        self
    }

    /// Sets how many of the newest exchanges are held in memory while nothing can be written.
    /// Default: 64; at least 1, and at most 8 MiB of JSON.
    pub fn max_held(mut self, exchanges: usize) -> Self {
        self.max_held = exchanges;
        self
    }

    /// Builds the exporter. It creates the directory if it is missing, and tests it with a file
    /// that it deletes again. If that fails, the exporter starts as
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
