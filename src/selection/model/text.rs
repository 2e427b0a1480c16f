use super::{Network, RulesError, matcher::Matcher};
use crate::{
    host,
    selection::work::{AT_ONCE, Work},
};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, MapAccess, SeqAccess},
};
use std::{fmt, net::IpAddr};

/// A condition on a text of a request, such as a header or a fact.
///
/// ```
/// use dashcam::selection::{Text, When};
///
/// let when = When::new()
///     .fact("tenant", Text::one_of(["acme", "acme-test"]))
///     .fact("user", Text::prefix("qa-"));
/// # let _ = when;
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Text(pub(in crate::selection) Is);

#[derive(Clone, Debug, PartialEq)]
pub(in crate::selection) enum Is {
    OneOf(Vec<String>),
    Prefix(String),
    Regex(Pattern),
    Network(Vec<Network>),
    Present,
    Absent,
}

impl Text {
    /// Matches exactly this value, as a plain text does.
    #[must_use]
    pub fn equals(value: impl Into<String>) -> Self {
        Self(Is::OneOf(vec![value.into()]))
    }

    /// Matches each of these values.
    #[must_use]
    pub fn one_of<T: Into<String>>(values: impl IntoIterator<Item = T>) -> Self {
        Self(Is::OneOf(values.into_iter().map(Into::into).collect()))
    }

    /// Matches values that begin with this.
    #[must_use]
    pub fn prefix(prefix: impl Into<String>) -> Self {
        Self(Is::Prefix(prefix.into()))
    }

    /// Matches an address in one of these networks, in CIDR notation: `10.0.0.0/8`,
    /// `2001:db8::/32`, or one address. A range of IPv4 addresses that is written as one of
    /// IPv6 is the range of IPv4; no other range of IPv6 has IPv4 addresses in it.
    ///
    /// # Errors
    ///
    /// A text is no address and no network, or its address has bits beyond the prefix.
    pub fn network<T: AsRef<str>>(
        networks: impl IntoIterator<Item = T>,
    ) -> Result<Self, RulesError> {
        let networks = networks.into_iter().map(|network| network.as_ref().parse());
        networks
            .collect::<Result<_, _>>()
            .map(Is::Network)
            .map(Self)
    }

    /// Matches whole values of at most 8 KiB by an expression in the syntax of the crate
    /// `regex`, without Unicode classes. An expression that does not compile to a table of
    /// 64 KiB only matches shorter values; [`Rules::check`](super::Rules::check) warns of it.
    ///
    /// # Errors
    ///
    /// The text is not such an expression, or takes more than 64 KiB.
    #[cfg(feature = "config")]
    pub fn regex(expression: &str) -> Result<Self, RulesError> {
        Pattern::new(expression).map(|pattern| Self(Is::Regex(pattern)))
    }

    /// Matches every value.
    #[must_use]
    pub fn present() -> Self {
        Self(Is::Present)
    }

    /// Matches if there is no value. A rule with an absent fact selects nothing, because a fact
    /// may still be stated.
    #[must_use]
    pub fn absent() -> Self {
        Self(Is::Absent)
    }

    /// Whether it matches a value, `None` if there is none. It does not if that takes more work
    /// than is left.
    pub(in crate::selection) fn matches(&self, value: Option<&[u8]>, work: &Work) -> bool {
        match (&self.0, value) {
            (Is::Absent, value) => value.is_none(),
            (_, None) => false,
            (Is::Present, Some(_)) => true,
            (Is::OneOf(texts), Some(value)) => {
                let each = 1 + value.len() / AT_ONCE;
                work.pay(texts.len().saturating_mul(each))
                    && texts.iter().any(|t| t.as_bytes() == value)
            }
            (Is::Prefix(prefix), Some(value)) => {
                work.pay(1 + prefix.len() / AT_ONCE) && value.starts_with(prefix.as_bytes())
            }
            (Is::Regex(pattern), Some(value)) => pattern.matches(value, work),
            (Is::Network(networks), Some(value)) => {
                work.pay(ADDRESS + networks.len().saturating_mul(2))
                    && value.len() <= ADDRESS
                    && str::from_utf8(value)
                        .ok()
                        .and_then(|text| text.parse::<IpAddr>().ok())
                        .is_some_and(|address| networks.iter().any(|n| n.contains(address)))
            }
        }
    }

