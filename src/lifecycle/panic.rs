use crate::{
    foreign::{self, Foreign},
    id::CorrelationId,
};
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header::CONTENT_TYPE};
use std::sync::Arc;

/// Handles a panic of the service: [`Observe`], [`ProblemJson`], or your own implementation
/// for [`DashcamLayer::panic_response`](crate::kit::DashcamLayer::panic_response), which
/// has an example.
pub trait PanicResponse<B> {
    /// Returns whether a panic becomes a response. If `false`, the panic propagates.
    /// Default: `true`.
    fn answers(&self) -> bool {
        true
    }

    /// Makes the response. `id` is the request's correlation ID; the request is
    /// [current](crate::current).
    ///
    /// It is called at most once per request, if the panic comes before the response: after
    /// the panic is recorded and the service's future is dropped. It runs on the request's
    /// thread and must not block; nothing of dashcam is locked. The response is sent as any
    /// other, with the correlation ID in its header. The exchange has the outcome
    /// `panicked`, whatever the status is. The panic message is not available here, so that
    /// it cannot leak.
    ///
    /// If it panics, or returns `None` although [`answers`](Self::answers) is `true`, the
    /// response is that of [`ProblemJson`].
    fn respond(&self, id: &CorrelationId) -> Option<Response<B>>;
}

/// Records a panic and lets it propagate, as without the layer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Observe;

impl<B> PanicResponse<B> for Observe {
    fn answers(&self) -> bool {
        false
    }

    fn respond(&self, _: &CorrelationId) -> Option<Response<B>> {
        None
    }
}

/// Responds to a panic with status 500 and an `application/problem+json` body (RFC 9457)
/// that has the correlation ID and nothing of the panic.
///
/// A panic while the response body streams comes too late for a response: it is recorded
/// and propagates.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProblemJson;

impl<B: From<Bytes>> PanicResponse<B> for ProblemJson {
    fn answers(&self) -> bool {
        true
    }

    fn respond(&self, id: &CorrelationId) -> Option<Response<B>> {
        // The default alphabet of IDs needs no escaping; a wider one may.
        let id: String = id
            .as_str()
            .chars()
            .flat_map(|c| {
                let escape = matches!(c, '"' | '\\').then_some('\\');
                escape.into_iter().chain([c])
            })
            .collect();
        let problem = format!(
            r#"{{"type":"about:blank","title":"Internal Server Error","status":500,"correlation_id":"{id}"}}"#
        );
        let mut response = Response::new(B::from(Bytes::from(problem)));
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response.headers_mut().insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        Some(response)
    }
}

/// Wraps a [`PanicResponse`] of the service, so that its own panics do not propagate.
#[derive(Debug)]
pub struct Guarded<P>(Arc<Foreign<P>>);

impl<P> Guarded<P> {
    pub(crate) fn new(panics: P) -> Self {
        Self(Arc::new(Foreign::new(panics)))
    }
}

/// Each request clones it, so the clone must not run foreign code.
impl<P> Clone for Guarded<P> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<P: PanicResponse<B>, B: From<Bytes>> PanicResponse<B> for Guarded<P> {
    fn answers(&self) -> bool {
        let own = self.0.get();
        let answers = own.and_then(|panics| foreign::run(|| panics.answers()));
        answers.unwrap_or(true)
    }

    fn respond(&self, id: &CorrelationId) -> Option<Response<B>> {
        let own = self.0.get();
        match own.and_then(|panics| foreign::run(|| panics.respond(id))) {
            Some(Some(response)) => Some(response),
            Some(None) if !PanicResponse::<B>::answers(self) => None,
            Some(None) | None => ProblemJson.respond(id),
        }
    }
}
