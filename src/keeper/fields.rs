use crate::{
    recorder::{Values, Visited},
    redact::Scrubber,
};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::{borrow::Cow, fmt::Display};
use tracing::Metadata;

/// Encoded fields as a JSON object, redacted.
///
/// The message is not among them. Of a field that was recorded twice the later
/// value is shown. Integers beyond 64 bits, and numbers that JSON does not
/// have, are written as text; a text that was cut ends in `…`.
pub(crate) struct Fields<'a> {
    pub(crate) metadata: &'static Metadata<'static>,
    pub(crate) values: &'a [u8],
    pub(crate) scrubber: &'a Scrubber,
}

impl<'a> Fields<'a> {
    /// Names and values as recorded, for whoever has to look for secrets.
    pub(crate) fn raw(&self) -> impl Iterator<Item = (&'static str, Visited<'a>)> + use<'a> {
        let fields = self.metadata.fields();
        Values(self.values).map(move |(index, value)| {
            let name = fields.iter().nth(index).map_or("?", |field| field.name());
            (name, value)
        })
    }

    /// The message.
    pub(crate) fn message(&self) -> Option<Cow<'a, str>> {
        self.raw().find_map(|(name, value)| match value {
            Visited::Text { text, cut } if name == "message" => {
                let shown = self.scrubber.text(text);
                Some(if cut { shown + "…" } else { shown })
            }
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
}

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let mut rest = Values(self.values);
        for (name, value) in self.raw() {
            let index = rest.next().map_or(usize::MAX, |(index, _)| index);
            let replaced = rest.clone().any(|(later, _)| later == index);
            if name == "message" || replaced {
                continue;
            }
            match value {
                Visited::Text { text, cut } => {
                    let shown = self.scrubber.field(name, text);
                    if cut {
                        map.serialize_entry(name, &format_args!("{shown}…"))?;
                    } else {
                        map.serialize_entry(name, &shown)?;
                    }
                }
                Visited::Bool(value) => map.serialize_entry(name, &value)?,
                Visited::I64(n) => number(&mut map, self.scrubber, name, n, Some(n))?,
                Visited::U64(n) => number(&mut map, self.scrubber, name, n, Some(n))?,
                Visited::I128(n) => number(&mut map, self.scrubber, name, n, None::<i64>)?,
                Visited::U128(n) => number(&mut map, self.scrubber, name, n, None::<u64>)?,
                Visited::F64(n) => {
                    number(&mut map, self.scrubber, name, n, n.is_finite().then_some(n))?;
                }
            }
        }
        map.end()
    }
}

fn number<M: SerializeMap>(
    map: &mut M,
    scrubber: &Scrubber,
    name: &str,
    value: impl Display,
    as_json: Option<impl Serialize>,
) -> Result<(), M::Error> {
    match (scrubber.number(name, &value), as_json) {
        (Some(hidden), _) => map.serialize_entry(name, &hidden),
        (None, Some(json)) => map.serialize_entry(name, &json),
        (None, None) => map.serialize_entry(name, &format_args!("{value}")),
    }
}
