//! Replays the recorded events of requests that went wrong to the service's own tracing
//! layers, on a separate thread.

use super::{
    Counters, Replay, StormLimits,
    assemble::remember_fields,
    storm::{Admission, Signature, Storm, signature_so_far},
};
use crate::{
    context::{Aspect, OnReason, Replayed, RequestContext, Ticket, replaying, set_replayed},
    exchange::KeepReason,
    foreign,
    gate::{Announcement, Stage, in_subscriber},
    recorder::{EventRecord, Recording},
    redact::{Decisions, Policy, Redactor, Scrubber},
    render::{Fields, Sites, remember},
    selection::{Recorded, Selected},
    worker::{Handler, Worker},
};
use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

/// Decides which requests are replayed, and queues them for the thread.
pub(super) struct Replayer {
    storm: Mutex<Storm>,
    /// Whether a request becomes live at a reason to keep it.
    live: bool,
    /// Which events it then shows.
    record: Arc<Recorded>,
    counters: Arc<Counters>,
    worker: Worker<Playback>,
}

/// A request that waits for its replay.
struct Playback {
    context: RequestContext,
    ticket: Ticket,
    /// `None` if the request still runs, and is replayed up to now.
    recording: Option<Arc<Recording>>,
    /// How many requests like it were not replayed since the last replay.
    suppressed_before: u64,
}

