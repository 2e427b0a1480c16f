//! Redaction of paths, queries, and URLs in headers.

use super::{
    Action, Redactor, decisions::Part, decode, detect, json, names, policy::Rule, search::Why,
};

impl Redactor<'_> {
    /// Redacts a path without its query. With a route template, literals are kept and
    /// parameters are fields of their name; without one, segments are data.
    pub(crate) fn path(&mut self, path: &str, route: Option<&str>) -> String {
        self::path(self, path, route)
    }

    /// Redacts a query string without `?`. The result is a query string.
    pub(crate) fn query(&mut self, query: &str) -> String {
        self::query(self, query)
    }

    /// Remembers the user information of a URI, of which nothing is written.
    pub(crate) fn user_of(&mut self, uri: &http::Uri) {
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        if let Some((user, _)) = authority.rsplit_once('@') {
            remember_user(self, user);
        }
    }
}

fn path(r: &mut Redactor<'_>, path: &str, route: Option<&str>) -> String {
    if path == "*" {
        return path.to_owned();
    }
    let by_route = route.and_then(|route| pair_up(path, route));
    let segments =
        by_route.unwrap_or_else(|| path.split('/').map(|s| (s, Step::Unknown)).collect());
    let mut out = String::with_capacity(path.len());
    for (n, (raw, part)) in segments.into_iter().enumerate() {
        if n > 0 {
            out.push('/');
        }
        match segment(r, raw, part) {
            Some(replaced) => out.push_str(&replaced),
            None => out.push_str(raw),
        }
    }
    out
}

/// The kind of a segment in the route.
#[derive(Clone, Copy)]
enum Step<'t> {
    Literal,
    Parameter(&'t str),
    Unknown,
}

/// Pairs the segments of a path with those of its route. Returns `None` if the path does
/// not match the route.
fn pair_up<'t>(path: &'t str, route: &'t str) -> Option<Vec<(&'t str, Step<'t>)>> {
    let mut pairs = Vec::new();
    let mut segments = path.split('/');
    for template in route.split('/') {
        if let Some(name) = catch_all(template) {
            let first = segments.next()?;
            pairs.push((first, Step::Parameter(name)));
            pairs.extend(segments.by_ref().map(|s| (s, Step::Parameter(name))));
            break;
        }
        let segment = segments.next()?;
        let part = match parameter(template) {
            Some(name) => Step::Parameter(name),
            None if template == segment
                || template.replace("{{", "{").replace("}}", "}") == segment =>
            {
                Step::Literal
            }
            None => return None,
        };
        pairs.push((segment, part));
    }
    segments.next().is_none().then_some(pairs)
}

fn catch_all(template: &str) -> Option<&str> {
    let inner = template.strip_prefix('{').and_then(|t| t.strip_suffix('}'));
    inner.unwrap_or(template).strip_prefix('*')
}

/// Returns the name of a parameter: `{name}`, `:name`, or one inside literal text.
fn parameter(template: &str) -> Option<&str> {
    if let Some(name) = template.strip_prefix(':') {
        return Some(name);
    }
    let (before, rest) = template.split_once('{')?;
    let (name, _) = rest.split_once('}')?;
    (!name.starts_with('{') && !before.ends_with('{')).then_some(name)
}

/// Returns the replacement of a segment, if it must be replaced.
fn segment(r: &mut Redactor<'_>, raw: &str, part: Step<'_>) -> Option<String> {
    if raw.is_empty() {
        return None;
    }
    let rule = match part {
        Step::Parameter(name) => r.policy().field_rule(name),
        Step::Literal | Step::Unknown => Rule::default(),
    };
    r.because(rule.why(), |r| step(r, raw, part, rule))
}

fn step(r: &mut Redactor<'_>, raw: &str, part: Step<'_>, rule: Rule) -> Option<String> {
    let decoded = decode::percent(raw);
    let replaced = match part {
        Step::Literal => None,
        Step::Parameter(_) => r.scalar(rule, &decoded, false),
        Step::Unknown => {
            let text = std::str::from_utf8(&decoded).ok();
            let stays = text.is_some_and(|text| {
                (text.len() <= 9 && text.bytes().all(|b| b.is_ascii_digit()))
                    || (r.policy().keeps_unmatched_paths()
                        && !detect::is_sensitive(text, r.policy().names()))
            });
            (!stays).then(|| r.hide(&decoded))
        }
    };
    if replaced.is_some() {
        r.remember(raw);
        // Matrix parameters, verbs behind a colon, file extensions.
        let text = String::from_utf8_lossy(&decoded);
        r.remember_parts(&text);
        r.remember_file(&text);
        if let Some((authority, _)) = text
            .split_once("://")
            .map(|(_, rest)| rest.split_once('/').unwrap_or((rest, "")))
            && let Some((user, _)) = authority.rsplit_once('@')
        {
            remember_user(r, user);
        }
    }
    replaced
}

