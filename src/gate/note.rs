//! Records events and spans of the current request.

use crate::{
    context::{Mode, forget_span, mode, note_late, with_current},
    recorder::{Encoder, NewEvent, Recording, with_scratch},
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

/// Whether the gate is asked on this thread while `f` runs, such as by a value that logs
/// while it is formatted.
pub(crate) fn is_asked_by(f: impl FnOnce()) -> bool {
    let _ = ASKED.try_with(|asked| asked.set(false));
    f();
    // `f` may itself run inside of such a call.
    ASKED.try_with(|asked| asked.replace(true)).unwrap_or(false)
}

/// Records an event of the current request. `shown` is whether the service's own output has
/// it. Returns whether its values logged while they were formatted, and how many were cut.
pub(super) fn event<S>(event: &Event<'_>, cx: &Context<'_, S>, shown: bool) -> (bool, u32)
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let metadata = event.metadata();
    // The service's own formatting code runs here, so nothing is borrowed yet.
    with_scratch(|values| {
        let mut encoder = Encoder::new(values);
        let logged = is_asked_by(|| event.record(&mut encoder));
        let cut = encoder.cut();
        let new = NewEvent {
            cut,
            metadata,
            values,
            shown,
        };
        let leaf = if event.is_contextual() {
            let current = cx.current_span();
            current.id().cloned().zip(current.metadata())
        } else {
            let parent = event.parent().and_then(|parent| cx.span(parent));
            parent.map(|parent| (parent.id(), parent.metadata()))
        };
        let error = *metadata.level() == Level::ERROR;
        let pushed = with_current(|context| {
            let shared = context.shared();
            // This thread may not know yet that the request has ended.
            if context.mode().has(Mode::FINISHED) {
                shared.note_late_event();
                return true;
            }
            if error {
                shared.note_error_event(site(metadata));
            }
            if shown && let Some(selected) = shared.in_force.live.get() {
                selected.spend_bytes(values.len());
            }
            let mut recording = shared.recording();
            let span = leaf
                .as_ref()
                .map(|(id, metadata)| recording.span(id.into_u64(), metadata));
            if span == Some(None) {
                return false;
            }
            recording.push(new, span.flatten());
            true
        });
        if pushed.is_none() {
            // The request was dropped since this thread entered the span.
            note_late();
            forget_span();
        }
        if let (Some(false), Some((leaf, _))) = (pushed, &leaf) {
            // Releasing a span can close others, and so call this again. Therefore the path
            // is read while nothing is locked or borrowed.
            let path = path(cx, leaf);
            in_recording(|recording| {
                let span = recording.note_span(&path);
                recording.push(new, Some(span));
            });
        }
        if error {
            with_current(|context| context.reason_arose(false));
        }
        (logged, cut)
    })
}

/// Whether the current request is still live. This thread may not know yet that it has
/// ended.
pub(super) fn is_live() -> bool {
    with_current(|context| context.mode().is_live()) == Some(true)
}

/// Takes an event of the current, live request from its budget. When the budget is used up,
/// the request stops being live.
pub(super) fn may_show() -> bool {
    let shown = with_current(|context| {
        let Some(selected) = context.shared().in_force.live.get() else {
            return true;
        };
        let may = selected.may_show();
        if !may {
            context.mute(selected);
        }
        may
    });
    shown != Some(false)
}

/// Notes the origin of an ERROR event without recording it.
pub(super) fn error_site(metadata: &'static Metadata<'static>) {
    with_current(|context| context.shared().note_error_event(site(metadata)));
}

fn site(metadata: &'static Metadata<'static>) -> Option<(&'static str, u32)> {
    Some((metadata.file()?, metadata.line()?))
}

/// Counts an event that came after its request had ended.
pub(super) fn late() {
    with_current(|context| context.shared().note_late_event());
}

/// The path of spans to this one, outermost first.
fn path<S>(cx: &Context<'_, S>, leaf: &span::Id) -> Vec<(u64, &'static Metadata<'static>)>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let Some(leaf) = cx.span(leaf) else {
        return Vec::new();
    };
    leaf.scope()
        .from_root()
        .map(|span| (span.id().into_u64(), span.metadata()))
        .collect()
}

/// Records a new span of the current request. Returns whether its values logged while they
/// were formatted.
pub(super) fn new_span(attrs: &span::Attributes<'_>, id: &span::Id) -> bool {
    if !mode().has(Mode::RECORD) {
        return false;
    }
    with_scratch(|values| {
        let mut encoder = Encoder::new(values);
        let logged = is_asked_by(|| attrs.record(&mut encoder));
        let cut = encoder.cut();
        in_recording(|recording| {
            recording.open_span(id.into_u64(), attrs.metadata(), (values, cut));
        });
        logged
    })
}

pub(super) fn record(id: &span::Id, more: &span::Record<'_>) {
    if mode().has(Mode::RECORD) {
        with_scratch(|values| {
            let mut encoder = Encoder::new(values);
            more.record(&mut encoder);
            let cut = encoder.cut();
            in_recording(|recording| recording.record_span(id.into_u64(), (values, cut)));
        });
    }
}

pub(super) fn closed_span(id: &span::Id) {
    if mode().has(Mode::RECORD) {
        in_recording(|recording| recording.close_span(id.into_u64()));
    }
}

fn in_recording(f: impl FnOnce(&mut Recording)) {
    with_current(|context| f(&mut context.shared().recording()));
}
