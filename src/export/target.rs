//! The target of a recorded request.

use crate::exchange::{Request, scheme};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// Characters that a query must not have unencoded, besides those that are not ASCII.
const QUERY: &AsciiSet = &CONTROLS.add(b' ').add(b'#');
/// Characters that a path must not have unencoded.
const PATH: &AsciiSet = &QUERY.add(b'?');

/// The first value of a header field.
pub(super) fn field<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let mut values = fields.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name));
    values.next().map(|(_, value)| value.as_str())
}

/// Host and port as the client named them, if they are known.
pub(super) fn host(request: &Request) -> Option<&str> {
    let named = request.authority.as_deref();
    named
        .or_else(|| field(&request.headers, "host"))
        .filter(|host| is_host(host))
}

/// Scheme, host and port.
pub(super) fn origin(request: &Request) -> Option<String> {
    let host = host(request)?;
    let proxied = field(&request.headers, "x-forwarded-proto");
    let scheme = scheme(proxied, request.scheme.as_deref());
    Some(format!("{scheme}://{host}"))
}

/// Path and query. Characters that a URL cannot have are percent-encoded, such as the
/// spaces of placeholders.
pub(super) fn path_and_query(request: &Request) -> String {
    let mut out = utf8_percent_encode(&request.path, PATH).to_string();
    if let Some(query) = &request.query {
        out.push('?');
        out.extend(utf8_percent_encode(query, QUERY));
    }
    out
}

/// A name, or an address in the form of URLs, with or without a port.
fn is_host(host: &str) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, port),
        _ => (host, ""),
    };
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    let name = match name.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').is_some_and(|v6| {
            !v6.is_empty()
                && v6
                    .bytes()
                    .all(|b| b.is_ascii_hexdigit() || b == b':' || b == b'.')
        }),
        None => !name.is_empty() && name.bytes().all(plain),
    };
    name && port.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::sample::sample;

    #[test]
    fn hosts() {
        for host in [
            "a",
            "a.example:80",
            "127.0.0.1:3000",
            "[::1]",
            "[2001:db8::1]:8080",
        ] {
            assert!(is_host(host), "{host}");
        }
        for host in [
            "",
            ":80",
            "a b",
            "a\n",
            "u@h",
            "[~1234 len=1]",
            "[]",
            "[::1",
            "a:b",
            "é",
            "a/b",
        ] {
            assert!(!is_host(host), "{host}");
        }
    }

    #[test]
    fn the_origin_is_what_the_client_named() {
        let mut request = sample("1").request;
        assert_eq!(origin(&request), None);
        request.headers.push(("Host".into(), "a.example:81".into()));
        assert_eq!(origin(&request).unwrap(), "http://a.example:81");
        request
            .headers
            .push(("x-forwarded-proto".into(), "https".into()));
        assert_eq!(origin(&request).unwrap(), "https://a.example:81");
        request.authority = Some("[::1]:82".into());
        request.headers.pop();
        request.scheme = Some("http".into());
        assert_eq!(origin(&request).unwrap(), "http://[::1]:82");
    }

    #[test]
    fn what_a_url_cannot_have_is_encoded() {
        let mut request = sample("1").request;
        request.path = "/a/[~12 len=3]/é?#%20{b}".into();
        request.query = Some("x=[1]&y=a b#c?d%41".into());
        assert_eq!(
            path_and_query(&request),
            "/a/[~12%20len=3]/%C3%A9%3F%23%20{b}?x=[1]&y=a%20b%23c?d%41"
        );
    }
}
