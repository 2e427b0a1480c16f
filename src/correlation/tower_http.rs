use crate::id::CorrelationId;
use tower_http::request_id::RequestId;

/// Converts to the request ID of tower-http 0.7.
///
/// To have that type in the request's extensions, add `SetRequestIdLayer` inside the
/// correlation layer: it reads the ID from the header.
///
/// ```
/// use dashcam::correlation::CorrelationId;
/// use tower_http::request_id::RequestId;
///
/// # fn call(id: Option<RequestId>) -> Option<RequestId> { id }
/// let id = dashcam::current().map(|request| RequestId::from(request.correlation_id()));
/// # let _ = call(id);
/// # let id: CorrelationId = "order-4711".parse().unwrap();
/// # assert_eq!(RequestId::from(&id).header_value(), "order-4711");
/// ```
#[cfg_attr(docsrs, doc(cfg(feature = "tower-http")))]
impl From<&CorrelationId> for RequestId {
    fn from(id: &CorrelationId) -> Self {
        Self::new(id.as_header_value().clone())
    }
}
