//! Redaction of header fields.

use super::{
    Action, Redactor, decode, detect, members, names,
    policy::{Allowed, Rule},
    redactor::Answer,
    shapes,
    text::without_findings,
    url,
};

/// Authentication schemes whose names are kept.
const SCHEMES: &[&str] = &[
    "apikey",
    "aws4-hmac-sha256",
    "basic",
    "bearer",
    "digest",
    "dpop",
    "gnap",
    "hawk",
    "hoba",
    "mutual",
    "negotiate",
    "ntlm",
    "oauth",
    "scram-sha-1",
    "scram-sha-256",
    "token",
    "vapid",
];

/// Schemes with parameters behind their name.
const PARAMETERS: &[&str] = &[
    "aws4-hmac-sha256",
    "digest",
    "gnap",
    "hawk",
    "mutual",
    "oauth",
    "scram-sha-1",
    "scram-sha-256",
    "vapid",
];

/// Parameters of media types that are needed to parse a body.
const MEDIA: &[&str] = &["boundary", "charset"];

/// Parameters whose numbers are kept, if not longer than a version.
const VERSIONS: &[&str] = &["level", "q", "v", "version"];

/// The longest such number.
const VERSION: usize = 5;

/// The shortest part of a list that is remembered on its own.
const PART: usize = 3;

/// Words that occur in lists in headers, and in texts.
const WORDS: &[&str] = &["http", "https", "max", "none", "null", "true", "false"];

/// Headers whose values are credentials, whatever the policy says.
const CREDENTIALS: &[&str] = &[
    "authorization",
    "cookie",
    "proxy-authorization",
    "set-cookie",
];

impl Redactor<'_> {
    /// Redacts one header field. `sensitive` is `HeaderValue::is_sensitive`.
    ///
    /// Keeps the scheme of credentials, and the names and attributes of cookies.
    pub(crate) fn header(&mut self, name: &str, value: &[u8], sensitive: bool) -> String {
        header(self, name, value, sensitive)
    }
}

fn header(r: &mut Redactor<'_>, name: &str, value: &[u8], sensitive: bool) -> String {
    let lower = name.to_ascii_lowercase();
    let rule = r.header_rule(name);
    let rule = Rule {
        suspicious: rule.suspicious || sensitive || CREDENTIALS.contains(&lower.as_str()),
        ..rule
    };
    r.because(rule.why(), |r| by_rule(r, &lower, rule, value))
}

fn by_rule(r: &mut Redactor<'_>, lower: &str, rule: Rule, value: &[u8]) -> String {
    let Ok(text) = std::str::from_utf8(value) else {
        // Services that use it nevertheless read it as Latin-1 or lossily, and split it as
        // other values.
        let latin: String = value.iter().map(|&b| char::from(b)).collect();
        let lossy = String::from_utf8_lossy(value);
        r.quietly(|r| {
            for text in [latin.as_str(), &lossy] {
                r.remember(text);
                let rule = Rule {
                    suspicious: true,
                    ..rule
                };
                by_rule(r, lower, rule, text.as_bytes());
            }
        });
        return r.hide(value);
    };
    match lower {
        _ if !matches!(rule.how(), Action::Pseudonym | Action::Join) => {
            hide_as(r, rule.how(), text)
        }
        "cookie" => text
            .split(';')
            .map(|pair| around(pair, |pair| cookie(r, pair)))
            .collect::<Vec<_>>()
            .join(";"),
        "set-cookie" => set_cookie(r, text),
        "authorization" | "proxy-authorization" => credentials(r, text),
        _ if rule.hide.is_some() => hide_as(r, rule.how(), text),
        _ if rule.suspicious => hide(r, text),
        "grpc-message" if r.is_answering(Answer::Grpc) => grpc_message(r, text),
        "location" | "content-location" | "referer" => url::url(r, text),
        "content-type" if r.policy().is_strict() => media(r, text),
        "user-agent" if r.policy().is_strict() => agent(r, text),
        "traceparent" if is_traceparent(text) => text.to_owned(),
        _ if !r.policy().is_strict() => {
            let sensitive = detect::is_sensitive_value(text, r.policy().names());
            if sensitive || !r.json_stays(text) {
                taken_apart(r, lower, text)
            } else {
                text.to_owned()
            }
        }
        _ if rule.allowed == Allowed::No => taken_apart(r, lower, text),
        _ if rule.allowed == Allowed::Default && !shapes::fits(lower, text) => hide(r, text),
        _ => without_findings(r, text),
    }
}

