//! Captures requests and responses within limits, and keeps the exchange of a request that
//! goes wrong.
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
//! Server and client: the calls of a request are kept with it, and some routes are captured
//! less than others.
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
//! Both heads, a prefix of both bodies, and trailers, each up to its limit ([`Limits`],
//! [`CaptureOptions`]), of HTTP/1 and HTTP/2. The layer counts all bytes, captured or not.
//! [`Timing`](crate::exchange::Timing) has the times.
//!
//! | traffic | what is special |
//! |---|---|
//! | server-sent events, NDJSON, gRPC, Connect streams | detected by content type; items are counted, and captured up to [`Limits::stream_items`] and [`Limits::stream_time`], cut between two items |
//! | gRPC | the status comes from the trailers, or from the head if there are none |
//! | gRPC-Web, Connect streams | the status comes from the last frame of the body, captured or not; at most 16 KiB of that frame are held |
//! | upgrades (101, CONNECT) | the exchange ends there; the upgraded connection is neither read nor changed |
//! | HEAD, 204, 304 | the missing body is not a failure |
//! | compressed bodies | captured as they are at the layer's position |
//!
//! # What is kept
//!
//! A request that failed ([`Classify`]), whose body was not as long as its
//! `content-length`, whose upload broke, that was slow, that had an ERROR event, that code
//! or a rule asked for ([`keep`](crate::keep), rules, `keep_when`), or that is in the
//! baseline sample. The layer decides at the end of the request; until then nothing is
//! written. A call of a [client](CaptureLayer::client) is kept for a reason of its own, or
//! with its request.
//!
//! # Guarantees
//!
//! - The layer observes bodies while they pass: it polls, delays, merges, splits and
//!   changes nothing. It does not capture what the service does not read, and
//!   [`BodyState`](crate::exchange::BodyState) says so.
//! - Memory is bounded per body, per head and in total ([`Limits`]).
//! - The request path never blocks. Redaction and export run on a separate thread.
//! - A panic of the service is recorded and propagates.
//!
//! # Ordering
//!
//! The layer captures what passes at its position: outside of a compression layer the
//! encoded response, inside of it the plain one; inside a decompression layer the plain
//! request. Outside of authentication it also keeps requests of unauthenticated clients.
//!
//! On a client, put it inside the layer that adds the correlation ID. Put it outside of a
//! layer that retries to get one exchange for all attempts, inside to get one for each. It
//! does not see what the client itself adds, such as `host`: the exchange has the authority
//! of the URI. A layer further in cannot clone a wrapped body.

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
