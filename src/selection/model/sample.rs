use super::{RulesError, serde_as_text};
use http::HeaderName;
use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher24;
use std::{fmt, hash::Hasher, str::FromStr};

/// A share of the requests that meet the conditions of a rule.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(in crate::selection) struct Sample {
    percent: Percent,
    #[serde(default)]
    by: By,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seed: Option<String>,
}

impl Sample {
    pub(super) fn percent(self, percent: f64) -> Result<Self, RulesError> {
        let percent = percent.try_into()?;
        Ok(Self { percent, ..self })
    }

    pub(super) fn by(self, key: &str) -> Result<Self, RulesError> {
        let by = key.parse()?;
        Ok(Self { by, ..self })
    }

    pub(super) fn seed(self, seed: impl Into<String>) -> Self {
        let seed = Some(seed.into());
        Self { seed, ..self }
    }

    pub(in crate::selection) fn key(&self) -> &By {
        &self.by
    }

    pub(in crate::selection) fn share(&self) -> f64 {
        self.percent.0
    }

    pub(in crate::selection) fn seed_of<'a>(&'a self, rule: &'a str) -> &'a str {
        self.seed.as_deref().unwrap_or(rule)
    }

    #[cfg(test)]
    fn selects(&self, key: &SampleKey, rule: &str, value: &[u8]) -> bool {
        in_share(key, self.seed_of(rule), value, self.percent.0)
    }
}

/// The mapping of `docs/rules.md`. An empty key is none.
pub(in crate::selection) fn in_share(
    key: &SampleKey,
    seed: &str,
    value: &[u8],
    percent: f64,
) -> bool {
    const TWO_TO_53: f64 = 9_007_199_254_740_992.0;
    if value.is_empty() {
        return false;
    }
    let hash = hash_of(key, seed, value);
    // A double holds 53 bits exactly in every language.
    let position = (hash >> 11) as f64 / TWO_TO_53;
    position * 100.0 < percent
}

/// The hash of the standard library may change.
fn hash_of(key: &SampleKey, seed: &str, value: &[u8]) -> u64 {
    let mut hasher = SipHasher24::new_with_key(&key.0);
    for part in [seed.as_bytes(), &[0], value] {
        hasher.write(part);
    }
    hasher.finish()
}

/// The key of the hash of samples.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) struct SampleKey(pub(crate) [u8; 16]);

impl Default for SampleKey {
    fn default() -> Self {
        Self(*b"dashcam-sample-1")
    }
}

impl fmt::Debug for SampleKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SampleKey(..)")
    }
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(try_from = "f64")]
struct Percent(f64);

impl Default for Percent {
    fn default() -> Self {
        Self(100.0)
    }
}

impl TryFrom<f64> for Percent {
    type Error = RulesError;

    fn try_from(percent: f64) -> Result<Self, RulesError> {
        if (0.0..=100.0).contains(&percent) {
            Ok(Self(percent))
        } else {
            Err(RulesError::expected("expected a number from 0 to 100"))
        }
    }
}

/// The key of a sample.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(in crate::selection) enum By {
    Fact(String),
    Header(HeaderName),
    Cookie(String),
    Query(String),
    Client,
    #[default]
    CorrelationId,
}

impl FromStr for By {
    type Err = RulesError;

    fn from_str(text: &str) -> Result<Self, RulesError> {
        let expected = || {
            RulesError::expected(
                "expected `fact:NAME`, `header:NAME`, `cookie:NAME`, `query:NAME`, `client` or \
                 `correlation_id`",
            )
        };
        match text.split_once(':') {
            None if text == "client" => Ok(Self::Client),
            None if text == "correlation_id" => Ok(Self::CorrelationId),
            None | Some((_, "")) => Err(expected()),
            Some(("fact", name)) => Ok(Self::Fact(name.to_owned())),
            Some(("cookie", name)) => Ok(Self::Cookie(name.to_owned())),
            Some(("query", name)) => Ok(Self::Query(name.to_owned())),
            Some(("header", name)) => name
                .parse()
                .map(Self::Header)
                .map_err(|_| RulesError::expected("expected the name of a header after `header:`")),
            Some(_) => Err(expected()),
        }
    }
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fact(name) => write!(f, "fact:{name}"),
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Cookie(name) => write!(f, "cookie:{name}"),
            Self::Query(name) => write!(f, "query:{name}"),
            Self::Client => f.write_str("client"),
            Self::CorrelationId => f.write_str("correlation_id"),
        }
    }
}

