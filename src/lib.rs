//! Every request that goes wrong leaves its record.
//!
//! dashcam is tower/axum middleware for bugs that exist only in production. It
//! records all the time, and keeps the recording only when something happens:
//! one ID through all services, the request and response as they really were
//! (redacted), and the debug-level events of *that* request, though debug was
//! off.
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
//! | advice for debugging | module | feature |
//! |---|---|---|
//! | a correlation ID on every request | [`correlation`] | |
//! | the request that the code runs in | [`context`] | |
//! | log input and output | [`capture`] | |
//! | log key decision points | [`decision!`] | |
//! | debug events of a subset of the traffic | [`selection`], [`verbose`], [`gate`] | |
//! | debug events of what failed, in the log and in traces | [`capture::Replay`], [`opentelemetry`] | `opentelemetry` |
//! | anonymised production data | [`redact`], [`exchange`] | |
//! | where exchanges go | [`export`] | |
//! | all of it, ready made | [`kit`], [`log`] | |
//! | debug events of one request, by a signed token | [`token`] | `token` |
//! | kept exchanges, found again | [`find`], [`export::json_lines`] | |
//! | rules, exchanges and status on a private port, and from flags | [`admin`], [`open_feature`] | `admin`, `open-feature` |
//! | the tests of a service that uses it | [`testing`] | `testing` |
//! | the service under all layers | [`lifecycle`] | |
//!
//! # How a request goes
//!
//! 1. The layer accepts the inbound correlation ID or mints one.
//! 2. It makes a context, puts it into the request's extensions, and makes it
//!    current whenever code of the request runs.
//! 3. It copies the request head and decides whether the request is verbose.
//! 4. The gate records the request's events, down to DEBUG, in bounded memory.
//! 5. Both bodies pass unchanged; a bounded prefix of each is captured.
//! 6. The response gets the ID; a panic is answered with status 500.
//! 7. The exchange ends with the response body: complete, failed, dropped.
//! 8. The keeper looks for a reason to keep it. Without one all is forgotten.
//! 9. What is kept goes to a thread of its own, through a bounded queue.
//! 10. There it is redacted, put together and written, and where that is wanted
//!     its events are shown to the service's own layers.
//!
//! # Features
//!
#![cfg_attr(feature = "full", doc = document_features::document_features!())]
// The page above names modules that builds with fewer features do not have.
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

/// What macros expand to.
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
