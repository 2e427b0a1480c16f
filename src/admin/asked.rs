//! The body of `POST /why`.

use crate::selection::Described;
use http::{HeaderName, HeaderValue, Method, Uri};
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use std::{collections::BTreeMap, net::IpAddr};

/// A request as JSON; its fields are those of [`Described`].
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Asked {
    method: Option<String>,
    path: String,
    route: Option<String>,
    header: BTreeMap<String, Many>,
    query: BTreeMap<String, Many>,
    fact: BTreeMap<String, String>,
    client: Option<IpAddr>,
    correlation_id: Option<String>,
    at: Option<String>,
}

/// One value, or several of a name.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Many {
    One(String),
    Several(Vec<String>),
}

impl Many {
    fn values(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Several(several) => several,
        }
    }
}

/// All but the unreserved characters of RFC 3986, section 2.3.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

impl Asked {
    /// Returns the request, or the field that is wrong and what was expected.
    pub(super) fn described(&self) -> Result<Described, (&'static str, String)> {
        let method = self.method.as_deref().unwrap_or("GET");
        let method = Method::from_bytes(method.as_bytes())
            .map_err(|_| ("method", "expected a method such as GET".to_owned()))?;
        let mut uri = self.path.clone();
        for (key, many) in &self.query {
            for value in many.values() {
                uri.push(if uri.contains('?') { '&' } else { '?' });
                uri.extend(utf8_percent_encode(key, QUERY));
                uri.push('=');
                uri.extend(utf8_percent_encode(value, QUERY));
            }
        }
        let uri: Uri = uri
            .parse()
            .ok()
            .filter(|uri: &Uri| uri.path().starts_with('/'))
            .ok_or_else(|| {
                let expected = "expected a path such as /orders/7, percent-encoded";
                ("path", expected.to_owned())
            })?;
        let mut described = Described::new(method, uri);
        if let Some(route) = &self.route {
            described = described.route(route);
        }
        for (name, many) in &self.header {
            let header: HeaderName = name
                .parse()
                .map_err(|_| ("header", format!("{name:?} is not the name of a header")))?;
            for value in many.values() {
                let value = HeaderValue::from_str(value).map_err(|_| {
                    let wrong = "has a value with characters that headers cannot have";
                    ("header", format!("{name:?} {wrong}"))
                })?;
                described = described.header(header.clone(), value);
            }
        }
        for (name, value) in &self.fact {
            described = described.fact(name, value);
        }
        if let Some(client) = self.client {
            described = described.client(client);
        }
        if let Some(id) = &self.correlation_id {
            described = described.correlation_id(id);
        }
        if let Some(at) = &self.at {
            let at: Timestamp = at.parse().map_err(|_| {
                let expected = "expected a time such as 2026-11-23T12:00:00Z";
                ("at", expected.to_owned())
            })?;
            described = described.at(at.into());
        }
        Ok(described)
    }
}