/// The message of a failed call, in the percent-encoding of gRPC.
fn grpc_message(r: &mut Redactor<'_>, text: &str) -> String {
    let decoded = decode::percent(text);
    let plain = String::from_utf8_lossy(&decoded);
    let said = r.own_words(&plain, false);
    if *said == *plain {
        return text.to_owned();
    }
    let mut out = String::new();
    for b in said.bytes() {
        match b {
            b' '..=b'~' if b != b'%' => out.push(char::from(b)),
            _ => decode::push_percent(&[b], &mut out),
        }
    }
    out
}

/// Hides the values of a list, or the value as a whole.
fn taken_apart(r: &mut Redactor<'_>, header: &str, text: &str) -> String {
    match members::list_of(header) {
        Some(list) => {
            r.remember(text);
            members::without_values(r, text, &list)
        }
        None => hide(r, text),
    }
}

/// Returns a media type without the values of unknown parameters.
fn media(r: &mut Redactor<'_>, text: &str) -> String {
    let known = |piece: &str| {
        let (name, value) = piece.split_once('=').unwrap_or_default();
        let (name, value) = (name.trim(), value.trim());
        let is = |list: &[&str]| list.iter().any(|m| m.eq_ignore_ascii_case(name));
        let number = |b: u8| b.is_ascii_digit() || b == b'.';
        let version = is(VERSIONS) && value.len() <= VERSION && value.bytes().all(number);
        let flowed = name.eq_ignore_ascii_case("format") && matches!(value, "flowed" | "fixed");
        name.is_empty() || is(MEDIA) || version || flowed
    };
    if members::pieces(text).all(known) {
        return without_findings(r, text);
    }
    let list = members::List {
        names: None,
        words: &[],
    };
    let mut out = String::with_capacity(text.len());
    for piece in members::pieces(text) {
        if known(piece) {
            out.push_str(&without_findings(r, piece));
        } else {
            out.push_str(&members::without_values(r, piece, &list));
        }
    }
    out
}

/// Redacts a `user-agent`: values with a name in its comments are not the program's own.
fn agent(r: &mut Redactor<'_>, text: &str) -> String {
    let (mut depth, mut from) = (0_usize, 0);
    let mut values = Vec::new();
    for (at, b) in text.bytes().enumerate() {
        if depth > 0 && matches!(b, b';' | b')' | b',') {
            let part = text.get(from..at).unwrap_or_default();
            let name = part
                .find('=')
                .or_else(|| part.find(": "))
                .filter(|n| *n > 0);
            if let Some(name) = name {
                values.push(from + name + 1..at);
            }
        }
        match b {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            b';' | b',' => {}
            _ => continue,
        }
        from = at + 1;
    }
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for value in values {
        let before = text.get(done..value.start).unwrap_or_default();
        out.push_str(&without_findings(r, before));
        done = value.end;
        let value = text.get(value).unwrap_or_default();
        out.push_str(&around(value, |value| hide(r, value)));
    }
    out.push_str(&without_findings(r, text.get(done..).unwrap_or_default()));
    out
}

/// Hides a value, and remembers its parts, too.
fn hide(r: &mut Redactor<'_>, text: &str) -> String {
    hide_as(r, Action::Pseudonym, text)
}

fn hide_as(r: &mut Redactor<'_>, how: Action, text: &str) -> String {
    if text.contains('%') {
        // For example `grpc-message`, whose text is in the service's log as it is.
        r.remember(&String::from_utf8_lossy(&decode::percent(text)));
    }
    r.remember_parts(text);
    for part in text.split([',', ';', ' ']) {
        let part = part.trim();
        let (name, value) = part.split_once('=').unwrap_or(("", part));
        // For example `bearer.` before a token, where clients cannot set a header.
        let last = value.rsplit_once('.').map_or("", |(_, last)| last);
        for part in [part, value.trim_matches('"'), last] {
            let word = WORDS.iter().any(|word| word.eq_ignore_ascii_case(part));
            if part.len() >= PART && !word {
                members::remember(r, name, part);
            }
        }
    }
    r.hide_as(how, text.as_bytes(), false)
}

