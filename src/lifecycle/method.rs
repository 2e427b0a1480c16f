use http::Method;
use std::{env, sync::LazyLock};

/// A list that replaces the known methods, as OpenTelemetry's conventions ask.
static KNOWN: LazyLock<Option<Vec<String>>> = LazyLock::new(|| {
    let list = env::var("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS").ok()?;
    let methods = list.split(',').map(|method| method.trim().to_owned());
    Some(methods.filter(|method| !method.is_empty()).collect())
});

/// As OpenTelemetry's conventions for `http.request.method` have it: what is no
/// known method is `_OTHER`.
pub(super) fn known_method(method: &Method) -> &str {
    let text = method.as_str();
    let known = match &*KNOWN {
        Some(known) => known.iter().any(|known| known == text),
        None => match *method {
            Method::CONNECT
            | Method::DELETE
            | Method::GET
            | Method::HEAD
            | Method::OPTIONS
            | Method::PATCH
            | Method::POST
            | Method::PUT
            | Method::TRACE => true,
            _ => text == "QUERY",
        },
    };
    if known { text } else { "_OTHER" }
}
