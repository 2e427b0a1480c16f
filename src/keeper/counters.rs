use crate::export::Health;
use serde::Serialize;
use std::{
    path::PathBuf,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
};

/// Counters over all requests.
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
    /// Exchanges that the exporter accepted since its last flush, if it failed to flush
    /// them.
    pub(crate) unflushed: AtomicU64,
    pub(crate) replays: AtomicU64,
    pub(crate) replayed_events: AtomicU64,
    pub(crate) replay_suppressed: AtomicU64,
    pub(crate) replay_queue_full: AtomicU64,
    pub(crate) replay_panics: AtomicU64,
    /// Whether any request had a known peer, and whether any had none.
    pub(crate) known_peer: AtomicBool,
    pub(crate) unknown_peer: AtomicBool,
    health: Mutex<Told>,
    backlog: Mutex<Backlog>,
    /// The losses that the log has reported.
    report: Mutex<Said>,
}

/// Exchanges that the exporter has accepted and not delivered.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub(crate) struct Backlog {
    /// Held, to be tried again.
    pub(crate) held: u64,
    /// Given up since the start.
    pub(crate) lost: u64,
}

/// The exporter's health, and the part of it that the log has reported.
#[derive(Debug, Default)]
struct Told {
    health: Health,
    told: bool,
    /// The directory of the exchanges.
    directory: Option<String>,
    directory_told: bool,
    /// The exporter's warnings, and those that the log has reported.
    warnings: Vec<String>,
    warnings_told: Vec<String>,
}

/// The losses that the log has reported.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) lost: Lost,
    /// Exchanges that were not written at the last farewell.
    pub(super) waiting: u64,
    /// The last failure of the exporter.
    pub(super) why: Option<String>,
}

/// Exchanges that should have been written and were not.
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

/// Counts of replays, and of replays that did not happen.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Replays {
    /// Replays. A request may have two: while it runs, and at its end.
    pub replays: u64,
    /// Events in these replays. A layer's own filter may still reject them.
    pub events: u64,
    /// Requests over the limits of [`Replay`](crate::capture::Replay). The next replay of
    /// the same signature has their number.
    pub suppressed: u64,
    /// Replays dropped because too many were waiting.
    pub queue_full: u64,
    /// Replays in which a layer panicked. The rest of each is lost.
    pub panics: u64,
}

/// Counts of exchanges that should have been kept and were not, by reason.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Dropped {
    /// Over the limits of [`StormLimits`](crate::capture::StormLimits). The next exchange
    /// of the same signature has their number.
    pub suppressed: u64,
    /// Of the baseline sample, and over its own limits
    /// ([`Limits::baseline_per_second`](crate::capture::Limits), half of the queue).
    pub sampled_out: u64,
    /// The queue to the exporter was full.
    pub queue_full: u64,
    /// The exporter refused, failed or panicked.
    pub export_failed: u64,
}

impl Counters {
    /// Records the exporter's health.
    pub(super) fn note_health(&self, health: Health) {
        let mut known = self.known();
        known.told &= !health.is_ok();
        known.health = health;
    }

    pub(super) fn note_warnings(&self, warnings: Vec<String>) {
        self.known().warnings = warnings;
    }

    /// Returns the exporter's warnings, and those that follow from the requests so far.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let mut warnings = self.known().warnings.clone();
        warnings.extend(self.strangers());
        warnings
    }

    /// Records whether a request's peer is known.
    #[inline]
    pub(super) fn note_peer(&self, is_known: bool) {
        let seen = match is_known {
            true => &self.known_peer,
            false => &self.unknown_peer,
        };
        // Written once, because each request reads it.
        if !seen.load(Relaxed) {
            seen.store(true, Relaxed);
        }
    }

    /// Returns a warning if no request has a known peer.
    fn strangers(&self) -> Option<String> {
        const ENOUGH: u64 = 100;
        let never = self.unknown_peer.load(Relaxed) && !self.known_peer.load(Relaxed);
        (never && self.finished.load(Relaxed) >= ENOUGH).then(|| {
            "no request so far has a known client, so all clients share the limits on kept \
             failures, and one that fails often displaces the others: serve with \
             `into_make_service_with_connect_info::<SocketAddr>()`, or, behind a proxy, insert \
             `selection::Peer` into the request's extensions"
                .to_owned()
        })
    }

    pub(super) fn note_directory(&self, directory: Option<PathBuf>) {
        let directory = directory.map(|path| path.to_string_lossy().into_owned());
        self.known().directory = directory;
    }

    /// Logs the directory once, each degradation of the exporter, and each new warning.
    /// Does nothing before there is a subscriber: a layer and its exporter are often built
    /// before tracing is set up.
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
            tracing::info!(target: crate::targets::STATUS_TARGET, directory, "exchanges are written to this directory");
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

    /// Returns the exporter's last error.
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
