//! Whether this thread writes the last output of a process that ends.

use std::cell::Cell;

thread_local! {
    static HELPS: Cell<bool> = const { Cell::new(false) };
}

/// Marks this thread as one that writes the last output.
pub(crate) fn help() {
    HELPS.set(true);
}

/// Returns whether the log lines of this thread are the last of the process.
pub(crate) fn helps() -> bool {
    HELPS.try_with(Cell::get).unwrap_or(false)
}
