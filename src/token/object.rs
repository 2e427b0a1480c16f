//! One JSON object.

use serde::{Deserialize, Deserializer, de};
use std::{fmt, marker::PhantomData};

/// Reads an object only: `serde` would take a list for the fields in their order.
pub(super) fn object<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    from: D,
) -> Result<T, D::Error> {
    struct Object<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> de::Visitor<'de> for Object<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
            T::deserialize(de::value::MapAccessDeserializer::new(map))
        }
    }

    from.deserialize_map(Object(PhantomData))
}

/// Reads bytes that are one JSON object.
pub(super) fn read<'t, T: Deserialize<'t>>(bytes: &'t [u8]) -> Option<T> {
    let mut from = serde_json::Deserializer::from_slice(bytes);
    let read = object(&mut from).ok()?;
    from.end().ok()?;
    Some(read)
}
