use super::{Mode, Route, Shared, current, pool, shared::Began};
use crate::{
    foreign,
    id::{CorrelationId, Identity, TraceContext, TraceId},
    redact::TAIL,
    selection::{Admission, MAX_FACT_LEN, Shortage},
};
use std::{
    borrow::Cow,
    fmt,
    sync::Arc,
    time::{Instant, SystemTime},
};

const MAX_KEEP_REASONS: usize = 16;
const MAX_FACTS: usize = 64;
pub(crate) const MAX_KEEP_LEN: usize = 256;
const MAX_FACT_NAME_LEN: usize = 256;
/// How much of a fact's value is held, in bytes. Rules and exchanges have `MAX_FACT_LEN` of it.
const KNOWN_OF_FACT: usize = 8 * 1024;
/// If all values together are longer, only `MAX_FACT_LEN` of each later one is held.
const KNOWN_OF_FACTS: usize = 64 * 1024;

/// The shared state of one request.
///
/// Cheap to clone; all clones refer to the same request. It is in the request's extensions,
/// and [`current`](super::current) returns it while code of the request runs.
pub struct RequestContext(Arc<Shared>);

impl RequestContext {
    pub(crate) fn new(
        identity: Identity,
        started: Instant,
        started_at: SystemTime,
        route: Option<Route>,
    ) -> Self {
        let mut shared = pool::take();
        if Arc::get_mut(&mut shared).is_none() {
            shared = Arc::default();
        }
        if let Some(shared) = Arc::get_mut(&mut shared) {
            let began = Began {
                at: started,
                time: started_at,
                route,
            };
            shared.begin(identity, began);
        }
        Self(shared)
    }

    /// Returns the correlation ID.
    #[must_use]
    pub fn correlation_id(&self) -> &CorrelationId {
        static NONE: std::sync::LazyLock<CorrelationId> =
            std::sync::LazyLock::new(|| CorrelationId::mint_at(SystemTime::now()));
        // Every context has an ID, so the fallback is never used.
        self.0.identified.get().id.as_ref().unwrap_or(&NONE)
    }

    /// Returns the valid ID that the client sent, in [edge
    /// mode](crate::correlation::CorrelationIdLayer::edge).
    #[must_use]
    pub fn client_correlation_id(&self) -> Option<&CorrelationId> {
        self.0.identified.get().client_id.as_ref()
    }

    /// Returns the request's position in its W3C trace.
    #[must_use]
    pub fn trace_context(&self) -> &TraceContext {
        static NONE: std::sync::LazyLock<TraceContext> =
            std::sync::LazyLock::new(|| TraceContext::start(TraceId::mint_at(SystemTime::now())));
        // Every context has a trace, so the fallback is never used.
        self.0.identified.trace().unwrap_or(&NONE)
    }

    /// Returns when the request reached the layer.
    #[must_use]
    pub fn started_at(&self) -> SystemTime {
        self.0.began.time
    }

