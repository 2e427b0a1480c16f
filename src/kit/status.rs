use crate::{
    export::Health,
    keeper::{Backlog, Dropped, Keeper, Replays},
    log::JsonHandle,
    selection::VerboseStatus,
};
use serde::Serialize;
use std::sync::atomic::Ordering::Relaxed;

/// The status of a [`Dashcam`](super::Dashcam) at one moment. All counts are since the
/// start of the process.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Status {
    /// Whether events are recorded, and if not, why.
    pub recording: Recording,
    /// Probable mistakes in the set-up, as text. They stop nothing from working.
    pub warnings: Vec<String>,
    /// The rules, their sources, and the verbose requests.
    pub verbose: VerboseStatus,
    /// Counts of accepted and refused tokens.
    #[cfg(feature = "token")]
    pub tokens: crate::token::TokenStatus,
    /// Requests in flight.
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
    /// Exchanges in the exporter's queue.
    pub queued: usize,
    /// Exchanges that the exporter accepted, [`held`](Self::held) and [`lost`](Self::lost)
    /// ones included.
    pub exported: u64,
    pub(crate) backlog: Backlog,
    /// Exchanges that should have been kept and were not.
    pub dropped: Dropped,
    /// Replays to the service's own tracing layers.
    pub replays: Replays,
    /// Events that were emitted after their request had ended.
    pub late_events: u64,
    /// Log lines dropped because the output was too slow.
    pub log_lines_dropped: u64,
    /// Log lines written without their run-time texts, because their request had more
    /// values to hide than the limits allow.
    pub log_lines_withheld: u64,
    /// Log lines that failed to be written to the output.
    pub log_lines_failed: u64,
    /// The absolute path of the directory that exchanges are written to; `None` if the
    /// exporter writes elsewhere.
    pub directory: Option<String>,
    /// The exporter's health.
    pub exporter: Health,
    /// The exporter's last error, of accepting an exchange or of a flush; a panic counts,
    /// too.
    pub exporter_error: Option<String>,
    /// Flushes of the exporter that failed. [`exporter`](Self::exporter) has the reason of
    /// the last one until one succeeds.
    pub exporter_flushes_failed: u64,
    /// Panics of the exporter. Each lost at most one exchange.
    pub exporter_panics: u64,
    /// Caught panics of the service's closures, tracing layers, buffers and destructors
    /// that changed nothing, of the whole process. A panic that ended a request is in its
    /// exchange.
    pub caught_panics: u64,
    /// Payloads of caught panics that leaked, because dropping them panicked again and
    /// again.
    pub leaked_payloads: u64,
}

/// Whether events are recorded.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Recording {
    /// Events are recorded.
    On,
    /// Recording is turned off.
    Off,
    /// Recording is on, and something prevents it.
    Impossible {
        /// The obstacle, and how to remove it.
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
