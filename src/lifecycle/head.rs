//! What a head states: the target of the request, and the length of its body.

use crate::{context::Route, recorder::Lengths};
use http::{HeaderMap, Uri, request::Parts};

pub(super) fn route(parts: &Parts) -> Option<Route> {
    #[cfg(feature = "axum")]
    {
        let path = parts.extensions.get::<axum::extract::MatchedPath>();
        path.cloned().map(Route::Matched)
    }
    #[cfg(not(feature = "axum"))]
    {
        let _ = parts;
        None
    }
}

/// Returns the URI as the client sent it: a nested router removes its prefix.
pub(super) fn uri(parts: &Parts) -> &Uri {
    #[cfg(feature = "axum")]
    if let Some(axum::extract::OriginalUri(uri)) = parts.extensions.get() {
        return uri;
    }
    &parts.uri
}

/// `said` is the length in the head, which counts only if it is unambiguous. `length` is the
/// length that the body states.
pub(super) fn lengths(said: Option<(u64, u64)>, length: Option<u64>) -> Lengths {
    let one = said.filter(|(least, most)| least == most);
    Lengths::of(one.map(|(length, _)| length), length)
}

/// Returns the least and the greatest length in the head, over all fields and lists (RFC 9110,
/// section 8.6); `None` if one of them is no valid length.
pub(super) fn content_lengths(headers: &HeaderMap) -> Option<(u64, u64)> {
    let mut said: Option<(u64, u64)> = None;
    for value in headers.get_all(http::header::CONTENT_LENGTH) {
        for text in value.to_str().ok()?.split(',').map(str::trim) {
            if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            let length = text.parse().ok()?;
            let (least, most) = said.unwrap_or((length, length));
            said = Some((least.min(length), most.max(length)));
        }
    }
    said
}
