//! Every request that goes wrong leaves its record.
//!
//! dashcam is tower/axum middleware for bugs that exist only in production. It
//! records all the time, and keeps the recording only when something happens:
//! one ID through all services, the request and response as they really were
//! (redacted), and the debug-level events of *that* request, though debug was
//! off.
//!
#![cfg_attr(all(feature = "kit", feature = "axum"), doc = "```no_run")]
#![cfg_attr(not(all(feature = "kit", feature = "axum")), doc = "```ignore")]
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
//! | log input and output | [`capture`] | `capture` |
//! | log key decision points | [`decision!`] | `capture` |
//! | debug events of a subset of the traffic | [`selection`], [`verbose`], [`gate`] | `gate` |
//! | debug events of what failed, in the log and in traces | [`capture::Replay`], [`opentelemetry`] | `gate`, `opentelemetry` |
//! | anonymised production data | [`redact`], [`exchange`] | `capture` |
//! | where exchanges go | [`export`] | `capture` |
//! | all of it, ready made | [`kit`], [`log_line`] | `kit` |
//! | debug events of one request, by a signed token | [`token`] | `token` |
//! | rules, exchanges and status on a private port, from flags, on the command line | [`admin`], [`open_feature`], [`cli`] | `admin`, `open-feature`, `cli` |
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
//! | feature | default | what it adds |
//! |---|---|---|
//! | `kit` | yes | the ready-made stack; includes `gate` |
//! | `axum` | yes | route templates and extractors for axum 0.8 |
//! | `log` | yes | records of the `log` crate; includes `kit` |
//! | `gate` | by `kit` | recording and verbose events, through `tracing-subscriber`; includes `capture` |
//! | `capture` | by `gate` | payload capture, redaction, the exchange, exporters |
//! | `opentelemetry` | no | the request's span, its IDs and replayed events beside `tracing-opentelemetry` 0.34; a sampler; includes `gate` |
//! | `open-feature` | no | rules from the flags of any OpenFeature provider; includes `rules-file` |
//! | `tokio` | yes | recorded events name their tokio task; includes `gate` |
//! | `hyper-client` | no | errors of hyper and of the client of `hyper-util` with their causes; includes `capture` |
//! | `reqwest-middleware` | no | the client layer as middleware of `reqwest-middleware` 0.5 |
//! | `decompress` | no | bodies with a content coding are redacted instead of hashed; includes `capture` |
//! | `policy-file` | no | redaction policies from TOML; includes `capture` |
//! | `gzip` | no | closed exchange files compressed, and read; includes `capture` |
//! | `metrics` | no | counters for the `metrics` facade; includes `capture` |
//! | `rules-file` | no | rules as TOML and JSON, in files that are watched; includes `gate` |
//! | `admin` | no | a router for a private port; includes `axum`, `kit`, `rules-file` |
//! | `cli` | no | the program `dashcam`; includes `rules-file`, `rules-regex`, `token` |
//! | `rules-regex` | no | regular expressions in rules; includes `gate` |
//! | `token` | no | signed tokens that make single requests verbose; includes `gate` |
//! | `testing` | no | what tests of services need; includes `kit` |
//! | `tower-http` | no | the correlation ID as a `RequestId` of tower-http 0.7 |
//! | `full` | no | everything |

// The page above names modules that builds with fewer features do not have.
#![cfg_attr(not(feature = "full"), allow(rustdoc::broken_intra_doc_links))]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(not(test), warn(clippy::print_stdout, clippy::print_stderr))]
// The kit uses everything, so dead code shows there; smaller builds leave parts
// of the inner rooms unused.
#![cfg_attr(
    not(feature = "kit"),
    allow(
        clippy::needless_pass_by_value,
        clippy::needless_return,
        clippy::needless_update,
        dead_code,
        unused_imports,
        unused_mut
    )
)]

#[cfg(feature = "admin")]
pub mod admin;
#[cfg(feature = "capture")]
pub mod capture;
#[cfg(feature = "cli")]
pub mod cli;
pub mod context;
pub mod correlation;
#[cfg(feature = "capture")]
pub mod exchange;
#[cfg(feature = "capture")]
pub mod export;
#[cfg(any(feature = "admin", feature = "cli"))]
mod find;
mod foreign;
#[cfg(all(fuzzing, feature = "full"))]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(feature = "gate")]
pub mod gate;
#[cfg(feature = "capture")]
mod host;
mod id;
#[cfg(feature = "capture")]
mod keeper;
#[cfg(feature = "kit")]
pub mod kit;
pub mod lifecycle;
#[cfg(feature = "kit")]
pub mod log_line;
#[cfg(feature = "open-feature")]
pub mod open_feature;
#[cfg(feature = "opentelemetry")]
pub mod opentelemetry;
#[cfg(feature = "capture")]
mod plain_file;
mod recorder;
#[cfg(feature = "capture")]
pub mod redact;
#[cfg(feature = "gate")]
pub mod selection;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(feature = "token")]
pub mod token;
#[cfg(feature = "gate")]
pub mod verbose;

pub use self::context::{current, keep};
#[cfg(feature = "kit")]
pub use self::kit::Dashcam;

/// The target of the request span and the request line.
const REQUEST_TARGET: &str = "dashcam::request";

/// Whether it is the request span or the request line. Whoever else names their target is
/// not believed.
#[cfg(feature = "gate")]
fn is_own_request(metadata: &tracing::Metadata<'_>) -> bool {
    const HERE: &str = concat!(module_path!(), "::lifecycle::");
    let here = |module: &str| module.starts_with(HERE);
    metadata.target() == REQUEST_TARGET && metadata.module_path().is_some_and(here)
}

/// The target of decision points, as `decision!` writes it.
#[cfg(feature = "gate")]
const DECISION_TARGET: &str = "dashcam::decision";

/// The target of what the admin router says of changes.
#[cfg(feature = "gate")]
const AUDIT_TARGET: &str = "dashcam::audit";

/// The target of what a replay says of itself.
#[cfg(feature = "gate")]
const REPLAY_TARGET: &str = "dashcam::replay";

/// The target of what is said of the set-up and of losses.
#[cfg(feature = "capture")]
const STATUS_TARGET: &str = "dashcam::status";

/// The target of what is said of rules.
#[cfg(feature = "gate")]
const RULES_TARGET: &str = "dashcam::rules";

/// The target of what is said of tokens.
#[cfg(feature = "gate")]
const TOKEN_TARGET: &str = "dashcam::token";

/// What macros expand to.
#[doc(hidden)]
pub mod __private {
    pub use tracing;
}

/// The code of the README, compiled as documentation tests.
#[cfg(all(doctest, feature = "full"))]
#[doc = include_str!("../README.md")]
struct Readme;

/// The code of the page on tokens, too.
#[cfg(all(doctest, feature = "full"))]
#[doc = include_str!("../docs/tokens.md")]
struct TokensPage;

/// And that of the pages on how services are run.
#[cfg(all(doctest, feature = "full"))]
#[doc = include_str!("../docs/kubernetes.md")]
struct KubernetesPage;

#[cfg(all(doctest, feature = "full"))]
#[doc = include_str!("../docs/panic-abort.md")]
struct PanicAbortPage;
