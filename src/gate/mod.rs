//! The tracing-subscriber layer that owns the base filter, records, and lets
//! verbose events through for chosen requests only.
//!
//! A [`Gate`] takes the place of the service's own global filter, in any
//! position of the registry and beside any other layers:
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
//! Without the kit, and with a switch for what is recorded:
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
//! - Outside of a recording or live request the base filter decides, and the
//!   fields of an event that it refuses are not evaluated.
//! - An event that is recorded although the base filter refuses it is seen by
//!   no other layer, and the event after it is lost to none.
//! - Events of [excluded targets](EXCLUDED_TARGETS) are never recorded, so that
//!   telemetry does not feed on itself.
//! - The request span, the request line and decision points pass whatever the
//!   base filter says.
//! - A value whose `Debug` panics is recorded as such; no panic leaves the gate.
//! - An event belongs to the request that is current on its thread. Where none is, it
//!   belongs to the one in whose span the thread is (that span itself, or one inside of
//!   it), such as on a driver's own thread that enters the span of its caller; the
//!   lines of `JsonLayer` have its ID then, too. Once the request is
//!   over the event is nobody's. A span that lives on keeps nothing of its request.
//!
//! # Limits
//!
//! - Spans that the base filter refuses are not created for a recording
//!   request, because output layers could not bear them; recorded events name
//!   the spans that exist. Live requests have all spans.
//! - An event that names the span around it (`parent: &span`), on a thread that is in no
//!   request, belongs to that span's request where the base filter shows it. Below that
//!   level it is refused before anybody knows its span.
//! - A `log`-crate record below the base filter is recorded only where
//!   `LogTracer` is installed, as `init_tracing` does. The
//!   level of the `log` crate follows changes where it was that of `tracing`;
//!   another level that the service has set stays.
//! - One gate in a registry: it records for every [`Dashcam`](crate::kit) of the
//!   process. Of several the outermost records; the others only filter, as their
//!   base filters say, and
//!   [`Status::warnings`](crate::kit::Status::warnings) tells it.
//! - A subscriber in a `Box` or an `Arc` does not tell its layers that it is
//!   installed; a gate in it is not found. Hand it over as it is.
//! - With a base that names targets (`info,my_service=debug`) a refused event of
//!   the other targets costs a search in the base where its level is one that the
//!   base has somewhere.
//! - A value given to `Span::record` must not log while it is formatted, not even
//!   below the base filter, where a `fmt` layer is installed too: that layer
//!   formats it while it holds the span, and the record of the event inside
//!   waits for the span.
//!
//! # Ordering
//!
//! Any position in the registry. Another *global* filter in front of the gate
//! (an `EnvFilter` added with `.with`) refuses events before the gate is asked;
//! use it as the gate's base instead. Filters of single layers
//! (`layer.with_filter(…)`) may stay: they remain ceilings.
//!
//! Where layers with and without a filter of their own are mixed, add the gate
//! last: `tracing-subscriber` may otherwise conclude that somebody wants TRACE
//! events, and have every one of them asked about.

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
pub use crate::targets::EXCLUDED_TARGETS;
