use crate::{context::RequestContext, id::CorrelationId};
use axum_core::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    response::{IntoResponse, Response},
};
use http::{StatusCode, request::Parts};
use std::{convert::Infallible, fmt};

/// No layer of this crate is around the handler that asked for the ID.
/// Answered as 500.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct MissingCorrelationId;

impl fmt::Display for MissingCorrelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no correlation ID: is the layer installed?")
    }
}

impl std::error::Error for MissingCorrelationId {}

impl IntoResponse for MissingCorrelationId {
    fn into_response(self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, self.to_string()).into_response()
    }
}

impl<S: Sync> FromRequestParts<S> for CorrelationId {
    type Rejection = MissingCorrelationId;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        find(parts).ok_or(MissingCorrelationId)
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
