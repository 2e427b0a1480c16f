//! Everything in one layer: [`Dashcam`].
//!
//! ```no_run
//! use dashcam::Dashcam;
//! # use axum::{Router, routing::get};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let dashcam = Dashcam::builder().service("orders", env!("CARGO_PKG_VERSION")).build()?;
//! dashcam.init_tracing()?;
//! let app = Router::<()>::new().route("/", get(|| async { "hello" })).layer(dashcam.layer());
//! # let _ = app;
//! # Ok(())
//! # }
//! ```
//!
//! With settings, in your own registry, with a `fmt` layer:
//!
//! ```no_run
//! use dashcam::Dashcam;
//! use std::time::Duration;
//! use tracing_subscriber::{filter::LevelFilter, prelude::*};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let dashcam = Dashcam::builder()
//!     .service("orders", "1.0.0")
//!     .directory("/var/log/orders/exchanges")
//!     .slow(Duration::from_secs(2))
//!     .baseline(0.001)
//!     .build()?;
//! tracing_subscriber::registry()
//!     .with(dashcam.gate(LevelFilter::INFO))
//!     .with(tracing_subscriber::fmt::layer())
//!     .init();
//! # Ok(())
//! # }
//! ```
//!
//! # Defaults
//!
//! | what | default |
//! |---|---|
//! | correlation ID | header `x-request-id`, valid inbound IDs trusted, echoed |
//! | recording | events from DEBUG up of every request, 64 KiB each, kept only if the request goes wrong |
//! | kept | failures (5xx, gRPC server faults), panics, body errors, abandoned requests, ERROR events, heads slower than 5 s, `keep("why")`, selected requests |
//! | a panic | becomes a response 500 `application/problem+json` |
//! | redaction | [`Policy::strict`](crate::redact::Policy::strict) |
//! | exporter | JSON Lines in `$DASHCAM_DIR`, else `./dashcam`; 256 MiB in total; tested at the start |
//! | memory | 64 MiB over all requests |
//!
//! # Ordering
//!
//! Add the layer last on the router (`Router::layer` wraps what was added before), so that
//! it is outermost: every response then has an ID and every failure is recorded. The layer
//! turns panics of the service into responses, so an outer `CatchPanicLayer` sees none; to
//! let it respond, use
//! [`dashcam.layer().propagate_panics()`](DashcamLayer::propagate_panics). To respond in
//! your own format, use [`DashcamLayer::panic_response`].

mod builder;
mod dashcam;
mod error;
mod handle;
mod layer;
mod status;
mod tracing_setup;

pub use self::{
    builder::DashcamBuilder,
    dashcam::Dashcam,
    error::Error,
    handle::DashcamHandle,
    layer::{DashcamLayer, DashcamService},
    status::{Recording, Status},
};
