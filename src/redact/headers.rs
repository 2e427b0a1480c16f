//! Header fields.

use super::{
    Action, Redactor,
    body::without_findings,
    decode, detect, names,
    policy::{Allowed, Rule},
    url,
};

/// Authentication schemes, whose names stay.
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

/// Attributes of `set-cookie`, whose values stay.
const ATTRIBUTES: &[&str] = &[
    "domain",
    "expires",
    "httponly",
    "max-age",
    "partitioned",
    "path",
    "priority",
    "samesite",
    "secure",
];

/// The shortest part of a list that is remembered on its own: the parts of
/// unknown headers are often common words.
const PART: usize = 6;

pub(super) fn header(r: &mut Redactor<'_>, name: &str, value: &[u8], sensitive: bool) -> String {
    let lower = name.to_ascii_lowercase();
    let Ok(text) = std::str::from_utf8(value) else {
        // Services that read it anyway read it as Latin-1 or lossily, and take it
        // apart as they do others.
        let latin: String = value.iter().map(|&b| char::from(b)).collect();
        let lossy = String::from_utf8_lossy(value);
        r.quietly(|r| {
            for text in [latin.as_str(), &lossy] {
                r.remember(text);
                header(r, name, text.as_bytes(), true);
            }
        });
        return r.hide(value);
    };
    let rule = r.header_rule(name);
    let rule = Rule {
        suspicious: rule.suspicious || sensitive,
        ..rule
    };
    match lower.as_str() {
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
        "location" | "content-location" | "referer" => url::url(r, text),
        "traceparent" if is_traceparent(text) => text.to_owned(),
        _ if !r.policy().is_strict() => {
            let sensitive = detect::is_sensitive_value(text, r.policy().names());
            if sensitive || !r.json_stays(text) {
                hide(r, text)
            } else {
                text.to_owned()
            }
        }
        _ if rule.allowed == Allowed::No => hide(r, text),
        _ => without_findings(r, text),
    }
}

/// Hides a value and remembers its parts too.
fn hide(r: &mut Redactor<'_>, text: &str) -> String {
    hide_as(r, Action::Pseudonym, text)
}

fn hide_as(r: &mut Redactor<'_>, how: Action, text: &str) -> String {
    if text.contains('%') {
        // Such as `grpc-message`, whose text is in the service's log as it is.
        r.remember(&String::from_utf8_lossy(&decode::percent(text)));
    }
    r.remember_parts(text);
    for part in text.split([',', ';', ' ']) {
        let part = part.trim();
        let value = part.split_once('=').map_or(part, |(_, value)| value);
        // Behind the charset and the language, as `filename*` has them.
        let text = value.rsplit_once("''").map_or(value, |(_, text)| text);
        // As in `bearer.` before a token, for lack of a header.
        let last = value.rsplit_once('.').map_or("", |(_, last)| last);
        for part in [part, value.trim_matches('"'), text, last] {
            if part.len() >= PART {
                r.remember(part);
                if part.contains('%') {
                    r.remember(&String::from_utf8_lossy(&decode::percent(part)));
                }
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
    format!("{scheme} {}", hide(r, token))
}

/// Applies a function to the text inside the white space around it.
fn around(text: &str, inner: impl FnOnce(&str) -> String) -> String {
    let trimmed = text.trim();
    let (left, right) = text.split_once(trimmed).unwrap_or(("", ""));
    if trimmed.is_empty() {
        return text.to_owned();
    }
    format!("{left}{}{right}", inner(trimmed))
}

/// One `name=value`; what has no name is a value.
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
    // Some encode twice.
    r.remember_parts(&decoded);
    format!("{name}={}", hide_as(r, rule.how(), value))
}

fn set_cookie(r: &mut Redactor<'_>, text: &str) -> String {
    let mut parts = text.split(';');
    let mut out = around(parts.next().unwrap_or_default(), |pair| cookie(r, pair));
    for part in parts {
        let name = part.split('=').next().unwrap_or_default().trim();
        let stays = ATTRIBUTES.iter().any(|a| a.eq_ignore_ascii_case(name))
            && !detect::is_sensitive(part, r.policy().names());
        out.push(';');
        if stays {
            out.push_str(part);
        } else {
            out.push_str(&around(part, |pair| cookie(r, pair)));
        }
    }
    out
}

/// The W3C form, which a detector would take for a token.
fn is_traceparent(text: &str) -> bool {
    let mut parts = text.split('-');
    let mut hex = |length: usize| {
        parts.next().is_some_and(|p| {
            p.len() == length && p.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        })
    };
    hex(2) && hex(32) && hex(16) && hex(2) && parts.next().is_none()
}