fn query(r: &mut Redactor<'_>, query: &str) -> String {
    let mut out = String::with_capacity(query.len());
    let named = names_secret(r, query);
    for (n, pair) in query.split('&').enumerate() {
        if n > 0 {
            out.push('&');
        }
        match pair.split_once('=') {
            Some((key, value)) => {
                let mut rule = key_rule(r, key, &mut out, |r, key| r.policy().query_rule(key));
                rule.suspicious |= named && Part::of(key) == Part::Value;
                out.push('=');
                query_value(r, rule, value, &mut out);
            }
            // A part without a name is a value.
            None => {
                let rule = r.policy().query_rule(pair);
                query_value(r, rule, pair, &mut out);
            }
        }
    }
    out
}

/// Returns whether a pair of a query or a form names the value of another pair, and the
/// name is suspicious.
pub(super) fn names_secret(r: &Redactor<'_>, text: &str) -> bool {
    let secret = |pair: &str| {
        let (key, value) = pair.split_once('=')?;
        let value = String::from_utf8_lossy(&decode::form(value)).into_owned();
        let last = value.rsplit('/').next().unwrap_or(&value);
        Some(Part::of(key) == Part::Name && r.policy().field_rule(last).suspicious)
    };
    let may = text.contains('%') || r.policy().may_hide_field(text.as_bytes());
    may && text.split('&').any(|pair| secret(pair) == Some(true))
}

