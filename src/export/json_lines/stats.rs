use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// The counters of a [`JsonLines`](super::JsonLines) since it was built.
///
/// Cheap to clone, and readable from any thread, also after the exporter was moved or
/// dropped. Each count is exact, but two calls do not read the same moment.
#[derive(Clone, Debug)]
pub struct JsonLinesStats(pub(super) Arc<Counters>);

impl JsonLinesStats {
    /// Returns how many exchanges were written.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.0.written.load(Ordering::Relaxed)
    }

    /// Returns how many attempts to write failed. An exchange that is held in memory may
    /// fail several times and be written in the end.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.0.failed.load(Ordering::Relaxed)
    }

    /// Returns how many exchanges were lost because they were too large or could not be
    /// serialised.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.0.refused.load(Ordering::Relaxed)
    }

    /// Returns how many exchanges were lost because newer ones took their place in memory
    /// while nothing could be written.
    #[must_use]
    pub fn dropped_from_ring(&self) -> u64 {
        self.0.dropped_from_ring.load(Ordering::Relaxed)
    }

    /// Returns how many exchanges are held in memory now.
    #[must_use]
    pub fn held(&self) -> u64 {
        self.0.held.load(Ordering::Relaxed)
    }

    /// Returns how many files were deleted because of their age or the total size.
    #[must_use]
    pub fn deleted_files(&self) -> u64 {
        self.0.deleted_files.load(Ordering::Relaxed)
    }

    /// Returns how many closed files were compressed.
    #[must_use]
    pub fn compressed_files(&self) -> u64 {
        self.0.compressed_files.load(Ordering::Relaxed)
    }

    /// Returns how many closed files could not be compressed. They stay uncompressed.
    #[must_use]
    pub fn failed_compressions(&self) -> u64 {
        self.0.failed_compressions.load(Ordering::Relaxed)
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
