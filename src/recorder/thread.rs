//! The thread and the task that an event comes from.

use std::{
    cell::Cell,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    thread::{self, Thread},
};

thread_local! {
    /// This thread's number, or 0 before it has one.
    static NUMBER: Cell<u32> = const { Cell::new(0) };
}

/// Returns a number that only this thread has: it is cheaper to compare than the thread itself.
fn number() -> u32 {
    static LAST: AtomicU32 = AtomicU32::new(0);
    NUMBER
        .try_with(|number| {
            if number.get() == 0 {
                number.set(LAST.fetch_add(1, Relaxed).wrapping_add(1));
            }
            number.get()
        })
        .unwrap_or(0)
}

/// The threads that a recording's events come from.
#[derive(Clone, Debug, Default)]
pub(super) struct Threads(Vec<(u32, Thread)>);

impl Threads {
    const MOST: usize = 64;

    /// Returns the index of this thread; one without an entry if there are too many.
    pub(super) fn current(&mut self) -> u16 {
        let number = number();
        let at = self.0.iter().rposition(|(known, _)| *known == number);
        let at = at.unwrap_or_else(|| {
            if self.0.len() < Self::MOST {
                // `current` works even while the thread ends.
                self.0.push((number, thread::current()));
                self.0.len() - 1
            } else {
                Self::MOST
            }
        });
        u16::try_from(at).unwrap_or(u16::MAX)
    }

    pub(super) fn get(&self, index: u16) -> Option<&Thread> {
        self.0.get(usize::from(index)).map(|(_, thread)| thread)
    }

    pub(super) fn reset(&mut self) {
        let Self(threads) = self;
        threads.clear();
    }
}

/// A task of the runtime, if there is one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Task(Option<tokio::task::Id>);

impl Task {
    #[inline]
    pub(super) fn current() -> Self {
        Self(tokio::task::try_id())
    }

    /// Returns the ID as the runtime prints it.
    pub(crate) fn id(self) -> Option<u64> {
        self.0?.to_string().parse().ok()
    }
}

/// Returns the thread's number as `Debug` prints it, which formatting layers print, too.
pub(crate) fn thread_id(thread: &Thread) -> Option<u64> {
    let text = format!("{:?}", thread.id());
    let digits = text.trim_matches(|c: char| !c.is_ascii_digit());
    digits.parse().ok()
}
