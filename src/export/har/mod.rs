//! Converts exchanges to HAR 1.2, for browsers' developer tools, mitmproxy, load generators
//! and test stubs.
//!
//! ```no_run
//! use dashcam::export::{JsonLines, har};
//!
//! let kept: Vec<_> = JsonLines::read("/var/log/orders/exchanges")?
//!     .filter_map(Result::ok)
//!     .collect();
//! let document = har::from_exchanges(&kept);
//! std::fs::write("kept.har", document.to_string())?;
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! One request, by its correlation ID:
//!
//! ```
//! # let kept: Vec<dashcam::exchange::Exchange> = Vec::new();
//! let id = "01a20747-b884-7738-88ce-62ae1b34f1da";
//! let document = dashcam::export::har::from_exchanges(
//!     kept.iter().filter(|exchange| exchange.correlation.id == id),
//! );
//! assert_eq!(document["log"]["version"], "1.2");
//! ```
//!
//! # Format
//!
//! The format is that of the [HAR 1.2
//! specification](http://www.softwareishard.com/blog/har-12-spec/). Values are redacted as
//! in the exchange.
//!
//! - `url`: scheme and host as the client named them. Defaults: `http`, and
//!   `unknown.invalid` for the host.
//! - `timings`: measured at the layer, in the service. `wait` ends with the response head,
//!   `receive` with the exchange. What only a client can measure is -1 or, where the format
//!   has no such value (`send`), 0.
//! - Bodies have no content coding. A response body is base64 if it is not text, or if
//!   readers could decode it as another encoding than UTF-8. A request body that is not
//!   text has one character per byte, because the format has no other way.
//! - Fields of the head that do not describe the body as written are left out, because
//!   readers that resend or decode it would fail: `content-encoding` and
//!   `transfer-encoding`, `content-length` if the length differs, and digests and
//!   `content-range` if the bytes differ. The exchange has them.
//! - A request without a response has status 0, as in browsers.
//! - A `comment` names everything that is cut, left out or unknown.
//! - `_dashcam`: exchange, correlation, trace and span ID, `outcome`, keep reasons, states
//!   of the bodies, trailers, policy and key ID.

mod body;
mod cookies;

use super::{notes, target};
use crate::exchange::{Exchange, Response};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

/// Returns a HAR document with one entry for each exchange, in this order.
#[must_use]
pub fn from_exchanges<'a>(exchanges: impl IntoIterator<Item = &'a Exchange>) -> Value {
    json!({"log": {
        "version": "1.2",
        "creator": {"name": "dashcam", "version": env!("CARGO_PKG_VERSION")},
        "entries": exchanges.into_iter().map(entry).collect::<Vec<_>>(),
    }})
}

fn entry(exchange: &Exchange) -> Value {
    let mut notes = Vec::new();
    let started = match exchange.started_at.parse::<jiff::Timestamp>() {
        Ok(at) => at.to_string(),
        Err(_) => {
            notes.push("the time is not known".to_owned());
            jiff::Timestamp::UNIX_EPOCH.to_string()
        }
    };
    let response = match &exchange.response {
        Some(response) => self::response(exchange, response),
        None => {
            notes.push(format!("no response was produced: {}", exchange.outcome));
            no_response()
        }
    };
    let total = exchange.timing.duration_us;
    let head = exchange.timing.headers_us.unwrap_or(total).min(total);
    let mut entry = json!({
        "startedDateTime": started,
        "time": millis(total),
        "request": request(exchange, &mut notes),
        "response": response,
        "cache": {},
        "timings": {
            "blocked": -1, "dns": -1, "connect": -1, "ssl": -1,
            "send": 0, "wait": millis(head), "receive": millis(total - head),
            "comment": "measured in the service, at its middleware",
        },
        "_dashcam": extension(exchange),
    });
    say(&mut entry, &notes);
    entry
}

#[allow(
    clippy::cast_precision_loss,
    reason = "exact for a century of microseconds"
)]
fn millis(micros: u64) -> f64 {
    micros as f64 / 1000.0
}

