//! A complete record of every request that goes wrong.
//!
//! dashcam is tower/axum middleware for bugs that occur only in production. It records
//! every request in memory and keeps the recording only if something goes wrong. You then
//! have one ID through all services, the actual request and response (redacted), and the
//! debug-level events of *that* request, although the log level was higher.
//!
#![cfg_attr(feature = "axum", doc = "```no_run")]
#![cfg_attr(not(feature = "axum"), doc = "```ignore")]
//! use dashcam::Dashcam;
//! # use axum::{Router, routing::get};
//! # use std::net::SocketAddr;
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let dashcam = Dashcam::builder().service("orders", env!("CARGO_PKG_VERSION")).build()?;
//! dashcam.init_tracing()?;
//! let app = Router::<()>::new().route("/", get(|| async { "hello" })).layer(dashcam.layer());
//! # let listener = tokio::net::TcpListener::bind("0.0.0.0:3000").await?;
//! let app = app.into_make_service_with_connect_info::<SocketAddr>();
//! axum::serve(listener, app).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # What is where
//!
//! | for | module | feature |
//! |---|---|---|
//! | a correlation ID on every request | [`correlation`] | |
//! | the current request | [`context`] | |
//! | capture of requests and responses | [`capture`] | |
//! | events for decision points | [`decision!`] | |
//! | debug events of part of the traffic | [`selection`], [`verbose`], [`gate`] | |
//! | debug events of failed requests, in the log and in traces | [`capture::Replay`], [`opentelemetry`] | `opentelemetry` |
//! | redaction, and the record of a request | [`redact`], [`exchange`] | |
//! | exporters | [`export`] | |
//! | everything in one layer | [`kit`], [`log`] | |
//! | debug events of one request, with a signed token | [`token`] | `token` |
//! | search in kept exchanges | [`find`], [`export::json_lines`] | |
//! | rules, exchanges and status on a private port; rules from feature flags | [`admin`], [`open_feature`] | `admin`, `open-feature` |
//! | tests of your service | [`testing`] | `testing` |
//! | the body and future types of all layers | [`lifecycle`] | |
//!
//! # How a request goes
//!
//! 1. The layer accepts the inbound correlation ID or mints one.
//! 2. It puts a context into the request's extensions and makes it current whenever code of
//!    the request runs.
//! 3. It copies the request head and evaluates the rules.
//! 4. The gate records the request's events, down to DEBUG, in bounded memory.
//! 5. Both bodies pass unchanged. The layer captures a bounded prefix of each.
//! 6. The response gets the ID. A panic becomes a response with status 500.
//! 7. The exchange ends with the response body: complete, failed or dropped.
//! 8. If there is no reason to keep the exchange, the layer discards it.
//! 9. A kept exchange goes through a bounded queue to the exporter's thread.
//! 10. That thread redacts the exchange and exports it. With [`capture::Replay`], the
//!     events also go to the service's own tracing layers.
//!
//! # Features
//!
#![cfg_attr(feature = "full", doc = document_features::document_features!())]
// The page above links to modules that builds with fewer features do not have.
#![cfg_attr(not(feature = "full"), allow(rustdoc::broken_intra_doc_links))]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(not(test), warn(clippy::print_stdout, clippy::print_stderr))]
#[cfg(feature = "admin")]
pub mod admin;
pub mod capture;
pub mod context;
pub mod correlation;
pub mod exchange;
pub mod export;
pub mod find;
mod foreign;
#[cfg(all(fuzzing, feature = "full"))]
#[doc(hidden)]
pub mod fuzzing;
pub mod gate;
mod grpc;
mod host;
mod id;
mod keeper;
pub mod kit;
mod levels;
pub mod lifecycle;
pub mod log;
#[cfg(feature = "open-feature")]
pub mod open_feature;
#[cfg(feature = "opentelemetry")]
pub mod opentelemetry;
mod plain_file;
mod recorder;
pub mod redact;
mod render;
pub mod selection;
mod targets;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(feature = "token")]
pub mod token;
pub mod verbose;
mod worker;

pub use self::{
    context::{current, keep},
    kit::Dashcam,
};

/// For the expansion of macros.
#[doc(hidden)]
pub mod __private {
    pub use tracing;
}

/// The code of the README and of these pages, compiled as documentation tests.
#[cfg(all(doctest, feature = "full"))]
mod pages {
    #[doc = include_str!("../README.md")]
    struct Readme;

    #[doc = include_str!("../docs/setup.md")]
    struct Setup;

    #[doc = include_str!("../docs/verbose.md")]
    struct Verbose;

    #[doc = include_str!("../docs/tokens.md")]
    struct Tokens;

    #[doc = include_str!("../docs/kubernetes.md")]
    struct Kubernetes;

    #[doc = include_str!("../docs/panic-abort.md")]
    struct PanicAbort;
}
