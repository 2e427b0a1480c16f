#[cfg(feature = "gate")]
use super::Ticket;
#[cfg(feature = "capture")]
use super::calls::{Calls, KeepCall};
use crate::id::{CorrelationId, InvalidCorrelationId, TraceContext};
use crate::recorder::Said;
#[cfg(feature = "capture")]
use crate::recorder::{CaptureOptions, HeaderFields, Tee};
#[cfg(feature = "capture")]
use crate::redact::{Known, Salt};
#[cfg(feature = "gate")]
use crate::{
    recorder::Recording,
    selection::{Hold, Pending, Selected, Shortage},
};
#[cfg(feature = "gate")]
use std::sync::Arc;
#[cfg(feature = "capture")]
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::{
    borrow::Cow,
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    thread::ThreadId,
    time::{Instant, SystemTime},
};

/// What the gate has to know of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Mode(u32);

impl Mode {
    pub(crate) const NONE: Self = Self(0);
    /// Events are recorded.
    #[cfg(feature = "gate")]
    pub(crate) const RECORD: Self = Self(1);
    /// Verbose events and spans reach the service's output.
    pub(crate) const LIVE: Self = Self(1 << 1);
    /// The request is over; whatever comes is late.
    pub(crate) const FINISHED: Self = Self(1 << 2);
    /// The gate looks at this request's events, if only for decision points.
    #[cfg(feature = "gate")]
    pub(crate) const WATCHED: Self = Self(1 << 3);
    /// This thread sends recorded events through the subscriber again. Never a
    /// request's own mode.
    #[cfg(feature = "gate")]
    pub(crate) const REPLAY: Self = Self(1 << 4);
    /// What its own rule names is recorded, too.
    #[cfg(feature = "gate")]
    pub(crate) const DEEP: Self = Self(1 << 5);
    /// It was live, until a budget was used up.
    #[cfg(feature = "gate")]
    pub(crate) const MUTED: Self = Self(1 << 6);
    const ALL: u32 = 0b110_1111;

    #[inline]
    pub(crate) const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    #[cfg(feature = "gate")]
    pub(crate) const fn is_live(self) -> bool {
        self.has(Self::LIVE) && !self.has(Self::MUTED) && !self.has(Self::FINISHED)
    }
}

/// A part of the lifecycle that one layer takes for itself in a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Aspect {
    Correlation,
    Span,
    #[cfg(feature = "gate")]
    Verbose,
    /// Whether its events are replayed, which is decided once.
    #[cfg(feature = "gate")]
    Replay,
}

impl Aspect {
    const fn bit(self) -> u32 {
        match self {
            Self::Correlation => 1 << 8,
            Self::Span => 1 << 10,
            #[cfg(feature = "gate")]
            Self::Verbose => 1 << 9,
            #[cfg(feature = "gate")]
            Self::Replay => 1 << 11,
        }
    }
}

/// Late events of all requests.
#[cfg(feature = "gate")]
static LATE_EVENTS: AtomicU64 = AtomicU64::new(0);

#[cfg(feature = "kit")]
pub(crate) fn late_events() -> u64 {
    LATE_EVENTS.load(Relaxed)
}

/// Counts an event of a request that has gone.
#[cfg(feature = "gate")]
pub(crate) fn note_late() {
    LATE_EVENTS.fetch_add(1, Relaxed);
}

const ERROR_EVENT: u32 = 1 << 16;
#[cfg(feature = "capture")]
const CALLS: u32 = 1 << 19;
#[cfg(feature = "gate")]
const REPLAYED: u32 = 1 << 17;
#[cfg(feature = "gate")]
const HELD: u32 = 1 << 18;

/// Who the request is.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) id: Option<CorrelationId>,
    pub(crate) from_header: bool,
    pub(crate) client_id: Option<CorrelationId>,
    pub(crate) rejected: Option<InvalidCorrelationId>,
    /// Its place in its trace; every context is made with one.
    pub(crate) trace: Option<TraceContext>,
}

/// A route template, held as the router gave it.
#[derive(Clone, Debug)]
pub(crate) enum Route {
    #[cfg(feature = "axum")]
    Matched(axum::extract::MatchedPath),
}

impl Route {
    pub(crate) fn as_str(&self) -> &str {
        // Without a router there is no value of this type.
        match *self {
            #[cfg(feature = "axum")]
            Self::Matched(ref path) => path.as_str(),
        }
    }
}

