//! The most verbose level that can be wanted, over the whole process, and how
//! it changes.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicU8, Ordering::SeqCst},
};
use tracing::{Dispatch, dispatcher::WeakDispatch, level_filters::LevelFilter};

/// Makes a subscriber take over another level, and is told what the level of `tracing` was.
pub(crate) type Follow = fn(&Dispatch, LevelFilter);

static INSTALLED: AtomicBool = AtomicBool::new(false);
/// The subscribers that have a gate.
static GATES: Mutex<Vec<(WeakDispatch, Follow)>> = Mutex::new(Vec::new());
static LIVE: AtomicU8 = AtomicU8::new(0);

/// Whether a gate was put into a subscriber of this process.
pub(crate) fn installed() -> bool {
    INSTALLED.load(SeqCst)
}

/// Notes that this subscriber has a gate.
pub(crate) fn install(dispatch: &Dispatch, follow: Follow) {
    INSTALLED.store(true, SeqCst);
    let mut gates = lock(&GATES);
    let alive: Vec<_> = gates.iter().filter_map(upgrade).collect();
    *gates = alive
        .iter()
        .map(|(gate, f)| (gate.downgrade(), *f))
        .collect();
    gates.push((dispatch.downgrade(), follow));
    // Before `alive`: what only that keeps has destructors of others.
    drop(gates);
}

fn any_gate() -> Option<(Dispatch, Follow)> {
    lock(&GATES).iter().find_map(upgrade)
}

fn upgrade((gate, follow): &(WeakDispatch, Follow)) -> Option<(Dispatch, Follow)> {
    Some((gate.upgrade()?, *follow))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
pub(crate) fn live() -> LevelFilter {
    LEVELS
        .get(usize::from(LIVE.load(SeqCst)))
        .copied()
        .unwrap_or(LevelFilter::TRACE)
}

/// Makes room for live requests at this level. It never goes down again: rules
/// are in layers that services clone and drop at will, and one that is still in
/// use must not lose its level to one that is gone.
pub(crate) fn raise_live(level: LevelFilter) {
    let index = LEVELS.iter().position(|l| *l == level).unwrap_or(0);
    let index = u8::try_from(index).unwrap_or(0);
    if LIVE.load(SeqCst) < index {
        change(|| LIVE.fetch_max(index, SeqCst) < index);
    }
}

/// Changes what the gates' level hints are made of. Where a hint differs then, as
/// `apply` says, `tracing`, and the `log` crate where it is bridged to a gate,
/// take it over; a gate's answers about callsites are the same at any time.
pub(crate) fn change(apply: impl FnOnce() -> bool) {
    // Two changes at once could leave the level of the one with the other's
    // directives.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    // Dropped after the lock, because it may be the last of its subscriber.
    let gate;
    let _one_at_a_time = lock(&ONE_AT_A_TIME);
    let before = LevelFilter::current();
    if !apply() {
        return;
    }
    gate = any_gate();
    let Some((gate, follow)) = &gate else {
        // The hint is read when a gate is installed.
        return;
    };
    follow(gate, before);
}
