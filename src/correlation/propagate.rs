use crate::context::current;
use http::{HeaderName, HeaderValue, Request};
use std::task::{Context, Poll};
use tower_layer::Layer;
use tower_service::Service;

const DEFAULT_HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// Puts the current request's correlation ID on outgoing requests that have none.
///
/// For clients: wrap the client service with it. The ID is that of the request
/// in whose code `call` runs; in spawned tasks use
/// [`in_request`](crate::context::InRequestExt::in_request).
///
/// ```
/// use dashcam::correlation::PropagateCorrelationIdLayer;
/// use hyper_util::{client::legacy::Client, rt::TokioExecutor};
/// use tower::ServiceBuilder;
///
/// let client = Client::builder(TokioExecutor::new())
///     .build_http::<http_body_util::Full<bytes::Bytes>>();
/// let client = ServiceBuilder::new()
///     .layer(PropagateCorrelationIdLayer::new())
///     .service(client);
/// # let _ = client;
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct PropagateCorrelationIdLayer {
    header: HeaderName,
}

impl PropagateCorrelationIdLayer {
    /// Header `x-request-id`.
    pub fn new() -> Self {
        Self {
            header: DEFAULT_HEADER,
        }
    }

    /// Another header.
    pub fn header(mut self, name: HeaderName) -> Self {
        self.header = name;
        self
    }
}

impl Default for PropagateCorrelationIdLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for PropagateCorrelationIdLayer {
    type Service = PropagateCorrelationId<S>;

    fn layer(&self, inner: S) -> Self::Service {
        PropagateCorrelationId {
            inner,
            header: self.header.clone(),
        }
    }
}

/// The service of [`PropagateCorrelationIdLayer`].
#[derive(Clone, Debug)]
pub struct PropagateCorrelationId<S> {
    inner: S,
    header: HeaderName,
}

impl<S, B> Service<Request<B>> for PropagateCorrelationId<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        if !request.headers().contains_key(&self.header)
            && let Some(context) = current()
        {
            let id = context.correlation_id().as_header_value().clone();
            request.headers_mut().insert(self.header.clone(), id);
        }
        self.inner.call(request)
    }
}

/// The headers that carry the current request's identity, for any client that
/// takes headers; none outside of a request. The name is `x-request-id`,
/// whatever the layer's header is.
///
/// ```
/// let mut request = http::Request::new(());
/// request.headers_mut().extend(dashcam::correlation::correlation_headers());
/// ```
#[must_use]
pub fn correlation_headers() -> Option<(HeaderName, HeaderValue)> {
    let context = current()?;
    let id = context.correlation_id().as_header_value().clone();
    Some((DEFAULT_HEADER, id))
}
