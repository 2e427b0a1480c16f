use crate::export::{Backlog, Health};
use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// What happened so far, over all requests.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) in_flight: AtomicU64,
    pub(crate) finished: AtomicU64,
    pub(crate) kept: AtomicU64,
    pub(crate) suppressed: AtomicU64,
    pub(crate) queue_full: AtomicU64,
    pub(crate) export_failed: AtomicU64,
    pub(crate) exported: AtomicU64,
    health: Mutex<Told>,
    backlog: Mutex<Backlog>,
}

/// How the exporter is doing, and whether the log says so already.
#[derive(Debug, Default)]
struct Told {
    health: Health,
    told: bool,
}

/// Exchanges that should have been kept and were not, by reason.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Dropped {
    /// The failure-storm budget: counted, and told in the next exchange of the
    /// same signature.
    pub suppressed: u64,
    /// The queue to the exporter was full.
    pub queue_full: u64,
    /// The exporter refused or failed.
    pub export_failed: u64,
}

impl Counters {
    /// Notes how the exporter is doing; the text, where it got worse and
    /// nobody was told. Before there is a subscriber, nobody can be: a layer is
    /// often built, with its exporter, before tracing is set up.
    pub(super) fn note_health(&self, health: Health) -> Option<String> {
        let mut known = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        let untold = match &health {
            Health::Degraded { why } if !known.told => Some(why.clone()),
            _ => None,
        };
        let untold = untold.filter(|_| tracing::dispatcher::has_been_set());
        known.told = !health.is_ok() && (known.told || untold.is_some());
        known.health = health;
        untold
    }

    pub(super) fn note_backlog(&self, backlog: Backlog) {
        *self.backlog.lock().unwrap_or_else(PoisonError::into_inner) = backlog;
    }

    pub(crate) fn backlog(&self) -> Backlog {
        *self.backlog.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn health(&self) -> Health {
        let known = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        known.health.clone()
    }

    pub(crate) fn dropped(&self) -> Dropped {
        Dropped {
            suppressed: self.suppressed.load(Relaxed),
            queue_full: self.queue_full.load(Relaxed),
            export_failed: self.export_failed.load(Relaxed),
        }
    }
}
