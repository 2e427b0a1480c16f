//! One correlation ID for the whole journey of a request.
//!
//! [`CorrelationIdLayer`] accepts a valid inbound ID or mints one, puts it on
//! the request (header and [`RequestContext`](crate::context::RequestContext)
//! extension), on the request span and on the response.
//! It also takes part in W3C Trace Context, level 2: every request belongs to a
//! trace, that of its caller or one of its own.
//! [`PropagateCorrelationIdLayer`] puts both on outgoing requests.
//!
//! # Example
//!
//! ```
//! use dashcam::correlation::CorrelationIdLayer;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use std::convert::Infallible;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let service = ServiceBuilder::new()
//!     .layer(CorrelationIdLayer::new())
//!     .service(service_fn(|request: Request<_>| async move {
//!         assert!(request.headers().contains_key("x-request-id"));
//!         # let _: Request<dashcam::lifecycle::RequestBody<Full<bytes::Bytes>>> = request;
//!         Ok::<_, Infallible>(Response::new(Full::<bytes::Bytes>::default()))
//!     }));
//! let response = service.oneshot(Request::new(Full::default())).await.unwrap();
//! assert_eq!(response.headers()["x-request-id"].len(), 36);
//! # }
//! ```
//!
//! At the edge, where clients are strangers, with another header:
//!
//! ```
//! use dashcam::correlation::CorrelationIdLayer;
//! use http::HeaderName;
//!
//! let layer = CorrelationIdLayer::new()
//!     .header(HeaderName::from_static("x-correlation-id"))
//!     .edge(true);
//! # let _ = layer;
//! ```
//!
//! What a service calls is in the same trace, and every call has an ID of its own:
//!
//! ```
//! use dashcam::correlation::{CorrelationIdLayer, TraceParent, headers};
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use std::convert::Infallible;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let service = ServiceBuilder::new()
//!     .layer(CorrelationIdLayer::new().server_timing(true))
//!     .service(service_fn(|request: Request<_>| async move {
//!         # let _: Request<dashcam::lifecycle::RequestBody<Full<bytes::Bytes>>> = request;
//!         let (one, other) = (headers(request.uri()), headers(request.uri()));
//!         assert_ne!(one["traceparent"], other["traceparent"]);
//!         let sent = TraceParent::parse(one["traceparent"].as_bytes());
//!         let request = dashcam::current().expect("a request is under way");
//!         let trace = request.trace_context();
//!         assert_eq!(sent.map(|sent| sent.trace_id), Ok(trace.trace_id()));
//!         Ok::<_, Infallible>(Response::new(Full::<bytes::Bytes>::default()))
//!     }));
//! let request = Request::get("/")
//!     .header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
//!     .body(Full::default())?;
//! let response = service.oneshot(request).await?;
//! let timing = response.headers()["server-timing"].to_str()?;
//! assert!(timing.starts_with("trace;desc=\"00-4bf92f3577b34da6a3ce929d0e0e4736-"));
//! # Ok(())
//! # }
//! ```
//!
//! # Which ID
//!
//! 1. The one value of the header, if it is 1 to 128 of `A-Z a-z 0-9 . _ -`.
//! 2. The trace ID of one valid `traceparent`.
//! 3. A new one, by default a UUIDv7.
//!
//! An invalid or repeated header is replaced; that it was is recorded, its
//! value never. In [edge mode](CorrelationIdLayer::edge) the ID is always new
//! and a valid one of the client is kept beside it.
//!
//! # Which trace
//!
//! One valid `traceparent` is gone on with: its trace ID, the flags *sampled* and
//! *random*, and the `tracestate`, to which nothing is added. Without one, with an
//! invalid one or with several a trace starts: its ID is the minted correlation
//! ID's UUID, else another UUIDv7; *random* is set; *sampled* is not, because
//! nothing is recorded for a tracing system here; a `tracestate` is dropped. In
//! edge mode a trace starts in any case.
//!
//! `baggage` is passed on as it came, within the 64 members and 8,192 bytes that
//! its specification names; not in edge mode. It and the values of `tracestate`
//! are in no log line, and in an exchange only where the policy allows the header.
//!
//! All this needs no OpenTelemetry. Where its layer is there, span ID, flags and the
//! ID of a started trace are those of the request's span; see
//! [`opentelemetry`](crate::opentelemetry).
//!
//! # Ordering
//!
//! Outermost, so that every answer has the ID: what layers outside of it
//! answer (a timeout, a body limit, `CatchPanic`) goes without, and so does
//! what the HTTP implementation answers itself (400 to a malformed request,
//! 431). In `axum`, `Router::layer` also covers the fallback (404);
//! `route_layer` does not.
//!
//! On the side of the client the layer's place matters little: it only adds
//! headers. Inside of a layer that retries, each attempt has an ID of its own.
#![doc = include_str!("clients.md")]

#[cfg(feature = "axum")]
mod extract;
mod layer;
mod propagate;
#[cfg(feature = "reqwest-middleware")]
mod reqwest;
#[cfg(feature = "tower-http")]
mod tower_http;

pub use self::{
    layer::{CorrelationIdLayer, CorrelationIdService},
    propagate::{PropagateCorrelationId, PropagateCorrelationIdLayer, add_headers, headers},
};
pub use crate::id::{CorrelationId, Error, SpanId, TraceContext, TraceId, TraceParent};
