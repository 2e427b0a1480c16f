//! Decides which exchanges are kept, and builds their records.

mod assemble;
mod capture;
mod classify;
mod counters;
mod decide;
mod finished;
mod replay;
mod report;
mod sample;
mod settings;
mod storm;
mod waiting;

pub use self::{
    classify::{Classify, ServerErrors},
    counters::{Dropped, Replays},
    finished::Finished,
    settings::{Limits, Replay, StormLimits},
};
pub(crate) use self::{
    counters::{Backlog, Counters},
    settings::{Settings, settings_setters},
};

use self::{assemble::Assembler, replay::Replayer};
use crate::{
    context::{RequestContext, Ticket, TracedSpan},
    exchange::{Depth, Direction, KeepReason, Outcome},
    export::{Exporter, Health},
    grpc,
    recorder::{MemoryBudget, Recording},
    worker::Worker,
};
use http::StatusCode;
use std::{
    fmt, io,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering::Relaxed},
    time::{Duration, SystemTime},
};

/// The state that one set of layers shares to keep exchanges.
pub(crate) struct Keeper {
    settings: Settings,
    /// Bodies and events have separate budgets: a client that fills one with slow uploads
    /// must not turn recording off for the others.
    bodies: Arc<MemoryBudget>,
    events: Arc<MemoryBudget>,
    waiting: Arc<waiting::Waiting>,
    counters: Arc<Counters>,
    storm: Mutex<storm::Storm>,
    methods: grpc::Methods,
    sample: Mutex<sample::Sample>,
    worker: Worker<Job>,
    /// The process with its threads.
    process: u32,
    replayer: Option<Arc<Replayer>>,
}

/// How one request ended, as seen by `lifecycle`.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) outcome: Outcome,
    pub(crate) status: Option<StatusCode>,
    pub(crate) duration: Duration,
    pub(crate) in_flight: u64,
    pub(crate) direction: Direction,
    /// Whether the request body ended with an error.
    pub(crate) upload_broke: bool,
    /// The request in whose code a client made this one.
    pub(crate) caller: Option<RequestContext>,
    /// Whether the process ends with it.
    pub(crate) last: bool,
}

/// Why an exchange is not kept although there is a reason to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum NotKept {
    /// [`CaptureOptions::off`](crate::capture::CaptureOptions::off).
    Options,
    /// Over the limits of failures.
    FailureStorm,
    /// Asked for, and over the limit per second.
    PerSecond,
    /// Of the sample, and over its limits.
    SampleBudget,
    /// The exporter's queue is full.
    QueueFull,
    /// The exporter's thread belongs to the parent process.
    Forked,
}

impl NotKept {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Options => "options",
            Self::FailureStorm => "failure_storm",
            Self::PerSecond => "per_second",
            Self::SampleBudget => "sample_budget",
            Self::QueueFull => "queue_full",
            Self::Forked => "forked",
        }
    }
}

/// Work for the exporter thread.
pub(crate) enum Job {
    Keep(Box<Kept>),
    /// A function that must not run on the thread that found it, such as logging while that
    /// thread unwinds.
    Run(Box<dyn FnOnce() + Send>),
}

/// An exchange that waits for export.
pub(crate) struct Kept {
    pub(crate) id: String,
    /// The previous interim exchange.
    pub(crate) continues: Option<String>,
    pub(crate) context: RequestContext,
    /// The request that makes this call.
    pub(crate) caller: Option<RequestContext>,
    pub(crate) ended: Ended,
    pub(crate) slow: bool,
    pub(crate) reasons: Vec<KeepReason>,
    /// Whether the only reason is the sample, of this request or of the one that made it.
    pub(crate) sampled: bool,
    pub(crate) depth: Depth,
    /// Whether the rule that it is kept for excludes bodies.
    pub(crate) bodiless: bool,
    pub(crate) suppressed_before: u64,
    /// When the first and the last suppressed one ended.
    pub(crate) suppressed_between: Option<(SystemTime, SystemTime)>,
    /// One in this many like it is kept.
    pub(crate) one_in: u64,
    /// The request's span, if bodies are recorded on it.
    pub(crate) span: Option<Box<dyn TracedSpan>>,
    /// Calls of the request that are not kept although it is.
    pub(crate) calls_lost: u32,
    pub(crate) recording: Arc<Recording>,
}

impl Kept {
    /// Returns the bytes of its heads, bodies and events.
    fn bytes(&self) -> usize {
        let shared = self.context.shared();
        let heads = {
            let heads = shared.captured.heads();
            let uri = &heads.request.uri;
            let uri = uri.path().len() + uri.query().map_or(0, str::len);
            uri + heads.request.fields.len() + heads.response.fields.len()
        };
        let body = |tee: &crate::recorder::Tee| tee.kept() + tee.seen_trailers().len();
        let bodies = body(&shared.captured.request_body()) + body(&shared.captured.response_body());
        let bodies = bodies + self.recording.bytes();
        heads + bodies
    }
}

