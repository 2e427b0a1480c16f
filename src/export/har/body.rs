//! Bodies in HAR: `postData` and `content`.

use super::{notes, present, target};
use crate::exchange::{Body, BodyState, Content, Request, Response};
use base64ct::{Base64, Encoding as _};
use serde_json::Value;

/// What the document has for a body.
pub(super) struct Written {
    /// `postData` or `content`.
    pub(super) value: Option<Value>,
    pub(super) size: i64,
    /// Header fields that do not describe what is written.
    pub(super) wrong: Vec<&'static str>,
    /// The content coding that the body had.
    coding: Option<String>,
}

impl Written {
    pub(super) fn wrong_notes(&self) -> Vec<String> {
        let wrong = self.wrong.iter();
        wrong
            .map(|name| {
                let coding = self.coding.as_deref().filter(|_| *name == CODING);
                let coding = coding.map(|coding| format!(" ({coding})"));
                let coding = coding.unwrap_or_default();
                format!("{name}{coding} is left out: it does not describe this body")
            })
            .collect()
    }
}

const CODING: &str = "content-encoding";

/// Codings that all readers know. They decode bodies with them, even empty ones.
const KNOWN: [&str; 5] = ["br", "deflate", "gzip", "identity", "zstd"];

/// The bytes in the exchange.
enum Bytes<'a> {
    Text(&'a str),
    Raw(Vec<u8>),
    Nothing,
}

impl<'a> Bytes<'a> {
    fn of(body: &'a Body) -> Self {
        match (&body.content, body.raw_bytes()) {
            (_, Some(bytes)) => Self::Raw(bytes),
            (Some(Content::Text { text, .. }), None) => Self::Text(text),
            _ => Self::Nothing,
        }
    }

    fn get(&self) -> Option<&[u8]> {
        match self {
            Self::Text(text) => Some(text.as_bytes()),
            Self::Raw(bytes) => Some(bytes),
            Self::Nothing => None,
        }
    }

    fn len(&self) -> usize {
        self.get().map_or(0, <[u8]>::len)
    }
}

pub(super) fn of_request(request: &Request) -> Written {
    let body = &request.body;
    let bytes = Bytes::of(body);
    let mut notes = notes::of_body(body);
    let wrong = wrong(&request.headers, body, &bytes, false);
    let text = match &bytes {
        Bytes::Text(text) => Some((*text).to_owned()),
        Bytes::Raw(bytes) => Some(match std::str::from_utf8(bytes) {
            Ok(text) if is_utf8(&request.headers, text) => text.to_owned(),
            _ => {
                notes.push("one character per byte: the body is not text".to_owned());
                bytes.iter().copied().map(char::from).collect()
            }
        }),
        // Readers expect a text.
        Bytes::Nothing => (body.state != BodyState::None).then(String::new),
    };
    let value = text.filter(|text| !text.is_empty() || !notes.is_empty());
    let value = value.map(|text| {
        present([
            ("mimeType", Some(mime(&request.headers, body).into())),
            ("text", Some(text.into())),
            ("comment", comment(&notes)),
        ])
    });
    Written {
        value,
        size: passed(body),
        wrong,
        coding: body.content_encoding.clone(),
    }
}

pub(super) fn of_response(request: &Request, response: &Response) -> Written {
    let body = &response.body;
    let bytes = Bytes::of(body);
    let bodiless = body.state == BodyState::None || request.method == "HEAD";
    let wrong = wrong(&response.headers, body, &bytes, bodiless);
    let (text, encoding) = match &bytes {
        Bytes::Text(text) if is_utf8(&response.headers, text) => (Some((*text).to_owned()), None),
        Bytes::Text(text) => (Some(Base64::encode_string(text.as_bytes())), Some("base64")),
        Bytes::Raw(bytes) => (Some(Base64::encode_string(bytes)), Some("base64")),
        Bytes::Nothing => (None, None),
    };
    // The size of `text`, or without one of what passed.
    let size = match &bytes {
        Bytes::Nothing => i64::try_from(body.seen),
        Bytes::Text(_) | Bytes::Raw(_) => i64::try_from(bytes.len()),
    };
    let size = size.unwrap_or(i64::MAX);
    let value = present([
        ("size", Some(size.into())),
        ("mimeType", Some(mime(&response.headers, body).into())),
        ("text", text.map(Value::from)),
        ("encoding", encoding.map(Value::from)),
        ("comment", comment(&notes::of_body(body))),
    ]);
    Written {
        value: Some(value),
        size: passed(body),
        wrong,
        coding: body.content_encoding.clone(),
    }
}

/// The bytes of the whole body, or -1 if its end was not seen.
fn passed(body: &Body) -> i64 {
    let bytes = match body.state {
        BodyState::Complete | BodyState::Truncated | BodyState::None => Some(body.seen),
        _ => body.declared,
    };
    bytes
        .and_then(|bytes| i64::try_from(bytes).ok())
        .unwrap_or(-1)
}

/// Header fields that would mislead readers about the body.
fn wrong(
    headers: &[(String, String)],
    body: &Body,
    bytes: &Bytes<'_>,
    bodiless: bool,
) -> Vec<&'static str> {
    let mut wrong = Vec::new();
    let field = |name| target::field(headers, name).map(str::trim);
    let mut codings = headers
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case(CODING));
    let is = |value: &str, known: &[&str]| known.iter().any(|k| k.eq_ignore_ascii_case(value));
    let stays: &[&str] = if bodiless { &KNOWN } else { &["identity"] };
    if let Some((_, value)) = codings.next()
        && (!is(value.trim(), stays) || codings.next().is_some())
    {
        wrong.push(CODING);
    }
    if bodiless {
        return wrong;
    }
    if field("content-length").is_some_and(|length| length.parse() != Ok(bytes.len())) {
        wrong.push("content-length");
    }
    if field("transfer-encoding").is_some() {
        wrong.push("transfer-encoding");
    }
    let untrue = notes::untrue_of(body, bytes.get()).iter();
    wrong.extend(untrue.filter(|name| field(name).is_some()));
    wrong
}

/// Whether readers decode the text as UTF-8. Some decode text without a charset as Latin-1.
fn is_utf8(headers: &[(String, String)], text: &str) -> bool {
    let content_type = target::field(headers, "content-type").unwrap_or_default();
    let content_type = content_type.to_ascii_lowercase();
    text.is_ascii() || content_type.contains("json") || content_type.contains("charset=utf-8")
}

fn mime(headers: &[(String, String)], body: &Body) -> String {
    let named = target::field(headers, "content-type").or(body.content_type.as_deref());
    named.unwrap_or("x-unknown").to_owned()
}

fn comment(notes: &[String]) -> Option<Value> {
    (!notes.is_empty()).then(|| notes.join("; ").into())
}
