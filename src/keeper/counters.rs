use super::report::Farewell;
use crate::export::{Backlog, Health};
use serde::Serialize;
use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// What happened so far, over all requests.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) in_flight: AtomicU64,
    pub(crate) finished: AtomicU64,
    pub(crate) kept: AtomicU64,
    pub(crate) suppressed: AtomicU64,
    pub(crate) sampled_out: AtomicU64,
    pub(crate) queue_full: AtomicU64,
    pub(crate) export_failed: AtomicU64,
    pub(crate) exported: AtomicU64,
    pub(crate) exporter_panics: AtomicU64,
    pub(crate) flushes_failed: AtomicU64,
    #[cfg(feature = "gate")]
    pub(crate) replays: AtomicU64,
    #[cfg(feature = "gate")]
    pub(crate) replayed_events: AtomicU64,
    #[cfg(feature = "gate")]
    pub(crate) replay_suppressed: AtomicU64,
    #[cfg(feature = "gate")]
    pub(crate) replay_queue_full: AtomicU64,
    #[cfg(feature = "gate")]
    pub(crate) replay_panics: AtomicU64,
    health: Mutex<Told>,
    backlog: Mutex<Backlog>,
    /// What was said of losses so far.
    report: Mutex<super::report::Said>,
}

/// How the exporter is doing, and whether the log says so already.
#[derive(Debug, Default)]
struct Told {
    health: Health,
    told: bool,
}

/// What was replayed so far, and what was not though it should have been.
#[cfg(feature = "gate")]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Replays {
    /// Replays, of which a request may have two: while it runs, and at its end.
    pub replays: u64,
    /// Events in them that came to the layers, whose own filters may refuse them.
    pub events: u64,
    /// Requests over the limits of [`Replay`](crate::capture::Replay); the next
    /// replay of the same signature tells how many.
    pub suppressed: u64,
    /// Replays dropped because too many were waiting.
    pub queue_full: u64,
    /// Replays in which a layer panicked; what was left of them is lost.
    pub panics: u64,
}

/// Exchanges that should have been kept and were not, by reason.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Dropped {
    /// The failure-storm budget: counted, and told in the next exchange of the
    /// same signature.
    pub suppressed: u64,
    /// Of the baseline sample, over its own budget
    /// ([`SampleLimits`](crate::capture::SampleLimits)).
    pub sampled_out: u64,
    /// The queue to the exporter was full.
    pub queue_full: u64,
    /// The exporter refused, failed or panicked.
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

    /// What is to be said of exchanges that were kept and are not written.
    pub(crate) fn farewell(&self) -> Option<Farewell> {
        Farewell::of(self, self.backlog())
    }

    /// The last thing that the exporter said of a failure.
    #[cfg(feature = "kit")]
    pub(crate) fn exporter_error(&self) -> Option<String> {
        self.report().why.clone()
    }

    pub(super) fn report(&self) -> MutexGuard<'_, super::report::Said> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn health(&self) -> Health {
        let known = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        known.health.clone()
    }

    #[cfg(feature = "gate")]
    pub(crate) fn replays(&self) -> Replays {
        Replays {
            replays: self.replays.load(Relaxed),
            events: self.replayed_events.load(Relaxed),
            suppressed: self.replay_suppressed.load(Relaxed),
            queue_full: self.replay_queue_full.load(Relaxed),
            panics: self.replay_panics.load(Relaxed),
        }
    }

    pub(crate) fn dropped(&self) -> Dropped {
        Dropped {
            suppressed: self.suppressed.load(Relaxed),
            sampled_out: self.sampled_out.load(Relaxed),
            queue_full: self.queue_full.load(Relaxed),
            export_failed: self.export_failed.load(Relaxed),
        }
    }
}