fn credentials(r: &mut Redactor<'_>, text: &str) -> String {
    let trimmed = text.trim_start();
    let Some((scheme, rest)) = trimmed.split_once([' ', '\t']) else {
        return hide(r, text);
    };
    let token = rest.trim();
    if !SCHEMES.iter().any(|s| s.eq_ignore_ascii_case(scheme)) {
        r.remember(token);
        return hide(r, text);
    }
    r.remember(trimmed);
    if scheme.eq_ignore_ascii_case("basic")
        && let Some(pair) = decode::base64(token.as_bytes())
    {
        let pair = String::from_utf8_lossy(&pair);
        r.remember(&pair);
        if let Some((user, password)) = pair.split_once(':') {
            r.remember(user);
            r.remember(password);
        }
    }
    if PARAMETERS.iter().any(|s| s.eq_ignore_ascii_case(scheme)) && token.contains('=') {
        r.remember(token);
        let list = members::without_values(r, token, &members::CREDENTIALS);
        return format!("{scheme} {list}");
    }
    format!("{scheme} {}", hide(r, token))
}

/// Applies a function to the trimmed text, and keeps the white space around it.
fn around(text: &str, inner: impl FnOnce(&str) -> String) -> String {
    let trimmed = text.trim();
    let (left, right) = text.split_once(trimmed).unwrap_or(("", ""));
    if trimmed.is_empty() {
        return text.to_owned();
    }
    format!("{left}{}{right}", inner(trimmed))
}

/// Redacts one `name=value`; a part without a name is a value.
fn cookie(r: &mut Redactor<'_>, pair: &str) -> String {
    let Some((name, value)) = pair.split_once('=') else {
        return hide(r, pair);
    };
    let stays =
        names::identifier_like(name.trim()) && !detect::is_sensitive(name, r.policy().names());
    let rule = r.policy().cookie_rule(name.trim());
    let name = if stays {
        name.to_owned()
    } else {
        r.hide(name.as_bytes())
    };
    let value = value.trim();
    let bare = value
        .strip_prefix('"')
        .and_then(|v| v.strip_suffix('"'))
        .unwrap_or(value);
    let decoded = decode::percent(bare);
    let plain = std::str::from_utf8(&decoded).unwrap_or(bare);
    if r.policy().cookie_stays(rule, bare) && r.policy().cookie_stays(rule, plain) {
        return format!("{name}={value}");
    }
    r.remember(bare);
    let decoded = String::from_utf8_lossy(&decoded);
    r.remember(&decoded);
    // Some clients encode twice.
    r.remember_parts(&decoded);
    format!("{name}={}", hide_as(r, rule.how(), value))
}

fn set_cookie(r: &mut Redactor<'_>, text: &str) -> String {
    let mut parts = text.split(';');
    let mut out = around(parts.next().unwrap_or_default(), |pair| cookie(r, pair));
    for part in parts {
        out.push(';');
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let written = attribute(r, name.trim(), value.trim());
        match written {
            Some(None) => out.push_str(part),
            Some(Some(value)) => {
                out.push_str(name);
                out.push('=');
                out.push_str(&value);
            }
            None => out.push_str(&around(part, |pair| cookie(r, pair))),
        }
    }
    out
}

/// Returns the replacement for an attribute's value, if it needs one; `None` if there is no
/// such attribute, or it cannot have this value.
// Outer: whether it is one; inner: whether it must be replaced.
#[allow(clippy::option_option)]
fn attribute(r: &mut Redactor<'_>, name: &str, value: &str) -> Option<Option<String>> {
    let one_of = |words: &[&str]| words.iter().any(|w| w.eq_ignore_ascii_case(value));
    let stays = match name.to_ascii_lowercase().as_str() {
        "httponly" | "secure" | "partitioned" => value.is_empty(),
        "samesite" => one_of(&["strict", "lax", "none"]),
        "priority" => one_of(&["low", "medium", "high"]),
        "expires" => shapes::is_date(value),
        "max-age" => {
            let digits = value.strip_prefix('-').unwrap_or(value);
            digits.len() <= 12 && digits.bytes().all(|b| b.is_ascii_digit())
        }
        "domain" => {
            let host = value.strip_prefix('.').unwrap_or(value);
            url::is_host(host) && !detect::is_sensitive(host, r.policy().names())
        }
        "path" => {
            let path = r.path(value, None);
            return Some((path != value).then_some(path));
        }
        _ => return None,
    };
    Some((!stays).then(|| hide(r, value)))
}

/// The W3C form, which a detector would match as a token.
fn is_traceparent(text: &str) -> bool {
    let mut parts = text.split('-');
    let mut hex = |length: usize| {
        parts.next().is_some_and(|p| {
            p.len() == length && p.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        })
    };
    hex(2) && hex(32) && hex(16) && hex(2) && parts.next().is_none()
}
