//! Captures request and response, bounded, and keeps the exchange of a request
//! that goes wrong.
//!
//! # Example
//!
//! ```
//! use dashcam::{capture::CaptureLayer, export::Memory};
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use std::{convert::Infallible, time::Duration};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! let kept = Memory::new(10);
//! let capture = CaptureLayer::builder("orders", "1.0.0").build(kept.clone())?;
//! let service = ServiceBuilder::new()
//!     .layer(capture.clone())
//!     .service(service_fn(|_| async {
//!         let mut response = Response::new(Full::<bytes::Bytes>::default());
//!         *response.status_mut() = http::StatusCode::BAD_GATEWAY;
//!         Ok::<_, Infallible>(response)
//!     }));
//! drop(service.oneshot(Request::new(Full::<bytes::Bytes>::default())).await);
//! assert!(capture.flush(Duration::from_secs(5)));
//! assert_eq!(kept.exchanges()[0].response.as_ref().unwrap().status, 502);
//! # Ok(())
//! # }
//! ```
//!
//! On a client, where a slow answer is worth keeping:
//!
//! ```
//! use dashcam::{capture::CaptureLayer, export::JsonLines};
//! use std::time::Duration;
//!
//! # fn main() -> std::io::Result<()> {
//! # let directory = std::env::temp_dir().join("dashcam-doc-capture");
//! let capture = CaptureLayer::builder("orders", "1.0.0")
//!     .slow(Duration::from_secs(1))
//!     .build(JsonLines::builder(&directory).build())?;
//! # let _ = capture;
//! # std::fs::remove_dir_all(directory).ok();
//! # Ok(())
//! # }
//! ```
//!
//! # Guarantees
//!
//! - Bodies are observed while they pass: nothing is polled, delayed, merged,
//!   split or changed. What was not read by the service is not captured, and
//!   the record says so ([`BodyState`](crate::exchange::BodyState)).
//! - Memory is bounded per body, per head and over all ([`Limits`]).
//! - Deciding and handing over never blocks; redaction and writing happen on a
//!   thread of their own.
//! - A panic of the service is noted and goes on.
//!
//! # Ordering
//!
//! It sees what passes at its place: outside of a compression layer the
//! encoded response, inside of it the plain one; inside of a decompression
//! layer the plain request. Outside of authentication it also keeps what
//! strangers send.

mod decision;
mod layer;
mod options;

pub use self::{
    layer::{CaptureLayer, CaptureLayerBuilder},
    options::WithCaptureOptions,
};
#[cfg(feature = "gate")]
pub use crate::keeper::{Replay, Replays};
pub use crate::{
    keeper::{Classify, Dropped, Finished, Limits, ServerErrors, StormLimits},
    recorder::CaptureOptions,
};
