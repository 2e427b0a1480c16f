use super::{
    ResponseBody,
    flight::{End, Flight},
};
use crate::{
    context::{PanicNote, RequestContext},
    id::CorrelationId,
    recorder::Said,
};
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header::CONTENT_TYPE, response::Parts};
use http_body::Body;
use std::any::Any;

/// What becomes of a panic of the service.
///
/// Sealed: [`Observe`] and [`ProblemJson`] are what there is.
pub trait PanicResponse<B>: sealed::Sealed {
    /// Whether a panic is answered; if not, it goes on.
    fn answers(&self) -> bool;

    /// The answer, where there is one. `id` is the request's correlation ID.
    fn respond(&self, id: &CorrelationId) -> Option<Response<B>>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Observe {}
    impl Sealed for super::ProblemJson {}
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

/// Marks the answer to a panic with its request.
#[derive(Clone)]
struct Answered(RequestContext);

/// Notes a panic in the request's context: its message, and where it happened.
pub(super) fn note(context: &RequestContext, payload: &(dyn Any + Send)) {
    let literal = payload.downcast_ref::<&'static str>().map(Said::of);
    let message = literal.or_else(|| payload.downcast_ref::<String>().map(Said::of));
    let mut notes = context.shared().notes();
    let location = notes.panicked_at.take();
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
        #[cfg(feature = "capture")]
        self.context
            .shared()
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

/// Notes where panics of requests happen; the hook that was there before goes on.
#[cfg(feature = "kit")]
pub(crate) fn install_hook() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if let (Some(context), Some(location)) = (crate::context::current(), info.location()) {
                context.note_panic_location(location);
            }
            previous(info);
        }));
    });
}
