use super::{
    ResponseBody,
    flight::{End, Flight},
};
use crate::{
    context::{PanicNote, RequestContext},
    foreign::{self, Foreign},
    id::CorrelationId,
    recorder::Said,
};
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header::CONTENT_TYPE, response::Parts};
use http_body::Body;
use std::{any::Any, sync::Arc};

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

/// Marks the answer to a panic with its request.
#[derive(Clone)]
struct Answered(RequestContext);

/// Notes a panic in the request's context: its message, and where it happened.
pub(super) fn note(context: &RequestContext, payload: &(dyn Any + Send)) {
    let literal = payload.downcast_ref::<&'static str>().map(Said::of);
    let message = literal.or_else(|| payload.downcast_ref::<String>().map(Said::of));
    let mut notes = context.shared().notes();
    let location = notes.panicked.take().and_then(|note| note.location);
    // Layers further out see it again.
    if notes.panic.is_none() {
        super::last_words::caught(location.is_some());
    }
    let panic = notes.panic.get_or_insert_with(PanicNote::default);
    if panic.location.is_none() {
        panic.location = location;
    }
    if panic.message.is_none() {
        panic.message = message;
    }
}

impl Flight {
    /// Ends a request whose panic was answered: the answer goes out like any
    /// other response, the outcome stays a panic.
    pub(super) fn answered_panic<B: Body>(
        mut self,
        mut response: Response<B>,
    ) -> Response<ResponseBody<B>> {
        self.panicked = true;
        if !self.captures() {
            // A layer further out of the same request may.
            let answered = Answered(self.context.clone());
            response.extensions_mut().insert(answered);
        }
        // There is nothing in it that the record does not say already.
        self.context
            .shared()
            .captured
            .response_body()
            .skip("answer_to_panic");
        self.responded(response)
    }

    /// Whether a layer further in made this response from a panic.
    pub(super) fn is_answer(&self, response: &Parts) -> bool {
        let answered = response.extensions.get::<Answered>();
        answered.is_some_and(|Answered(context)| context.is(&self.context))
    }

    /// The end that the response body came to, in the light of a panic before it.
    pub(super) fn judged(&self, end: End) -> End {
        if self.panicked { End::Panic } else { end }
    }
}
