//! Puts events and spans into the current request's recording.

use crate::{
    context::{Mode, mode, with_current},
    recorder::{Encoder, SpanFields, with_scratch},
};
use std::cell::Cell;
use tracing::{Event, Level, Metadata, Subscriber, span};
use tracing_subscriber::{layer::Context, registry::LookupSpan};

thread_local! {
    static ASKED: Cell<bool> = const { Cell::new(false) };
}

/// Notes that this thread asks whether something is enabled.
pub(super) fn asked() {
    let _ = ASKED.try_with(|asked| asked.set(true));
}

/// Records an event of the current request; whether its values logged, too,
/// while they were formatted.
pub(super) fn event<S>(event: &Event<'_>, cx: &Context<'_, S>) -> bool
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let metadata = event.metadata();
    // The service's own formatting code runs here, so nothing is borrowed yet.
    with_scratch(|values| {
        let mut encoder = Encoder::new(values);
        let _ = ASKED.try_with(|asked| asked.set(false));
        event.record(&mut encoder);
        // The event may itself be one that a value of another has logged.
        let logged = ASKED.try_with(|asked| asked.replace(true)).unwrap_or(false);
        let cut = encoder.cut();
        let leaf = if event.is_contextual() {
            cx.current_span().id().cloned()
        } else {
            event.parent().cloned()
        };
        with_current(|context| {
            let shared = context.shared();
            // This thread may not have heard yet that the request is over.
            if context.mode().has(Mode::FINISHED) {
                shared.note_late_event();
                return;
            }
            if *metadata.level() == Level::ERROR {
                shared.note_error_event(site(metadata));
            }
            let mut recording = shared.recording();
            let span = leaf.as_ref().and_then(|id| {
                let known = recording.span(id.into_u64());
                known.or_else(|| recording.note_span(&cx.span(id)?))
            });
            recording.push(metadata, values, cut, span);
        });
        logged
    })
}

/// Notes where an ERROR event came from without recording it.
pub(super) fn error_site(metadata: &'static Metadata<'static>) {
    with_current(|context| context.shared().note_error_event(site(metadata)));
}

fn site(metadata: &'static Metadata<'static>) -> Option<(&'static str, u32)> {
    Some((metadata.file()?, metadata.line()?))
}

/// Counts an event that came after its request had finished.
pub(super) fn late() {
    with_current(|context| context.shared().note_late_event());
}

pub(super) fn new_span<S>(attrs: &span::Attributes<'_>, id: &span::Id, cx: &Context<'_, S>)
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    if mode().has(Mode::RECORD) && !attrs.is_empty() {
        SpanFields::record_new(attrs, id, cx);
    }
}

pub(super) fn record<S>(id: &span::Id, values: &span::Record<'_>, cx: &Context<'_, S>)
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    if mode().has(Mode::RECORD) {
        SpanFields::record_more(id, values, cx);
        forget_spans();
    }
}

pub(super) fn closed_span() {
    if mode().has(Mode::RECORD) {
        forget_spans();
    }
}

fn forget_spans() {
    with_current(|context| context.shared().recording().forget_spans());
}
