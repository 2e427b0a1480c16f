//! One value, or a list of them.

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, MapAccess, SeqAccess},
};
use std::{fmt, marker::PhantomData};

/// One value, or a list of at least one. It is empty only if the field is missing.
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

pub(super) fn one_or_all<T: Serialize, S: Serializer>(all: &[T], to: S) -> Result<S::Ok, S::Error> {
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
