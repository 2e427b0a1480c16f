use super::{Recording, Status};
use crate::{
    gate::{RecordSwitch, doubled, probe},
    keeper::Keeper,
    lifecycle::{is_installed, unplaced},
    log::JsonHandle,
    selection::Steering,
};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tracing::level_filters::LevelFilter;

/// The status and the switches of a [`Dashcam`](super::Dashcam), for axum state or a health
/// endpoint. Cheap to clone; dropping it does nothing.
#[derive(Clone, Debug)]
pub struct DashcamHandle {
    pub(super) keeper: Arc<Keeper>,
    pub(super) recording: RecordSwitch,
    pub(super) steering: Steering,
    #[cfg(feature = "token")]
    pub(super) tokens: Option<crate::token::Tokens>,
    pub(super) lines: Arc<Mutex<Vec<JsonHandle>>>,
}

const SECOND_GATE: &str = "the registry has more than one gate: the outermost one records, the others \
     only filter; remove all but one";

impl DashcamHandle {
    /// Returns the current status. Cheap enough for a health endpoint.
    #[must_use]
    pub fn status(&self) -> Status {
        let level = self.recording.recorded().max_level();
        let recording = if level == LevelFilter::OFF {
            Recording::Off
        } else {
            match probe(level) {
                Ok(()) => Recording::On,
                Err(obstacle) => Recording::Impossible {
                    why: obstacle.to_string(),
                },
            }
        };
        let mut status = Status::read(&self.keeper, recording, &self.lines());
        status.verbose = self.steering.status();
        status.warnings.extend(status.verbose.problem.clone());
        #[cfg(feature = "token")]
        if let Some(tokens) = &self.tokens {
            status.tokens = tokens.status();
        }
        status.warnings.extend(ends());
        status.warnings.extend(self.keeper.counters().warnings());
        status.warnings.extend(self.keeper.forked());
        if doubled() {
            status.warnings.push(SECOND_GATE.to_owned());
        }
        status
    }

    /// Returns the switch for recording. Its initial value is that of
    /// [`record_level`](super::DashcamBuilder::record_level).
    ///
    /// It switches the gates made by [`Dashcam::gate`](super::Dashcam::gate) and
    /// [`Dashcam::init_tracing`](super::Dashcam::init_tracing). Requests that begin after a
    /// change follow it, whichever gate is installed.
    #[must_use]
    pub fn recording(&self) -> &RecordSwitch {
        &self.recording
    }

    /// Returns the steering: the rules in use, their sources, and [`Steering::switch_off`],
    /// which makes no request verbose.
    #[must_use]
    pub fn steering(&self) -> &Steering {
        &self.steering
    }

    /// Waits, at most this long, until all exchanges and log lines so far are written, and
    /// returns whether they are. Returns `false` if something still waits in the queue or
    /// in the exporter, or if the exporter cannot flush; its health in the
    /// [`status`](Self::status) has the reason. Exchanges that the exporter refused or gave
    /// up no longer wait; the status counts them. Blocks: in async code, call it from
    /// `spawn_blocking`, or only at the end.
    #[must_use]
    pub fn flush(&self, deadline: Duration) -> bool {
        let began = std::time::Instant::now();
        let left = || deadline.saturating_sub(began.elapsed());
        let exported = self.keeper.flush(left());
        self.flush_log(left()) && exported
    }

    pub(super) fn flush_log(&self, deadline: Duration) -> bool {
        if self.keeper.forked().is_some() {
            return false;
        }
        flush_lines(&self.lines, deadline)
    }

    fn lines(&self) -> Vec<JsonHandle> {
        handles(&self.lines)
    }
}

fn handles(lines: &Mutex<Vec<JsonHandle>>) -> Vec<JsonHandle> {
    lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Flushes all log layers, and returns whether all have.
pub(super) fn flush_lines(lines: &Mutex<Vec<JsonHandle>>, deadline: Duration) -> bool {
    let began = std::time::Instant::now();
    let left = || deadline.saturating_sub(began.elapsed());
    // Not `all`, which stops at the first failure.
    let lines = handles(lines);
    lines.iter().filter(|lines| !lines.flush(left())).count() == 0
}

/// Returns warnings about panics that leave no record.
fn ends() -> Vec<String> {
    let mut warnings = Vec::new();
    if cfg!(panic = "abort") {
        let kept = if is_installed() {
            "dashcam writes the exchange and the log line of the request that panics"
        } else {
            "call `init_tracing` or `install_panic_hook` to have the request that panics written"
        };
        warnings.push(format!(
            "this build has panic = \"abort\": a panic gets no response and ends the process, \
             and other requests in flight leave no exchange; {kept}"
        ));
    }
    let unplaced = unplaced();
    if unplaced > 0 {
        warnings.push(format!(
            "{unplaced} panics of requests have no location: a panic hook was set later and does \
             not call dashcam's, or code resumed them (`resume_unwind`) without a panic; make \
             the later hook call the previous one"
        ));
    }
    warnings
}
