//! Conditions that hold for no request, and forms of other routers and tools.

use super::{
    When,
    directives::closest,
    model::{Is, PathIs},
};
use http::HeaderValue;

/// Returns what is wrong with single conditions, in words.
pub(super) fn mistakes(when: &When) -> Vec<String> {
    let mut found = Vec::new();
    collect(when, &mut found);
    found.dedup();
    found
}

fn collect(when: &When, found: &mut Vec<String>) {
    for method in &when.method.0 {
        found.extend(of_method(method.0.as_str()));
    }
    found.extend(when.route.0.iter().filter_map(|route| of_route(route)));
    match &when.path {
        Some(PathIs::Like(globs)) => {
            found.extend(globs.iter().filter_map(|glob| of_glob(&glob.to_string())));
        }
        Some(PathIs::Text(text)) => {
            found.extend(texts(&text.0).filter_map(of_path));
            found.extend(of_none("path", &text.0));
        }
        None => {}
    }
    if let Some(host) = &when.host {
        found.extend(texts(&host.0).filter_map(of_host));
        if matches!(&host.0, Is::OneOf(of) if of.iter().any(String::is_empty)) {
            found.push(
                "only a request with an empty `host` has the host \"\": expected a name, or \
                 `present = false`"
                    .to_owned(),
            );
        }
        found.extend(of_none("host", &host.0));
    }
    for (name, text) in &when.header.0 {
        let name = name.0.as_str();
        if name == super::VERBOSE_HEADER.as_str() {
            found.push(format!("rules do not see the header {name}: use a token"));
        }
        let wrong = |value: &&str| {
            *value != value.trim_matches([' ', '\t']) || HeaderValue::from_str(value).is_err()
        };
        let wrong = texts(&text.0).filter(wrong);
        found.extend(wrong.map(|value| format!("the header {name} is never {value:?}")));
        found.extend(of_none("header", &text.0));
    }
    for (name, text) in &when.cookie.0 {
        let ends = |text: &str| text.trim().len() != text.len();
        if name.is_empty() || ends(name) || name.contains(['=', ';', ',']) {
            found.push(format!("no cookie has the name {name:?}"));
        }
        let wrong = texts(&text.0).filter(|value| ends(value) || value.contains(';'));
        found.extend(wrong.map(|value| format!("the cookie {name} is never {value:?}")));
        found.extend(of_none("cookie", &text.0));
    }
    for (name, text) in &when.query.0 {
        let encoded = texts(&text.0).chain([name.as_str()]).find(is_encoded);
        if let Some(encoded) = encoded {
            found.push(format!(
                "keys and values of the query are compared decoded: write {encoded:?} decoded"
            ));
        }
        if texts(&text.0).any(|value| value.len() > 1024) {
            found.push(format!(
                "no value of the query matches more than 1 KiB, and that of {name:?} is longer"
            ));
        }
        found.extend(of_none("query", &text.0));
    }
    for media_type in &when.content_type.0 {
        let mut parts = media_type.split('/');
        let is_kind = |part: Option<&str>| part.is_some_and(|part| !part.is_empty());
        let has_kind = is_kind(parts.next()) && is_kind(parts.next()) && parts.next().is_none();
        if !has_kind || media_type.starts_with('*') || media_type.contains([';', ' ', ',']) {
            found.push(format!(
                "no content type is {media_type:?}: expected one such as application/json, \
                 without parameters, or text/*"
            ));
        }
    }
    for (name, text) in &when.fact.0 {
        if name.is_empty() {
            found.push("a fact has no name".to_owned());
        }
        if name.len() > 256 || texts(&text.0).any(|value| value.len() > 1024) {
            found.push(format!(
                "names of facts match up to 256 bytes and their values up to 1 KiB, and those of \
                 {:?} are longer",
                name.chars().take(64).collect::<String>()
            ));
        }
        found.extend(of_none("fact", &text.0));
    }
    let parts = when.all.0.iter().chain(&when.any.0);
    for part in parts.chain(when.not.as_deref()) {
        collect(part, found);
    }
}

/// Returns the values that a text equals, or begins with.
fn texts(is: &Is) -> impl Iterator<Item = &str> {
    let (some, prefix) = match is {
        Is::OneOf(texts) => (texts.as_slice(), None),
        Is::Prefix(prefix) => (&[][..], Some(prefix.as_str())),
        _ => (&[][..], None),
    };
    some.iter().map(String::as_str).chain(prefix)
}

fn is_encoded(text: &&str) -> bool {
    let decoded = percent_encoding::percent_decode_str(text);
    decoded.decode_utf8().is_ok_and(|decoded| decoded != **text)
}

fn of_none(what: &str, is: &Is) -> Option<String> {
    let is_none = match is {
        Is::OneOf(of) => of.is_empty(),
        Is::Network(of) => of.is_empty(),
        _ => false,
    };
    is_none.then(|| format!("the {what} must be one of no values: add a value"))
}

