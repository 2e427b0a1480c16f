use crate::{
    recorder::{Values, Visited},
    redact::Scrubber,
};
use serde_json::{Map, Value};
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
}

fn name(metadata: &'static Metadata<'static>, index: usize) -> &'static str {
    let mut fields = metadata.fields().iter();
    fields.nth(index).map_or("?", |field| field.name())
}

/// One field, ready to be written.
pub(crate) enum Shown<'a> {
    Text {
        text: Cow<'a, str>,
        cut: bool,
    },
    Bool(bool),
    I64(i64),
    U64(u64),
    /// Always finite.
    F64(f64),
}

impl<'a> Fields<'a> {
    /// Calls `f` with each field but the message, redacted, in order.
    pub(crate) fn each(&self, mut f: impl FnMut(&'static str, Shown<'a>)) {
        let mut values = Values(self.values);
        while let Some((index, value)) = values.next() {
            let name = name(self.metadata, index);
            if name == "message" || values.clone().any(|(later, _)| later == index) {
                continue;
            }
            f(name, self.show(index, value));
        }
    }

    fn show(&self, index: usize, value: Visited<'a>) -> Shown<'a> {
        let hidden = index >= 64 || self.hidden & 1 << index != 0;
        let whole = |text| Shown::Text { text, cut: false };
        match value {
            Visited::Text { text, .. } if hidden => whole(match self.scrubber {
                Some(scrubber) => Cow::Owned(scrubber.placeholder(text)),
                None => Cow::Borrowed(text),
            }),
            Visited::Text { text, cut } => Shown::Text {
                text: self.text(text),
                cut,
            },
            Visited::Bool(value) => Shown::Bool(value),
            Visited::I64(n) if !hidden && n.unsigned_abs() < SMALL => Shown::I64(n),
            Visited::U64(n) if !hidden && n < SMALL => Shown::U64(n),
            Visited::I64(n) => self.number(hidden, n).map_or(Shown::I64(n), whole),
            Visited::U64(n) => self.number(hidden, n).map_or(Shown::U64(n), whole),
            Visited::I128(n) => whole(
                self.number(hidden, n)
                    .unwrap_or_else(|| n.to_string().into()),
            ),
            Visited::U128(n) => whole(
                self.number(hidden, n)
                    .unwrap_or_else(|| n.to_string().into()),
            ),
            Visited::F64(n) => match self.number(hidden, n) {
                Some(placeholder) => whole(placeholder),
                None if n.is_finite() => Shown::F64(n),
                None => whole(n.to_string().into()),
            },
        }
    }

    fn number(&self, hidden: bool, value: impl Display) -> Option<Cow<'a, str>> {
        let placeholder = self.scrubber?.number(hidden, &value)?;
        Some(Cow::Owned(placeholder))
    }

    /// As a JSON object.
    pub(crate) fn to_map(self) -> Map<String, Value> {
        let mut map = Map::new();
        self.each(|name, shown| {
            let value = match shown {
                Shown::Text { text, cut: false } => Value::String(text.into_owned()),
                Shown::Text { text, cut: true } => Value::String(format!("{text}…")),
                Shown::Bool(value) => Value::Bool(value),
                Shown::I64(n) => n.into(),
                Shown::U64(n) => n.into(),
                Shown::F64(n) => n.into(),
            };
            map.insert(name.to_owned(), value);
        });
        map
    }
}