/// A panic that was seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct PanicNote {
    pub(crate) message: Option<Said>,
    pub(crate) location: Option<String>,
    pub(crate) thread: Option<ThreadId>,
    /// The one that came while this one unwound.
    pub(crate) second: Option<Box<Self>>,
}

/// What is noted rarely.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) keep: Vec<Cow<'static, str>>,
    pub(crate) facts: Vec<(Cow<'static, str>, String)>,
    /// How often one was stated.
    pub(crate) stated: u32,
    pub(crate) panic: Option<PanicNote>,
    /// The last panic, until somebody sees that it was one of the request: code may
    /// catch its own.
    pub(crate) panicked: Option<PanicNote>,
    /// The one before that.
    pub(crate) panicked_before: Option<PanicNote>,
    pub(crate) error: Option<Said>,
    #[cfg(feature = "gate")]
    pub(crate) selected: Option<Arc<Selected>>,
    #[cfg(feature = "gate")]
    pub(crate) pending: Pending,
    /// Its place among the requests that are verbose at once.
    #[cfg(feature = "gate")]
    pub(crate) hold: Option<Hold>,
    /// What its calls say of its selection.
    #[cfg(feature = "token")]
    pub(crate) onward: Option<super::Onward>,
    /// What it went without because a budget was used up.
    #[cfg(feature = "gate")]
    pub(crate) shortage: Option<Shortage>,
    /// Where its events can be replayed to, while it runs.
    #[cfg(feature = "gate")]
    pub(crate) ticket: Option<Ticket>,
    /// Its span, where OpenTelemetry records it, until the request has ended.
    #[cfg(feature = "opentelemetry")]
    pub(crate) span: Option<Box<crate::opentelemetry::RequestSpan>>,
    /// Calls that it made, and that are kept if it is.
    #[cfg(feature = "capture")]
    pub(crate) calls: Calls,
    /// The last interim exchange that was written of it.
    #[cfg(feature = "capture")]
    pub(crate) interim: Option<String>,
    /// Where the first ERROR event was emitted.
    pub(crate) error_site: Option<(&'static str, u32)>,
}

/// The request head as captured.
#[cfg(feature = "capture")]
#[derive(Clone, Debug, Default)]
pub(crate) struct RequestHead {
    pub(crate) method: http::Method,
    pub(crate) uri: http::Uri,
    pub(crate) version: http::Version,
    pub(crate) fields: HeaderFields,
}

/// The response head as captured.
#[cfg(feature = "capture")]
#[derive(Clone, Debug, Default)]
pub(crate) struct ResponseHead {
    pub(crate) status: http::StatusCode,
    pub(crate) version: http::Version,
    pub(crate) fields: HeaderFields,
    pub(crate) at: Option<Instant>,
}

#[cfg(feature = "capture")]
#[derive(Clone, Debug, Default)]
pub(crate) struct CaptureHeads {
    pub(crate) request: RequestHead,
    pub(crate) response: ResponseHead,
    pub(crate) options: CaptureOptions,
    /// Whether its path is that of a gRPC method which the service is known to have.
    pub(crate) names_method: bool,
    /// Whether it is a call of an RPC, and whether such a call ends with a status.
    pub(crate) is_call: bool,
    pub(crate) ends_with_status: bool,
    /// Whose request it is; zero where that is not known.
    pub(crate) client: u128,
    /// Bytes of a body and of a head that are captured where the options do not
    /// say otherwise.
    pub(crate) limits: (usize, usize),
}

/// One request's state, shared by everything that runs in it.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(super) identity: Identity,
    /// What a correlation layer further in found, where the layer that began
    /// the request was none and identified it by the defaults.
    adopted: OnceLock<Identity>,
    /// Its place in its trace as its span says it, where OpenTelemetry has one.
    #[cfg(feature = "opentelemetry")]
    traced: OnceLock<TraceContext>,
    pub(crate) started: Instant,
    pub(crate) started_at: SystemTime,
    pub(crate) route: Option<Route>,
    bits: AtomicU32,
    late: AtomicU32,
    /// Which keeper captures the request; zero is none.
    #[cfg(feature = "capture")]
    captured_by: AtomicUsize,
    notes: Mutex<Notes>,
    /// The salt of its hashes; zero until it is needed.
    #[cfg(feature = "capture")]
    salt: AtomicU64,
    #[cfg(feature = "gate")]
    pub(crate) live: OnceLock<Arc<Selected>>,
    /// The rule by which more of it is recorded than of others.
    #[cfg(feature = "gate")]
    pub(crate) deep: OnceLock<Arc<Selected>>,
    /// Where its selection goes with the calls that it makes.
    #[cfg(feature = "token")]
    pub(crate) propagation: OnceLock<Arc<crate::token::Propagation>>,
    #[cfg(feature = "gate")]
    recording: Mutex<Recording>,
    #[cfg(feature = "capture")]
    heads: Mutex<CaptureHeads>,
    #[cfg(feature = "capture")]
    request_body: Mutex<Tee>,
    #[cfg(feature = "capture")]
    response_body: Mutex<Tee>,
    /// What texts of this request must hide, as far as it has come.
    #[cfg(feature = "capture")]
    known: Mutex<Known>,
    /// The last batch of log lines in which it was weighed.
    #[cfg(feature = "kit")]
    weighed_in: AtomicU64,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            identity: Identity {
                id: None,
                from_header: false,
                client_id: None,
                rejected: None,
                trace: None,
            },
            adopted: OnceLock::new(),
            #[cfg(feature = "opentelemetry")]
            traced: OnceLock::new(),
            started: Instant::now(),
            started_at: SystemTime::UNIX_EPOCH,
            route: None,
            bits: AtomicU32::new(0),
            late: AtomicU32::new(0),
            #[cfg(feature = "capture")]
            captured_by: AtomicUsize::new(0),
            notes: Mutex::default(),
            #[cfg(feature = "capture")]
            salt: AtomicU64::new(0),
            #[cfg(feature = "gate")]
            live: OnceLock::new(),
            #[cfg(feature = "gate")]
            deep: OnceLock::new(),
            #[cfg(feature = "token")]
            propagation: OnceLock::new(),
            #[cfg(feature = "gate")]
            recording: Mutex::default(),
            #[cfg(feature = "capture")]
            heads: Mutex::default(),
            #[cfg(feature = "capture")]
            request_body: Mutex::default(),
            #[cfg(feature = "capture")]
            response_body: Mutex::default(),
            #[cfg(feature = "capture")]
            known: Mutex::default(),
            #[cfg(feature = "kit")]
            weighed_in: AtomicU64::new(0),
        }
    }
}

