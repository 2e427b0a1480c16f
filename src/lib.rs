//! Every request that goes wrong leaves its record.
//!
//! dashcam is tower/axum middleware for bugs that exist only in production. It
//! records all the time, costs almost nothing, and keeps the recording only
//! when something happens: one ID through all services, the request and
//! response as they really were (redacted), and the debug-level events of
//! *that* request, though debug was off.

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

#[cfg(feature = "capture")]
pub mod capture;
pub mod context;
pub mod correlation;
#[cfg(feature = "capture")]
pub mod exchange;
#[cfg(feature = "capture")]
pub mod export;
#[cfg(feature = "gate")]
pub mod gate;
mod id;
#[cfg(feature = "capture")]
mod keeper;
#[cfg(feature = "kit")]
pub mod kit;
pub mod lifecycle;
#[cfg(feature = "kit")]
pub mod log_line;
mod recorder;
#[cfg(feature = "capture")]
pub mod redact;
#[cfg(feature = "gate")]
pub mod selection;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(feature = "gate")]
pub mod verbose;

pub use self::context::{current, keep};
#[cfg(feature = "kit")]
pub use self::kit::Dashcam;

/// The target of the request span and the request line.
const REQUEST_TARGET: &str = "dashcam::request";
/// The target of decision points, as `decision!` writes it.
#[cfg(feature = "gate")]
const DECISION_TARGET: &str = "dashcam::decision";

/// What macros expand to.
#[doc(hidden)]
pub mod __private {
    pub use tracing;
}