fn request(exchange: &Exchange, notes: &mut Vec<String>) -> Value {
    let request = &exchange.request;
    let origin = target::origin(request).unwrap_or_else(|| {
        notes.push("the host is not known".to_owned());
        "http://unknown.invalid".to_owned()
    });
    let path = target::path_and_query(request);
    let slash = if path.starts_with('/') { "" } else { "/" };
    let mut body = body::of_request(request);
    let mut out = json!({
        "method": request.method,
        "url": format!("{origin}{slash}{path}"),
        "httpVersion": version(&request.version),
        "cookies": cookies::of_request(&request.headers),
        "headers": fields(&request.headers, &body.wrong),
        "queryString": query_string(request.query.as_deref()),
        "headersSize": -1,
        "bodySize": body.size,
    });
    if let Some(post_data) = body.value.take() {
        set(&mut out, "postData", post_data);
    }
    say(&mut out, &body.wrong_notes());
    out
}

fn response(exchange: &Exchange, response: &Response) -> Value {
    let status = http::StatusCode::from_u16(response.status).ok();
    let body = body::of_response(&exchange.request, response);
    let mut out = json!({
        "status": response.status,
        "statusText": status.and_then(|status| status.canonical_reason()).unwrap_or_default(),
        "httpVersion": version(&response.version),
        "cookies": cookies::of_response(&response.headers),
        "headers": fields(&response.headers, &body.wrong),
        "content": body.value,
        "redirectURL": target::field(&response.headers, "location").unwrap_or_default(),
        "headersSize": -1,
        "bodySize": body.size,
    });
    say(&mut out, &body.wrong_notes());
    out
}

fn no_response() -> Value {
    json!({
        "status": 0,
        "statusText": "",
        "httpVersion": "",
        "cookies": [],
        "headers": [],
        "content": {"size": 0, "mimeType": "x-unknown"},
        "redirectURL": "",
        "headersSize": -1,
        "bodySize": -1,
    })
}

/// The version as other writers of HAR name it.
fn version(version: &str) -> &str {
    match version {
        "HTTP/2.0" => "HTTP/2",
        "HTTP/3.0" => "HTTP/3",
        other => other,
    }
}

fn fields(headers: &[(String, String)], without: &[&str]) -> Vec<Value> {
    let there = headers
        .iter()
        .filter(|(name, _)| !without.iter().any(|w| w.eq_ignore_ascii_case(name)));
    there
        .map(|(name, value)| json!({"name": name, "value": value}))
        .collect()
}

/// The pairs of a query, decoded.
fn query_string(query: Option<&str>) -> Vec<Value> {
    let query = query.filter(|query| !query.is_empty());
    let pairs = query.into_iter().flat_map(|query| query.split('&'));
    let pairs = pairs.map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        json!({"name": decoded(name), "value": decoded(value)})
    });
    pairs.collect()
}

fn decoded(text: &str) -> String {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}

/// What HAR has no place for.
fn extension(exchange: &Exchange) -> Value {
    let Exchange {
        correlation,
        request,
        redaction,
        ..
    } = exchange;
    let mut out = json!({
        "exchange": exchange.id,
        "service": exchange.service,
        "correlation_id": correlation.id,
        "outcome": exchange.outcome,
        "keep": exchange.keep,
        "depth": exchange.depth,
        "request_body": request.body.state,
        "redaction": redaction,
    });
    let mut add = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            set(&mut out, name, value);
        }
    };
    add("trace_id", correlation.trace_id.clone().map(Value::from));
    add("span_id", correlation.span_id.clone().map(Value::from));
    add("route", request.route.clone().map(Value::from));
    let trailers = |fields: &[(String, String)]| (!fields.is_empty()).then(|| json!(fields));
    add("request_trailers", trailers(&request.trailers));
    if let Some(response) = &exchange.response {
        add("response_body", Some(json!(response.body.state)));
        add("response_trailers", trailers(&response.trailers));
    }
    let dropped = exchange.losses.headers_dropped;
    add("headers_dropped", (dropped > 0).then(|| json!(dropped)));
    out
}

fn set(object: &mut Value, name: &str, value: Value) {
    if let Value::Object(map) = object {
        map.insert(name.to_owned(), value);
    }
}

fn say(object: &mut Value, notes: &[String]) {
    if !notes.is_empty() {
        set(object, "comment", notes.join("; ").into());
    }
}

/// An object of the fields that have a value.
fn present<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    let fields = fields.into_iter();
    let fields = fields.filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(fields.collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests;
