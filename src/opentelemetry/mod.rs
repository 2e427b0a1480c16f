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
//!     .with(spans.with_filter(TrueTimes::new()));
//! # let _ = subscriber;
//! # Ok(())
//! # }
//! ```
//!
//! Over a filter of the layer's own, which remains a ceiling for replayed events:
//!
//! ```
//! use dashcam::opentelemetry::TrueTimes;
//! use tracing::level_filters::LevelFilter;
//!
//! let filter = TrueTimes::over(LevelFilter::DEBUG);
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

mod request;
mod sampler;
mod true_times;

pub(crate) use self::{
    request::{Arrival, RequestSpan, innermost},
    true_times::add_event,
};
pub use self::{sampler::SampleSelected, true_times::TrueTimes};