impl Keeper {
    pub(crate) fn new(settings: Settings, exporter: Box<dyn Exporter>) -> io::Result<Self> {
        let counters = Arc::new(Counters::default());
        let replayer = match settings.replay {
            Some(replay) => {
                let record = Arc::clone(&settings.record);
                Some(Arc::new(Replayer::new(
                    replay,
                    record,
                    settings.policy.clone(),
                    Arc::clone(&counters),
                )?))
            }
            None => None,
        };
        let limits = &settings.limits;
        // One request needs room for both of its bodies.
        let bodies = MemoryBudget::new(limits.memory / 4 * 3, limits.body.saturating_mul(2));
        let bodies = Arc::new(bodies);
        let events = MemoryBudget::new(limits.memory / 4, limits.recording);
        let waiting = Arc::new(waiting::Waiting::new(Arc::clone(&bodies)));
        let told = (Arc::clone(&counters), Arc::clone(&waiting));
        let assembler = Assembler::new(&settings, exporter, told);
        let room = (settings.limits.queue, settings.limits.queue_bytes);
        let worker = Worker::spawn_within("dashcam-export", room, assembler)?;
        Ok(Self {
            replayer,
            bodies,
            waiting,
            events: Arc::new(events),
            storm: Mutex::new(storm::Storm::new(settings.storm)),
            methods: grpc::Methods::default(),
            sample: Mutex::new(sample::Sample::new(&settings.limits)),
            worker,
            process: std::process::id(),
            counters,
            settings,
        })
    }

    pub(crate) fn bodies(&self) -> &Arc<MemoryBudget> {
        &self.bodies
    }

    pub(crate) fn events(&self) -> &Arc<MemoryBudget> {
        &self.events
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Returns how many exchanges wait for export.
    pub(crate) fn queued(&self) -> usize {
        if self.forked().is_some() {
            // The queue belongs to the parent, and the lock may be held there.
            return 0;
        }
        self.worker.len()
    }

    pub(crate) fn health(&self) -> Health {
        match self.forked() {
            Some(why) => Health::Degraded { why },
            None => self.counters.health(),
        }
    }

    /// Returns a warning if this process is a fork of the one that made the keeper: it then
    /// has only the thread that forked.
    pub(crate) fn forked(&self) -> Option<String> {
        let Self { process, .. } = *self;
        (process != std::process::id()).then(|| {
            format!(
                "this process was forked from process {process}, which built dashcam, and does \
                 not have its threads, so it writes no exchanges or log lines: build dashcam \
                 after the fork"
            )
        })
    }

    pub(crate) fn exporter_panics(&self) -> u64 {
        self.worker.panics() + self.counters.exporter_panics.load(Relaxed)
    }

    /// Waits until every exchange offered so far is written, and every replay done. Returns
    /// whether they are.
    pub(crate) fn flush(&self, deadline: Duration) -> bool {
        // There is no thread to respond, and a lock that was held during the fork stays
        // locked.
        if self.forked().is_some() {
            return false;
        }
        let began = std::time::Instant::now();
        let exported = self.worker.flush(deadline);
        if let Some(replayer) = &self.replayer {
            let left = deadline.saturating_sub(began.elapsed());
            return replayer.flush(left) && exported;
        }
        exported
    }

    /// Gives the request a ticket for replay, if replay is on.
    pub(crate) fn issue_ticket(
        &self,
        context: &RequestContext,
        span: impl FnOnce() -> tracing::Span,
    ) {
        let Some(replayer) = &self.replayer else {
            return;
        };
        let span = span();
        let dispatch = span.with_subscriber(|(_, dispatch)| dispatch.clone());
        let dispatch = dispatch.unwrap_or_else(|| tracing::dispatcher::get_default(Clone::clone));
        let ticket = Ticket {
            span,
            dispatch,
            on_reason: Arc::clone(replayer) as _,
        };
        context.shared().notes().ticket = Some(ticket);
    }

    /// Runs `f` on the exporter thread, or drops it if the queue is full.
    pub(crate) fn run_elsewhere(&self, f: Box<dyn FnOnce() + Send>) {
        let _ = self.worker.offer(Job::Run(f));
    }

    /// Claims the request for this keeper. Returns `false` if a keeper already has it.
    pub(crate) fn claim(&self, context: &RequestContext) -> bool {
        context.shared().captured.claim(self.key())
    }

    /// Returns whether no other keeper has the request.
    pub(crate) fn may_join(&self, context: &RequestContext) -> bool {
        let by = context.shared().captured.by();
        by == 0 || by == self.key()
    }

    /// Returns whether this keeper has the request.
    pub(crate) fn has(&self, context: &RequestContext) -> bool {
        context.shared().captured.by() == self.key()
    }

    /// Identifies a keeper; never zero.
    fn key(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    fn storm(&self) -> MutexGuard<'_, storm::Storm> {
        self.storm.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeper")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
