//! One correlation ID for a request through all services.
//!
//! [`CorrelationIdLayer`] accepts a valid inbound ID or mints one. It sets the ID on the
//! request (header and [`RequestContext`](crate::context::RequestContext) extension), on
//! the request span and on the response. It also implements W3C Trace Context, level 2:
//! every request belongs to its caller's trace or to a new one.
//! [`PropagateCorrelationIdLayer`] sends both with outgoing requests.
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
//! At the edge, with untrusted clients and another header:
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
//! Outgoing calls are in the same trace, and every call has its own span ID:
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
//! 1. The one value of the header, if it has 1 to 128 characters of `A-Z a-z 0-9 . _ -`.
//! 2. The trace ID of one valid `traceparent`.
//! 3. A new ID, by default a UUIDv7.
//!
//! The layer replaces an invalid or repeated header. The exchange has the reason, never the
//! value. In [edge mode](CorrelationIdLayer::edge) the ID is always new, and the exchange
//! also has the client's ID if it is valid.
//!
//! # Which trace
//!
//! A request with one valid `traceparent` continues that trace: its trace ID, the flags
//! *sampled* and *random*, and the unchanged `tracestate`. A request with none, an invalid
//! one or several starts a trace. Its ID is the minted correlation ID's UUID, else another
//! UUIDv7; *random* is set; *sampled* is not, because dashcam records nothing for a tracing
//! system; a `tracestate` is dropped. In edge mode every request starts a trace.
//!
//! `baggage` is forwarded unchanged, up to the 64 members and 8,192 bytes of its
//! specification; in edge mode it is not forwarded. No log line contains it or the values
//! of `tracestate`; an exchange contains them only if the policy allows the header.
//!
//! OpenTelemetry is not required. If its layer is installed, the span ID, the flags and the
//! ID of a started trace are those of the request's span; see
//! [`opentelemetry`](crate::opentelemetry).
//!
//! # Ordering
//!
//! Make it the outermost layer, so that every response has the ID. Responses of layers
//! outside of it (a timeout, a body limit, `CatchPanic`) do not have it, nor do responses
//! of the HTTP implementation itself (400 to a malformed request, 431). In `axum`,
//! `Router::layer` also covers the fallback (404); `route_layer` does not.
//!
//! On a client the position matters little: the layer only adds headers. Inside a layer
//! that retries, each attempt has its own span ID.
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
