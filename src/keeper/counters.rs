use crate::export::{Backlog, Health};
use serde::Serialize;
use std::{
    path::PathBuf,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
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
    /// Exchanges that the exporter took since it last flushed, where it then failed to.
    pub(crate) unflushed: AtomicU64,
    pub(crate) replays: AtomicU64,
    pub(crate) replayed_events: AtomicU64,
    pub(crate) replay_suppressed: AtomicU64,
    pub(crate) replay_queue_full: AtomicU64,
    pub(crate) replay_panics: AtomicU64,
    /// Whether a request had a peer who is known, and whether one had none.
    pub(crate) known_peer: AtomicBool,
    pub(crate) unknown_peer: AtomicBool,
    health: Mutex<Told>,
    backlog: Mutex<Backlog>,
    /// What was said of losses so far.
    report: Mutex<Said>,
}

/// How the exporter is doing, and what of it the log says already.
#[derive(Debug, Default)]
struct Told {
    health: Health,
    told: bool,
    /// Where exchanges go.
    directory: Option<String>,
    directory_told: bool,
    /// What else the exporter says, and the last of it that the log says.
    warnings: Vec<String>,
    warnings_told: Vec<String>,
}

/// What the log said of losses.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) lost: Lost,
    /// Exchanges that were not out when somebody said goodbye.
    pub(super) waiting: u64,
    /// The last thing that went wrong on the way to where exchanges belong.
    pub(super) why: Option<String>,
}

/// Exchanges that should be somewhere and are not.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Lost {
    pub(super) suppressed: u64,
    pub(super) sampled_out: u64,
    pub(super) queue_full: u64,
    pub(super) export_failed: u64,
    pub(super) backlog: u64,
}

impl Lost {
    pub(super) fn so_far(counters: &Counters) -> Self {
        let dropped = counters.dropped();
        Self {
            suppressed: dropped.suppressed,
            sampled_out: dropped.sampled_out,
            queue_full: dropped.queue_full,
            export_failed: dropped.export_failed,
            backlog: counters.backlog().lost,
        }
    }

    pub(super) fn since(self, before: Self) -> Self {
        Self {
            suppressed: self.suppressed.saturating_sub(before.suppressed),
            sampled_out: self.sampled_out.saturating_sub(before.sampled_out),
            queue_full: self.queue_full.saturating_sub(before.queue_full),
            export_failed: self.export_failed.saturating_sub(before.export_failed),
            backlog: self.backlog.saturating_sub(before.backlog),
        }
    }
}

/// What was replayed so far, and what was not though it should have been.
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
    /// Of the baseline sample, over its own limits
    /// ([`Limits::baseline_per_second`](crate::capture::Limits), half of the queue).
    pub sampled_out: u64,
    /// The queue to the exporter was full.
    pub queue_full: u64,
    /// The exporter refused, failed or panicked.
    pub export_failed: u64,
}

impl Counters {
    /// Notes how the exporter is doing.
    pub(super) fn note_health(&self, health: Health) {
        let mut known = self.known();
        known.told &= !health.is_ok();
        known.health = health;
    }

    pub(super) fn note_warnings(&self, warnings: Vec<String>) {
        self.known().warnings = warnings;
    }

    /// What the exporter says of its set-up, and what shows once there are requests: the
    /// log is told here.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let mut warnings = self.known().warnings.clone();
        warnings.extend(self.strangers());
        warnings
    }

    /// Notes whether it is known who made a request.
    #[inline]
    pub(super) fn note_peer(&self, is_known: bool) {
        let seen = match is_known {
            true => &self.known_peer,
            false => &self.unknown_peer,
        };
        // Written once: each request reads it.
        if !seen.load(Relaxed) {
            seen.store(true, Relaxed);
        }
    }

    /// That it is never known who makes requests, and what that means.
    fn strangers(&self) -> Option<String> {
        const ENOUGH: u64 = 100;
        let never = self.unknown_peer.load(Relaxed) && !self.known_peer.load(Relaxed);
        (never && self.finished.load(Relaxed) >= ENOUGH).then(|| {
            "no request so far says whose it is, so failures of different clients cannot be told \
             apart: one who fails often takes the places of all others in what is kept; serve \
             with `into_make_service_with_connect_info::<SocketAddr>()`, or put \
             `selection::Peer` into requests, as behind a proxy"
                .to_owned()
        })
    }

    pub(super) fn note_directory(&self, directory: Option<PathBuf>) {
        let directory = directory.map(|path| path.to_string_lossy().into_owned());
        self.known().directory = directory;
    }

    /// Tells the log where exchanges go, once, each time the exporter gets worse, and what
    /// else it warns of.
    /// Before there is a subscriber, nobody can be told: a layer is often built, with
    /// its exporter, before tracing is set up.
    pub(crate) fn tell(&self) {
        if !tracing::dispatcher::has_been_set() {
            return;
        }
        let mut warnings = self.warnings();
        let (directory, why) = {
            let mut known = self.known();
            let known = &mut *known;
            let told = std::mem::replace(&mut known.warnings_told, warnings.clone());
            warnings.retain(|one| !told.contains(one));
            let told = std::mem::replace(&mut known.directory_told, true);
            let directory = known.directory.clone().filter(|_| !told);
            let why = match &known.health {
                Health::Degraded { why } if !known.told => Some(why.clone()),
                _ => None,
            };
            known.told |= why.is_some();
            (directory, why)
        };
        if let Some(directory) = directory {
            tracing::info!(target: crate::targets::STATUS_TARGET, directory, "exchanges go to this directory");
        }
        if let Some(why) = why {
            tracing::warn!(target: crate::targets::STATUS_TARGET, "the exporter is degraded: {why}");
        }
        for warning in warnings {
            tracing::warn!(target: crate::targets::STATUS_TARGET, "{warning}");
        }
    }

    fn known(&self) -> MutexGuard<'_, Told> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn directory(&self) -> Option<String> {
        self.known().directory.clone()
    }

    pub(super) fn note_backlog(&self, backlog: Backlog) {
        *self.backlog.lock().unwrap_or_else(PoisonError::into_inner) = backlog;
    }

    pub(crate) fn backlog(&self) -> Backlog {
        *self.backlog.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last thing that the exporter said of a failure.
    pub(crate) fn exporter_error(&self) -> Option<String> {
        self.report().why.clone()
    }

    pub(super) fn report(&self) -> MutexGuard<'_, Said> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn health(&self) -> Health {
        self.known().health.clone()
    }

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
