use crate::{
    context::{Mode, Replayed, mode, with_replayed},
    gate::ReplayValue,
    recorder::FieldNames,
    targets::REPLAY_TARGET,
};
use ::opentelemetry::{Key, KeyValue, Value};
use tracing::{
    Event, Metadata, Span, Subscriber,
    level_filters::LevelFilter,
    span::{Attributes, Id, Record},
    subscriber::Interest,
};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::layer::{Context, Filter};

/// A filter that keeps replayed events from a layer of `tracing-opentelemetry`, so that
/// dashcam adds them to the request's span with their own times; see the [module
/// page](super).
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct TrueTimes<F = LevelFilter> {
    over: Option<F>,
}

impl TrueTimes {
    /// Creates a filter that enables everything except replayed events.
    pub const fn new() -> Self {
        Self { over: None }
    }
}

impl Default for TrueTimes {
    fn default() -> Self {
        Self::new()
    }
}

impl<F> TrueTimes<F> {
    /// Creates a filter that enables what this inner filter enables, except replayed
    /// events. The inner filter decides which of those are added to the span.
    pub const fn over(filter: F) -> Self {
        Self { over: Some(filter) }
    }
}

impl<S: Subscriber, F: Filter<S>> Filter<S> for TrueTimes<F> {
    fn enabled(&self, metadata: &Metadata<'_>, cx: &Context<'_, S>) -> bool {
        let enabled = Filter::enabled(&self.over, metadata, cx);
        if !enabled || !mode().has(Mode::REPLAY) {
            return enabled;
        }
        let noted = with_replayed(metadata, |replayed| replayed.apart = true);
        noted.is_none() && metadata.target() != REPLAY_TARGET
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        // A replay asks in any case, whatever the interest of the callsite.
        Filter::<S>::callsite_enabled(&self.over, metadata)
    }

    fn event_enabled(&self, event: &Event<'_>, cx: &Context<'_, S>) -> bool {
        Filter::event_enabled(&self.over, event, cx)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Filter::<S>::max_level_hint(&self.over)
    }

    fn on_new_span(&self, attrs: &Attributes<'_>, id: &Id, cx: Context<'_, S>) {
        self.over.on_new_span(attrs, id, cx);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, cx: Context<'_, S>) {
        self.over.on_record(id, values, cx);
    }

    fn on_enter(&self, id: &Id, cx: Context<'_, S>) {
        self.over.on_enter(id, cx);
    }

    fn on_exit(&self, id: &Id, cx: Context<'_, S>) {
        self.over.on_exit(id, cx);
    }

    fn on_close(&self, id: Id, cx: Context<'_, S>) {
        self.over.on_close(id, cx);
    }
}

/// Adds a replayed event to the request's span.
pub(crate) fn add_event(span: &Span, replayed: &Replayed, values: &[Option<ReplayValue>]) {
    let metadata = replayed.metadata;
    let mut name = None;
    let mut attributes = vec![
        KeyValue::new("level", metadata.level().as_str()),
        KeyValue::new("target", metadata.target()),
    ];
    let names = FieldNames::of(metadata);
    for (index, (own, value)) in names.names.into_iter().zip(values).enumerate() {
        let Some(value) = value else { continue };
        match value {
            ReplayValue::Formatted(text) if names.message == Some(index) => {
                name = Some(text.to_string());
            }
            ReplayValue::Text(text) if names.message == Some(index) => name = Some(text.clone()),
            value => {
                // The event has those two names already.
                let own = match &*own {
                    "level" | "target" => format!("fields.{own}").into(),
                    _ => own,
                };
                attributes.push(KeyValue::new(Key::from(own), attribute(value)));
            }
        }
    }
    let name = name.unwrap_or_else(|| metadata.name().to_owned());
    span.add_event_with_timestamp(name, replayed.at, attributes);
}

fn attribute(value: &ReplayValue) -> Value {
    match value {
        ReplayValue::Bool(value) => Value::Bool(*value),
        ReplayValue::I64(value) => Value::I64(*value),
        ReplayValue::U64(value) => match i64::try_from(*value) {
            Ok(value) => Value::I64(value),
            Err(_) => Value::String(value.to_string().into()),
        },
        ReplayValue::F64(value) => Value::F64(*value),
        ReplayValue::I128(value) => Value::String(value.to_string().into()),
        ReplayValue::U128(value) => Value::String(value.to_string().into()),
        ReplayValue::Text(value) => Value::String(value.clone().into()),
        ReplayValue::Formatted(value) => Value::String(value.to_string().into()),
    }
}
