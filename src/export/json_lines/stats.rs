use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// What a [`JsonLines`](super::JsonLines) did since it was built.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct JsonLinesStats {
    /// Exchanges written.
    pub written: u64,
    /// Attempts to write that failed. An exchange kept in memory may fail
    /// several times and be written in the end.
    pub failed: u64,
    /// Exchanges lost because they were too large, or could not be serialised.
    pub refused: u64,
    /// Exchanges lost because newer ones needed their place in memory while
    /// nothing could be written.
    pub dropped_from_ring: u64,
    /// Exchanges in memory now, waiting to be written.
    pub held: u64,
    /// Files deleted because of their age, or to stay within the total size.
    pub deleted_files: u64,
    /// Closed files that were compressed.
    pub compressed_files: u64,
    /// Closed files that could not be compressed, and stay as they are.
    pub failed_compressions: u64,
}

/// Reads the counters of a [`JsonLines`](super::JsonLines) from anywhere, also
/// after it was given away or dropped. Cheap to clone.
#[derive(Clone, Debug)]
pub struct JsonLinesStatsHandle(pub(super) Arc<Counters>);

impl JsonLinesStatsHandle {
    /// The counters now. Each is exact; together they are not one moment's.
    #[must_use]
    pub fn get(&self) -> JsonLinesStats {
        let Counters {
            written,
            failed,
            refused,
            dropped_from_ring,
            held,
            deleted_files,
            compressed_files,
            failed_compressions,
        } = &*self.0;
        JsonLinesStats {
            written: written.load(Ordering::Relaxed),
            failed: failed.load(Ordering::Relaxed),
            refused: refused.load(Ordering::Relaxed),
            dropped_from_ring: dropped_from_ring.load(Ordering::Relaxed),
            held: held.load(Ordering::Relaxed),
            deleted_files: deleted_files.load(Ordering::Relaxed),
            compressed_files: compressed_files.load(Ordering::Relaxed),
            failed_compressions: failed_compressions.load(Ordering::Relaxed),
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) written: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) dropped_from_ring: AtomicU64,
    pub(super) held: AtomicU64,
    pub(super) deleted_files: AtomicU64,
    pub(super) compressed_files: AtomicU64,
    pub(super) failed_compressions: AtomicU64,
}

pub(super) fn add(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Ordering::Relaxed);
}
