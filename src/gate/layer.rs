use super::{BaseFilter, RecordSwitch, excluded::is_excluded, log_bridge, note};
use crate::{
    context::{
        Bound, Mode, RequestContext, RequestSpans, enter_span, exit_span, has_current, mode,
        with_current, with_replayed,
    },
    levels,
    recorder::{InHand, find_literals},
    selection::{Directives, Recorded, RulesError},
    targets::{
        AUDIT_TARGET, DECISION_TARGET, PROBE_TARGET, REPLAY_TARGET, REQUEST_TARGET, RULES_TARGET,
        STATUS_TARGET, TOKEN_TARGET, is_own_request,
    },
};
use std::{
    ptr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};
use tracing::{
    Dispatch, Event, Level, Metadata, Subscriber, callsite,
    dispatcher::{self, WeakDispatch},
    level_filters::LevelFilter,
    span,
    subscriber::Interest,
};
use tracing_subscriber::{
    layer::{Context, Layer, Layered},
    registry::{LookupSpan, SpanRef},
};

/// The targets of this crate that pass every base filter, at INFO and above.
const OWN_TARGETS: &[&str] = &[AUDIT_TARGET, DECISION_TARGET, REPLAY_TARGET, REQUEST_TARGET];

/// The same at WARN and above: what is lost, cannot work, or was refused.
const OWN_WARNINGS: &[&str] = &[STATUS_TARGET, RULES_TARGET, TOKEN_TARGET];

/// The layer; see the [module page](super).
#[derive(Debug)]
pub struct Gate {
    base: BaseFilter,
    /// The most verbose level the base filter can let through.
    base_max: LevelFilter,
    /// Above this level nothing is let through outside of requests.
    refused_above: LevelFilter,
    /// Above this level the base filter lets no excluded target through.
    excluded_above: LevelFilter,
    recorded: Arc<Recorded>,
    requests: Arc<RequestSpans>,
    dispatch: OnceLock<WeakDispatch>,
    /// Whether another gate of the same subscriber records, and this one only
    /// filters.
    second: AtomicBool,
    /// Whether there is such a gate beside this one.
    has_second: AtomicBool,
    /// Whether it sees every event that any layer sees: it has no filter of its own.
    sees_all: AtomicBool,
}

impl Gate {
    /// A gate over this base filter that records at DEBUG.
    #[must_use]
    pub fn new(base: impl Into<BaseFilter>) -> Self {
        find_literals();
        let base = base.into();
        let base_max = base.max_level();
        let excluded_above = base.most_of_excluded().max(LevelFilter::INFO);
        Self {
            base,
            base_max,
            // Lines of our own are at INFO.
            refused_above: base_max.max(LevelFilter::INFO),
            excluded_above,
            recorded: Arc::new(Recorded::new(Some(Directives::level(LevelFilter::DEBUG)))),
            requests: Arc::default(),
            dispatch: OnceLock::new(),
            second: AtomicBool::new(false),
            has_second: AtomicBool::new(false),
            sees_all: AtomicBool::new(false),
        }
    }

    /// Sets which events are recorded: a level, or levels per target
    /// (`info,my_service=trace,sqlx=debug`). Default: `debug`. If the gate is one of a
    /// [`Dashcam`](crate::Dashcam), it changes what that records.
    ///
    /// # Errors
    ///
    /// The text is not a list of directives.
    pub fn record(self, directives: &str) -> Result<Self, RulesError> {
        self.recorded.set(Some(directives.parse()?));
        Ok(self)
    }

    /// Records nothing: disabled events cost exactly what they cost without a
    /// gate. Live requests still work. Where the gate is a
    /// [`Dashcam`](crate::Dashcam)'s, that records nothing from now on.
    #[must_use]
    pub fn record_off(self) -> Self {
        self.recorded.set(None);
        self
    }

    /// The switch for what is recorded, for while the gate is in use.
    #[must_use]
    pub fn switch(&self) -> RecordSwitch {
        RecordSwitch::new(Arc::clone(&self.recorded))
    }

