//! Whether this thread writes what a process leaves that ends.

use std::cell::Cell;

thread_local! {
    static HELPS: Cell<bool> = const { Cell::new(false) };
}

/// From now on this thread writes what is last.
pub(crate) fn help() {
    HELPS.set(true);
}

/// Whether what this thread says is the last of the process.
pub(crate) fn helps() -> bool {
    HELPS.try_with(Cell::get).unwrap_or(false)
}
