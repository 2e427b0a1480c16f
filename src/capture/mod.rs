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
//! Both sides of a service: the calls that a request makes are kept with it, and
//! some routes are captured less than others.
//!
//! ```
//! use dashcam::{
//!     capture::{CaptureLayer, CaptureOptions},
//!     correlation::{CorrelationIdLayer, PropagateCorrelationIdLayer},
//!     export::Memory,
//!     lifecycle::RequestBody,
//! };
//! use bytes::Bytes;
//! use http_body_util::Full;
//! use hyper_util::{client::legacy::Client, rt::TokioExecutor};
//! use std::time::Duration;
//! use tower::ServiceBuilder;
//!
//! # #[cfg(feature = "axum")]
//! # fn main() -> std::io::Result<()> {
//! let capture = CaptureLayer::builder("orders", "1.0.0")
//!     .slow(Duration::from_secs(1))
//!     .keep_when(|request| (request.grpc_status() == Some(8)).then_some("exhausted"))
//!     .for_path("/static/*", CaptureOptions::off())
//!     .build(Memory::new(100))?;
//!
//! let client = ServiceBuilder::new()
//!     .layer(PropagateCorrelationIdLayer::new())
//!     .layer(capture.client())
//!     .service(
//!         Client::builder(TokioExecutor::new()).build_http::<RequestBody<Full<Bytes>>>(),
//!     );
//!
//! use axum::{Extension, Router, routing::{get, post}};
//! let app = Router::<()>::new()
//!     .route("/health", get(|| async {}).route_layer(CaptureOptions::off()))
//!     .route("/upload", post(|_: Bytes| async {}).route_layer(CaptureOptions::new().body(1024)))
//!     .route("/token", post(|| async { (Extension(CaptureOptions::heads()), "secret") }))
//!     .layer(capture)
//!     .layer(CorrelationIdLayer::new());
//! # let _ = (client, app);
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "axum"))]
//! # fn main() {}
//! ```
//!
//! # What is captured
//!
//! Both heads, a prefix of both bodies, and trailers, each up to its limit
//! ([`Limits`], [`CaptureOptions`]), of HTTP/1 and HTTP/2. All bytes are counted,
//! captured or not. The points in time are those of
//! [`Timing`](crate::exchange::Timing).
//!
//! | traffic | what is special |
//! |---|---|
//! | server-sent events, NDJSON, gRPC, streams of Connect | known by their content type; items are counted, and captured up to [`Limits::stream_items`] and [`Limits::stream_time`], cut between two items |
//! | gRPC | the status comes from the trailers or, where there are none, the head |
//! | gRPC-Web, streams of Connect | the status is found in the last frame of the body while it passes, captured or not; 16 KiB of that frame are held at most |
//! | upgrades (101, CONNECT) | the exchange ends there; what the connection carries then is neither seen nor touched |
//! | HEAD, 204, 304 | no body by protocol, which is no failure |
//! | compressed bodies | captured as they pass at the place of the layer |
//!
//! # What is kept
//!
//! What went wrong ([`Classify`]), was not as long as its `content-length`, was uploaded in
//! part, was slow, had an ERROR event, was asked for
//! ([`keep`](crate::keep), rules, `keep_when`), or is in the baseline sample. It is
//! decided at the end, when all that is known; until then nothing is written. A call
//! made by a [client](CaptureLayer::client) is kept for its own reason, or with its
//! request.
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
//!
//! On a client it belongs inside of the layer that adds the correlation ID, and
//! outside of those that retry if one exchange is wanted for all attempts, inside
//! if one is wanted for each. What the client itself adds, such as `host`, it does
//! not see: the exchange has the authority of the URI. A body that is wrapped
//! cannot be cloned by a layer further in.

mod decision;
mod layer;
mod options;

pub use self::{
    layer::{CaptureLayer, CaptureLayerBuilder, CaptureService},
    options::WithCaptureOptions,
};
pub use crate::{
    keeper::{Classify, Dropped, Finished, Limits, Replay, Replays, ServerErrors, StormLimits},
    recorder::CaptureOptions,
};
