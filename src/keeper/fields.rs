use crate::{
    recorder::{Values, Visited},
    redact::Scrubber,
};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::{borrow::Cow, fmt::Display};
use tracing::{Metadata, field::FieldSet};

/// Numbers below this have too few digits to be a card's.
const SMALL: u64 = 1_000_000_000_000;

/// Encoded fields as a JSON object, redacted.
///
/// The message is not among them. Of a field that was recorded twice the later
/// value is shown. Integers beyond 64 bits, and numbers that JSON does not
/// have, are written as text; a text that was cut ends in `…`.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a> {
    pub(crate) metadata: &'static Metadata<'static>,
    pub(crate) values: &'a [u8],
    /// `None` only for lines of our own, which hold no free text.
    pub(crate) scrubber: Option<&'a Scrubber>,
    /// Which fields are hidden by their name; see [`hidden_fields`].
    pub(crate) hidden: u64,
}

/// The fields whose names forbid to write them, a bit each. Fields beyond the
/// 64th are counted as such.
pub(crate) fn hidden_fields(fields: &FieldSet, scrubber: &Scrubber) -> u64 {
    fields
        .iter()
        .take(64)
        .enumerate()
        .filter(|(_, field)| scrubber.hides(field.name()))
        .fold(0, |mask, (index, _)| mask | 1 << index)
}

impl<'a> Fields<'a> {
    /// Names and values as recorded, for whoever has to look for secrets.
    pub(crate) fn raw(&self) -> impl Iterator<Item = (&'static str, Visited<'a>)> + use<'a> {
        let metadata = self.metadata;
        Values(self.values).map(move |(index, value)| (name(metadata, index), value))
    }

    /// The message.
    pub(crate) fn message(&self) -> Option<Cow<'a, str>> {
        self.raw().find_map(|(name, value)| match value {
            Visited::Text { text, .. } if name == "message" => Some(self.text(text)),
            _ => None,
        })
    }

    /// The target of a record of the `log` crate, which has it as a field.
    pub(crate) fn logged_target(&self) -> Option<&'a str> {
        if self.metadata.target() != "log" {
            return None;
        }
        self.raw().find_map(|(name, value)| match value {
            Visited::Text { text, .. } if name == "log.target" => Some(text),
            _ => None,
        })
    }

    /// Whether there is anything beside the message.
    pub(crate) fn is_empty(&self) -> bool {
        self.raw().all(|(name, _)| name == "message")
    }

    fn text(&self, text: &'a str) -> Cow<'a, str> {
        match self.scrubber {
            Some(scrubber) => scrubber.text(text),
            None => Cow::Borrowed(text),
        }
    }

    fn is_hidden(&self, index: usize) -> bool {
        index >= 64 || self.hidden & 1 << index != 0
    }
}

fn name(metadata: &'static Metadata<'static>, index: usize) -> &'static str {
    let mut fields = metadata.fields().iter();
    fields.nth(index).map_or("?", |field| field.name())
}

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let mut values = Values(self.values);
        while let Some((index, value)) = values.next() {
            let name = name(self.metadata, index);
            if name == "message" || values.clone().any(|(later, _)| later == index) {
                continue;
            }
            let hidden = self.is_hidden(index);
            match (value, self.scrubber) {
                (Visited::Text { text, .. }, Some(scrubber)) if hidden => {
                    map.serialize_entry(name, &scrubber.placeholder(text))?;
                }
                (Visited::Text { text, cut: true }, _) => {
                    map.serialize_entry(name, &format_args!("{}…", self.text(text)))?;
                }
                (Visited::Text { text, .. }, _) => map.serialize_entry(name, &self.text(text))?,
                (Visited::Bool(value), _) => map.serialize_entry(name, &value)?,
                (Visited::I64(n), _) if !hidden && n.unsigned_abs() < SMALL => {
                    map.serialize_entry(name, &n)?;
                }
                (Visited::U64(n), _) if !hidden && n < SMALL => map.serialize_entry(name, &n)?,
                (Visited::I64(n), _) => self.number(&mut map, name, hidden, n, Some(n))?,
                (Visited::U64(n), _) => self.number(&mut map, name, hidden, n, Some(n))?,
                (Visited::I128(n), _) => self.number(&mut map, name, hidden, n, None::<i64>)?,
                (Visited::U128(n), _) => self.number(&mut map, name, hidden, n, None::<i64>)?,
                (Visited::F64(n), _) => {
                    self.number(&mut map, name, hidden, n, n.is_finite().then_some(n))?;
                }
            }
        }
        map.end()
    }
}

impl Fields<'_> {
    fn number<M: SerializeMap>(
        &self,
        map: &mut M,
        name: &str,
        hidden: bool,
        value: impl Display,
        as_json: Option<impl Serialize>,
    ) -> Result<(), M::Error> {
        let placeholder = self.scrubber.and_then(|s| s.number(hidden, &value));
        match (placeholder, as_json) {
            (Some(hidden), _) => map.serialize_entry(name, &hidden),
            (None, Some(json)) => map.serialize_entry(name, &json),
            (None, None) => map.serialize_entry(name, &format_args!("{value}")),
        }
    }
}
