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

/// Asks a [`Dashcam`](super::Dashcam) how it is doing, from anywhere: cheap to clone, for the
/// state of a service. Dropping it does nothing.
#[derive(Clone, Debug)]
pub struct DashcamHandle {
    pub(super) keeper: Arc<Keeper>,
    pub(super) recording: RecordSwitch,
    pub(super) steering: Steering,
    #[cfg(feature = "token")]
    pub(super) tokens: Option<crate::token::Tokens>,
    pub(super) lines: Arc<Mutex<Vec<JsonHandle>>>,
}

const SECOND_GATE: &str = "the registry has more than one gate: the outermost records, the others only \
     filter; leave one of them out";

impl DashcamHandle {
    /// What is going on; cheap enough for a health endpoint.
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

    /// The switch for what is recorded, beginning with what
    /// [`record_level`](super::DashcamBuilder::record_level) says.
    ///
    /// It reaches the gates made by [`Dashcam::gate`](super::Dashcam::gate) and
    /// [`Dashcam::init_tracing`](super::Dashcam::init_tracing). Requests that begin after a
    /// change are recorded by it whichever gate is installed.
    #[must_use]
    pub fn recording(&self) -> &RecordSwitch {
        &self.recording
    }

    /// The rules in use, their sources, and the switch that turns everything
    /// verbose off: [`Steering::switch_off`].
    #[must_use]
    pub fn steering(&self) -> &Steering {
        &self.steering
    }

    /// Waits until everything kept and logged so far was written, at most until
    /// the deadline; whether it was. `false` where something still waits, in the queue
    /// or with the exporter, and where the exporter could not flush: its health in the
    /// [`status`](Self::status) says why. What it refused or gave up waits no more; it is
    /// counted there. Blocks: in async code call it from
    /// `spawn_blocking`, or at the end only.
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

/// Whether all of them are out.
pub(super) fn flush_lines(lines: &Mutex<Vec<JsonHandle>>, deadline: Duration) -> bool {
    let began = std::time::Instant::now();
    let left = || deadline.saturating_sub(began.elapsed());
    // All of them are flushed.
    let lines = handles(lines);
    lines.iter().filter(|lines| !lines.flush(left())).count() == 0
}

/// What this process cannot keep, or does without.
fn ends() -> Vec<String> {
    let mut warnings = Vec::new();
    if cfg!(panic = "abort") {
        let kept = if is_installed() {
            "of the request that panics its exchange and line are written"
        } else {
            "call `init_tracing` or `install_panic_hook`, or nothing of it is written"
        };
        warnings.push(format!(
            "this build has panic = \"abort\": a panic is not answered and ends all requests, of \
             which those under way leave nothing; {kept}"
        ));
    }
    let unplaced = unplaced();
    if unplaced > 0 {
        warnings.push(format!(
            "{unplaced} panics of requests came without their place: a panic hook was set later \
             and does not call the one before it, as dashcam's is, or they were resumed \
             (`resume_unwind`) without a panic"
        ));
    }
    warnings
}
