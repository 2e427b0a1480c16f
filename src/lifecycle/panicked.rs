//! What a request records of its own panic.

use super::last_words;
use crate::{
    context::{PanicNote, RequestContext},
    recorder::Said,
};
use http::{Response, response::Parts};
use std::any::Any;

/// Marks the response to a panic with its request.
#[derive(Clone)]
struct Answered(RequestContext);

/// Marks a response as the response to a panic, for an outer layer of the same request.
pub(super) fn mark<B>(context: &RequestContext, response: &mut Response<B>) {
    response.extensions_mut().insert(Answered(context.clone()));
}

/// Returns whether an inner layer made this response from a panic.
pub(super) fn is_answer(context: &RequestContext, response: &Parts) -> bool {
    let answered = response.extensions.get::<Answered>();
    answered.is_some_and(|Answered(of)| of.is(context))
}

/// Notes a panic in the request's context: its message and its location.
pub(super) fn note(context: &RequestContext, payload: &(dyn Any + Send)) {
    let literal = payload.downcast_ref::<&'static str>().map(Said::of);
    let message = literal.or_else(|| payload.downcast_ref::<String>().map(Said::of));
    let mut notes = context.shared().notes();
    let location = notes.panicked.take().and_then(|note| note.location);
    // Outer layers see the same panic again.
    if notes.panic.is_none() {
        last_words::caught(location.is_some());
    }
    let panic = notes.panic.get_or_insert_with(PanicNote::default);
    if panic.location.is_none() {
        panic.location = location;
    }
    if panic.message.is_none() {
        panic.message = message;
    }
}