/// Locks; a panic of somebody else while holding the lock changes nothing here.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn get_mut<T>(mutex: &mut Mutex<T>) -> &mut T {
    mutex.get_mut().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(crate) fn identity(&self) -> &Identity {
        self.adopted.get().unwrap_or(&self.identity)
    }

    pub(crate) fn adopt(&self, identity: Identity) {
        let _ = self.adopted.set(identity);
    }

    /// Its place in its trace; `None` only before it began.
    pub(crate) fn trace(&self) -> Option<&TraceContext> {
        #[cfg(feature = "opentelemetry")]
        if let Some(traced) = self.traced.get() {
            return Some(traced);
        }
        self.identity().trace.as_ref()
    }

    /// Takes the place that the request's span has.
    #[cfg(feature = "opentelemetry")]
    pub(crate) fn note_traced(&self, trace: TraceContext) {
        let _ = self.traced.set(trace);
    }

    /// Whether it is verbose, or recorded more deeply, because it was selected, not only
    /// for a reason of its own.
    #[cfg(feature = "opentelemetry")]
    pub(crate) fn is_selected(&self) -> bool {
        let live = self.live.get();
        live.is_some_and(|live| live.is_asked_for()) || self.deep.get().is_some()
    }

    /// A hold on its span, where OpenTelemetry records it.
    #[cfg(feature = "opentelemetry")]
    pub(crate) fn span(&self) -> Option<Box<crate::opentelemetry::RequestSpan>> {
        self.traced.get()?;
        self.notes().span.as_ref().map(|span| span.again())
    }

    /// Takes the hold on its span. To drop it may close the span, which is code of
    /// the service's layers.
    #[cfg(feature = "opentelemetry")]
    pub(crate) fn take_span(&self) -> Option<Box<crate::opentelemetry::RequestSpan>> {
        self.traced.get()?;
        self.notes().span.take()
    }

    #[inline]
    pub(crate) fn mode(&self) -> Mode {
        Mode(self.bits.load(Relaxed) & Mode::ALL)
    }

    /// Adds to the mode; whether it is new.
    pub(crate) fn raise(&self, mode: Mode) -> bool {
        self.bits.fetch_or(mode.0, Relaxed) & mode.0 == 0
    }

    /// Takes an aspect for the calling layer; `false` where another one has it.
    pub(crate) fn claim(&self, aspect: Aspect) -> bool {
        self.bits.fetch_or(aspect.bit(), Relaxed) & aspect.bit() == 0
    }

    #[cfg(feature = "capture")]
    pub(crate) fn captured_by(&self) -> usize {
        self.captured_by.load(Relaxed)
    }

    /// Takes the capture for the keeper with this key, where nobody has it.
    #[cfg(feature = "capture")]
    pub(crate) fn claim_capture(&self, key: usize) -> bool {
        self.captured_by
            .compare_exchange(0, key, Relaxed, Relaxed)
            .is_ok()
    }

    /// The salt of the hashes that hold within this request only.
    #[cfg(feature = "capture")]
    pub(crate) fn salt(&self) -> Salt {
        if let Some(salt) = Salt::from_bits(self.salt.load(Relaxed)) {
            return salt;
        }
        let fresh = Salt::fresh();
        match self
            .salt
            .compare_exchange(0, fresh.to_bits(), Relaxed, Relaxed)
        {
            Ok(_) => fresh,
            Err(bits) => Salt::from_bits(bits).unwrap_or(fresh),
        }
    }

    /// Makes a call's hashes those of the request that makes it.
    #[cfg(feature = "capture")]
    pub(crate) fn take_salt_of(&self, caller: &Self) {
        self.salt.store(caller.salt().to_bits(), Relaxed);
    }

    #[cfg(feature = "capture")]
    pub(crate) fn saw_error_event(&self) -> bool {
        self.bits.load(Relaxed) & ERROR_EVENT != 0
    }

    /// Notes a call that begins.
    #[cfg(feature = "capture")]
    pub(crate) fn begin_call(&self, call: &super::RequestContext) {
        let ended = self.mode().has(Mode::FINISHED);
        let gone = self.notes().calls.begin(call, ended);
        // With them go bodies, which may be code of the service.
        drop(gone);
        self.bits.fetch_or(CALLS, Relaxed);
    }

    /// The calls that it made, the first of them.
    #[cfg(feature = "capture")]
    pub(crate) fn calls(&self) -> Vec<super::RequestContext> {
        if self.has_calls() {
            self.notes().calls.begun().to_vec()
        } else {
            Vec::new()
        }
    }

    /// Keeps what a call left until the request's own end is known.
    #[cfg(feature = "capture")]
    pub(crate) fn note_call(&self, keep: KeepCall) {
        let refused = self.notes().calls.push(keep);
        drop(refused);
        self.bits.fetch_or(CALLS, Relaxed);
    }

    #[cfg(feature = "capture")]
    pub(crate) fn has_calls(&self) -> bool {
        self.bits.load(Relaxed) & CALLS != 0
    }

    #[cfg(feature = "gate")]
    pub(crate) fn note_error_event(&self, site: Option<(&'static str, u32)>) {
        if self.bits.fetch_or(ERROR_EVENT, Relaxed) & ERROR_EVENT == 0 {
            self.notes().error_site = site;
        }
    }

    /// Whether its events are replayed already while it runs.
    #[cfg(feature = "gate")]
    pub(crate) fn is_replayed(&self) -> bool {
        self.bits.load(Relaxed) & REPLAYED != 0
    }

    #[cfg(feature = "gate")]
    pub(crate) fn note_replayed(&self) {
        self.bits.fetch_or(REPLAYED, Relaxed);
    }

    /// Notes that the request has a place among verbose ones.
    #[cfg(feature = "gate")]
    pub(super) fn note_held(&self) {
        self.bits.fetch_or(HELD, Relaxed);
    }

    #[cfg(feature = "gate")]
    pub(super) fn is_held(&self) -> bool {
        self.bits.load(Relaxed) & HELD != 0
    }

    #[cfg(feature = "gate")]
    pub(crate) fn note_late_event(&self) {
        note_late();
        self.late.fetch_add(1, Relaxed);
    }

    #[cfg(feature = "capture")]
    pub(crate) fn late_events(&self) -> u32 {
        self.late.load(Relaxed)
    }

    pub(crate) fn notes(&self) -> MutexGuard<'_, Notes> {
        lock(&self.notes)
    }

    #[cfg(feature = "kit")]
    pub(crate) fn try_notes(&self) -> Option<MutexGuard<'_, Notes>> {
        self.notes.try_lock().ok()
    }

    #[cfg(feature = "gate")]
    pub(crate) fn recording(&self) -> MutexGuard<'_, Recording> {
        lock(&self.recording)
    }

    #[cfg(feature = "capture")]
    pub(crate) fn heads(&self) -> MutexGuard<'_, CaptureHeads> {
        lock(&self.heads)
    }

    #[cfg(feature = "capture")]
    pub(crate) fn request_body(&self) -> MutexGuard<'_, Tee> {
        lock(&self.request_body)
    }

    #[cfg(feature = "capture")]
    pub(crate) fn response_body(&self) -> MutexGuard<'_, Tee> {
        lock(&self.response_body)
    }

    #[cfg(feature = "capture")]
    pub(crate) fn known(&self) -> MutexGuard<'_, Known> {
        lock(&self.known)
    }

    #[cfg(feature = "kit")]
    pub(crate) fn is_weighed_in(&self, batch: u64) -> bool {
        self.weighed_in.load(Relaxed) == batch
    }

    /// Notes that it was weighed for a batch of log lines. A batch holds it, so that
    /// it is not used again meanwhile.
    #[cfg(feature = "kit")]
    pub(crate) fn note_weighed_in(&self, batch: u64) {
        self.weighed_in.store(batch, Relaxed);
    }

    /// About how much memory it keeps alive beside the recording. Asked while the
    /// service logs, so it waits for no body: a buffer of a type that is not ours may log
    /// while it is copied.
    #[cfg(feature = "kit")]
    pub(crate) fn weight(&self) -> usize {
        const BUSY: usize = 64 * 1024;
        let kept = |body: &Mutex<Tee>| body.try_lock().map_or(BUSY, |tee| tee.kept());
        let heads = {
            let heads = self.heads();
            heads.request.uri.path().len()
                + heads.request.uri.query().map_or(0, str::len)
                + heads.request.fields.len()
                + heads.response.fields.len()
        };
        let calls = if self.has_calls() {
            self.calls().iter().map(|c| c.shared().weight()).sum()
        } else {
            0
        };
        size_of::<Self>() + heads + kept(&self.request_body) + kept(&self.response_body) + calls
    }

    /// Makes it as new; buffers of modest size stay allocated.
    pub(super) fn reset(&mut self) {
        self.identity.id = None;
        self.identity.client_id = None;
        self.identity.trace = None;
        self.adopted.take();
        #[cfg(feature = "opentelemetry")]
        self.traced.take();
        self.route = None;
        let bits = std::mem::take(self.bits.get_mut());
        #[cfg(not(feature = "capture"))]
        let _ = bits;
        *self.late.get_mut() = 0;
        #[cfg(feature = "capture")]
        {
            *self.salt.get_mut() = 0;
            // Log lines of a request that nobody captures use it, too.
            get_mut(&mut self.known).reset();
        }
        let notes = get_mut(&mut self.notes);
        notes.keep.clear();
        notes.facts.clear();
        notes.stated = 0;
        notes.panic = None;
        notes.panicked = None;
        notes.panicked_before = None;
        notes.error = None;
        notes.error_site = None;
        #[cfg(feature = "capture")]
        {
            notes.interim = None;
            // Those that were made after its end.
            if bits & CALLS != 0 {
                notes.calls = Calls::default();
            }
        }
        #[cfg(feature = "gate")]
        {
            notes.selected = None;
            notes.pending.reset();
            notes.hold = None;
            notes.shortage = None;
            notes.ticket = None;
            #[cfg(feature = "opentelemetry")]
            {
                notes.span = None;
            }
            #[cfg(feature = "token")]
            {
                notes.onward = None;
                self.propagation.take();
            }
            self.live.take();
            self.deep.take();
            // What was never begun is as new.
            if bits & Mode::ALL & !Mode::FINISHED.0 != 0 {
                get_mut(&mut self.recording).reset();
            }
        }
        #[cfg(feature = "capture")]
        if std::mem::take(self.captured_by.get_mut()) != 0 {
            let heads = get_mut(&mut self.heads);
            heads.request.method = http::Method::GET;
            heads.request.uri = http::Uri::default();
            heads.request.fields.reset();
            heads.response.fields.reset();
            heads.response.at = None;
            heads.options = CaptureOptions::new();
            heads.names_method = false;
            heads.is_call = false;
            heads.ends_with_status = false;
            heads.client = 0;
            get_mut(&mut self.request_body).reset();
            get_mut(&mut self.response_body).reset();
        }
    }
}
