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
#[must_use = "dropping it flushes; keep it until the service ends"]
pub struct Dashcam {
    plan: Arc<Plan>,
    keeper: Arc<Keeper>,
    record: Option<Directives>,
    lines: Mutex<Vec<JsonLineHandle>>,
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
            keeper,
            record,
            lines: Mutex::default(),
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

    /// The JSON line layer to another output.
    ///
    /// # Errors
    ///
    /// The operating system gave no thread.
    pub fn json_lines_to(&self, output: impl Write + Send + 'static) -> io::Result<JsonLine> {
        let layer = JsonLine::new(output, self.keeper.settings().policy.clone())?;
        self.lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(layer.handle());
        Ok(layer)
    }

    /// What is going on; cheap enough for a health endpoint.
    #[must_use]
    pub fn status(&self) -> Status {
        let recording = match (&self.record, probe()) {
            (None, _) => Recording::Off,
            (Some(_), Ok(())) => Recording::On,
            (Some(_), Err(obstacle)) => Recording::Impossible {
                why: obstacle.to_string(),
            },
        };
        Status::read(&self.keeper, recording, &self.line_handles())
    }

    /// Waits until everything kept and logged so far was written, at most until
    /// the deadline; whether it was. Blocks: in async code use it at the end only.
    pub fn flush(&self, deadline: Duration) -> bool {
        let until = std::time::Instant::now() + deadline;
        let left = || until.saturating_duration_since(std::time::Instant::now());
        let exported = self.keeper.flush(left());
        self.line_handles()
            .iter()
            .fold(exported, |all, lines| lines.flush(left()) && all)
    }

    fn line_handles(&self) -> Vec<JsonLineHandle> {
        self.lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Drop for Dashcam {
    fn drop(&mut self) {
        self.flush(DROP_DEADLINE);
    }
}

impl fmt::Debug for Dashcam {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dashcam")
            .field("keeper", &self.keeper)
            .finish_non_exhaustive()
    }
}
