//! Fields of conditions, as they are read and written.

use super::{
    Glob, RulesError, Text,
    some::{one_or_all, some_of},
};
use http::{HeaderName, Method};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, MapAccess, SeqAccess},
};
use std::{fmt, marker::PhantomData, str::FromStr};

/// The most single conditions of a rule.
pub(in crate::selection) const MAX_CONDITIONS: usize = 64;

/// A condition on a path.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::selection) enum PathIs {
    Like(Vec<Glob>),
    Text(Text),
}

impl Serialize for PathIs {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Like(globs) => one_or_all(globs, to),
            Self::Text(text) => text.serialize(to),
        }
    }
}

impl<'de> Deserialize<'de> for PathIs {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = PathIs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a pattern such as `/orders/*`, a list of patterns, or a table with `prefix` \
                     or `regex`",
                )
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<PathIs, E> {
                let glob = text.parse().map_err(E::custom)?;
                Ok(PathIs::Like(vec![glob]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<PathIs, A::Error> {
                some_of(seq, "a list with at least one pattern").map(PathIs::Like)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<PathIs, A::Error> {
                Text::deserialize(de::value::MapAccessDeserializer::new(map)).map(PathIs::Text)
            }
        }

        from.deserialize_any(Visitor)
    }
}

/// A method. Methods are case-sensitive.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::selection) struct MethodName(pub(in crate::selection) Method);

impl FromStr for MethodName {
    type Err = RulesError;

    fn from_str(text: &str) -> Result<Self, RulesError> {
        let lower = text.bytes().any(|b| b.is_ascii_lowercase());
        match text.parse() {
            Ok(method) if !lower => Ok(Self(method)),
            _ => Err(RulesError::expected(
                "expected a method such as `GET`, in capitals",
            )),
        }
    }
}

impl fmt::Display for MethodName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

super::serde_as_text!(MethodName, "a method such as `GET`");

/// The name of a header.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::selection) struct HeaderKey(pub(in crate::selection) HeaderName);

impl FromStr for HeaderKey {
    type Err = RulesError;

    fn from_str(text: &str) -> Result<Self, RulesError> {
        let name = text.parse().map(Self);
        name.map_err(|_| RulesError::expected("expected the name of a header"))
    }
}

impl fmt::Display for HeaderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

super::serde_as_text!(HeaderKey, "the name of a header");

/// Names with conditions on their values, in order.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::selection) struct Named<N>(pub(in crate::selection) Vec<(N, Text)>);

impl<N> Named<N> {
    pub(in crate::selection) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<N> Default for Named<N> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<N: Serialize> Serialize for Named<N> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.0.iter().map(|(name, text)| (name, text)))
    }
}

impl<'de, N: Deserialize<'de> + PartialEq> Deserialize<'de> for Named<N> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor<N>(PhantomData<N>);

        impl<'de, N: Deserialize<'de> + PartialEq> de::Visitor<'de> for Visitor<N> {
            type Value = Named<N>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table of names with conditions on their values")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Named<N>, A::Error> {
                let mut all: Vec<(N, Text)> = Vec::new();
                while let Some(name) = map.next_key()? {
                    if all.len() == MAX_CONDITIONS {
                        return Err(de::Error::custom("expected at most 64 names"));
                    }
                    if all.iter().any(|(n, _)| *n == name) {
                        return Err(de::Error::custom("expected each name once"));
                    }
                    all.push((name, map.next_value()?));
                }
                if all.is_empty() {
                    return Err(de::Error::invalid_length(0, &"at least one name"));
                }
                Ok(Named(all))
            }
        }

        from.deserialize_map(Visitor(PhantomData))
    }
}
