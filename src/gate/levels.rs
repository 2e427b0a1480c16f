//! The most verbose level that can be wanted, over the whole process.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU8, Ordering::SeqCst},
};
use tracing::level_filters::LevelFilter;

static INSTALLED: AtomicBool = AtomicBool::new(false);
static LIVE: AtomicU8 = AtomicU8::new(0);

/// Whether a gate was put into a subscriber of this process.
pub(crate) fn installed() -> bool {
    INSTALLED.load(SeqCst)
}

pub(super) fn set_installed() {
    INSTALLED.store(true, SeqCst);
}

const LEVELS: [LevelFilter; 6] = [
    LevelFilter::OFF,
    LevelFilter::ERROR,
    LevelFilter::WARN,
    LevelFilter::INFO,
    LevelFilter::DEBUG,
    LevelFilter::TRACE,
];

/// The most verbose level that live requests may ask for.
pub(super) fn live() -> LevelFilter {
    LEVELS
        .get(usize::from(LIVE.load(SeqCst)))
        .copied()
        .unwrap_or(LevelFilter::TRACE)
}

/// Makes room for live requests at this level.
pub(crate) fn raise_live(level: LevelFilter) {
    // Rebuilding from two threads at once can leave stale answers behind.
    static REBUILD: Mutex<()> = Mutex::new(());
    let index = LEVELS.iter().position(|l| *l == level).unwrap_or(0);
    let index = u8::try_from(index).unwrap_or(0);
    let _one_at_a_time = REBUILD.lock().unwrap_or_else(PoisonError::into_inner);
    if LIVE.fetch_max(index, SeqCst) < index && installed() {
        tracing::callsite::rebuild_interest_cache();
    }
}