fn of_method(method: &str) -> Option<String> {
    const KNOWN: &[&str] = &[
        "CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE",
    ];
    let capitals = method.to_ascii_uppercase();
    if KNOWN.contains(&method) {
        return None;
    }
    let meant = KNOWN.iter().find(|known| **known == capitals).copied();
    let meant = meant.or_else(|| closest(&capitals, KNOWN));
    meant.map(|meant| {
        format!(
            "{method} is not a known method, and methods are case-sensitive: did you mean {meant}?"
        )
    })
}

/// Routes are compared byte by byte with those of the router.
fn of_route(route: &str) -> Option<String> {
    if route.contains("://") || route.contains(['?', '#']) {
        return Some(format!(
            "no route is {route:?}: a route is a path, without host and query"
        ));
    }
    if !route.starts_with('/') {
        return Some(format!("no route is {route:?}: routes begin with /"));
    }
    let written: Vec<_> = route.split('/').map(segment).collect();
    let written = written.join("/");
    if written != route {
        let path = match route.contains('*') {
            true => ", or `path` for a pattern",
            false => "",
        };
        return Some(format!(
            "no route is {route:?}: the router writes {written:?}; take that{path}"
        ));
    }
    let braces = |c: char| route.matches(c).count();
    if braces('{') != braces('}') || route.contains("{}") || route.contains(char::is_whitespace) {
        return Some(format!(
            "no route is {route:?}: expected a template such as /orders/{{id}}"
        ));
    }
    None
}

/// Returns a segment of a route as axum 0.8 writes it; other routers, and older versions of
/// axum, write parameters differently.
fn segment(segment: &str) -> String {
    let name = |name: &str, default: &str| match name {
        "" => default.to_owned(),
        name => name.to_owned(),
    };
    let plain = |text: &str| {
        let allowed = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
        text.chars().all(allowed)
    };
    if let Some(rest) = segment.strip_prefix("**").filter(|rest| plain(rest)) {
        return format!("{{*{}}}", name(rest, "rest"));
    }
    if let Some(rest) = segment.strip_prefix('*').filter(|rest| plain(rest)) {
        return format!("{{*{}}}", name(rest, "rest"));
    }
    // A colon after other characters is literal, as in `/orders:batch`.
    if let Some(id) = segment.strip_prefix(':').filter(|id| plain(id)) {
        return format!("{{{}}}", name(id, "id"));
    }
    let angle = segment.strip_prefix('<').and_then(|s| s.strip_suffix('>'));
    if let Some(id) = angle {
        let many = if id.ends_with("..") { "*" } else { "" };
        // A converter may come before the name.
        let id = id.trim_end_matches('.').rsplit(':').next();
        return format!("{{{many}{}}}", name(id.unwrap_or_default(), "id"));
    }
    let braces = segment.strip_prefix('{').and_then(|s| s.strip_suffix('}'));
    if let Some((id, _)) = braces.and_then(|inner| inner.split_once(':')) {
        // axum has no expressions for values.
        return format!("{{{}}}", name(id, "id"));
    }
    segment.to_owned()
}

fn of_glob(glob: &str) -> Option<String> {
    let is_parameter = |segment: &str| {
        segment.starts_with(':') || segment.starts_with('{') && segment.ends_with('}')
    };
    if glob.split('/').any(is_parameter) {
        let like = |segment| if is_parameter(segment) { "*" } else { segment };
        let like: Vec<_> = glob.split('/').map(like).collect();
        let like = like.join("/");
        return Some(format!(
            "the path {glob:?} is compared as it is: expected {like:?}, or `route` for the template"
        ));
    }
    of_path(glob)
}

fn of_path(path: &str) -> Option<String> {
    if path.contains("://") || path.contains(['?', '#']) {
        return Some(format!(
            "no path is like {path:?}: a path has no host and no query; use `host` and `query`"
        ));
    }
    if !path.is_empty() && !path.starts_with(['/', '*']) {
        return Some(format!("no path is like {path:?}: paths begin with /"));
    }
    let never = |c: char| !c.is_ascii() || c.is_ascii_whitespace() || c.is_ascii_control();
    path.contains(never).then(|| {
        format!("no path is like {path:?}: paths are compared as they are sent, percent-encoded")
    })
}

fn of_host(host: &str) -> Option<String> {
    let expected = |what: &str| Some(format!("no host is {host:?}: {what}"));
    if host.contains("://") || host.contains(['/', '?', '@']) {
        return expected("expected its name alone, without scheme and path");
    }
    if host.contains('*') {
        return expected("`*` is literal here; expected `regex`, or each name");
    }
    let never = |c: char| !c.is_ascii() || c.is_ascii_whitespace() || c.is_ascii_control();
    if host.contains(never) {
        return expected("expected its name as it is sent, in ASCII");
    }
    let bracketed = host.starts_with('[');
    let port = host.rsplit_once(':').filter(|_| !bracketed);
    match port {
        Some((name, _)) if name.contains(':') => expected("an IPv6 address stands in brackets"),
        Some(_) => expected("hosts are compared without their port"),
        None if bracketed && host.contains("]:") => {
            expected("hosts are compared without their port")
        }
        None => None,
    }
}
