use super::{DashcamBuilder, DashcamLayer, Recording, Status};
use crate::{
    gate::{Gate, probe},
    keeper::Keeper,
    lifecycle::Plan,
    log_line::{JsonLine, JsonLineHandle},
    selection::Directives,
};
use std::{
    fmt,
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tracing_subscriber::EnvFilter;

/// The ready-made stack, and the guard that flushes it.
///
/// Keep it until the service ends: dropping it waits, at most two seconds, for
/// what was kept and logged to be written. The layers go on working after that.
///
/// A runtime that is shut down drops the requests in flight *after* the locals
/// of `main`: shut the server down gracefully first, or their exchanges are
/// lost with the process.
#[must_use = "dropping it flushes; keep it until the service ends"]
pub struct Dashcam {
    plan: Arc<Plan>,
    record: Option<Directives>,
    handle: DashcamHandle,
}

/// Asks a [`Dashcam`] how it is doing, from anywhere: cheap to clone, for the
/// state of a service. Dropping it does nothing.
#[derive(Clone, Debug)]
pub struct DashcamHandle {
    keeper: Arc<Keeper>,
    records: bool,
    lines: Arc<Mutex<Vec<JsonLineHandle>>>,
}

const DROP_DEADLINE: Duration = Duration::from_secs(2);

impl Dashcam {
    /// Starts with safe defaults.
    pub fn builder() -> DashcamBuilder {
        DashcamBuilder::new()
    }

    pub(super) fn new(plan: Arc<Plan>, keeper: Arc<Keeper>, record: Option<Directives>) -> Self {
        Self {
            plan,
            handle: DashcamHandle {
                keeper,
                records: record.is_some(),
                lines: Arc::default(),
            },
            record,
        }
    }

    /// The layer for `Router::layer` or a `ServiceBuilder`.
    pub fn layer(&self) -> DashcamLayer {
        DashcamLayer::new(Arc::clone(&self.plan))
    }

    /// The gate over this base filter, for a registry of the service's own.
    #[must_use]
    pub fn gate(&self, base: EnvFilter) -> Gate {
        let gate = Gate::new(base);
        match &self.record {
            Some(directives) => gate.record(directives.clone()),
            None => gate.record_off(),
        }
    }

    /// The JSON line layer to standard output, for a registry of the service's own.
    ///
    /// # Errors
    ///
    /// The operating system gave no thread.
    pub fn json_lines(&self) -> io::Result<JsonLine> {
        self.json_lines_to(io::stdout())
    }

    /// The JSON line layer to another output. Its options are on the layer, such
    /// as [`JsonLine::flatten_fields`].
    ///
    /// # Errors
    ///
    /// The operating system gave no thread.
    pub fn json_lines_to(&self, output: impl Write + Send + 'static) -> io::Result<JsonLine> {
        let layer = JsonLine::new(output, self.handle.keeper.settings().policy.clone())?;
        self.handle
            .lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(layer.handle());
        Ok(layer)
    }

    /// What is going on; cheap enough for a health endpoint.
    #[must_use]
    pub fn status(&self) -> Status {
        self.handle.status()
    }

    /// A handle for the state of the service.
    #[must_use]
    pub fn handle(&self) -> DashcamHandle {
        self.handle.clone()
    }

    /// Waits until everything kept and logged so far was written, at most until
    /// the deadline; whether it was. Blocks: in async code call it from
    /// `spawn_blocking`, or at the end only.
    #[must_use]
    pub fn flush(&self, deadline: Duration) -> bool {
        self.handle.flush(deadline)
    }
}

impl DashcamHandle {
    /// What is going on; cheap enough for a health endpoint.
    #[must_use]
    pub fn status(&self) -> Status {
        let recording = match probe() {
            _ if !self.records => Recording::Off,
            Ok(()) => Recording::On,
            Err(obstacle) => Recording::Impossible {
                why: obstacle.to_string(),
            },
        };
        Status::read(&self.keeper, recording, &self.lines())
    }

    /// As [`Dashcam::flush`].
    #[must_use]
    pub fn flush(&self, deadline: Duration) -> bool {
        let began = std::time::Instant::now();
        let left = || deadline.saturating_sub(began.elapsed());
        let exported = self.keeper.flush(left());
        self.lines()
            .iter()
            .fold(exported, |all, lines| lines.flush(left()) && all)
    }

    fn lines(&self) -> Vec<JsonLineHandle> {
        self.lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Drop for Dashcam {
    fn drop(&mut self) {
        if !self.flush(DROP_DEADLINE) {
            // The log is what is stuck, perhaps, so this is the last place left.
            let _ = writeln!(
                io::stderr(),
                "dashcam: the exporter or the log output is stuck; what waits for it is lost \
                 if the process ends now"
            );
        }
    }
}

impl fmt::Debug for Dashcam {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dashcam")
            .field("handle", &self.handle)
            .finish_non_exhaustive()
    }
}