/// Writes a key of a query or a form, and returns the rule for its name.
pub(super) fn key_rule(
    r: &mut Redactor<'_>,
    raw: &str,
    out: &mut String,
    rule: impl FnOnce(&mut Redactor<'_>, &str) -> Rule,
) -> Rule {
    let decoded = decode::form(raw);
    let Ok(key) = std::str::from_utf8(&decoded) else {
        hide_encoded(r, Action::Pseudonym, raw, &decoded, false, out);
        return Rule {
            suspicious: true,
            ..Rule::default()
        };
    };
    // Keys nest with brackets in queries.
    let plain = key.replace(['[', ']'], "_");
    let stays = (key.is_empty() || names::identifier_like(&plain))
        && !detect::is_sensitive(key, r.policy().names());
    if stays {
        push_kept(raw, &decoded, out);
    } else {
        hide_encoded(r, Action::Pseudonym, raw, &decoded, false, out);
    }
    rule(r, key)
}

fn query_value(r: &mut Redactor<'_>, rule: Rule, raw: &str, out: &mut String) {
    if raw.is_empty() {
        return;
    }
    let decoded = decode::form(raw);
    let stays = std::str::from_utf8(&decoded)
        .is_ok_and(|text| r.policy().query_stays(rule, text) && r.json_stays(text));
    if stays {
        push_kept(raw, &decoded, out);
    } else {
        r.because(rule.why(), |r| {
            hide_encoded(r, rule.how(), raw, &decoded, false, out);
        });
    }
}

/// Writes the placeholder of an encoded value, encoded, and remembers both forms.
pub(super) fn hide_encoded(
    r: &mut Redactor<'_>,
    how: Action,
    raw: &str,
    decoded: &[u8],
    cut: bool,
    out: &mut String,
) {
    if std::str::from_utf8(decoded).is_err() {
        r.remember(raw);
    }
    // Not every decoder treats `+` as a space.
    if raw.contains('+') {
        r.remember(&String::from_utf8_lossy(&decode::percent(raw)));
    }
    r.remember_parts(&String::from_utf8_lossy(decoded));
    let placeholder = r.hide_as(how, decoded, cut);
    decode::push_percent(placeholder.as_bytes(), out);
}

/// Writes an encoded text unchanged if it is valid, else encodes it again.
pub(super) fn push_kept(raw: &str, decoded: &[u8], out: &mut String) {
    let stays = |b: u8| b.is_ascii_graphic() && !matches!(b, b'&' | b'"' | b'<' | b'>' | b'#');
    if raw.bytes().all(stays) {
        out.push_str(raw);
    } else {
        decode::push_percent(decoded, out);
    }
}

/// The bytes of a query string, and those that browsers do not encode.
pub(super) fn is_query(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"-._~%+&=!$'()*,;:@/?[]|".contains(&b)
}

/// Schemes without a host that are kept.
const OPAQUE: &[&str] = &[
    "about:",
    "blob:",
    "cid:",
    "data:",
    "geo:",
    "javascript:",
    "mailto:",
    "mid:",
    "sms:",
    "tel:",
    "urn:",
];

/// The longest scheme.
const SCHEME: usize = 32;

/// Returns the length of a URL's scheme (RFC 3986, section 3.1), with its colon.
fn scheme(url: &str) -> usize {
    let bytes = url.as_bytes();
    let rest = |b: &u8| b.is_ascii_alphanumeric() || b"+-.".contains(b);
    let length = bytes.iter().take_while(|b| rest(b)).count();
    let starts = bytes.first().is_some_and(u8::is_ascii_alphabetic);
    if starts && length <= SCHEME && bytes.get(length) == Some(&b':') {
        length + 1
    } else {
        0
    }
}

/// Redacts a URL: scheme and host are kept, the rest as in a request without a route.
pub(super) fn url(r: &mut Redactor<'_>, whole: &str) -> String {
    let (url, fragment) = whole
        .split_once('#')
        .map_or((whole, None), |(u, f)| (u, Some(f)));
    let (url, query) = url
        .split_once('?')
        .map_or((url, None), |(u, q)| (u, Some(q)));
    let mut out = String::new();
    let (scheme, rest) = url.split_at_checked(scheme(url)).unwrap_or(("", url));
    let (slashes, rest) = rest.split_at_checked(2).unwrap_or(("", rest));
    let (authority, path) = match slashes {
        "//" => rest.split_at(rest.find('/').unwrap_or(rest.len())),
        _ if scheme.is_empty() => ("", url),
        // Only the scheme's specification defines the rest.
        _ => {
            r.remember_parts(whole);
            let known = OPAQUE
                .iter()
                .find(|known| scheme.eq_ignore_ascii_case(known));
            let inner = known.and_then(|_| whole.get(scheme.len()..));
            out.push_str(known.map_or("", |_| scheme));
            out.push_str(&r.hide(inner.unwrap_or(whole).as_bytes()));
            return out;
        }
    };
    if slashes == "//" {
        out.push_str(scheme);
        out.push_str(slashes);
    }
    let host = match authority.rsplit_once('@') {
        Some((user, host)) => {
            remember_user(r, user);
            out.push_str(&r.hide(user.as_bytes()));
            out.push('@');
            host
        }
        None => authority,
    };
    if !is_host(host) {
        // The end of the host is unclear, so the rest is unclear, too.
        r.remember_parts(whole);
        return r.hide(whole.as_bytes());
    }
    if detect::is_sensitive(host, r.policy().names()) {
        out.push_str(&r.hide(host.as_bytes()));
    } else {
        out.push_str(host);
    }
    out.push_str(&self::path(r, path, None));
    if let Some(query) = query {
        out.push('?');
        out.push_str(&self::query(r, query));
    }
    if let Some(fragment) = fragment {
        out.push('#');
        // Implicit grants put tokens here, in the form of a query.
        for value in fragment.split('&').filter_map(|p| p.split_once('=')) {
            r.remember(value.1);
            r.remember(&String::from_utf8_lossy(&decode::percent(value.1)));
        }
        let stays = fragment.is_empty() || json::is_number(fragment) && fragment.len() <= 9;
        if stays {
            out.push_str(fragment);
        } else {
            out.push_str(&r.hide(fragment.as_bytes()));
        }
    }
    out
}

/// The user information: a name, and a password after a colon.
pub(super) fn remember_user(r: &mut Redactor<'_>, user: &str) {
    r.because(Why::Told, |r| {
        for part in user.split(':') {
            r.remember(part);
            r.remember_parts(part);
        }
    });
}

/// A name or an address, with or without a port: not `user:pass`.
pub(super) fn is_host(host: &str) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, port),
        _ => (host, ""),
    };
    let name = match name.strip_prefix('[') {
        Some(v6) => v6.strip_suffix(']').is_some_and(|v6| {
            v6.bytes()
                .all(|b| b.is_ascii_hexdigit() || matches!(b, b':' | b'.'))
        }),
        None => name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_')),
    };
    name && port.bytes().all(|b| b.is_ascii_digit())
}
