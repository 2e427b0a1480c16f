use crate::{
    foreign::{self, Foreign},
    id::CorrelationId,
};
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header::CONTENT_TYPE};
use std::sync::Arc;

/// What becomes of a panic of the service: [`Observe`], [`ProblemJson`], or an answer
/// of the service's own, which `DashcamLayer::panic_response` takes and shows an
/// example of.
pub trait PanicResponse<B> {
    /// Whether a panic is answered, as it is by default; if not, it goes on.
    fn answers(&self) -> bool {
        true
    }

    /// The answer. `id` is the request's correlation ID, whose request is
    /// [current](crate::current) here.
    ///
    /// It is called after a panic, at most once for a request, where the panic was
    /// noted and what the service left is dropped, and before anything was answered.
    /// Nothing of dashcam is locked meanwhile. It runs on the thread of the request,
    /// which waits for it as for a handler's code, and so do others of that thread: it
    /// makes a response and waits for nothing. What it gives goes out as any other response, with the correlation
    /// ID in its header; the exchange says that the request panicked, whatever the
    /// status is. Nothing says what the panic's message was, so that nothing of it
    /// gets out.
    ///
    /// Where it panics, or returns `None` though it [`answers`](Self::answers), the
    /// answer is that of [`ProblemJson`].
    fn respond(&self, id: &CorrelationId) -> Option<Response<B>>;
}

/// Notes a panic and lets it go on, as if the layer were not there.
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

/// Answers a panic with status 500 and an `application/problem+json` body
/// (RFC 9457) that holds the correlation ID and nothing of the panic.
///
/// A panic while the response body streams cannot be answered any more: it is
/// noted and goes on.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProblemJson;

impl<B: From<Bytes>> PanicResponse<B> for ProblemJson {
    fn answers(&self) -> bool {
        true
    }

    fn respond(&self, id: &CorrelationId) -> Option<Response<B>> {
        // The ID's alphabet needs no escaping; wider ones may.
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

/// An answer of the service's own. It is code of strangers: what it may do to the
/// request ends here.
#[derive(Debug)]
pub struct Guarded<P>(Arc<Foreign<P>>);

impl<P> Guarded<P> {
    pub(crate) fn new(panics: P) -> Self {
        Self(Arc::new(Foreign::new(panics)))
    }
}

/// Made for every request, so it does not ask the code of strangers.
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
