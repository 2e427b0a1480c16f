use super::{DashcamLayer, Recording, Status};
use crate::{
    capture::CaptureLayer,
    foreign,
    gate::{BaseFilter, Gate, GateHandle, doubled, probe},
    keeper::Keeper,
    lifecycle::{Plan, install_hook, is_installed, unplaced},
    log_line::{JsonLine, JsonLineHandle},
    selection::{InvalidDirectives, Steering},
};
use std::{
    fmt,
    io::{self, Write},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};
use tracing::level_filters::LevelFilter;

/// The ready-made stack, and the guard that flushes it.
///
/// Keep it until the service ends: dropping it waits, at most two seconds, for
/// what was kept and logged to be written. The layers go on working after that. What
/// could not be written by then is told, with its number and the reason, in one line: in
/// the log where there is one, else on standard error.
///
/// A runtime that is shut down drops the requests in flight *after* the locals
/// of `main`: shut the server down gracefully first, or their exchanges are
/// lost with the process.
#[must_use = "dropping it flushes; keep it until the service ends"]
pub struct Dashcam {
    plan: Arc<Plan>,
    handle: DashcamHandle,
    /// Whether the log says already what is wrong with the set-up.
    told: AtomicBool,
    max_log_line: usize,
}

/// Asks a [`Dashcam`] how it is doing, from anywhere: cheap to clone, for the
/// state of a service. Dropping it does nothing.
#[derive(Clone, Debug)]
pub struct DashcamHandle {
    pub(super) keeper: Arc<Keeper>,
    pub(super) gate: GateHandle,
    pub(super) steering: Steering,
    #[cfg(feature = "token")]
    pub(super) tokens: Option<crate::token::Tokens>,
    pub(super) lines: Arc<Mutex<Vec<JsonLineHandle>>>,
}

const SECOND_GATE: &str = "the registry has more than one gate: the outermost records, the others only \
     filter; leave one of them out";

const DROP_DEADLINE: Duration = Duration::from_secs(2);

impl Dashcam {
    pub(super) fn new(plan: Arc<Plan>, handle: DashcamHandle, max_log_line: usize) -> Self {
        Self {
            plan,
            handle,
            told: AtomicBool::new(false),
            max_log_line,
        }
    }

    /// Installs a panic hook, which then calls the hook that was there before, for a
    /// service that has a subscriber of its own: [`init_tracing`](Self::init_tracing)
    /// does it, too. There is one for the process, whose work is that of each `Dashcam`
    /// this was called of.
    ///
    /// It notes where a request panicked. Where the panic ends the process, because the
    /// build has `panic = "abort"` or nothing may unwind there, it writes what there is
    /// of the request (outcome `panicked`, and its line in the log) and what is queued,
    /// on threads of its own: the process ends when that is done, after about two
    /// seconds at most. What of a process's end leaves what is in
    /// `docs/panic-abort.md`.
    ///
    /// A hook that is set later has to call the one that it takes the place of. The
    /// default hook prints the panic message to standard error as it is, unredacted.
    ///
    /// # Panics
    ///
    /// Called by a thread that panics.
    pub fn install_panic_hook(&self) {
        let lines = Arc::downgrade(&self.handle.lines);
        let flush_log = move |deadline| {
            if let Some(lines) = lines.upgrade() {
                flush_lines(&lines, deadline);
            }
        };
        install_hook(&self.plan, Arc::new(flush_log));
    }

    /// The layer for `Router::layer` or a `ServiceBuilder`. Where there is a
    /// subscriber by then, and [`status`](Self::status) knows of something wrong
    /// with it, a warning says so, once.
    pub fn layer(&self) -> DashcamLayer {
        if tracing::dispatcher::has_been_set() {
            self.self_test();
        }
        DashcamLayer::new(Arc::clone(&self.plan))
    }

    /// The layer for the clients of the service: calls that a request makes are
    /// kept with it; see [`CaptureLayer::client`].
    pub fn client_layer(&self) -> CaptureLayer {
        CaptureLayer::client_of(&self.handle.keeper)
    }

    /// Tells once in the log where exchanges go, and what is wrong with the set-up.
    pub(super) fn self_test(&self) {
        self.handle.steering.tell();
        foreign::run(|| self.handle.keeper.counters().tell());
        if self.told.load(Relaxed) {
            return;
        }
        let status = self.status();
        // The log is told those of the exporter by its own thread.
        let of_exporter = self.handle.keeper.counters().warnings();
        let mut problems = status.warnings;
        problems.retain(|problem| !of_exporter.contains(problem));
        if let Recording::Impossible { why } = status.recording {
            problems.push(format!("requests are not recorded: {why}"));
        }
        if !problems.is_empty() && !self.told.swap(true, Relaxed) {
            for problem in problems {
                // A layer that panics must not keep the service from starting.
                foreign::run(|| tracing::warn!(target: crate::targets::STATUS_TARGET, "{problem}"));
            }
        }
    }