    /// Returns whether verbose events of this request reach the service's own output.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.mode().is_live() && self.0.in_force.live.get().is_some_and(|s| s.is_in_force())
    }

    /// Adds a fact about the request that the layer cannot know, such as the user after
    /// authentication. The exchange has it, redacted. Rules that wait for this fact are
    /// evaluated now, and can make the request live from here on.
    ///
    /// A later value of the same name replaces the earlier one. A request has at most 64
    /// facts. Names are cut at 256 bytes. Rules and the exchange have 1 KiB of a value
    /// (before JSON escaping); redaction searches texts for 8 KiB of it, or for 1 KiB once
    /// all facts have 64 KiB.
    pub fn fact(&self, name: impl Into<Cow<'static, str>>, value: impl fmt::Display) {
        let mut name = name.into();
        if name.len() > MAX_FACT_NAME_LEN {
            truncate(name.to_mut(), MAX_FACT_NAME_LEN);
        }
        // Formatting runs code of the service, so nothing is locked.
        let mut value = foreign::run(|| value.to_string())
            .unwrap_or_else(|| "<panicked while formatting>".to_owned());
        // Exchanges cut it later. Redaction searches texts for the rest, too.
        truncate(&mut value, KNOWN_OF_FACT);
        let mut notes = self.0.notes();
        let held: usize = notes.facts.iter().map(|(_, value)| value.len()).sum();
        if held + value.len() > KNOWN_OF_FACTS {
            truncate(&mut value, MAX_FACT_LEN + TAIL);
        }
        notes.stated = notes.stated.wrapping_add(1);
        if let Some(known) = notes.facts.iter_mut().find(|(n, _)| *n == name) {
            known.1 = value;
        } else if notes.facts.len() < MAX_FACTS {
            notes.facts.push((name, value));
        } else {
            return;
        }
        if notes.chosen.pending.is_empty() {
            return;
        }
        let now = SystemTime::now();
        let selected = {
            let notes = &mut *notes;
            notes.chosen.pending.evaluate(&notes.facts, now)
        };
        drop(notes);
        if let Some(selected) = selected
            && self.select(&selected)
        {
            self.reason_arose(true);
        }
    }

    /// Keeps this request's exchange, however it ends, for this reason; see
    /// [`keep`](super::keep).
    pub fn keep(&self, why: impl Into<Cow<'static, str>>) {
        let why = cut_reason(why.into());
        let mut notes = self.0.notes();
        if notes.keep.len() < MAX_KEEP_REASONS && !notes.keep.contains(&why) {
            notes.keep.push(why);
        }
        drop(notes);
        self.reason_arose(false);
    }

    /// From now on captures only what these options allow. Returns `false` if no layer captures
    /// the request yet.
    pub(crate) fn restrict(&self, later: &crate::recorder::CaptureOptions) -> bool {
        if self.0.captured.by() == 0 {
            return false;
        }
        let (body, head) = {
            let mut heads = self.0.captured.heads();
            heads.options.add(later);
            let (body, head) = heads.limits;
            let content_type = heads.request.fields.text("content-type");
            let body = heads
                .options
                .request_limit(body, content_type.map(str::as_bytes));
            (body, heads.options.head_limit(head))
        };
        let let_go = self.0.captured.request_body().restrict(body, head);
        drop(let_go);
        true
    }

    pub(crate) fn enter(&self) -> super::Entered {
        current::enter(self)
    }

    /// Runs `f` with this request [current](super::current) on the thread.
    ///
    /// For a future, use [`in_request`](super::InRequestExt::in_request).
    pub fn in_scope<R>(&self, f: impl FnOnce() -> R) -> R {
        let _entered = self.enter();
        f()
    }

    #[inline]
    pub(crate) fn mode(&self) -> Mode {
        self.0.mode()
    }

    /// Adds to the mode. This thread sees it at once, others from their next poll on.
    pub(crate) fn raise(&self, mode: Mode) {
        self.0.raise(mode);
        self.tell_thread();
    }

    /// Sets this thread's mode, if the request is current.
    pub(crate) fn tell_thread(&self) {
        current::refresh(self);
    }

    /// Notes a panic. The panic hook calls it, which must not wait for a lock.
    pub(crate) fn note_panic(&self, panic: super::PanicNote) {
        if let Some(mut notes) = self.0.try_notes() {
            notes.panicked_before = notes.panicked.replace(panic);
        }
    }

    /// Takes the last panic on a thread that is not known to be the request's, and the one before
    /// it. It does not wait for a lock, either.
    pub(crate) fn panics_before(
        &self,
        thread: std::thread::ThreadId,
    ) -> (Option<super::PanicNote>, Option<super::PanicNote>) {
        let Some(mut notes) = self.0.try_notes() else {
            return (None, None);
        };
        let of_it = |note: &super::PanicNote| note.thread == Some(thread);
        let last = notes.panicked.take().filter(of_it);
        (last, notes.panicked_before.take().filter(of_it))
    }

    /// Makes the request verbose as `selected` says, if budgets allow it. Returns whether that
    /// made it live.
    pub(crate) fn select(&self, selected: &Arc<crate::selection::Selected>) -> bool {
        // A request has its place only while it runs.
        if self.0.in_force.live.get().is_some() || self.mode().has(Mode::FINISHED) {
            return false;
        }
        // A request that is recorded already gains nothing from another rule that records.
        if !selected.is_live() && self.0.is_held() {
            return false;
        }
        let admission = selected.admit();
        let mut notes = self.0.notes();
        let (selected, hold) = match admission {
            Admission::Granted(hold) => (Arc::clone(selected), hold),
            Admission::Recorded(recorded, hold) => {
                notes.chosen.shortage = Some(Shortage::Live);
                (recorded, Some(hold))
            }
            Admission::Refused(shortage) => {
                // A request that another rule records lacks only the live events.
                let shortage = match notes.chosen.selected {
                    Some(_) => shortage.map(|_| Shortage::Live),
                    None => shortage,
                };
                notes.chosen.shortage = notes.chosen.shortage.or(shortage);
                return false;
            }
        };
        let live = selected.is_live();
        // Of two concurrent selections the first wins. A request holds only one place.
        let first = if live {
            self.0.in_force.live.set(Arc::clone(&selected)).is_ok()
        } else {
            notes.chosen.selected.is_none()
        };
        if !first {
            return false;
        }
        notes.chosen.selected = Some(Arc::clone(&selected));
        notes.chosen.hold = hold;
        self.0.note_held();
        drop(notes);
        // A concurrent end of the request may have seen no place to give back.
        if self.mode().has(Mode::FINISHED) {
            self.release();
        }
        if live {
            self.raise(Mode::LIVE);
        } else if self.mode().has(Mode::WATCHED) && self.0.in_force.deep.set(selected).is_ok() {
            self.raise(Mode::RECORD);
            self.raise(Mode::DEEP);
        }
        live
    }

    /// Stops the live output of a request, because a budget is used up.
    pub(crate) fn mute(&self, selected: &crate::selection::Selected) {
        if self.0.raise(Mode::MUTED) {
            selected.count_cut_short();
            self.0.notes().chosen.shortage = Some(Shortage::Events);
        }
        current::refresh(self);
    }

    /// Returns what became of its selection, in one word.
    pub(crate) fn verdict(&self) -> &'static str {
        if self.is_live() {
            "live"
        } else if self.0.notes().chosen.selected.is_some() {
            "recorded"
        } else {
            "budget"
        }
    }

    /// Gives its place among verbose requests back.
    pub(crate) fn release(&self) {
        if self.0.is_held() {
            self.0.notes().chosen.hold = None;
        }
    }

    /// Makes the rest of the request live, unless a selection did already.
    pub(crate) fn go_live(&self, selected: crate::selection::Selected) {
        if self.0.in_force.live.set(Arc::new(selected)).is_ok() {
            self.raise(Mode::LIVE);
        }
    }

    /// Notifies the replay that there is a reason to keep the request.
    pub(crate) fn reason_arose(&self, asked: bool) {
        let mode = self.mode();
        if mode.has(Mode::FINISHED) || !mode.has(Mode::RECORD) {
            return;
        }
        let on_reason = {
            let notes = self.0.notes();
            notes.ticket.as_ref().map(|t| Arc::clone(&t.on_reason))
        };
        if let Some(on_reason) = on_reason {
            on_reason.reason(self, asked);
        }
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Returns a key that no other request has at the same time.
    pub(super) fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.0
    }
}