serde_as_text!(
    By,
    "a key such as `fact:user`, `header:x-user`, `client` or `correlation_id`"
);

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: u32 = 1_000_000;

    fn selected(percent: f64) -> Vec<bool> {
        let (sample, key) = (
            Sample::default().percent(percent).unwrap(),
            SampleKey::default(),
        );
        let has = |n: u32| sample.selects(&key, "acme-checkout", format!("user-{n}").as_bytes());
        (0..KEYS).map(has).collect()
    }

    fn count(selected: &[bool]) -> u32 {
        selected.iter().map(|s| u32::from(*s)).sum()
    }

    /// Within the interval that 99.9 % of fair draws are in; the keys are fixed, so
    /// it either always holds or never.
    #[test]
    fn shares_are_as_large_as_they_say() {
        for percent in [0.1, 1.0, 5.0, 50.0] {
            let (n, p) = (f64::from(KEYS), percent / 100.0);
            let half = 3.2905 * (n * p * (1.0 - p)).sqrt();
            let found = f64::from(count(&selected(percent)));
            assert!((found - n * p).abs() <= half, "{percent} %: {found} of {n}");
        }
        assert_eq!(count(&selected(0.0)), 0);
        assert_eq!(count(&selected(100.0)), KEYS);
    }

    #[test]
    fn widening_drops_nobody() {
        let (five, ten) = (selected(5.0), selected(10.0));
        assert!(five.iter().zip(&ten).all(|(five, ten)| !five || *ten));
        assert!(count(&ten) > count(&five));
    }

    #[test]
    fn rules_draw_apart_and_seeds_together() {
        let key = SampleKey::default();
        let sample = Sample::default().percent(50.0).unwrap();
        let both = |a: &Sample, b: &Sample| {
            let same = |n: &u32| {
                let value = n.to_le_bytes();
                a.selects(&key, "a", &value) == b.selects(&key, "b", &value)
            };
            (0..1_000).filter(same).count()
        };
        assert!((400..600).contains(&both(&sample, &sample)));
        let seeded = sample.clone().seed("s");
        assert_eq!(both(&seeded, &seeded), 1_000);
    }

    /// Those of `docs/rules.md`.
    #[test]
    fn published_vectors() {
        let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/rules.md");
        let docs = std::fs::read_to_string(docs).unwrap();
        let (_, table) = docs.split_once("| hash | position |\n").unwrap();
        let rows: Vec<_> = table
            .lines()
            .skip(1)
            .take_while(|l| !l.is_empty())
            .collect();
        assert!(rows.len() > 2, "{rows:?}");
        for row in rows {
            let cells: Vec<_> = row.split('|').map(|c| c.trim_matches([' ', '`'])).collect();
            let [_, secret, seed, value, hash, position, _] = cells[..] else {
                panic!("{row}");
            };
            let key = match secret {
                "bytes 00 01 … 0f" => SampleKey(std::array::from_fn(|n| n as u8)),
                text => SampleKey(text.as_bytes().try_into().unwrap()),
            };
            let found = hash_of(&key, seed, value.as_bytes());
            assert_eq!(format!("{found:016x}"), hash, "{row}");
            // The share that ends there, and the next one.
            let percent: f64 = position.parse().unwrap();
            let is = |percent| in_share(&key, seed, value.as_bytes(), percent);
            assert!(!is(percent) && is(percent.next_up()), "{row}");
        }
    }
}
