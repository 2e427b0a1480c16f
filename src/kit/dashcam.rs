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

/// The complete stack, and the guard that flushes it.
///
/// Keep it until the service ends: dropping it waits at most two seconds until exchanges
/// and log lines are written. The layers keep working after that. If exchanges are not
/// written by then, one line has their number and the reason: in the log, or on standard
/// error if there is no log.
///
/// A runtime that shuts down drops the requests in flight *after* the locals of `main`.
/// Shut the server down gracefully first, or their exchanges are lost.
///
/// It dereferences to [`DashcamHandle`], which has methods such as
/// [`status`](DashcamHandle::status) and [`flush`](DashcamHandle::flush). `Dashcam` itself
/// cannot be cloned: `dashcam.clone()` returns a [`DashcamHandle`], which flushes nothing when
/// it is dropped.
#[must_use = "dropping it flushes; keep it until the service ends"]
pub struct Dashcam {
    plan: Arc<Plan>,
    handle: DashcamHandle,
    /// Whether the log has reported problems of the set-up.
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

    /// Installs a panic hook that then calls the previous hook. Call it if you install your
    /// own subscriber; [`init_tracing`](Self::init_tracing) does it, too. The process has
    /// one such hook, which serves each `Dashcam` that this was called on.
    ///
    /// The hook records where a request panicked. If the panic ends the process, because
    /// the build has `panic = "abort"` or the code must not unwind, the hook writes the
    /// request so far (outcome `panicked`, and its log line) and the queue, on separate
    /// threads. The process ends when that is done, after about two seconds at most.
    /// `docs/panic-abort.md` lists what each way of ending leaves behind.
    ///
    /// A hook that is set later must call the one that it replaces. The default hook prints
    /// the panic message to standard error, unredacted.
    ///
    /// # Panics
    ///
    /// Panics if the calling thread is panicking.
    pub fn install_panic_hook(&self) {
        let lines = Arc::downgrade(&self.handle.lines);
        let flush_log = move |deadline| {
            if let Some(lines) = lines.upgrade() {
                flush_lines(&lines, deadline);
            }
        };
        install_hook(&self.plan, Arc::new(flush_log));
    }

    /// Returns the layer for `Router::layer` or a `ServiceBuilder`. If a subscriber is
    /// installed and [`status`](super::DashcamHandle::status) reports a problem with it,
    /// logs one warning.
    pub fn layer(&self) -> DashcamLayer {
        if tracing::dispatcher::has_been_set() {
            self.self_test();
        }
        DashcamLayer::new(Arc::clone(&self.plan))
    }

    /// Returns the layer for the service's clients: calls of a request are kept with it;
    /// see [`CaptureLayer::client`].
    pub fn client_layer(&self) -> CaptureLayer {
        CaptureLayer::client_of(&self.handle.keeper)
    }

    /// Logs once where exchanges go, and problems of the set-up.
    pub(super) fn self_test(&self) {
        self.handle.steering.tell();
        #[cfg(feature = "token")]
        if self.handle.tokens.is_some() {
            self.handle.steering.tell_off();
        }
        foreign::run(|| self.handle.keeper.counters().tell());
        if self.told.load(Relaxed) {
            return;
        }
        let status = self.status();
        // The exporter's thread logs its own.
        let of_exporter = self.handle.keeper.counters().warnings();
        let mut problems = status.warnings;
        problems.retain(|problem| !of_exporter.contains(problem));
        if let Recording::Impossible { why } = status.recording {
            problems.push(format!("requests are not recorded: {why}"));
        }
        if !problems.is_empty() && !self.told.swap(true, Relaxed) {
            for problem in problems {
                // A tracing layer that panics must not prevent the service from starting.
                foreign::run(|| tracing::warn!(target: crate::targets::STATUS_TARGET, "{problem}"));
            }
        }
    }

    /// Returns the gate for your own registry. The base filter is a level, `Targets`, a text
    /// that is parsed as [`BaseFilter`] or, with the feature `env-filter`, an `EnvFilter`.
    #[must_use]
    pub fn gate(&self, base: impl Into<BaseFilter>) -> Gate {
        Gate::new(base).switched_by(&self.handle.recording)
    }

    /// Returns a layer for your own registry that writes JSON lines to standard output.
    ///
    /// # Errors
    ///
    /// The operating system gave no thread.
    pub fn json_log(&self) -> io::Result<JsonLayer> {
        self.json_log_to(io::stdout())
    }

    /// Returns a layer that writes JSON lines to this output. The layer has further
    /// settings, such as [`JsonLayer::flatten_fields`].
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

    /// Returns a cheap clone with the same methods, for axum state or a health endpoint.
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
        // A forked child has no threads to wait for; the parent writes its own exchanges.
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
            // The log itself is stuck, so this goes to standard error.
            let _ = writeln!(
                io::stderr(),
                "dashcam: the log output is stuck; log lines that wait for it are lost if the \
                 process ends now"
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