impl Replayer {
    /// `record` is what a request records, and shows once it is live.
    pub(super) fn new(
        settings: Replay,
        record: Arc<Recorded>,
        policy: Policy,
        counters: Arc<Counters>,
    ) -> io::Result<Self> {
        let limits = StormLimits {
            window: settings.window,
            full: settings.per_signature,
            heads: 0,
            sample: 0,
            per_second: settings.per_second,
        };
        let player = Player {
            policy,
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

    /// Replays a request that has ended, if it is due.
    pub(super) fn at_end(
        &self,
        context: &RequestContext,
        ticket: Ticket,
        recording: &Arc<Recording>,
        reasons: &[KeepReason],
        signature: Signature,
    ) {
        let shared = context.shared();
        let suppressed_before = if !recording.has_unshown() {
            None
        } else if shared.is_replayed() {
            // A replay that began while it ran is completed.
            Some(0)
        } else if is_due(reasons) && shared.claim(Aspect::Replay) {
            self.admit(signature, false)
        } else {
            None
        };
        let Some(suppressed_before) = suppressed_before else {
            return;
        };
        let playback = Playback {
            context: context.clone(),
            ticket,
            recording: Some(Arc::clone(recording)),
            suppressed_before,
        };
        if self.worker.offer(playback).is_err() {
            self.counters.replay_queue_full.fetch_add(1, Relaxed);
        }
    }

    /// Returns whether such a request may be replayed, and how many like it were not since
    /// the last replay.
    fn admit(&self, signature: Signature, asked: bool) -> Option<u64> {
        match self.storm().admit(signature, 0, asked, Instant::now()) {
            Admission::Full { suppressed } => Some(suppressed),
            Admission::Heads { .. } | Admission::Count => {
                self.counters.replay_suppressed.fetch_add(1, Relaxed);
                None
            }
        }
    }

    pub(super) fn flush(&self, deadline: Duration) -> bool {
        self.worker.flush(deadline)
    }

    fn storm(&self) -> MutexGuard<'_, Storm> {
        self.storm.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns whether requests with these reasons are replayed.
fn is_due(reasons: &[KeepReason]) -> bool {
    use KeepReason::{Asked, Condition, ErrorEvent, Outcome, RequestBody, Slow};
    let due = |reason: &_| {
        matches!(
            reason,
            Outcome | RequestBody | Slow | ErrorEvent | Asked { .. } | Condition { .. }
        )
    };
    reasons.iter().any(due)
}

/// Makes a request live and replays its events so far, at the first reason to keep it.
impl OnReason for Replayer {
    fn reason(&self, context: &RequestContext, asked: bool) {
        let shared = context.shared();
        // Otherwise the replay is at its end, when all its hidden values are known.
        if !self.live || !shared.claim(Aspect::Replay) {
            return;
        }
        let Some(suppressed_before) = self.admit(signature_so_far(context), asked) else {
            return;
        };
        shared.note_replayed();
        if let Some(record) = self.record.directives() {
            let by = "a reason to keep it".to_owned();
            context.go_live(Selected::live(by, record));
        }
        let ticket = shared.notes().ticket.clone();
        let Some(ticket) = ticket else { return };
        // If it cannot be queued, the replay at the end shows all events.
        let _ = self.worker.offer(Playback {
            context: context.clone(),
            ticket,
            recording: None,
            suppressed_before,
        });
    }
}

/// The thread's side.
struct Player {
    policy: Policy,
    sites: Sites,
    counters: Arc<Counters>,
}

impl Handler<Playback> for Player {
    fn handle(&mut self, playback: Playback) {
        let dispatch = playback.ticket.dispatch.clone();
        if !in_subscriber(&dispatch, || self.play(&playback)) {
            self.counters.replay_panics.fetch_add(1, Relaxed);
        }
        // Dropping it closes the request's span, which runs code of the layers.
        in_subscriber(&dispatch, || foreign::discard(playback));
    }
}

impl Player {
    /// Returns the values that a request hides so far.
    fn secrets(&mut self, context: &RequestContext, recording: &Recording) -> Scrubber {
        let mut redactor = Redactor::only_to_remember(&self.policy, Decisions::default())
            .of(context.shared().hiding.salt())
            .named(context.correlation_id().as_str());
        remember(&mut redactor, context, &context.shared().calls());
        remember_fields(&mut redactor, recording, &mut self.sites);
        redactor.into_scrubber()
    }

    /// Replays the events. Returns `false` if a layer panicked.
    fn play(&mut self, playback: &Playback) -> bool {
        let so_far = || {
            let mut recording = playback.context.shared().recording();
            recording.copy_unshown().map(Arc::new)
        };
        let Some(recording) = playback.recording.clone().or_else(so_far) else {
            return true;
        };
        let hidden: Vec<_> = recording.events().filter(|e| !e.shown).collect();
        let scrubber = Arc::new(self.secrets(&playback.context, &recording));
        self.counters.replays.fetch_add(1, Relaxed);
        let Ticket { span, dispatch, .. } = &playback.ticket;
        replaying(&playback.context, || {
            let mut stage = Stage::new(dispatch, span.id());
            let played = foreign::run(|| {
                stage.open();
                stage.announce(&Announcement {
                    events: hidden.len() as u64,
                    lost: recording.dropped(),
                    values_cut: recording.cut(),
                    suppressed_before: playback.suppressed_before,
                });
                for event in &hidden {
                    self.show(&stage, playback, &scrubber, event);
                }
            });
            set_replayed(None);
            // Not while this thread unwinds: a second panic would abort the process.
            stage.close() && played.is_some()
        })
    }

    fn show(
        &mut self,
        stage: &Stage<'_>,
        playback: &Playback,
        scrubber: &Arc<Scrubber>,
        event: &EventRecord<'_>,
    ) {
        let site = self.sites.of(event.metadata, scrubber.policy());
        let values = Fields {
            site: &site,
            values: event.values,
            scrubber: Some(scrubber),
            once: false,
        }
        .to_values();
        let shared = playback.context.shared();
        let since = event.at.saturating_duration_since(shared.began.at);
        let mut replayed = Replayed {
            metadata: event.metadata,
            at: shared
                .began
                .time
                .checked_add(since)
                .unwrap_or(shared.began.time),
            spans: Vec::new(),
            values: Vec::new(),
            scrubber: Arc::clone(scrubber),
            arrived: false,
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
        stage.emit(event.metadata, &values);
        let Some(replayed) = set_replayed(None).filter(|replayed| replayed.arrived) else {
            return;
        };
        self.counters.replayed_events.fetch_add(1, Relaxed);
        #[cfg(feature = "opentelemetry")]
        if replayed.apart {
            crate::opentelemetry::add_event(&playback.ticket.span, &replayed, &values);
        }
        #[cfg(not(feature = "opentelemetry"))]
        drop(replayed);
    }
}