    /// Lets this switch say what is recorded.
    pub(crate) fn switched_by(mut self, switch: &RecordSwitch) -> Self {
        self.recorded = Arc::clone(switch.recorded());
        self
    }

    pub(super) fn has_second(&self) -> bool {
        self.has_second.load(Relaxed)
    }

    /// The request that runs in the span of this ID, or of one around it.
    fn request_around<S>(&self, id: &span::Id, cx: &Context<'_, S>) -> Option<u64>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let ours = |span: &SpanRef<'_, S>| is_own_request(span.metadata());
        let mut around = cx.span(id)?.scope().filter(ours).map(|s| s.id().into_u64());
        around.find(|id| self.requests.has(*id))
    }

    /// Runs `f` in the request that the spans say, where none is current and the event
    /// names the span around it.
    #[cold]
    fn in_named_span<S, R>(
        &self,
        event: &Event<'_>,
        cx: &Context<'_, S>,
        f: impl FnOnce() -> R,
    ) -> R
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let of = event.parent().and_then(|id| self.request_around(id, cx));
        let context = of.and_then(|id| self.requests.get(id));
        let _entered = context.as_ref().map(RequestContext::enter);
        f()
    }

    /// What tells it from other gates while it is in a subscriber.
    fn key(&self) -> usize {
        Arc::as_ptr(&self.requests).addr()
    }

    fn is_second(&self) -> bool {
        self.second.load(Relaxed)
    }

    /// Whether this is recorded, or, asked by `enabled!`, would be.
    fn records(&self, mode: Mode, metadata: &Metadata<'_>) -> bool {
        if metadata.is_span() {
            return false;
        }
        // Where another gate records, it is for that one to say.
        self.is_second()
            || (self.recorded.wants(metadata) || mode.has(Mode::DEEP) && is_deep(metadata))
                && !is_excluded(metadata.target())
            || metadata.target() == PROBE_TARGET && self.recorded.is_on()
    }

    fn base_enables<S: Subscriber>(&self, metadata: &Metadata<'_>, cx: Context<'_, S>) -> bool {
        *metadata.level() <= self.base_max && self.base.enabled(metadata, cx)
    }

    /// Whether the current, live request shows this.
    fn live_enables(metadata: &Metadata<'_>) -> bool {
        with_current(|context| {
            context
                .shared()
                .in_force
                .live
                .get()
                .is_some_and(|selected| selected.wants(metadata))
        }) == Some(true)
            && !is_excluded(metadata.target())
    }

    /// Whether the budget has room for an event that passes: of those that the
    /// base filter lets through none is counted.
    #[inline(never)]
    fn may_show<S: Subscriber>(&self, metadata: &Metadata<'_>, cx: Context<'_, S>) -> bool {
        is_own(metadata) || self.base_enables(metadata, cx) || note::may_show()
    }

    fn lets_through<S: Subscriber>(
        &self,
        mode: Mode,
        metadata: &Metadata<'_>,
        cx: Context<'_, S>,
    ) -> bool {
        is_own(metadata)
            || self.base_enables(metadata, cx)
            || mode.has(Mode::LIVE) && note::is_live() && Self::live_enables(metadata)
    }

    #[inline(never)]
    fn decides<S: Subscriber>(
        &self,
        mode: Mode,
        metadata: &Metadata<'_>,
        cx: Context<'_, S>,
    ) -> bool {
        note::asked();
        mode.has(Mode::RECORD) && self.records(mode, metadata)
            || mode.has(Mode::REPLAY) && with_replayed(metadata, |_| ()).is_some()
            || self.lets_through(mode, metadata, cx)
    }

    /// Whether an event goes on to the service's output; records it.
    #[inline]
    fn passes<S>(&self, event: &Event<'_>, cx: &Context<'_, S>) -> bool
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let mode = mode();
        let metadata = event.metadata();
        if mode == Mode::NONE {
            // A request that is not watched still has its errors.
            if *metadata.level() == Level::ERROR && is_recordable(metadata) {
                note::error_site(metadata);
            }
            return true;
        }
        if mode.has(Mode::REPLAY) {
            return true;
        }
        if self.is_second() {
            return self.lets_through(mode, metadata, cx.clone());
        }
        // The probe asks whether it arrives here, and goes no further.
        let passes = metadata.target() != PROBE_TARGET
            && self.lets_through(mode, metadata, cx.clone())
            && (!mode.has(Mode::LIVE) || self.may_show(metadata, cx.clone()));
        if mode.has(Mode::FINISHED) {
            // The request line comes after the end by its nature.
            if !is_own(metadata) {
                note::late();
            }
        } else if mode.has(Mode::RECORD) || metadata.target() == DECISION_TARGET {
            // Below the base filter it came this far because it is recorded.
            if !passes || is_recordable(metadata) {
                let (logged, cut) = note::event(event, cx, passes);
                if logged && passes {
                    self.ask_again(metadata);
                }
                if passes && self.sees_all.load(Relaxed) {
                    InHand::leave(Some(InHand::new(event, self.key(), cut)));
                }
            }
        } else if *metadata.level() == Level::ERROR && is_recordable(metadata) {
            note::error_site(metadata);
        }
        passes
    }

    /// A value that logs while it is formatted makes per-layer filters decide
    /// on its own event, and forget what they decided on the event or span
    /// around it.
    fn ask_again(&self, metadata: &Metadata<'_>) {
        if let Some(dispatch) = self.dispatch.get().and_then(WeakDispatch::upgrade) {
            dispatch.enabled(metadata);
        }
    }
}

