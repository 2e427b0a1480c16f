//! What a request that may still run is known to hide.

use crate::{context::RequestContext, redact::Redactor};

/// What a log line knows of each body: lines are many, so their work is bounded.
#[cfg(feature = "kit")]
pub(crate) const LINE_KNOWS: usize = 16 * 1024;

/// Shows the redactor the heads and trailers of a request and the first `most` bytes of its
/// bodies: all is copied first, so that the request never waits for a lock.
pub(crate) fn remember_secrets(redactor: &mut Redactor<'_>, context: &RequestContext, most: usize) {
    let shared = context.shared();
    let heads = shared.heads().clone();
    let request_body = shared.request_body().snapshot();
    let response_body = shared.response_body().snapshot();
    let uri = &heads.request.uri;
    redactor.user_of(uri);
    let route = shared.route.as_ref().map(crate::context::Route::as_str);
    let called = crate::keeper::grpc::method(&heads, &response_body, route);
    redactor.path(uri.path(), called.or(route));
    if let Some(query) = uri.query() {
        redactor.query(query);
    }
    let id = context.correlation_id().as_str().as_bytes();
    for (fields, body) in [
        (&heads.request.fields, request_body),
        (&heads.response.fields, response_body),
    ] {
        for (name, value, sensitive) in fields.iter().chain(body.trailers.iter()) {
            if value != id {
                redactor.header(name, value, sensitive);
            }
        }
        if body.kept > 0 {
            let content_type = fields.single("content-type");
            let encoding = fields.single("content-encoding");
            let known = body.prefix.get(..most).unwrap_or(&body.prefix);
            redactor.body(content_type, encoding, known, false);
        }
    }
}
