//! Calls that a request made with a client, which wait for its end.

use crate::exchange::Depth;
use std::fmt;

/// Keeps one call's exchange at this depth.
pub(crate) type KeepCall = Box<dyn FnOnce(Depth) + Send>;

/// Finished calls of a request, the first of them, and how many more there were.
#[derive(Default)]
pub(crate) struct Calls {
    waiting: Vec<KeepCall>,
    pub(crate) lost: u32,
}

impl Calls {
    const MOST: usize = 16;

    /// One that there is no room for comes back: to drop it drops bodies, which may
    /// be code of the service.
    pub(super) fn push(&mut self, call: KeepCall) -> Option<KeepCall> {
        if self.waiting.len() < Self::MOST {
            self.waiting.push(call);
            None
        } else {
            self.lost += 1;
            Some(call)
        }
    }

    /// Keeps them as the request was kept, or drops them.
    pub(crate) fn decide(self, depth: Option<Depth>) {
        if let Some(depth) = depth {
            for keep in self.waiting {
                keep(depth);
            }
        }
    }
}

impl fmt::Debug for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Calls")
            .field("waiting", &self.waiting.len())
            .field("lost", &self.lost)
            .finish()
    }
}
