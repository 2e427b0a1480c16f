//! Shows the recorded events of requests that went wrong to the service's own
//! layers, on a thread of its own.

use super::{
    Counters, Job, Replay, StormLimits,
    fields::{Fields, Sites},
    storm::{Admission, Storm, signature_so_far},
};
use crate::{
    context::{Aspect, OnReason, Replayed, RequestContext, Ticket, replaying, set_replayed},
    exchange::KeepReason,
    export::worker::{Handler, Worker},
    gate::{Announcement, Stage, in_subscriber},
    recorder::{EventRecord, Recording},
    redact::Scrubber,
    selection::{Recorded, Selected},
};
use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

/// Decides which requests are replayed, and hands them to the thread.
pub(super) struct Replayer {
    storm: Mutex<Storm>,
    /// Whether a request is live after a reason to keep it.
    live: bool,
    /// What it shows then.
    record: Arc<Recorded>,
    counters: Arc<Counters>,
    worker: Worker<Playback>,
}

/// Recorded events on their way to the layers.
pub(super) struct Playback {
    pub(super) context: RequestContext,
    pub(super) ticket: Ticket,
    pub(super) recording: Recording,
    pub(super) scrubber: Arc<Scrubber>,
    /// Requests like it that were not replayed since the last one that was.
    pub(super) suppressed_before: u64,
}

impl Replayer {
    /// `record` is what a request records: it is what it shows once it is live.
    pub(super) fn new(
        settings: Replay,
        record: Arc<Recorded>,
        counters: Arc<Counters>,
    ) -> io::Result<Self> {
        let limits = StormLimits {
            window: settings.window,
            full: settings.per_signature,
            heads: 0,
            per_second: settings.per_second,
        };
        let player = Player {
            sites: Sites::new(),
            counters: Arc::clone(&counters),
        };
        Ok(Self {
            storm: Mutex::new(Storm::new(limits)),
            live: settings.live,
            record,
            counters,
            worker: Worker::spawn("dashcam-replay", settings.queue, player)?,
        })
    }

    /// Whether a request like this may be replayed, and how many like it were
    /// not since the last one.
    pub(super) fn admit(&self, signature: u64, asked: bool) -> Option<u64> {
        match self.storm().admit(signature, asked, Instant::now()) {
            Admission::Full { suppressed } => Some(suppressed),
            Admission::Heads { .. } | Admission::Count => {
                self.suppress();
                None
            }
        }
    }

    /// Counts a request that is not replayed though it should be.
    pub(super) fn suppress(&self) {
        self.counters.replay_suppressed.fetch_add(1, Relaxed);
    }

    pub(super) fn play(&self, playback: Playback) {
        if let Err(playback) = self.worker.offer(playback) {
            self.counters.replay_queue_full.fetch_add(1, Relaxed);
            end(playback.ticket);
        }
    }

    pub(super) fn flush(&self, deadline: Duration) -> bool {
        self.worker.flush(deadline)
    }