/// Makes what happens in this span the request's, on threads that have no current one.
pub(crate) fn bind(span: &tracing::Span, context: &RequestContext) -> Option<Bound> {
    let bind = |(id, dispatch): (&span::Id, &Dispatch)| {
        let gate = dispatch.downcast_ref::<Gate>()?;
        Some(gate.requests.bind(id.into_u64(), context))
    };
    span.with_subscriber(bind).flatten()
}

/// By which key the gate of this subscriber leaves events in hand, where it has one.
pub(crate) fn key_of(dispatch: &Dispatch) -> Option<usize> {
    dispatch.downcast_ref::<Gate>().map(Gate::key)
}

/// The request in whose span an event is that names the span around it.
pub(crate) fn request_of<S>(
    event: &Event<'_>,
    cx: &Context<'_, S>,
    dispatch: &Dispatch,
) -> Option<RequestContext>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let gate = dispatch.downcast_ref::<Gate>()?;
    let of = gate.request_around(event.parent()?, cx)?;
    gate.requests.get(of)
}

/// Whether the rule by which more of the current request is recorded names this.
fn is_deep(metadata: &Metadata<'_>) -> bool {
    with_current(|context| {
        let deep = context.shared().in_force.deep.get();
        deep.is_some_and(|selected| selected.wants(metadata))
    }) == Some(true)
}

fn is_own(metadata: &Metadata<'_>) -> bool {
    let (level, target) = (*metadata.level(), metadata.target());
    level <= Level::INFO && OWN_TARGETS.contains(&target)
        || level <= Level::WARN && OWN_WARNINGS.contains(&target)
}

/// Takes over another level: `tracing` asks about every callsite anew, and the `log` crate
/// follows.
fn follow(gate: &Dispatch, before: LevelFilter) {
    let rebuild = || {
        callsite::rebuild_interest_cache();
        log_bridge::follow(before);
    };
    // Where there is one subscriber only, `tracing` asks the one of this
    // thread, which can be none: then every callsite would be switched off.
    if dispatcher::get_default(Dispatch::is::<Gate>) {
        rebuild();
    } else {
        dispatcher::with_default(gate, rebuild);
    }
}

/// Whether events below INFO of this target are neither recorded nor shown.
fn is_never(target: &str) -> bool {
    is_excluded(target) && target != PROBE_TARGET
}

/// Whether an event is part of its request: decisions are, the request line,
/// and what the HTTP stack and telemetry say, are not.
fn is_recordable(metadata: &Metadata<'_>) -> bool {
    metadata.target() == DECISION_TARGET || !is_excluded(metadata.target())
}

