//! Beside `tracing-opentelemetry`: replayed events on the request's span, with
//! their own times.
//!
//! The layer of `tracing-opentelemetry` stamps every event with the time at which
//! it sees it, which for a [replayed](crate::capture::Replay) one is late.
//! [`TrueTimes`] is a filter for that layer: it keeps replayed events from it, and
//! they are added to the request's span with the times at which they were emitted.
//!
//! ```
//! use dashcam::{Dashcam, capture::Replay, opentelemetry::TrueTimes};
//! use opentelemetry::trace::TracerProvider;
//! use tracing_subscriber::{EnvFilter, prelude::*};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let provider = opentelemetry_sdk::trace::SdkTracerProvider::default();
//! let dashcam = Dashcam::builder()
//!     .service("orders", "1.0.0")
//!     .replay(Replay::default())
//!     .in_memory(10)
//!     .build()?;
//! let spans = tracing_opentelemetry::layer().with_tracer(provider.tracer("orders"));
//! let subscriber = tracing_subscriber::registry()
//!     .with(dashcam.gate(EnvFilter::new("info")))
//!     .with(spans.with_filter(TrueTimes));
//! # let _ = subscriber;
//! # Ok(())
//! # }
//! ```
//!
//! Together with a filter of the layer's own:
//!
//! ```
//! use dashcam::opentelemetry::TrueTimes;
//! use tracing::level_filters::LevelFilter;
//! use tracing_subscriber::{Registry, filter::FilterExt};
//!
//! let filter = FilterExt::<Registry>::and(TrueTimes, LevelFilter::DEBUG);
//! # let _ = filter;
//! ```
//!
//! # Guarantees
//!
//! - A replayed event is on the request's span once, with its own time, its
//!   message as the name, and `level`, `target` and its fields as attributes.
//! - The span's times are those of the request, though it is closed only after
//!   the replay.
//! - The span named `replay` is not exported.
//!
//! # Limits
//!
//! - What a head sampler has dropped cannot come back.
//! - Replayed events are on the request's span, not on spans inside of it, which
//!   have been exported by then.
//! - Events of a request that is live reach the layer as any event does.
//!
//! # Ordering
//!
//! Any position in the registry.

use crate::{
    REPLAY_TARGET,
    context::{Mode, Replayed, mode, with_replayed},
    gate::ReplayValue,
};
use ::opentelemetry::{Key, KeyValue, Value};
use std::ptr;
use tracing::{Metadata, Span, Subscriber, level_filters::LevelFilter, subscriber::Interest};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::layer::{Context, Filter};

/// The filter; see the [module page](self).
#[derive(Clone, Copy, Debug, Default)]
pub struct TrueTimes;

impl<S: Subscriber> Filter<S> for TrueTimes {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        if !mode().has(Mode::REPLAY) {
            return true;
        }
        let this = ptr::from_ref(metadata).addr();
        let noted = with_replayed(|replayed| {
            let is_it = ptr::from_ref(replayed.metadata).addr() == this;
            replayed.apart |= is_it;
            is_it
        });
        noted != Some(true) && metadata.target() != REPLAY_TARGET
    }

    fn callsite_enabled(&self, _: &'static Metadata<'static>) -> Interest {
        // A replay asks whatever the callsite's interest is.
        Interest::always()
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        None
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
    for (field, value) in metadata.fields().iter().zip(values) {
        let Some(value) = value else { continue };
        match value {
            ReplayValue::Formatted(text) if field.name() == "message" => {
                name = Some(text.to_string());
            }
            ReplayValue::Text(text) if field.name() == "message" => name = Some(text.clone()),
            value => attributes.push(KeyValue::new(
                Key::from_static_str(field.name()),
                attribute(value),
            )),
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
