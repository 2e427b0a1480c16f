//! Decides which exchanges are kept, and turns them into their record.

mod assemble;
mod classify;
mod counters;
#[cfg(feature = "gate")]
mod fields;
#[cfg(feature = "gate")]
mod replay;
mod settings;
mod storm;

#[cfg(feature = "kit")]
pub(crate) use self::{
    assemble::{LINE_KNOWS, remember_secrets, time_text},
    fields::{Fields, Shown, Site},
};
pub use self::{
    classify::{Classify, ServerErrors},
    counters::Dropped,
    settings::{Limits, StormLimits},
};
pub(crate) use self::{
    counters::Counters,
    settings::{Settings, settings_setters},
};
#[cfg(feature = "gate")]
pub use self::{counters::Replays, settings::Replay};

#[cfg(feature = "gate")]
use self::replay::Replayer;
use self::{assemble::Assembler, storm::Admission};
use crate::{
    context::RequestContext,
    exchange::{Depth, Failure, KeepReason, Outcome},
    export::{Exporter, Health, worker::Worker},
    recorder::{Ending, MemoryBudget},
};
#[cfg(feature = "gate")]
use crate::{context::Ticket, recorder::Recording};
use http::{HeaderMap, StatusCode, Uri, request, response};
use std::{
    fmt, io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

/// Everything that one set of layers shares to keep exchanges.
pub(crate) struct Keeper {
    settings: Settings,
    /// Bodies and events have budgets of their own: whoever fills one with
    /// slow uploads must not switch the recording off for the rest.
    bodies: Arc<MemoryBudget>,
    events: Arc<MemoryBudget>,
    counters: Arc<Counters>,
    storm: Mutex<storm::Storm>,
    worker: Worker<Job>,
    #[cfg(feature = "gate")]
    replayer: Option<Arc<Replayer>>,
}

/// How one request ended, as the lifecycle saw it.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) outcome: Outcome,
    pub(crate) status: Option<StatusCode>,
    pub(crate) duration: Duration,
    pub(crate) in_flight: u64,
}

/// Work for the exporter thread.
pub(crate) enum Job {
    Keep(Box<Kept>),
    /// Something that must not run where it was found, such as logging while
    /// the thread unwinds.
    Run(Box<dyn FnOnce() + Send>),
}

/// An exchange that waits for its export.
pub(crate) struct Kept {
    pub(crate) context: RequestContext,
    pub(crate) ended: Ended,
    pub(crate) slow: bool,
    pub(crate) reasons: Vec<KeepReason>,
    pub(crate) depth: Depth,
    /// Whether the rule that it is kept for wants no bodies.
    pub(crate) bodiless: bool,
    pub(crate) suppressed_before: u64,
    #[cfg(feature = "gate")]
    pub(crate) recording: Arc<Recording>,
}

