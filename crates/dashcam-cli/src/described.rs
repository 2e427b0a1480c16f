//! A request described by arguments, for rules and tokens.

use super::Failure;
use dashcam::selection::Described;
use http::{HeaderName, HeaderValue, Method, Uri};
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::net::IpAddr;

/// All characters except the unreserved ones of RFC 3986.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The arguments that describe a request.
#[derive(Debug, Default)]
pub(super) struct Words {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) route: Option<String>,
    pub(super) header: Vec<(String, String)>,
    pub(super) query: Vec<(String, String)>,
    pub(super) fact: Vec<(String, String)>,
    pub(super) client: Option<IpAddr>,
    pub(super) correlation_id: Option<String>,
    pub(super) at: Option<String>,
}

impl Words {
    pub(super) fn described(self) -> Result<Described, Failure> {
        let method = Method::from_bytes(self.method.as_bytes())
            .map_err(|_| Failure::cannot("--method: expected a method such as GET"))?;
        let mut uri = self.path;
        for (key, value) in &self.query {
            uri.push(if uri.contains('?') { '&' } else { '?' });
            uri.extend(utf8_percent_encode(key, QUERY));
            uri.push('=');
            uri.extend(utf8_percent_encode(value, QUERY));
        }
        let uri: Option<Uri> = uri.parse().ok();
        let uri = uri.filter(|uri| uri.path().starts_with('/'));
        let uri = uri.ok_or_else(|| {
            Failure::cannot("--path: expected a path such as /orders/7, percent-encoded")
        })?;
        let mut described = Described::new(method, uri);
        if let Some(route) = self.route {
            described = described.route(route);
        }
        for (name, value) in self.header {
            let cannot = |why: &str| Failure::cannot(format!("--header: {name:?} {why}"));
            let header: HeaderName = name
                .parse()
                .map_err(|_| cannot("is not a valid header name"))?;
            let value = HeaderValue::from_str(&value).map_err(|_| {
                cannot("has a value with characters that are not allowed in headers")
            })?;
            described = described.header(header, value);
        }
        for (name, value) in self.fact {
            described = described.fact(name, value);
        }
        if let Some(client) = self.client {
            described = described.client(client);
        }
        if let Some(id) = self.correlation_id {
            described = described.correlation_id(id);
        }
        if let Some(at) = self.at {
            let at: Timestamp = at.parse().map_err(|_| {
                Failure::cannot("--at: expected a time such as 2026-11-23T12:00:00Z")
            })?;
            described = described.at(at.into());
        }
        Ok(described)
    }
}