    /// Returns the same condition on hosts in their one spelling.
    pub(in crate::selection) fn of_host(&self) -> Self {
        Self(match &self.0 {
            Is::OneOf(hosts) => {
                let folded = hosts.iter().map(|host| match host::split(host) {
                    // The default ports.
                    (name, Some(80 | 443)) => host::fold(name).into_owned(),
                    _ => host::fold(host).into_owned(),
                });
                Is::OneOf(folded.collect())
            }
            Is::Prefix(start) => Is::Prefix(start.to_lowercase()),
            other => other.clone(),
        })
    }
}

impl<T: Into<String>> From<T> for Text {
    fn from(value: T) -> Self {
        Self::equals(value)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Is::OneOf(texts) => match texts.as_slice() {
                [text] => write!(f, "= {text:?}"),
                texts => write!(f, "one of {texts:?}"),
            },
            Is::Prefix(prefix) => write!(f, "begins with {prefix:?}"),
            Is::Regex(pattern) => write!(f, "matches {:?}", pattern.text),
            Is::Network(networks) => {
                f.write_str("in ")?;
                for (n, network) in networks.iter().enumerate() {
                    write!(f, "{}{network}", if n == 0 { "" } else { ", " })?;
                }
                Ok(())
            }
            Is::Present => f.write_str("present"),
            Is::Absent => f.write_str("absent"),
        }
    }
}

/// The longest address as text, rounded up.
const ADDRESS: usize = 64;

/// A regular expression of whole values.
#[derive(Clone, Debug)]
pub(in crate::selection) struct Pattern {
    text: String,
    matcher: Matcher,
}

impl Pattern {
    fn new(text: &str) -> Result<Self, RulesError> {
        Ok(Self {
            text: text.to_owned(),
            matcher: Matcher::new(text)?,
        })
    }

    fn matches(&self, value: &[u8], work: &Work) -> bool {
        self.matcher.matches(value, work)
    }

    /// The work of one byte of a value.
    pub(in crate::selection) fn weight(&self) -> usize {
        self.matcher.weight()
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        match &self.0 {
            Is::OneOf(texts) => match texts.as_slice() {
                [text] => to.serialize_str(text),
                texts => texts.serialize(to),
            },
            other => {
                let mut map = to.serialize_map(Some(1))?;
                match other {
                    Is::Prefix(prefix) => map.serialize_entry("prefix", prefix)?,
                    Is::Regex(pattern) => map.serialize_entry("regex", &pattern.text)?,
                    Is::Network(networks) => map.serialize_entry("network", networks)?,
                    Is::Absent => map.serialize_entry("present", &false)?,
                    Is::Present | Is::OneOf(_) => map.serialize_entry("present", &true)?,
                }
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Visitor)
    }
}

struct Visitor;

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Field {
    Equals,
    Prefix,
    Regex,
    Network,
    Present,
}

impl<'de> de::Visitor<'de> for Visitor {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a text, a list of texts, or a table with one of `equals`, `prefix`, `regex`, \
             `network`, `present`",
        )
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Text, E> {
        Ok(Text::equals(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Text, A::Error> {
        let texts = super::some::some_of(seq, "a list with at least one text")?;
        Ok(Text(Is::OneOf(texts)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Text, A::Error> {
        let Some(field) = map.next_key()? else {
            return Err(de::Error::invalid_length(0, &self));
        };
        let text = Text(match field {
            Field::Equals => Is::OneOf(map.next_value::<super::some::Some1<String>>()?.0),
            Field::Prefix => Is::Prefix(map.next_value()?),
            Field::Regex => Is::Regex(map.next_value::<PatternText>()?.0),
            Field::Network => Is::Network(map.next_value::<super::some::Some1<Network>>()?.0),
            Field::Present if map.next_value()? => Is::Present,
            Field::Present => Is::Absent,
        });
        match map.next_key::<Field>()? {
            None => Ok(text),
            Some(_) => Err(de::Error::custom(
                "expected one of `equals`, `prefix`, `regex`, `network`, `present`, not two",
            )),
        }
    }
}

/// Reads an expression, so that its errors are those of its own field.
struct PatternText(Pattern);

impl<'de> Deserialize<'de> for PatternText {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Pattern::new(&text).map(Self).map_err(de::Error::custom)
    }
}