impl Keeper {
    pub(crate) fn new(settings: Settings, exporter: Box<dyn Exporter>) -> io::Result<Self> {
        let counters = Arc::new(Counters::default());
        #[cfg(feature = "gate")]
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
        let assembler = Assembler::new(&settings, exporter, Arc::clone(&counters));
        let worker = Worker::spawn("dashcam-export", settings.limits.queue, assembler)?;
        Ok(Self {
            #[cfg(feature = "gate")]
            replayer,
            bodies: Arc::new(MemoryBudget::new(settings.limits.memory / 4 * 3)),
            events: Arc::new(MemoryBudget::new(settings.limits.memory / 4)),
            storm: Mutex::new(storm::Storm::new(settings.storm)),
            worker,
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

    /// Exchanges that wait for their export.
    pub(crate) fn queued(&self) -> usize {
        self.worker.len()
    }

    pub(crate) fn health(&self) -> Health {
        self.counters.health()
    }

    pub(crate) fn worker_panics(&self) -> u64 {
        self.worker.panics()
    }

    /// Waits until everything offered so far has reached the exporter, and the
    /// service's own layers where it is replayed.
    pub(crate) fn flush(&self, deadline: Duration) -> bool {
        #[cfg(feature = "gate")]
        let began = Instant::now();
        let exported = self.worker.flush(deadline);
        #[cfg(feature = "gate")]
        if let Some(replayer) = &self.replayer {
            let left = deadline.saturating_sub(began.elapsed());
            return replayer.flush(left) && exported;
        }
        exported
    }

    /// What the request needs to be replayed, where that is on.
    #[cfg(feature = "gate")]
    pub(crate) fn issue_ticket(&self, context: &RequestContext, span: &tracing::Span) {
        let Some(replayer) = &self.replayer else {
            return;
        };
        let dispatch = span.with_subscriber(|(_, dispatch)| dispatch.clone());
        let dispatch = dispatch.unwrap_or_else(|| tracing::dispatcher::get_default(Clone::clone));
        let ticket = Ticket {
            span: span.clone(),
            dispatch,
            on_reason: Arc::clone(replayer) as _,
        };
        context.shared().notes().ticket = Some(ticket);
    }

    /// Runs `f` on the exporter thread, or drops it where the queue is full.
    pub(crate) fn run_elsewhere(&self, f: Box<dyn FnOnce() + Send>) {
        let _ = self.worker.offer(Job::Run(f));
    }

    /// Takes the request for this keeper; `false` where it is taken already.
    pub(crate) fn claim(&self, context: &RequestContext) -> bool {
        context.shared().claim_capture(self.key())
    }

    /// Whether a request is nobody else's.
    pub(crate) fn may_join(&self, context: &RequestContext) -> bool {
        let by = context.shared().captured_by();
        by == 0 || by == self.key()
    }

    /// Tells keepers apart; never zero.
    fn key(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// Copies the request head and starts the capture of the request body.
    pub(crate) fn request(
        &self,
        context: &RequestContext,
        head: &request::Parts,
        uri: &Uri,
        declared: Option<u64>,
    ) -> u64 {
        let shared = context.shared();
        {
            let mut heads = shared.heads();
            heads.request.method = head.method.clone();
            heads.request.uri = uri.clone();
            heads.request.version = head.version;
            heads
                .request
                .fields
                .copy(&head.headers, self.settings.limits.head);
        }
        shared.request_body().begin(
            self.settings.limits.body,
            self.settings.limits.head,
            declared,
            self.budget(),
        );
        self.counters.in_flight.fetch_add(1, Relaxed) + 1
    }

    /// Copies the response head and starts the capture of the response body.
    pub(crate) fn response(
        &self,
        context: &RequestContext,
        head: &response::Parts,
        declared: Option<u64>,
    ) -> Option<Failure> {
        let shared = context.shared();
        {
            let mut heads = shared.heads();
            heads.response.status = head.status;
            heads.response.version = head.version;
            heads.response.at = Some(Instant::now());
            heads
                .response
                .fields
                .copy(&head.headers, self.settings.limits.head);
        }
        shared.response_body().begin(
            self.settings.limits.body,
            self.settings.limits.head,
            declared,
            self.budget(),
        );
        judge(|| self.settings.classify.head(head.status, &head.headers))
    }

    fn budget(&self) -> Option<Arc<MemoryBudget>> {
        Some(Arc::clone(&self.bodies))
    }

    /// Classifies the trailers of a response whose head was no failure.
    pub(crate) fn trailers(
        &self,
        context: &RequestContext,
        trailers: &HeaderMap,
    ) -> Option<Failure> {
        context.shared().response_body().trailers(trailers);
        judge(|| self.settings.classify.trailers(trailers))
    }

    /// Ends the exchange: keeps it where there is a reason, and says whether.
    ///
    /// Called once for every request, possibly from a drop while the thread
    /// unwinds: it only decides and hands over.
    pub(crate) fn finish(&self, context: &RequestContext, ended: Ended) -> bool {
        let shared = context.shared();
        // It holds a span: closing that is code of the service's layers.
        #[cfg(feature = "gate")]
        let ticket = { shared.notes().ticket.take() };
        shared.request_body().end(Ending::Dropped);
        let head_after = shared
            .heads()
            .response
            .at
            .map_or(ended.duration, |at| at.duration_since(shared.started));
        let slow = head_after > self.settings.slow;
        let (reasons, asked) = self.reasons(context, &ended, slow);
        #[cfg(feature = "gate")]
        let bodiless = is_bodiless(context, &reasons);
        #[cfg(not(feature = "gate"))]
        let bodiless = false;
        let kept = if reasons.is_empty() {
            #[cfg(feature = "gate")]
            // Log lines that wait, and tasks that go on, may hold the context for
            // long; its events nobody wants any more.
            shared.recording().reset();
            false
        } else {
            own_uri(&mut shared.heads().request.uri);
            shared.request_body().own_content();
            shared.response_body().own_content();
            let signature = storm::signature(context, &ended, slow);
            #[cfg(feature = "gate")]
            let recording = Arc::new(std::mem::take(&mut *shared.recording()));
            #[cfg(feature = "gate")]
            if let (Some(replayer), Some(ticket)) = (&self.replayer, ticket) {
                replayer.at_end(context, ticket, &recording, &reasons, signature);
            }
            let kept = Kept {
                context: context.clone(),
                ended,
                slow,
                reasons,
                depth: Depth::Full,
                bodiless,
                suppressed_before: 0,
                #[cfg(feature = "gate")]
                recording,
            };
            self.keep(kept, signature, asked)
        };
        // Last, so that who sees a request finished finds it queued.
        self.counters.finished.fetch_add(1, Relaxed);
        self.counters.in_flight.fetch_sub(1, Relaxed);
        kept
    }

    /// Queues an exchange as far as the budget allows, and says whether.
    fn keep(&self, mut kept: Kept, signature: u64, asked: bool) -> bool {
        let admission = self.storm().admit(signature, asked, Instant::now());
        (kept.depth, kept.suppressed_before) = match admission {
            Admission::Full { suppressed } => (Depth::Full, suppressed),
            // The content is not written, but it says what must be hidden in
            // the texts that are, and on log lines that wait for their writer.
            Admission::Heads { suppressed } => (Depth::Heads, suppressed),
            Admission::Count => {
                self.counters.suppressed.fetch_add(1, Relaxed);
                return false;
            }
        };
        let queued = self.worker.offer(Job::Keep(Box::new(kept))).is_ok();
        if queued {
            self.counters.kept.fetch_add(1, Relaxed);
        } else {
            self.counters.queue_full.fetch_add(1, Relaxed);
            self.storm().take_back(signature, admission);
        }
        queued
    }

    fn storm(&self) -> MutexGuard<'_, storm::Storm> {
        self.storm.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reasons(
        &self,
        context: &RequestContext,
        ended: &Ended,
        slow: bool,
    ) -> (Vec<KeepReason>, bool) {
        let mut reasons = Vec::new();
        if ended.outcome != Outcome::Completed && !left_a_stream(context, ended) {
            reasons.push(KeepReason::Outcome);
        }
        if slow {
            reasons.push(KeepReason::Slow);
        }
        let shared = context.shared();
        if shared.saw_error_event() {
            reasons.push(KeepReason::ErrorEvent);
        }
        let notes = shared.notes();
        let automatic = reasons.len();
        reasons.extend(notes.keep.iter().map(|why| KeepReason::Asked {
            why: why.clone().into_owned(),
        }));
        #[cfg(feature = "gate")]
        if let Some(selected) = &notes.selected {
            reasons.push(KeepReason::Selected {
                by: selected.by.clone(),
            });
        }
        drop(notes);
        let asked = reasons.len() > automatic;
        if reasons.is_empty() && self.settings.in_baseline() {
            reasons.push(KeepReason::Baseline);
        }
        (reasons, asked)
    }
}

/// Whether all that it is kept for is a rule that wants no bodies.
#[cfg(feature = "gate")]
fn is_bodiless(context: &RequestContext, reasons: &[KeepReason]) -> bool {
    matches!(reasons, [KeepReason::Selected { .. }]) && {
        let notes = context.shared().notes();
        notes.selected.as_ref().is_some_and(|s| s.heads_only)
    }
}

/// Asks the service's own classifier; one that panics has no opinion.
fn judge(classify: impl FnOnce() -> Option<Failure>) -> Option<Failure> {
    catch_unwind(AssertUnwindSafe(classify)).ok().flatten()
}

/// Leaving is how clients end a stream of events: nothing went wrong.
fn left_a_stream(context: &RequestContext, ended: &Ended) -> bool {
    ended.outcome == Outcome::Abandoned
        && assemble::is_stream(
            context
                .shared()
                .heads()
                .response
                .fields
                .text("content-type"),
        )
}

/// Copies a URI: the server's one keeps the whole buffer alive that the request
/// was read into, and it may have to wait.
fn own_uri(uri: &mut Uri) {
    if let Ok(own) = uri.to_string().parse() {
        *uri = own;
    }
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeper")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
