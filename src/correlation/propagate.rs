use crate::{
    context::{RequestContext, current},
    id::put_new,
};
use http::{HeaderMap, HeaderName, Request, Uri};
use std::task::{Context, Poll};
use tower_layer::Layer;
use tower_service::Service;

const DEFAULT_HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// Adds the current request's identity to outgoing requests: its correlation ID, a
/// `traceparent` with a fresh span ID for the call, and the inbound `tracestate` and
/// `baggage`. To hosts that
#[cfg_attr(feature = "token", doc = "[`Propagation`](crate::token::Propagation)")]
#[cfg_attr(not(feature = "token"), doc = "`token::Propagation`")]
/// allows, it also adds the selection of a verbose request.
///
/// Wrap a client service with it. The current request is the one in whose code `call` runs;
/// in spawned tasks use [`in_request`](crate::context::InRequestExt::in_request). The layer
/// does not replace a header that the call already has. If the call has a `traceparent`,
/// the layer adds no `tracestate`.
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
///
/// A `tonic` channel is such a service, too. For clients that are not services, use
/// [`headers`].
#[derive(Clone, Debug)]
#[must_use]
pub struct PropagateCorrelationIdLayer {
    pub(super) sent: Sent,
}

/// The headers that outgoing requests get.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    header: HeaderName,
    trace: bool,
    baggage: bool,
}

impl Sent {
    fn all() -> Self {
        Self {
            header: DEFAULT_HEADER,
            trace: true,
            baggage: true,
        }
    }

    /// Adds the headers. `target` is the URI of the call, if it is known.
    pub(super) fn put(
        &self,
        context: &RequestContext,
        target: Option<&Uri>,
        headers: &mut HeaderMap,
    ) {
        let id = context.correlation_id().as_header_value();
        put_new(headers, &self.header, || id.clone());
        let trace = context.trace_context();
        if self.trace {
            trace.propagate(headers);
        }
        if self.baggage {
            trace.propagate_baggage(headers);
        }
        #[cfg(feature = "token")]
        if let Some(value) = target.and_then(|target| context.onward(target)) {
            put_new(headers, &crate::selection::VERBOSE_HEADER, || value);
        }
        #[cfg(not(feature = "token"))]
        let _ = target;
    }
}

impl PropagateCorrelationIdLayer {
    /// Starts with the defaults: the header `x-request-id`, W3C Trace Context and W3C
    /// Baggage.
    pub fn new() -> Self {
        Self { sent: Sent::all() }
    }

    /// Sets the header that carries the ID. Default: `x-request-id`.
    pub fn header(mut self, name: HeaderName) -> Self {
        self.sent.header = name;
        self
    }

    /// Sets whether calls carry `traceparent` and `tracestate`. Default: `true`. Use
    /// `false` if a tracing library of the service sends them.
    pub fn trace_context(mut self, on: bool) -> Self {
        self.sent.trace = on;
        self
    }

    /// Sets whether calls carry `baggage`. Default: `true`. Use `false` for calls to third
    /// parties that must not read it.
    pub fn baggage(mut self, on: bool) -> Self {
        self.sent.baggage = on;
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
            sent: self.sent.clone(),
        }
    }
}

/// The service of [`PropagateCorrelationIdLayer`].
#[derive(Clone, Debug)]
pub struct PropagateCorrelationId<S> {
    inner: S,
    sent: Sent,
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
        if let Some(context) = current() {
            let mut headers = std::mem::take(request.headers_mut());
            self.sent.put(&context, Some(request.uri()), &mut headers);
            *request.headers_mut() = headers;
        }
        self.inner.call(request)
    }
}

/// Returns the headers that carry the current request's identity to one outgoing call to
/// `uri`, for any client that accepts headers. Outside of a request the map is empty.
///
/// They are the headers that [`PropagateCorrelationIdLayer`] adds. Call it for each
/// request, because the span ID in `traceparent` is that of the call. If the target is not
/// known, pass `Uri::default()`: it leaves out the headers that are for some targets only.
/// The correlation ID is always in `x-request-id`, whatever the layer's header is.
///
/// With `reqwest`: `client.get(url).headers(correlation::headers(&uri))`. To keep headers
/// that the call already has under these names, use [`add_headers`].
///
/// ```
/// let mut request = http::Request::get("http://stock/items/7").body(())?;
/// let headers = dashcam::correlation::headers(request.uri());
/// request.headers_mut().extend(headers);
/// # Ok::<(), http::Error>(())
/// ```
#[must_use]
pub fn headers(uri: &Uri) -> HeaderMap {
    let mut headers = HeaderMap::new();
    add_headers(uri, &mut headers);
    headers
}

/// Adds [`headers`] to the headers of a call. Does not replace headers that are already
/// there.
///
/// ```
/// use dashcam::correlation::add_headers;
///
/// let (mut parts, ()) = http::Request::get("http://stock/items/7").body(())?.into_parts();
/// add_headers(&parts.uri, &mut parts.headers);
/// # Ok::<(), http::Error>(())
/// ```
pub fn add_headers(uri: &Uri, headers: &mut HeaderMap) {
    if let Some(context) = current() {
        Sent::all().put(&context, Some(uri), headers);
    }
}
