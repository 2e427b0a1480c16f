use super::{
    Mode, Notes, Route, TracedSpan,
    calls::KeepCall,
    mode::{Aspect, CALLS, ERROR_EVENT, HELD, REPLAYED},
};
use crate::{
    id::{Identified, Identity},
    recorder::{Captured, Recording},
    redact::Hiding,
    selection::InForce,
};
use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::{Instant, SystemTime},
};

/// The number of late events of all requests.
static LATE_EVENTS: AtomicU64 = AtomicU64::new(0);

pub(crate) fn late_events() -> u64 {
    LATE_EVENTS.load(Relaxed)
}

/// Counts an event of a request that has ended.
pub(crate) fn note_late() {
    LATE_EVENTS.fetch_add(1, Relaxed);
}

/// When and where a request began. It is set anew for each request.
#[derive(Debug)]
pub(crate) struct Began {
    pub(crate) at: Instant,
    pub(crate) time: SystemTime,
    pub(crate) route: Option<Route>,
}

impl Default for Began {
    fn default() -> Self {
        Self {
            at: Instant::now(),
            time: SystemTime::UNIX_EPOCH,
            route: None,
        }
    }
}

/// The state of one request, shared by all its clones. Each part belongs to a module, which resets
/// it.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) began: Began,
    pub(crate) identified: Identified,
    pub(crate) in_force: InForce,
    pub(crate) captured: Captured,
    pub(crate) hiding: Hiding,
    /// How its calls carry its selection on.
    #[cfg(feature = "token")]
    pub(super) onward: super::Onward,
    bits: AtomicU32,
    late: AtomicU32,
    notes: Mutex<Notes>,
    recording: Mutex<Recording>,
    /// The last batch of log lines that counts its weight.
    weighed_in: AtomicU64,
}

/// Locks. It ignores poison, because foreign panics cannot leave the value inconsistent.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn get_mut<T>(mutex: &mut Mutex<T>) -> &mut T {
    mutex.get_mut().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(super) fn begin(&mut self, identity: Identity, began: Began) {
        self.identified.begin(identity);
        self.began = began;
    }

    pub(crate) fn route(&self) -> Option<&str> {
        self.began.route.as_ref().map(Route::as_str)
    }

    /// Returns another hold on its span, if a tracing library records it.
    pub(crate) fn span(&self) -> Option<Box<dyn TracedSpan>> {
        if !self.identified.is_traced() {
            return None;
        }
        self.notes().span.as_ref().map(|span| span.again())
    }

    /// Takes the hold on its span.
    pub(crate) fn take_span(&self) -> Option<Box<dyn TracedSpan>> {
        if !self.identified.is_traced() {
            return None;
        }
        self.notes().span.take()
    }

    #[inline]
    pub(crate) fn mode(&self) -> Mode {
        Mode::of(self.bits.load(Relaxed))
    }

    /// Adds to the mode. Returns whether that is new.
    pub(crate) fn raise(&self, mode: Mode) -> bool {
        self.bits.fetch_or(mode.bits(), Relaxed) & mode.bits() == 0
    }

    /// Claims an aspect for the calling layer. Returns `false` if another layer has it.
    pub(crate) fn claim(&self, aspect: Aspect) -> bool {
        self.bits.fetch_or(aspect.bit(), Relaxed) & aspect.bit() == 0
    }

    pub(crate) fn saw_error_event(&self) -> bool {
        self.bits.load(Relaxed) & ERROR_EVENT != 0
    }

    /// Notes a call that begins.
    pub(crate) fn begin_call(&self, call: &super::RequestContext) {
        let ended = self.mode().has(Mode::FINISHED);
        let gone = self.notes().calls.begin(call, ended);
        // Dropping them drops bodies, which may be code of the service.
        drop(gone);
        self.bits.fetch_or(CALLS, Relaxed);
    }

    /// Returns the calls that it made, the first of them.
    pub(crate) fn calls(&self) -> Vec<super::RequestContext> {
        if self.has_calls() {
            self.notes().calls.begun().to_vec()
        } else {
            Vec::new()
        }
    }

    /// Holds the result of a call until the outcome of the request is known.
    pub(crate) fn note_call(&self, keep: KeepCall) {
        let refused = self.notes().calls.push(keep);
        drop(refused);
        self.bits.fetch_or(CALLS, Relaxed);
    }

    pub(crate) fn has_calls(&self) -> bool {
        self.bits.load(Relaxed) & CALLS != 0
    }

    pub(crate) fn note_error_event(&self, site: Option<(&'static str, u32)>) {
        if self.bits.fetch_or(ERROR_EVENT, Relaxed) & ERROR_EVENT == 0 {
            self.notes().error_site = site;
        }
    }

    /// Returns whether its events are replayed already while it runs.
    pub(crate) fn is_replayed(&self) -> bool {
        self.bits.load(Relaxed) & REPLAYED != 0
    }

    pub(crate) fn note_replayed(&self) {
        self.bits.fetch_or(REPLAYED, Relaxed);
    }

    /// Notes that the request has a place among verbose ones.
    pub(super) fn note_held(&self) {
        self.bits.fetch_or(HELD, Relaxed);
    }

    pub(super) fn is_held(&self) -> bool {
        self.bits.load(Relaxed) & HELD != 0
    }

    pub(crate) fn note_late_event(&self) {
        note_late();
        self.late.fetch_add(1, Relaxed);
    }

    pub(crate) fn late_events(&self) -> u32 {
        self.late.load(Relaxed)
    }

    pub(crate) fn notes(&self) -> MutexGuard<'_, Notes> {
        lock(&self.notes)
    }

    pub(crate) fn try_notes(&self) -> Option<MutexGuard<'_, Notes>> {
        self.notes.try_lock().ok()
    }

    pub(crate) fn recording(&self) -> MutexGuard<'_, Recording> {
        lock(&self.recording)
    }

    pub(crate) fn is_weighed_in(&self, batch: u64) -> bool {
        self.weighed_in.load(Relaxed) == batch
    }

    /// Notes that a batch of log lines counts its weight. A batch holds the request, so that it is
    /// not reused meanwhile.
    pub(crate) fn note_weighed_in(&self, batch: u64) {
        self.weighed_in.store(batch, Relaxed);
    }

    /// Returns about how much memory it keeps alive, without the recording.
    pub(crate) fn weight(&self) -> usize {
        let calls = if self.has_calls() {
            self.calls().iter().map(|c| c.shared().weight()).sum()
        } else {
            0
        };
        size_of::<Self>() + self.captured.weight() + calls
    }

    /// Resets it for the next request. Buffers of modest size stay allocated.
    pub(super) fn reset(&mut self) {
        let Self {
            began,
            identified,
            in_force,
            captured,
            hiding,
            #[cfg(feature = "token")]
            onward,
            bits,
            late,
            notes,
            recording,
            weighed_in: _, // The numbers of batches are unique.
        } = self;
        began.route = None;
        identified.reset();
        in_force.reset();
        captured.reset();
        hiding.reset();
        #[cfg(feature = "token")]
        onward.reset();
        *late.get_mut() = 0;
        get_mut(notes).reset();
        // A recording that never began needs no reset.
        if std::mem::take(bits.get_mut()) & Mode::BEGUN != 0 {
            get_mut(recording).reset();
        }
    }
}
