//! One correlation ID for the whole journey of a request.
//!
//! [`CorrelationIdLayer`] accepts a valid inbound ID or mints one, puts it on
//! the request (header and [`RequestContext`](crate::context::RequestContext)
//! extension), on the request span and on the response.
//! [`PropagateCorrelationIdLayer`] puts the current ID on outgoing requests.
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
//!     .edge();
//! # let _ = layer;
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
//! # Ordering
//!
//! Outermost, so that every answer has the ID: what layers outside of it
//! answer (a timeout, a body limit, `CatchPanic`) goes without, and so does
//! what the HTTP implementation answers itself (400 to a malformed request,
//! 431). In `axum`, `Router::layer` also covers the fallback (404);
//! `route_layer` does not.

#[cfg(feature = "axum")]
mod extract;
mod layer;
mod propagate;

#[cfg(feature = "axum")]
pub use self::extract::MissingCorrelationId;
pub use self::{
    layer::CorrelationIdLayer,
    propagate::{PropagateCorrelationId, PropagateCorrelationIdLayer, correlation_headers},
};
pub use crate::id::{CorrelationId, InvalidCorrelationId, MakeCorrelationId, UuidV7};
