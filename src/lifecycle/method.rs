use http::Method;
use std::{env, sync::LazyLock};

/// A list that replaces the known methods, as in OpenTelemetry's conventions.
static KNOWN: LazyLock<Option<Vec<String>>> = LazyLock::new(|| {
    let list = env::var("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS").ok()?;
    let methods = list.split(',').map(|method| method.trim().to_owned());
    Some(methods.filter(|method| !method.is_empty()).collect())
});

/// Returns the method by OpenTelemetry's conventions for `http.request.method`: an unknown method
/// is `_OTHER`.
pub(super) fn known_method(method: &Method) -> &'static str {
    if let Some(known) = &*KNOWN {
        let known = known.iter().find(|known| *known == method.as_str());
        return known.map_or("_OTHER", String::as_str);
    }
    match *method {
        Method::CONNECT => "CONNECT",
        Method::DELETE => "DELETE",
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::PATCH => "PATCH",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::TRACE => "TRACE",
        _ if method.as_str() == "QUERY" => "QUERY",
        _ => "_OTHER",
    }
}