/// Returns the part of a fact that exchanges have, and whether it was cut.
pub(crate) fn shown_of_fact(fact: &str) -> (&str, bool) {
    let cut = fact.len() > MAX_FACT_LEN;
    (prefix(fact, MAX_FACT_LEN + TAIL), cut)
}

/// Cuts a reason to keep a request, at more than what exchanges have of it.
pub(crate) fn cut_reason(why: Cow<'static, str>) -> Cow<'static, str> {
    match why {
        // Not copied, so that it is recognized as a literal.
        Cow::Borrowed(why) => Cow::Borrowed(prefix(why, MAX_KEEP_LEN + TAIL)),
        Cow::Owned(mut why) => {
            truncate(&mut why, MAX_KEEP_LEN + TAIL);
            Cow::Owned(why)
        }
    }
}

fn prefix(text: &str, limit: usize) -> &str {
    let mut end = limit.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

fn truncate(text: &mut String, limit: usize) {
    let end = prefix(text, limit).len();
    if end < text.len() {
        text.truncate(end);
        // Truncating alone frees no memory.
        text.shrink_to_fit();
    }
}

pub(crate) fn keep_current(why: Cow<'static, str>) {
    if let Some(context) = super::current() {
        context.keep(why);
    }
}

impl Clone for RequestContext {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl Drop for RequestContext {
    fn drop(&mut self) {
        if Arc::strong_count(&self.0) == 1 {
            // Dropping it also drops buffers of the service.
            foreign::run(|| pool::put(&mut self.0));
        }
    }
}

impl fmt::Debug for RequestContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestContext")
            .field("correlation_id", self.correlation_id())
            .field("mode", &self.mode())
            .finish_non_exhaustive()
    }
}
