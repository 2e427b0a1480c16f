//! The ready-made stack: [`Dashcam`].
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
//! With settings, in a registry of the service's own, beside a `fmt` layer:
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
//! | recording | DEBUG and above of every request, 64 KiB each, kept only if the request goes wrong |
//! | kept | classified failures (5xx), panics, body errors, abandoned requests, ERROR events, heads slower than 5 s, `keep("why")`, selected requests |
//! | a panic | answered 500 `application/problem+json` |
//! | redaction | [`Policy::strict`](crate::redact::Policy::strict) |
//! | exporter | JSON Lines in `$DASHCAM_DIR`, else `./dashcam`; 256 MiB in all; tried at the start |
//! | memory | 64 MiB over all requests |
//!
//! # Ordering
//!
//! Last on the router (`Router::layer` wraps what was added before), so that it
//! is outermost: every answer has an ID and every failure is seen. An outer
//! `CatchPanicLayer` sees no panics of the service, because the layer answers
//! them; to let it answer instead, take
//! [`dashcam.layer().propagate_panics()`](DashcamLayer::propagate_panics). An answer of
//! the service's own form is given to [`DashcamLayer::panic_response`].

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
