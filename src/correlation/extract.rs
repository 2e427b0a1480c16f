use crate::{
    context::RequestContext,
    id::{CorrelationId, Error, Kind},
};
use axum_core::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    response::{IntoResponse, Response},
};
use http::{StatusCode, request::Parts};
use std::convert::Infallible;

/// The error's text, with status 500 if the request has no ID: then the service lacks a layer.
/// The status is 400 for a text that is not valid, such as one of a client.
impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let status = match self.0 {
            Kind::Missing => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        };
        (status, self.to_string()).into_response()
    }
}

impl<S: Sync> FromRequestParts<S> for CorrelationId {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        find(parts).ok_or(Error(Kind::Missing))
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for CorrelationId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(find(parts))
    }
}

fn find(parts: &Parts) -> Option<CorrelationId> {
    let context = parts.extensions.get::<RequestContext>()?;
    Some(context.correlation_id().clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::{Router, body::Body, routing::get};
    use tower::ServiceExt;

    #[test]
    fn an_invalid_id_is_the_client_s_fault_and_a_missing_layer_the_service_s() {
        let app = Router::<()>::new()
            .route("/extracts", get(|_: CorrelationId| async {}))
            .route(
                "/parses",
                get(|| async { CorrelationId::new("a b").map(drop) }),
            );
        for (path, status) in [("/extracts", 500), ("/parses", 400)] {
            let request = http::Request::get(path).body(Body::empty()).unwrap();
            let response = tokio_test::block_on(app.clone().oneshot(request)).unwrap();
            assert_eq!(response.status(), status, "{path}");
        }
        assert_eq!(Error(Kind::Missing).as_str(), "missing");
        assert_eq!(CorrelationId::new("").unwrap_err().as_str(), "empty");
    }
}