impl<S> Layer<S> for Gate
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_register_dispatch(&self, dispatch: &Dispatch) {
        let _ = self.dispatch.set(dispatch.downgrade());
        // The outermost gate is the one that is found.
        if let Some(first) = dispatch.downcast_ref::<Self>()
            && !ptr::eq(first, self)
        {
            self.second.store(true, Relaxed);
            first.has_second.store(true, Relaxed);
        }
        // In a filter, or in a list of layers that may be in one, it is of another type.
        let sees_all = dispatch.is::<Layered<Self, S>>();
        self.sees_all.store(sees_all, Relaxed);
        levels::install(dispatch, follow);
    }

    /// One answer under every configuration, so that none can be out of date:
    /// `tracing` may store an answer long after it was given. It is never
    /// `always`: in a recording request filters of single layers decide on events
    /// that then do not come, because they are only recorded or only asked about.
    /// They let go of such a decision when they are asked about the next event,
    /// so nothing may pass without being asked about.
    #[inline]
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        // It learns by the question which spans are its own.
        if metadata.is_span()
            && let Some(base) = self.base.of_spans::<S>()
        {
            let _ = base.register_callsite(metadata);
        }
        if *metadata.level() > self.excluded_above && is_never(metadata.target()) {
            Interest::never()
        } else {
            Interest::sometimes()
        }
    }

    // Asked for every event of the process. What follows the comparison is a
    // function of its own, so that the usual no has no registers to save.
    #[inline]
    fn enabled(&self, metadata: &Metadata<'_>, cx: Context<'_, S>) -> bool {
        let mode = mode();
        if mode == Mode::NONE && *metadata.level() > self.refused_above {
            return false;
        }
        self.decides(mode, metadata, cx)
    }

    fn event_enabled(&self, event: &Event<'_>, cx: Context<'_, S>) -> bool {
        if !self.is_second() {
            InHand::leave(None);
        }
        if event.parent().is_some() && !has_current() {
            return self.in_named_span(event, &cx, || self.passes(event, &cx));
        }
        self.passes(event, &cx)
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if mode().has(Mode::REPLAY) {
            with_replayed(event.metadata(), |replayed| replayed.arrived = true);
        }
    }

    fn on_new_span(&self, attrs: &span::Attributes<'_>, id: &span::Id, cx: Context<'_, S>) {
        if let Some(base) = self.base.of_spans::<S>() {
            base.on_new_span(attrs, id, cx);
        }
        if !self.is_second() && note::new_span(attrs, id) {
            self.ask_again(attrs.metadata());
        }
    }

    fn on_record(&self, id: &span::Id, values: &span::Record<'_>, cx: Context<'_, S>) {
        if let Some(base) = self.base.of_spans::<S>() {
            base.on_record(id, values, cx);
        }
        if !self.is_second() {
            note::record(id, values);
        }
    }

    fn on_enter(&self, id: &span::Id, cx: Context<'_, S>) {
        if !has_current() && !self.is_second() {
            let of = self.request_around(id, &cx);
            enter_span(id.into_u64(), of.map(|of| (Arc::clone(&self.requests), of)));
        }
        if let Some(base) = self.base.of_spans::<S>() {
            base.on_enter(id, cx);
        }
    }

    fn on_exit(&self, id: &span::Id, cx: Context<'_, S>) {
        if !has_current() && !self.is_second() {
            exit_span(id.into_u64());
        }
        if let Some(base) = self.base.of_spans::<S>() {
            base.on_exit(id, cx);
        }
    }

    fn on_close(&self, id: span::Id, cx: Context<'_, S>) {
        if let Some(base) = self.base.of_spans::<S>() {
            base.on_close(id.clone(), cx);
        }
        if !self.is_second() {
            note::closed_span(&id);
        }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        // INFO for the request span and line.
        Some(
            self.base_max
                .max(self.recorded.max_level())
                .max(levels::live())
                .max(LevelFilter::INFO),
        )
    }
}
