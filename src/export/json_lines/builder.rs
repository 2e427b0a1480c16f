use super::{
    JsonLines,
    ring::Ring,
    stats::Counters,
    storage::{Disk, Storage},
    writer::Writer,
};
use std::{path::PathBuf, sync::Arc};

const MIB: u64 = 1024 * 1024;

/// Settings of a [`JsonLines`].
#[derive(Clone, Debug)]
#[must_use = "does nothing until `build` is called"]
pub struct JsonLinesBuilder {
    dir: PathBuf,
    max_file_bytes: u64,
    max_total_bytes: u64,
    max_held: usize,
}

impl JsonLinesBuilder {
    pub(super) fn new(dir: PathBuf) -> Self {
        Self {
            dir,
            max_file_bytes: 16 * MIB,
            max_total_bytes: 256 * MIB,
            max_held: 64,
        }
    }

    /// A file that would grow over this size is closed and a new one begun;
    /// 16 MiB by default, and never more than half of
    /// [`max_total_bytes`](Self::max_total_bytes). A larger exchange gets a
    /// file of its own.
    pub fn max_file_bytes(mut self, bytes: u64) -> Self {
        self.max_file_bytes = bytes;
        self
    }

    /// The size of all exchange files in the directory together, those of
    /// other processes and of earlier runs included; 256 MiB by default.
    ///
    /// Room for a whole file is made before a file is begun, by deleting the
    /// oldest. So one process alone never exceeds this size; where several
    /// share the directory each may exceed it by the file it is writing.
    pub fn max_total_bytes(mut self, bytes: u64) -> Self {
        self.max_total_bytes = bytes;
        self
    }

    /// How many exchanges are held in memory while nothing can be written; 64
    /// by default, at least 1, and never more than 8 MiB of text. The newest
    /// are held.
    pub fn max_held(mut self, exchanges: usize) -> Self {
        self.max_held = exchanges;
        self
    }

    /// The exporter. Makes the directory, where missing, and tries to make a
    /// file in it. Where that fails the exporter begins as
    /// [degraded](crate::export::Health::Degraded) and tries again later.
    #[must_use]
    pub fn build(self) -> JsonLines {
        self.build_on(Box::new(Disk))
    }

    pub(super) fn build_on(self, storage: Box<dyn Storage>) -> JsonLines {
        let counters = Arc::new(Counters::default());
        let writer = Writer::new(
            self.dir,
            self.max_file_bytes,
            self.max_total_bytes,
            storage,
            Arc::clone(&counters),
        );
        let ring = Ring::new(self.max_held, super::MAX_LINE);
        JsonLines::start(writer, ring, counters)
    }
}
