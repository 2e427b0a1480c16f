use super::{DashcamHandle, DashcamLayer, Recording, handle::flush_lines};
use crate::{
    capture::CaptureLayer,
    foreign,
    gate::{BaseFilter, Gate},
    lifecycle::{Plan, install_hook},
    log::JsonLayer,
};
use std::{
    fmt,
    io::{self, Write},
    ops::Deref,
    sync::{
        Arc, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

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
///
/// It has all methods of [`DashcamHandle`], such as [`status`](DashcamHandle::status) and
/// [`flush`](DashcamHandle::flush).
#[must_use = "dropping it flushes; keep it until the service ends"]
pub struct Dashcam {
    plan: Arc<Plan>,
    handle: DashcamHandle,
    /// Whether the log says already what is wrong with the set-up.
    told: AtomicBool,
    max_log_line: usize,
}

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
    /// subscriber by then, and [`status`](super::DashcamHandle::status) knows of something wrong
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
    /// `Targets`, a text that is parsed as [`BaseFilter`] or, with the feature `env-filter`,
    /// an `EnvFilter`.
    #[must_use]
    pub fn gate(&self, base: impl Into<BaseFilter>) -> Gate {
        Gate::new(base).switched_by(&self.handle.recording)
    }

    /// The JSON line layer to standard output, for a registry of the service's own.
    ///
    /// # Errors
    ///
    /// The operating system gave no thread.
    pub fn json_log(&self) -> io::Result<JsonLayer> {
        self.json_log_to(io::stdout())
    }

    /// The JSON line layer to another output. Its options are on the layer, such
    /// as [`JsonLayer::flatten_fields`].
    ///
    /// # Errors
    ///
    /// The operating system gave no thread.
    pub fn json_log_to(&self, output: impl Write + Send + 'static) -> io::Result<JsonLayer> {
        let layer = JsonLayer::new(output, self.handle.keeper.settings().policy.clone())?
            .max_line(self.max_log_line);
        self.handle
            .lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(layer.handle());
        Ok(layer)
    }

    /// A cheap clone with the same questions and switches, for the state of a service.
    /// Dropping it does nothing.
    #[must_use]
    pub fn handle(&self) -> DashcamHandle {
        self.handle.clone()
    }
}

impl Deref for Dashcam {
    type Target = DashcamHandle;

    fn deref(&self) -> &DashcamHandle {
        &self.handle
    }
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
