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

/// dashcam's own targets that pass every base filter at INFO and above.
const OWN_TARGETS: &[&str] = &[AUDIT_TARGET, DECISION_TARGET, REPLAY_TARGET, REQUEST_TARGET];

/// Those that pass at WARN and above: losses, misconfiguration and rejections.
const OWN_WARNINGS: &[&str] = &[STATUS_TARGET, RULES_TARGET, TOKEN_TARGET];

/// The layer that filters and records events; see the [module page](super).
#[derive(Debug)]
pub struct Gate {
    base: BaseFilter,
    /// The most verbose level that the base filter can enable.
    base_max: LevelFilter,
    /// The level above which nothing is enabled outside of requests.
    refused_above: LevelFilter,
    /// The level above which the base filter enables no excluded target.
    excluded_above: LevelFilter,
    recorded: Arc<Recorded>,
    requests: Arc<RequestSpans>,
    dispatch: OnceLock<WeakDispatch>,
    /// Whether another gate of the same subscriber records, and this one only filters.
    second: AtomicBool,
    /// Whether such a gate exists beside this one.
    has_second: AtomicBool,
    /// Whether it sees every event that any layer sees, because it has no per-layer filter.
    sees_all: AtomicBool,
}

impl Gate {
    /// Creates a gate with this base filter, which records at DEBUG.
    #[must_use]
    pub fn new(base: impl Into<BaseFilter>) -> Self {
        find_literals();
        let base = base.into();
        let base_max = base.max_level();
        let excluded_above = base.most_of_excluded().max(LevelFilter::INFO);
        Self {
            base,
            base_max,
            // dashcam's own lines are at INFO.
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

    /// Sets what the gate records: a level, or levels per target
    /// (`info,my_service=trace,sqlx=debug`). Default: `debug`. For a gate of a
    /// [`Dashcam`](crate::Dashcam) this sets what the `Dashcam` records from now on.
    ///
    /// # Errors
    ///
    /// The text is not a list of directives.
    pub fn record(self, directives: &str) -> Result<Self, RulesError> {
        self.recorded.set(Some(directives.parse()?));
        Ok(self)
    }

    /// Switches recording off. Disabled events then cost what they cost without a gate.
    /// Live requests still work. For a gate of a [`Dashcam`](crate::Dashcam) this switches
    /// recording of the `Dashcam` off from now on.
    #[must_use]
    pub fn record_off(self) -> Self {
        self.recorded.set(None);
        self
    }

    /// Returns a switch that changes what the gate records while it is in use.
    #[must_use]
    pub fn switch(&self) -> RecordSwitch {
        RecordSwitch::new(Arc::clone(&self.recorded))
    }

    /// Connects the gate to this switch.
    pub(crate) fn switched_by(mut self, switch: &RecordSwitch) -> Self {
        self.recorded = Arc::clone(switch.recorded());
        self
    }

    pub(super) fn has_second(&self) -> bool {
        self.has_second.load(Relaxed)
    }

    /// The request that runs in the span of this ID, or in one around it.
    fn request_around<S>(&self, id: &span::Id, cx: &Context<'_, S>) -> Option<u64>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let ours = |span: &SpanRef<'_, S>| is_own_request(span.metadata());
        let mut around = cx.span(id)?.scope().filter(ours).map(|s| s.id().into_u64());
        around.find(|id| self.requests.has(*id))
    }

    /// Runs `f` in the request of the event's span, if no request is current and the event
    /// names its span.
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

    /// The key that identifies this gate while it is in a subscriber.
    fn key(&self) -> usize {
        Arc::as_ptr(&self.requests).addr()
    }

    fn is_second(&self) -> bool {
        self.second.load(Relaxed)
    }

    /// Whether this is recorded or, if `enabled!` asks, would be.
    fn records(&self, mode: Mode, metadata: &Metadata<'_>) -> bool {
        if metadata.is_span() {
            return false;
        }
        // If another gate records, that one decides.
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

    /// Whether the budget has room for an event that passes. Events that the base filter
    /// enables do not count.
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

    /// Records an event, and returns whether the service's output shows it.
    #[inline]
    fn passes<S>(&self, event: &Event<'_>, cx: &Context<'_, S>) -> bool
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let mode = mode();
        let metadata = event.metadata();
        if mode == Mode::NONE {
            // A request that is not recorded still notes its errors.
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
        // The probe only tests whether it arrives here.
        let passes = metadata.target() != PROBE_TARGET
            && self.lets_through(mode, metadata, cx.clone())
            && (!mode.has(Mode::LIVE) || self.may_show(metadata, cx.clone()));
        if mode.has(Mode::FINISHED) {
            // The request line always comes after the end.
            if !is_own(metadata) {
                note::late();
            }
        } else if mode.has(Mode::RECORD) || metadata.target() == DECISION_TARGET {
            // An event below the base filter arrives here only because it is recorded.
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

    /// Restores the decision of per-layer filters. A value that logs while it is formatted
    /// makes them decide on its own event, and forget their decision on the event or span
    /// around it.
    fn ask_again(&self, metadata: &Metadata<'_>) {
        if let Some(dispatch) = self.dispatch.get().and_then(WeakDispatch::upgrade) {
            dispatch.enabled(metadata);
        }
    }
}

/// Assigns what happens in this span to the request, on threads without a current one.
pub(crate) fn bind(span: &tracing::Span, context: &RequestContext) -> Option<Bound> {
    let bind = |(id, dispatch): (&span::Id, &Dispatch)| {
        let gate = dispatch.downcast_ref::<Gate>()?;
        Some(gate.requests.bind(id.into_u64(), context))
    };
    span.with_subscriber(bind).flatten()
}

/// The key under which the gate of this subscriber hands over encoded events, if it has a
/// gate.
pub(crate) fn key_of(dispatch: &Dispatch) -> Option<usize> {
    dispatch.downcast_ref::<Gate>().map(Gate::key)
}

/// The request of the span that an event names.
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

/// Whether the rule that makes the current request record more includes this.
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

/// Applies another level: `tracing` asks again about every callsite, and the `log` crate
/// follows.
fn follow(gate: &Dispatch, before: LevelFilter) {
    let rebuild = || {
        callsite::rebuild_interest_cache();
        log_bridge::follow(before);
    };
    // If there is one subscriber, `tracing` asks that of this thread. Without one on this
    // thread it would switch off every callsite.
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

/// Whether an event belongs to its request. Decisions do. The request line, and events of
/// the HTTP stack and of telemetry, do not.
fn is_recordable(metadata: &Metadata<'_>) -> bool {
    metadata.target() == DECISION_TARGET || !is_excluded(metadata.target())
}

impl<S> Layer<S> for Gate
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_register_dispatch(&self, dispatch: &Dispatch) {
        let _ = self.dispatch.set(dispatch.downgrade());
        // A downcast finds the outermost gate.
        if let Some(first) = dispatch.downcast_ref::<Self>()
            && !ptr::eq(first, self)
        {
            self.second.store(true, Relaxed);
            first.has_second.store(true, Relaxed);
        }
        // In a filter, or in a list of layers that may be in one, the gate has another
        // type.
        let sees_all = dispatch.is::<Layered<Self, S>>();
        self.sees_all.store(sees_all, Relaxed);
        levels::install(dispatch, follow);
    }

    /// The answer is the same under every configuration, so that none can be outdated:
    /// `tracing` may store it long after it was given. It is never `always`. In a recording
    /// request, per-layer filters decide on events that then do not come, because they are
    /// only recorded or only asked about. They drop such a decision when they are asked
    /// about the next event, so that no event may pass without a question.
    #[inline]
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        // The question shows the filter which spans are its own.
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

    // This runs for every event of the process. The code after the comparison is a function
    // of its own, so that the usual `false` saves no registers.
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
        // INFO for the request span and the request line.
        Some(
            self.base_max
                .max(self.recorded.max_level())
                .max(levels::live())
                .max(LevelFilter::INFO),
        )
    }
}
