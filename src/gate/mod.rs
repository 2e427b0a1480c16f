//! The `tracing-subscriber` layer that filters by the base filter, records events, and shows
//! verbose events only for live requests.
//!
//! A [`Gate`] replaces the service's own global filter, in any position of the registry and
//! beside any other layers:
//!
//! ```
//! use dashcam::Dashcam;
//! use tracing_subscriber::{filter::LevelFilter, prelude::*};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let dashcam = Dashcam::builder().service("orders", "1.0.0").in_memory(10).build()?;
//! let subscriber = tracing_subscriber::registry()
//!     .with(dashcam.gate(LevelFilter::INFO))
//!     .with(tracing_subscriber::fmt::layer());
//! # let _ = subscriber;
//! # Ok(())
//! # }
//! ```
//!
//! Without the kit, and with a switch that changes what is recorded:
//!
//! ```
//! use dashcam::gate::Gate;
//! use tracing_subscriber::{filter::LevelFilter, prelude::*};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let gate = Gate::new(LevelFilter::INFO);
//! let recording = gate.switch();
//! let subscriber = tracing_subscriber::registry().with(gate);
//! recording.set("debug,sqlx=trace")?;
//! recording.off();
//! assert!(!recording.is_on());
//! # let _ = subscriber;
//! # Ok(())
//! # }
//! ```
//!
//! # Guarantees
//!
//! - Outside of a recording or live request the base filter decides. The fields of an event
//!   that it disables are not evaluated.
//! - No other layer sees an event that is recorded although the base filter disables it, and
//!   no layer misses the event after it.
//! - Events of [excluded targets](#excluded-targets) are never recorded, so that telemetry
//!   does not record itself.
//! - The request span, the request line and decision points pass any base filter.
//! - A value whose `Debug` panics is recorded as such. No panic leaves the gate.
//! - An event belongs to the request that is current on its thread. On a thread without one,
//!   such as a driver's own thread that enters the span of its caller, it belongs to the
//!   request whose span, or a span inside of it, the thread is in; the lines of `JsonLayer`
//!   then have its ID, too. After the end of that request the event belongs to no request. A
//!   span that outlives its request keeps nothing of it.
//!
//! # Excluded targets
//!
//! `dashcam`, `h2`, `hyper`, `hyper_util`, `mio`, `opentelemetry`, `opentelemetry_sdk`,
//! `opentelemetry_otlp`, `reqwest`, `rustls`, `tokio`, `tokio_util`, `tonic`, `tower`,
//! `tracing_opentelemetry` and `want`: the HTTP stack under the service, and telemetry itself.
//! A target includes everything below it (`hyper::proto`). The gate never records their
//! events, and shows them only if the base filter enables them.
//!
//! # Limits
//!
//! - Spans that the base filter disables are not created for a recording request, because
//!   output layers could not handle them. Recorded events name the spans that exist. Live
//!   requests have all spans.
//! - An event that names its span (`parent: &span`), on a thread that is in no request,
//!   belongs to that span's request only if the base filter enables it. Otherwise it is
//!   disabled before its span is known.
//! - A record of the `log` crate below the base filter is recorded only if `LogTracer` is
//!   installed, as `init_tracing` does. The level of the `log` crate follows changes if it was
//!   that of `tracing`. Another level that the service has set stays.
//! - A registry needs only one gate, which records for every [`Dashcam`](crate::kit) of the
//!   process. Of several gates the outermost records; the others only filter by their base
//!   filters, and [`Status::warnings`](crate::kit::Status::warnings) reports that.
//! - A subscriber in a `Box` or an `Arc` does not notify its layers when it is installed, so
//!   that a gate in it is not found. Install the subscriber itself.
//! - With a base filter that names targets (`info,my_service=debug`), a disabled event of
//!   another target costs a search in the base filter if its level is one that the filter has.
//! - A value given to `Span::record` must not log while it is formatted if a `fmt` layer is
//!   installed, not even below the base filter. That layer holds the span's lock while it
//!   formats the value, and recording the event inside waits for the lock.
//!
//! # Ordering
//!
//! The gate works in any position in the registry. Another *global* filter in front of it (an
//! `EnvFilter` added with `.with`) disables events before the gate is asked. Use that filter as
//! the gate's base filter instead. Filters of single layers (`layer.with_filter(…)`) may stay:
//! they still apply.
//!
//! If layers with and without a filter of their own are mixed, add the gate last. Otherwise
//! `tracing-subscriber` may conclude that a layer wants TRACE events, and ask about every one
//! of them.

mod base;
mod excluded;
mod layer;
mod log_bridge;
mod note;
mod probe;
mod replay;
mod switch;
mod time;

pub use self::{base::BaseFilter, layer::Gate, switch::RecordSwitch, time::EventTime};
pub(crate) use self::{
    layer::{bind, key_of, request_of},
    note::is_asked_by,
    probe::{doubled, probe},
    replay::{Announcement, ReplayValue, Stage, in_subscriber},
};
