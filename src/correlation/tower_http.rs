use crate::id::CorrelationId;
use tower_http::request_id::RequestId;

/// For code that takes the request ID of tower-http.
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
impl From<&CorrelationId> for RequestId {
    fn from(id: &CorrelationId) -> Self {
        Self::new(id.as_header_value().clone())
    }
}
