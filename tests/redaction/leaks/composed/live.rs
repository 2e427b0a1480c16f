//! Values that are formatted when they are logged, by `Debug` of nested types.

use super::{tagged::Tagged, ways::debug_inner};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use std::{collections::HashMap, fmt};

#[derive(Clone)]
pub(crate) enum Live {
    Text(String),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Struct(Visitor),
    Enum(Result<(), Trouble>),
    Options(Vec<Option<String>>),
    Bytes(Bytes),
    List(Vec<u8>),
    Headers(HeaderMap),
    Pairs(Vec<(String, String)>),
    Map(HashMap<String, String>),
    Pretty(Box<Self>),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    Unsigned,
    Signed,
    Float,
    Struct,
    Enum,
    Options,
    Bytes,
    List,
    Headers,
    Pairs,
    Map,
    Pretty,
}

#[derive(Clone, Debug)]
#[allow(dead_code)] // read by `Debug` alone
pub(crate) struct Visitor {
    known: bool,
    who: String,
    tries: u8,
}

#[derive(Clone, Debug)]
#[allow(dead_code)] // read by `Debug` alone
pub(crate) enum Trouble {
    Missing { what: String, line: u32 },
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Unsigned(n) => n.fmt(f),
            Self::Signed(n) => n.fmt(f),
            Self::Float(n) => n.fmt(f),
            Self::Struct(value) => value.fmt(f),
            Self::Enum(value) => value.fmt(f),
            Self::Options(values) => values.fmt(f),
            Self::Bytes(bytes) => bytes.fmt(f),
            Self::List(bytes) => bytes.fmt(f),
            Self::Headers(headers) => headers.fmt(f),
            Self::Pairs(pairs) => pairs.fmt(f),
            Self::Map(map) => map.fmt(f),
            Self::Pretty(inner) => write!(f, "{inner:#?}"),
        }
    }
}

impl Live {
    /// A value of this shape, and its text.
    pub(crate) fn new(t: &Tagged, shape: Shape) -> Option<(Self, Tagged)> {
        let text = t.text();
        let quoted = || debug_inner(t).within("\"", "\"");
        Some(match shape {
            Shape::Unsigned => (Self::Unsigned(text.parse().ok()?), t.clone()),
            Shape::Signed => (Self::Signed(text.parse().ok()?), t.clone()),
            Shape::Float => {
                let n: f64 = text.parse().ok()?;
                // Longer ones are rounded.
                let exact = text.len() < 16 && format!("{n:?}") == format!("{text}.0");
                exact.then(|| (Self::Float(n), t.clone().within("", ".0")))?
            }
            Shape::Struct => (
                Self::Struct(Visitor {
                    known: true,
                    who: text,
                    tries: 3,
                }),
                quoted().within("Visitor { known: true, who: ", ", tries: 3 }"),
            ),
            Shape::Enum => (
                Self::Enum(Err(Trouble::Missing {
                    what: text,
                    line: 7,
                })),
                quoted().within("Err(Missing { what: ", ", line: 7 })"),
            ),
            Shape::Options => (
                Self::Options(vec![None, Some(text)]),
                quoted().within("[None, Some(", ")]"),
            ),
            Shape::Bytes => (
                Self::Bytes(Bytes::from(text)),
                t.bytes(|b| match b {
                    b'"' => "\\\"".to_owned(),
                    b'\'' => "'".to_owned(),
                    0 => "\\0".to_owned(),
                    b => std::ascii::escape_default(b).map(char::from).collect(),
                })
                .within("b\"", "\""),
            ),
            Shape::List => (Self::List(text.into_bytes()), {
                let numbers: Vec<_> = t
                    .utf8()
                    .iter()
                    .map(|(b, tag)| (u32::from(*b), *tag))
                    .collect();
                Tagged::list(&numbers, false)
            }),
            Shape::Headers => {
                let mut headers = HeaderMap::new();
                headers.insert("x-who", HeaderValue::from_bytes(text.as_bytes()).ok()?);
                let written = t.bytes(|b| match b {
                    b'"' => "\\\"".to_owned(),
                    0x20..0x7f | b'\t' => char::from(b).into(),
                    b => format!("\\x{b:x}"),
                });
                (
                    Self::Headers(headers),
                    written.within("{\"x-who\": \"", "\"}"),
                )
            }
            Shape::Pairs => (
                Self::Pairs(vec![("who".to_owned(), text)]),
                quoted().within("[(\"who\", ", ")]"),
            ),
            Shape::Map => (
                Self::Map(HashMap::from([("who".to_owned(), text)])),
                quoted().within("{\"who\": ", "}"),
            ),
            Shape::Pretty => {
                let inner = Self::Pairs(vec![("who".to_owned(), text)]);
                let written =
                    quoted().within("[\n    (\n        \"who\",\n        ", ",\n    ),\n]");
                (Self::Pretty(Box::new(inner)), written)
            }
        })
    }
}
