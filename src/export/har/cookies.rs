//! Cookies in HAR.

use super::present;
use serde_json::Value;

/// The pairs of all `cookie` fields.
pub(super) fn of_request(headers: &[(String, String)]) -> Vec<Value> {
    values(headers, "cookie")
        .flat_map(|value| value.split(';'))
        .map(str::trim)
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or(("", pair));
            present([("name", Some(name.into())), ("value", Some(value.into()))])
        })
        .collect()
}

/// One entry for each `set-cookie` field.
pub(super) fn of_response(headers: &[(String, String)]) -> Vec<Value> {
    values(headers, "set-cookie").map(set_cookie).collect()
}

fn values<'a>(
    headers: &'a [(String, String)],
    name: &'static str,
) -> impl Iterator<Item = &'a str> {
    let matching = headers
        .iter()
        .filter(move |(n, _)| n.eq_ignore_ascii_case(name));
    matching.map(|(_, value)| value.as_str())
}

fn set_cookie(field: &str) -> Value {
    let mut parts = field.split(';').map(str::trim);
    let pair = parts.next().unwrap_or_default();
    let (name, value) = pair.split_once('=').unwrap_or(("", pair));
    let attributes: Vec<_> = parts
        .map(|part| part.split_once('=').unwrap_or((part, "")))
        .collect();
    let attribute = |name: &str| {
        let mut found = attributes.iter().rev();
        found.find_map(|(n, value)| n.eq_ignore_ascii_case(name).then_some(*value))
    };
    present([
        ("name", Some(name.into())),
        ("value", Some(value.into())),
        ("path", attribute("path").map(Value::from)),
        ("domain", attribute("domain").map(Value::from)),
        (
            "expires",
            attribute("expires").and_then(date).map(Value::from),
        ),
        ("httpOnly", Some(attribute("httponly").is_some().into())),
        ("secure", Some(attribute("secure").is_some().into())),
        ("sameSite", attribute("samesite").map(Value::from)),
    ])
}

/// An HTTP date in the form that HAR requires.
fn date(text: &str) -> Option<String> {
    let at = jiff::fmt::rfc2822::parse(text).ok()?;
    Some(at.timestamp().to_string())
}
