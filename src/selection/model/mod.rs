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

#[cfg(feature = "token")]
pub(crate) use self::rule::Capture;
#[cfg(feature = "config")]
pub(super) use self::time::EXPECTED as TIME;
pub use self::{budget::Budget, rule::Rule, rules::Rules, text::Text, when::When};
pub(super) use self::{
    fields::{MAX_CONDITIONS, PathIs},
    sample::{By, Sample, in_share},
    text::Is,
    time::{serialize as write_time, text as time_text},
    verbose::Verbose,
};
pub(crate) use self::{
    glob::Glob,
    network::{Address, Network},
    rule::Mode,
    sample::SampleKey,
};

use super::RulesError;

/// Implements `serde` by `Display` and `FromStr`.
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
