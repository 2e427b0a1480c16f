//! Fields of conditions, and how they are read and written.

use super::{Glob, InvalidRule, Text};
use http::{HeaderName, Method};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, MapAccess, SeqAccess},
};
use std::{fmt, marker::PhantomData, str::FromStr};

/// What a path has to be like.
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

/// A method, read as it is written: methods have a case.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::selection) struct MethodName(pub(in crate::selection) Method);

impl FromStr for MethodName {
    type Err = InvalidRule;

    fn from_str(text: &str) -> Result<Self, InvalidRule> {
        let lower = text.bytes().any(|b| b.is_ascii_lowercase());
        match text.parse() {
            Ok(method) if !lower => Ok(Self(method)),
            _ => Err(InvalidRule::new(
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
    type Err = InvalidRule;

    fn from_str(text: &str) -> Result<Self, InvalidRule> {
        let name = text.parse().map(Self);
        name.map_err(|_| InvalidRule::new("expected the name of a header"))
    }
}

impl fmt::Display for HeaderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

super::serde_as_text!(HeaderKey, "the name of a header");

/// One, or a list of at least one; empty only where it is left out.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::selection) struct Some1<T>(pub(in crate::selection) Vec<T>);

impl<T> Some1<T> {
    pub(in crate::selection) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T> Default for Some1<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Serialize> Serialize for Some1<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        one_or_all(&self.0, to)
    }
}

fn one_or_all<T: Serialize, S: Serializer>(all: &[T], to: S) -> Result<S::Ok, S::Error> {
    match all {
        [one] => one.serialize(to),
        all => all.serialize(to),
    }
}

pub(super) fn some_of<'de, T: Deserialize<'de>, A: SeqAccess<'de>>(
    mut seq: A,
    expected: &'static str,
) -> Result<Vec<T>, A::Error> {
    let mut all = Vec::new();
    while let Some(one) = seq.next_element()? {
        all.push(one);
    }
    if all.is_empty() {
        return Err(de::Error::invalid_length(0, &expected));
    }
    Ok(all)
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Some1<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> de::Visitor<'de> for Visitor<T> {
            type Value = Some1<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("one, or a list of at least one")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Some1<T>, E> {
                let one = T::deserialize(de::value::StrDeserializer::new(text))?;
                Ok(Some1(vec![one]))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Some1<T>, A::Error> {
                let one = T::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(Some1(vec![one]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Some1<T>, A::Error> {
                some_of(seq, "a list of at least one").map(Some1)
            }
        }

        from.deserialize_any(Visitor(PhantomData))
    }
}

/// Names and what their values have to be like, in the order they were given.
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
                f.write_str("a table of names and what their values have to be like")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Named<N>, A::Error> {
                let mut all: Vec<(N, Text)> = Vec::new();
                while let Some(name) = map.next_key()? {
                    if all.len() == super::MAX_CONDITIONS {
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
