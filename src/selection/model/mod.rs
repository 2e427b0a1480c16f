//! Rules as plain data.

mod budget;
mod fields;
mod glob;
#[cfg(feature = "config")]
mod matcher;
#[cfg(not(feature = "config"))]
#[path = "no_matcher.rs"]
mod matcher;
mod network;
mod rule;
mod rules;
mod sample;
mod some;
mod text;
mod time;
mod verbose;
mod when;

pub(crate) use self::network::Address;
pub use self::{
    budget::Budget,
    glob::Glob,
    network::Network,
    rule::{Capture, Mode, Rule},
    rules::Rules,
    sample::{Sample, SampleKey},
    text::Text,
    when::When,
};
pub(super) use self::{
    fields::{MAX_CONDITIONS, PathIs},
    sample::{By, in_share},
    text::Is,
    time::{serialize as write_time, text as time_text},
    verbose::Verbose,
};

use std::fmt;

/// A part of a rule cannot be read; the text says what was expected.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InvalidRule(String);

impl InvalidRule {
    pub(super) fn new(expected: impl Into<String>) -> Self {
        Self(expected.into())
    }
}

impl fmt::Display for InvalidRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidRule {}

/// Serialises as its text, and reads back by `FromStr`.
macro_rules! serde_as_text {
    ($type:ty, $expected:literal) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visitor;

                impl serde::de::Visitor<'_> for Visitor {
                    type Value = $type;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str($expected)
                    }

                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$type, E> {
                        text.parse().map_err(E::custom)
                    }
                }

                deserializer.deserialize_str(Visitor)
            }
        }
    };
}
pub(super) use serde_as_text;
