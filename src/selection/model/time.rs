//! Times of rules: RFC 3339, or a time of TOML.

use jiff::Timestamp;
use serde::{Deserializer, Serializer, de};
use std::{fmt, time::SystemTime};

pub(in crate::selection) fn serialize<S: Serializer>(
    time: &SystemTime,
    to: S,
) -> Result<S::Ok, S::Error> {
    to.collect_str(&text(*time))
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<SystemTime, D::Error> {
    from.deserialize_any(Visitor)
}

/// Returns the time as text, if it has one.
pub(in crate::selection) fn text(time: SystemTime) -> String {
    Timestamp::try_from(time).map_or_else(|_| "(out of range)".to_owned(), |at| at.to_string())
}

pub(in crate::selection) const EXPECTED: &str =
    "expected a time with an offset, such as 2026-12-01T12:00:00Z";

fn parse<E: de::Error>(text: &str) -> Result<SystemTime, E> {
    let at: Timestamp = text.parse().map_err(|_| E::custom(EXPECTED))?;
    Ok(at.into())
}

struct Visitor;

impl<'de> de::Visitor<'de> for Visitor {
    type Value = SystemTime;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time such as 2026-12-01T12:00:00Z")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<SystemTime, E> {
        parse(text)
    }

    /// The `toml` crate passes a time as a map.
    #[cfg(feature = "config")]
    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<SystemTime, A::Error> {
        use serde::{Deserialize, de::value::MapAccessDeserializer};
        let time = toml::value::Datetime::deserialize(MapAccessDeserializer::new(map))
            .map_err(|_| de::Error::invalid_type(de::Unexpected::Map, &self))?;
        parse(&time.to_string())
    }
}

/// The same for an optional time.
pub(super) mod optional {
    use super::{Deserializer, Serializer, SystemTime};

    pub(in super::super) fn serialize<S: Serializer>(
        time: &Option<SystemTime>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => super::serialize(time, to),
            None => to.serialize_none(),
        }
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<SystemTime>, D::Error> {
        super::deserialize(from).map(Some)
    }
}
