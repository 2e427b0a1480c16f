//! The most verbose level that any request of the process can need, and its changes.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicU8, Ordering::SeqCst},
};
use tracing::{Dispatch, dispatcher::WeakDispatch, level_filters::LevelFilter};

/// Makes a subscriber adopt a new level. The argument is the previous level of `tracing`.
pub(crate) type Follow = fn(&Dispatch, LevelFilter);

static INSTALLED: AtomicBool = AtomicBool::new(false);
/// The subscribers that have a gate.
static GATES: Mutex<Vec<(WeakDispatch, Follow)>> = Mutex::new(Vec::new());
static LIVE: AtomicU8 = AtomicU8::new(0);

/// Returns whether a subscriber of this process has a gate.
pub(crate) fn installed() -> bool {
    INSTALLED.load(SeqCst)
}

/// Registers a subscriber that has a gate.
pub(crate) fn install(dispatch: &Dispatch, follow: Follow) {
    INSTALLED.store(true, SeqCst);
    let mut gates = lock(&GATES);
    let alive: Vec<_> = gates.iter().filter_map(upgrade).collect();
    *gates = alive
        .iter()
        .map(|(gate, f)| (gate.downgrade(), *f))
        .collect();
    gates.push((dispatch.downgrade(), follow));
    // Before `alive`: what it alone keeps may run foreign destructors.
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

/// The most verbose level that live requests can need.
pub(crate) fn live() -> LevelFilter {
    LEVELS
        .get(usize::from(LIVE.load(SeqCst)))
        .copied()
        .unwrap_or(LevelFilter::TRACE)
}

/// Allows live requests at this level. The level is never lowered: services clone and drop
/// layers with rules, and a layer in use must not lose its level because another one is
/// dropped.
pub(crate) fn raise_live(level: LevelFilter) {
    let index = LEVELS.iter().position(|l| *l == level).unwrap_or(0);
    let index = u8::try_from(index).unwrap_or(0);
    if LIVE.load(SeqCst) < index {
        change(|| LIVE.fetch_max(index, SeqCst) < index);
    }
}

/// Changes the data of the gates' level hints. If `apply` returns that a hint differs,
/// `tracing` adopts it, and so does the `log` crate if it is bridged to a gate. A gate's
/// answers about callsites never change.
pub(crate) fn change(apply: impl FnOnce() -> bool) {
    // Two concurrent changes could combine the level of one with the directives of the
    // other.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    // Dropped after the lock: it may be the last reference to its subscriber.
    let gate;
    let _one_at_a_time = lock(&ONE_AT_A_TIME);
    let before = LevelFilter::current();
    if !apply() {
        return;
    }
    gate = any_gate();
    let Some((gate, follow)) = &gate else {
        // A gate reads the hint when it is installed.
        return;
    };
    follow(gate, before);
}