    /// The gate over this base filter, for a registry of the service's own: a level,
    /// `Targets`, [`Directives`](crate::selection::Directives) or, with the feature
    /// `env-filter`, an `EnvFilter`; see [`BaseFilter`].
    #[must_use]
    pub fn gate(&self, base: impl Into<BaseFilter>) -> Gate {
        Gate::new(base).switched_by(&self.handle.gate)
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
        let layer = JsonLine::new(output, self.handle.keeper.settings().policy.clone())?
            .max_line(self.max_log_line);
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

    /// As [`DashcamHandle::set_record_level`].
    ///
    /// # Errors
    ///
    /// Directives that cannot be read; nothing changes.
    pub fn set_record_level(&self, directives: &str) -> Result<(), InvalidDirectives> {
        self.handle.set_record_level(directives)
    }

    /// As [`DashcamHandle::set_record_off`].
    pub fn set_record_off(&self) {
        self.handle.set_record_off();
    }

    /// As [`DashcamHandle::steering`].
    #[must_use]
    pub fn steering(&self) -> &Steering {
        self.handle.steering()
    }

    /// A handle for the state of the service.
    #[must_use]
    pub fn handle(&self) -> DashcamHandle {
        self.handle.clone()
    }

    /// Waits until everything kept and logged so far was written, at most until
    /// the deadline; whether it was. `false` where something still waits, in the queue
    /// or with the exporter, and where the exporter could not flush: its health in the
    /// [`status`](Self::status) says why. What it refused or gave up waits no more; it is
    /// counted there. Blocks: in async code call it from
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
        let level = self.gate.recorded().max_level();
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

    /// From now on records what these directives name, as
    /// [`record_level`](super::DashcamBuilder::record_level) does from the start, also
    /// where recording was off. What a change means for requests in flight and
    /// what it costs is said at [`GateHandle`].
    ///
    /// It reaches the gates made by [`Dashcam::gate`] and
    /// [`Dashcam::init_tracing`]. Requests that begin from now on are recorded
    /// whichever gate is installed.
    ///
    /// # Errors
    ///
    /// Directives that cannot be read; nothing changes.
    pub fn set_record_level(&self, directives: &str) -> Result<(), InvalidDirectives> {
        self.gate.record(directives.parse()?);
        Ok(())
    }

    /// From now on records nothing; [`Status::recording`] is `Off`.
    pub fn set_record_off(&self) {
        self.gate.record_off();
    }

    /// The rules in use, their sources, and the switch that turns everything
    /// verbose off: [`Steering::switch_off`].
    #[must_use]
    pub fn steering(&self) -> &Steering {
        &self.steering
    }

    /// As [`Dashcam::flush`].
    #[must_use]
    pub fn flush(&self, deadline: Duration) -> bool {
        let began = std::time::Instant::now();
        let left = || deadline.saturating_sub(began.elapsed());
        let exported = self.keeper.flush(left());
        self.flush_log(left()) && exported
    }

    fn flush_log(&self, deadline: Duration) -> bool {
        if self.keeper.forked().is_some() {
            return false;
        }
        flush_lines(&self.lines, deadline)
    }

    fn lines(&self) -> Vec<JsonLineHandle> {
        handles(&self.lines)
    }
}

fn handles(lines: &Mutex<Vec<JsonLineHandle>>) -> Vec<JsonLineHandle> {
    lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Whether all of them are out.
fn flush_lines(lines: &Mutex<Vec<JsonLineHandle>>, deadline: Duration) -> bool {
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

impl Drop for Dashcam {
    fn drop(&mut self) {
        // Nothing of it can be waited for; the parent writes what was its own.
        if self.handle.keeper.forked().is_some() {
            return;
        }
        let began = std::time::Instant::now();
        let left = || DROP_DEADLINE.saturating_sub(began.elapsed());
        self.handle.keeper.flush(left());
        if let Some(farewell) = self.handle.keeper.counters().farewell() {
            farewell.say();
        }
        if !self.handle.flush_log(left()) {
            // What is stuck is the log.
            let _ = writeln!(
                io::stderr(),
                "dashcam: the log output is stuck; what waits for it is lost if the process ends \
                 now"
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