    fn storm(&self) -> MutexGuard<'_, Storm> {
        self.storm.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether requests that are kept for these reasons are replayed.
pub(super) fn is_due(reasons: &[KeepReason]) -> bool {
    use KeepReason::{Asked, ErrorEvent, Outcome, Slow};
    let due = |reason: &_| matches!(reason, Outcome | Slow | ErrorEvent | Asked { .. });
    reasons.iter().any(due)
}

/// Makes a request live, and replays it so far, once there is a reason.
pub(super) struct Raise {
    pub(super) replayer: Arc<Replayer>,
    pub(super) exporter: Worker<Job>,
}

impl OnReason for Raise {
    fn reason(&self, context: &RequestContext, asked: bool) {
        let shared = context.shared();
        if !shared.claim(Aspect::Replay) {
            return;
        }
        let signature = signature_so_far(context);
        let Some(suppressed_before) = self.replayer.admit(signature, asked) else {
            return;
        };
        shared.note_replayed();
        if self.replayer.live
            && let Some(record) = self.replayer.record.directives()
        {
            let by = "a reason to keep it".to_owned();
            context.go_live(&Arc::new(Selected::live(by, record)));
        }
        let ticket = shared.notes().ticket.clone();
        let Some(ticket) = ticket else { return };
        let so_far = SoFar {
            context: context.clone(),
            ticket,
            suppressed_before,
        };
        // Where it cannot be queued the end of the request shows all of it.
        let _ = self.exporter.offer(Job::ReplaySoFar(Box::new(so_far)));
    }
}

/// A request that runs, to be replayed up to now.
pub(crate) struct SoFar {
    pub(super) context: RequestContext,
    pub(super) ticket: Ticket,
    pub(super) suppressed_before: u64,
}

/// Lets go of a request's span on a thread of ours: whatever the layers do then
/// costs nothing but that.
pub(super) fn end(ticket: Ticket) {
    let Ticket { span, dispatch, .. } = ticket;
    let close = || in_subscriber(&dispatch, || drop(span));
    let _ = catch_unwind(AssertUnwindSafe(close));
}

/// The thread's side.
struct Player {
    sites: Sites,
    counters: Arc<Counters>,
}

impl Handler<Playback> for Player {
    fn handle(&mut self, playback: Playback) {
        let play = || in_subscriber(&playback.ticket.dispatch, || self.play(&playback));
        let played = catch_unwind(AssertUnwindSafe(play));
        // Before this thread unwinds: to close a span is code of the layers, too.
        end(playback.ticket);
        if let Err(payload) = played {
            self.counters.replay_panics.fetch_add(1, Relaxed);
            resume_unwind(payload);
        }
    }
}

impl Player {
    fn play(&mut self, playback: &Playback) {
        let hidden: Vec<_> = playback.recording.events().filter(|e| !e.shown).collect();
        if hidden.is_empty() {
            return;
        }
        self.counters.replays.fetch_add(1, Relaxed);
        let Ticket { span, dispatch, .. } = &playback.ticket;
        replaying(&playback.context, || {
            let stage = Stage::open(dispatch, span.id());
            // The span has to be left before a panic of somebody's layer goes on.
            let played = catch_unwind(AssertUnwindSafe(|| {
                stage.announce(&Announcement {
                    events: hidden.len() as u64,
                    lost: playback.recording.dropped(),
                    values_cut: playback.recording.cut(),
                    suppressed_before: playback.suppressed_before,
                });
                for event in &hidden {
                    self.show(&stage, playback, event);
                }
            }));
            set_replayed(None);
            drop(stage);
            if let Err(payload) = played {
                resume_unwind(payload);
            }
        });
    }

    fn show(&mut self, stage: &Stage<'_>, playback: &Playback, event: &EventRecord<'_>) {
        let scrubber = &playback.scrubber;
        let site = self.sites.of(event.metadata, scrubber.policy());
        let values = Fields {
            site: &site,
            values: event.values,
            scrubber: Some(scrubber),
        }
        .to_values();
        let shared = playback.context.shared();
        let since = event.at.saturating_duration_since(shared.started);
        let mut replayed = Replayed {
            metadata: event.metadata,
            at: shared.started_at + since,
            spans: Vec::new(),
            values: Vec::new(),
            scrubber: Arc::clone(scrubber),
            #[cfg(feature = "opentelemetry")]
            apart: false,
        };
        for (metadata, fields) in event.spans() {
            let start = replayed.values.len();
            replayed.values.extend_from_slice(fields);
            let end = replayed.values.len();
            replayed.spans.push((metadata, start..end));
        }
        set_replayed(Some(replayed));
        if stage.emit(event.metadata, &values) {
            self.counters.replayed_events.fetch_add(1, Relaxed);
        }
        #[cfg(feature = "opentelemetry")]
        if let Some(replayed) = set_replayed(None)
            && replayed.apart
        {
            crate::opentelemetry::add_event(&playback.ticket.span, &replayed, &values);
        }
    }
}
