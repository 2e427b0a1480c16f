//! Emits recorded events through the subscriber again.
//!
//! They keep their metadata, the types of their values and their order. They are inside a
//! span named `replay`, a child of the request's span, so that every layer can distinguish
//! them from live events. Layers see them like any event, so that their own filters still
//! apply.

use super::Gate;
use crate::{foreign, targets::REPLAY_TARGET};
use std::{ptr, sync::Once};
use tracing::{
    Dispatch, Event, Level, Metadata, Value, callsite, dispatcher,
    field::{DisplayValue, Field, FieldSet, ValueSet},
    metadata::Kind,
    span,
    subscriber::Interest,
};
use tracing_core::{callsite::Callsite, metadata};

/// A value of a replayed event, of its own type if `tracing` has that.
#[derive(Debug)]
pub(crate) enum ReplayValue {
    Bool(bool),
    I64(i64),
    U64(u64),
    I128(i128),
    U128(u128),
    F64(f64),
    Text(String),
    /// A value that was recorded by `Debug` or `Display`, so that no layer quotes it.
    Formatted(DisplayValue<String>),
}

impl ReplayValue {
    fn as_value(&self) -> &dyn Value {
        match self {
            Self::Bool(value) => value,
            Self::I64(value) => value,
            Self::U64(value) => value,
            Self::I128(value) => value,
            Self::U128(value) => value,
            Self::F64(value) => value,
            Self::Text(value) => value,
            Self::Formatted(value) => value,
        }
    }
}

/// Runs `f` with this subscriber current. When a span closes, a registry closes the spans
/// around it in the current subscriber of the thread.
pub(crate) fn in_subscriber<R>(dispatch: &Dispatch, f: impl FnOnce() -> R) -> R {
    let gate = |dispatch: &Dispatch| dispatch.downcast_ref::<Gate>().map(ptr::from_ref);
    let this = gate(dispatch);
    // The subscriber is almost always the global one. Making it a scoped one would slow
    // down every event of the process.
    if this.is_some() && dispatcher::get_default(gate) == this {
        f()
    } else {
        dispatcher::with_default(dispatch, f)
    }
}

/// What the first event of a replay reports.
#[derive(Debug)]
pub(crate) struct Announcement {
    pub(crate) events: u64,
    /// The number of events that were dropped from the recording.
    pub(crate) lost: u64,
    pub(crate) values_cut: u64,
    /// The number of similar failures that were not replayed since the last one.
    pub(crate) suppressed_before: u64,
}

/// The `replay` span, which this thread is in while it is open.
#[derive(Debug)]
pub(crate) struct Stage<'d> {
    dispatch: &'d Dispatch,
    /// `None` if it is not open, or if a filter of the service refuses it.
    span: Option<span::Id>,
    request: Option<span::Id>,
}

impl<'d> Stage<'d> {
    pub(crate) fn new(dispatch: &'d Dispatch, request: Option<span::Id>) -> Self {
        Self {
            dispatch,
            span: None,
            request,
        }
    }

    /// Opens the span. [`close`](Self::close) must follow in any case.
    pub(crate) fn open(&mut self) {
        static REGISTER: Once = Once::new();
        // Layers may need callsites to be registered before they see events.
        REGISTER.call_once(|| {
            callsite::register(&SPAN_SITE);
            callsite::register(&ANNOUNCEMENT_SITE);
        });
        if !self.dispatch.enabled(&SPAN) {
            return;
        }
        let fields = SPAN.fields();
        let values = fields.value_set(&[]);
        let attributes = match self.request.clone() {
            Some(request) => span::Attributes::child_of(request, &SPAN, &values),
            None => span::Attributes::new_root(&SPAN, &values),
        };
        let span = self.span.insert(self.dispatch.new_span(&attributes));
        self.dispatch.enter(span);
    }

    /// Leaves and closes the span; returns `false` if a layer panicked. A drop does not do
    /// that: it would run code of layers while a thread unwinds.
    #[must_use]
    pub(crate) fn close(&mut self) -> bool {
        let Some(span) = self.span.take() else {
            return true;
        };
        let left = foreign::run(|| self.dispatch.exit(&span));
        let closed = foreign::run(|| self.dispatch.try_close(span));
        left.is_some() && closed.is_some()
    }

    /// Emits the first event.
    pub(crate) fn announce(&self, what: &Announcement) {
        let values = [
            Some(ReplayValue::Formatted(tracing::field::display(
                "recorded events follow".to_owned(),
            ))),
            Some(ReplayValue::U64(what.events)),
            Some(ReplayValue::U64(what.lost)),
            Some(ReplayValue::U64(what.values_cut)),
            Some(ReplayValue::U64(what.suppressed_before)),
        ];
        self.emit(&ANNOUNCEMENT, &values);
    }

    /// Emits a recorded event.
    pub(crate) fn emit(
        &self,
        metadata: &'static Metadata<'static>,
        values: &[Option<ReplayValue>],
    ) {
        // Per-layer filters decide here, and remember that for the calls that follow.
        if self.dispatch.enabled(metadata) {
            let parent = self.span.as_ref().or(self.request.as_ref());
            with_values(metadata.fields(), values, |values| {
                self.dispatch
                    .event(&Event::new_child_of(parent.cloned(), metadata, values));
            });
        }
    }
}

/// Values are sets of a fixed size. The smallest that holds all fields is used.
fn with_values(fields: &FieldSet, values: &[Option<ReplayValue>], f: impl FnOnce(&ValueSet<'_>)) {
    let all: Vec<Field> = fields.iter().collect();
    match all.len() {
        0 => f(&fields.value_set(&[])),
        1..=4 => with_array::<4>(fields, &all, values, f),
        5..=8 => with_array::<8>(fields, &all, values, f),
        9..=16 => with_array::<16>(fields, &all, values, f),
        17..=32 => with_array::<32>(fields, &all, values, f),
        _ => with_array::<256>(fields, &all, values, f),
    }
}

fn with_array<const N: usize>(
    fields: &FieldSet,
    all: &[Field],
    values: &[Option<ReplayValue>],
    f: impl FnOnce(&ValueSet<'_>),
) {
    let Some(any) = all.first() else { return };
    let array: [(&Field, Option<&dyn Value>); N] = std::array::from_fn(|n| {
        let value = values.get(n).and_then(Option::as_ref);
        // Places after the last field stay empty.
        match all.get(n) {
            Some(field) => (field, value.map(ReplayValue::as_value)),
            None => (any, None),
        }
    });
    f(&fields.value_set(&array));
}

/// A callsite whose events are only dispatched by hand.
struct ByHand(&'static Metadata<'static>);

impl Callsite for ByHand {
    fn set_interest(&self, _: Interest) {}

    fn metadata(&self) -> &Metadata<'_> {
        self.0
    }
}

static SPAN_SITE: ByHand = ByHand(&SPAN);
static SPAN: Metadata<'static> = metadata! {
    name: "replay",
    target: REPLAY_TARGET,
    level: Level::INFO,
    fields: &[],
    callsite: &SPAN_SITE,
    kind: Kind::SPAN,
};

static ANNOUNCEMENT_SITE: ByHand = ByHand(&ANNOUNCEMENT);
static ANNOUNCEMENT: Metadata<'static> = metadata! {
    name: "replay",
    target: REPLAY_TARGET,
    level: Level::INFO,
    fields: &["message", "events", "events_lost", "values_cut", "suppressed_before"],
    callsite: &ANNOUNCEMENT_SITE,
    kind: Kind::EVENT,
};
