use crate::{
    export::Health,
    keeper::{Backlog, Dropped, Keeper, Replays},
    log::JsonHandle,
    selection::VerboseStatus,
};
use serde::Serialize;
use std::sync::atomic::Ordering::Relaxed;

/// What a [`Dashcam`](super::Dashcam) is doing, at one moment. All counts are
/// since the start of the process.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Status {
    /// Whether events are recorded.
    pub recording: Recording,
    /// What is set up in a way that nobody means, in words; nothing stops
    /// working because of it.
    pub warnings: Vec<String>,
    /// What rules make verbose, and where they come from.
    pub verbose: VerboseStatus,
    /// What became of tokens in headers.
    #[cfg(feature = "token")]
    pub tokens: crate::token::TokenStatus,
    /// Requests that have begun and not ended.
    pub in_flight: u64,
    /// Requests that have ended.
    pub finished: u64,
    /// Bytes of bodies and events held in memory.
    pub bytes_held: usize,
    /// How often memory was refused because of
    /// [`Limits::memory`](crate::capture::Limits::memory).
    pub memory_refused: u64,
    /// Exchanges handed to the exporter.
    pub kept: u64,
    /// Exchanges that wait for the exporter.
    pub queued: usize,
    /// Exchanges that the exporter accepted, [`held`](Self::held) and [`lost`](Self::lost)
    /// ones included.
    pub exported: u64,
    pub(crate) backlog: Backlog,
    /// Exchanges that should have been kept and were not.
    pub dropped: Dropped,
    /// What was shown again to the service's own layers, and what was not.
    pub replays: Replays,
    /// Events that came after their request had ended.
    pub late_events: u64,
    /// Log lines dropped because the output was behind.
    pub log_lines_dropped: u64,
    /// Log lines without the texts of theirs that came at run time: there was more to
    /// be looked for in their request than the limits allow.
    pub log_lines_withheld: u64,
    /// Log lines that the output refused.
    pub log_lines_failed: u64,
    /// The directory that exchanges are written to, absolute; none where the exporter
    /// writes to another place.
    pub directory: Option<String>,
    /// How the exporter is doing.
    pub exporter: Health,
    /// What the exporter said, or that it panicked, when it last failed to take an
    /// exchange or to flush.
    pub exporter_error: Option<String>,
    /// Flushes that the exporter could not do; [`exporter`](Self::exporter) says why the
    /// last one failed, until one succeeds.
    pub exporter_flushes_failed: u64,
    /// Panics of the exporter; each lost at most one exchange.
    pub exporter_panics: u64,
    /// Panics of the service's own closures, layers, buffers and destructors, of the
    /// whole process, that were caught and changed nothing. One that a request ended
    /// with is in its exchange.
    pub caught_panics: u64,
    /// What caught panics left behind and could not be dropped, because that panicked
    /// again and again: it leaks.
    pub leaked_payloads: u64,
}

/// Whether events are recorded.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Recording {
    /// They are.
    On,
    /// Switched off by configuration.
    Off,
    /// They cannot be.
    Impossible {
        /// What stands in the way, and what to do about it.
        why: String,
    },
}

impl Status {
    /// Returns how many exchanges the exporter holds to try again; `backlog.held` in JSON.
    #[must_use]
    pub fn held(&self) -> u64 {
        self.backlog.held
    }

    /// Returns how many exchanges the exporter accepted and then gave up; `backlog.lost` in
    /// JSON.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.backlog.lost
    }

    pub(super) fn read(keeper: &Keeper, recording: Recording, lines: &[JsonHandle]) -> Self {
        let counters = keeper.counters();
        Self {
            recording,
            warnings: Vec::new(),
            verbose: VerboseStatus::default(),
            #[cfg(feature = "token")]
            tokens: crate::token::TokenStatus::default(),
            in_flight: counters.in_flight.load(Relaxed),
            finished: counters.finished.load(Relaxed),
            bytes_held: keeper.bodies().held() + keeper.events().held(),
            memory_refused: keeper.bodies().refused() + keeper.events().refused(),
            kept: counters.kept.load(Relaxed),
            queued: keeper.queued(),
            exported: counters.exported.load(Relaxed),
            backlog: counters.backlog(),
            dropped: counters.dropped(),
            replays: counters.replays(),
            late_events: crate::context::late_events(),
            log_lines_dropped: lines.iter().map(JsonHandle::dropped).sum(),
            log_lines_withheld: lines.iter().map(JsonHandle::withheld).sum(),
            log_lines_failed: lines.iter().map(JsonHandle::failed).sum(),
            directory: counters.directory(),
            exporter: keeper.health(),
            exporter_error: counters.exporter_error(),
            exporter_flushes_failed: counters.flushes_failed.load(Relaxed),
            exporter_panics: keeper.exporter_panics(),
            caught_panics: crate::foreign::caught(),
            leaked_payloads: crate::foreign::forgotten(),
        }
    }
}
