//! What was decided about names, which repeat: in lists of objects, and from
//! one body to the next.

use super::policy::Rule;

/// The longest name of which a decision is kept, in bytes.
const LONGEST: usize = 24;

/// Names of which decisions are kept.
const SLOTS: usize = 256;

/// Places that a name may have. Two names that share their first one would
/// otherwise drive each other out, object after object.
const PLACES: usize = 4;

/// What a name says.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Decision {
    /// Whether it may itself be written.
    pub(super) stays: bool,
    pub(super) rule: Rule,
    pub(super) part: Part,
}

/// What a member of a JSON object is to those beside it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Part {
    #[default]
    None,
    /// It names what another one, behind it, has: `{"name":"pin","value":1234}`.
    Name,
    /// It has the value of such a name.
    Value,
    /// It may be the text of a GraphQL query.
    Query,
}

/// Members that name what another one is the value of.
const NAMES: &[&str] = &["name", "key", "id", "field", "param", "parameter", "header"];

/// Members that have the value of such a name.
const VALUES: &[&str] = &["value", "val", "values", "v", "content", "data", "text"];

impl Part {
    pub(super) fn of(key: &str) -> Self {
        let is_one_of = |all: &[&str]| all.iter().any(|one| one.eq_ignore_ascii_case(key));
        if is_one_of(NAMES) {
            Self::Name
        } else if is_one_of(VALUES) {
            Self::Value
        } else if key == "query" {
            Self::Query
        } else {
            Self::None
        }
    }
}

/// What was decided about names under one policy.
#[derive(Default)]
pub(crate) struct Decisions {
    pub(super) keys: Cache,
    pub(super) headers: Cache,
}

impl Decisions {
    pub(super) fn is_empty(&self) -> bool {
        self.keys.0.is_empty()
    }
}

/// Decisions by name. Without a slot until there is the first one.
#[derive(Default)]
pub(super) struct Cache(Vec<Slot>);

#[derive(Clone, Copy, Default)]
struct Slot {
    name: Name,
    decision: Decision,
}

impl Cache {
    pub(super) fn get(&mut self, name: &str, decide: impl FnOnce() -> Decision) -> Decision {
        let Some(packed) = Name::of(name.as_bytes()) else {
            return decide();
        };
        if self.0.is_empty() {
            self.0.resize(SLOTS, Slot::default());
        }
        let first = packed.place();
        let mut free = first;
        for place in (first..first + PLACES).map(|place| place % SLOTS) {
            match self.0.get(place) {
                Some(slot) if slot.name == packed => return slot.decision,
                Some(slot) if slot.name.length == 0 => {
                    free = place;
                    break;
                }
                _ => {}
            }
        }
        let decision = decide();
        if let Some(slot) = self.0.get_mut(free) {
            *slot = Slot {
                name: packed,
                decision,
            };
        }
        decision
    }
}

/// A short name, to be compared at once: where it has fewer than 24 bytes,
/// some are in two of the words.
#[derive(Clone, Copy, Default, PartialEq)]
struct Name {
    words: [u64; 3],
    /// Zero where there is none.
    length: u8,
}

impl Name {
    /// `None` for one that is empty or too long.
    fn of(name: &[u8]) -> Option<Self> {
        let words = match name.len() {
            1..=3 => {
                let (first, last) = (name.first()?, name.last()?);
                let middle = name.get(name.len() / 2)?;
                [
                    u64::from_le_bytes([*first, *middle, *last, 0, 0, 0, 0, 0]),
                    0,
                    0,
                ]
            }
            4..=7 => {
                let half = |half: &[u8; 4]| u64::from(u32::from_le_bytes(*half));
                [
                    half(name.first_chunk()?) << 32 | half(name.last_chunk()?),
                    0,
                    0,
                ]
            }
            8..=LONGEST => {
                let word = |word: &[u8; 8]| u64::from_le_bytes(*word);
                let middle = name.get(8..).and_then(<[u8]>::first_chunk);
                [
                    word(name.first_chunk()?),
                    middle.map_or(0, word),
                    word(name.last_chunk()?),
                ]
            }
            _ => return None,
        };
        Some(Self {
            words,
            length: u8::try_from(name.len()).ok()?,
        })
    }

    fn place(self) -> usize {
        let [a, b, c] = self.words;
        let mixed = a ^ b.rotate_left(21) ^ c.rotate_left(42) ^ u64::from(self.length);
        // The top bits of a product depend on all bits below.
        (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_name_has_its_own_decision(
            names in prop::collection::vec("[ab]{0,3}|[a-c]{4,8}|[ab_é]{9,16}|[ab]{17,26}", 1..400),
        ) {
            let mut cache = Cache::default();
            let decision = |name: &str| Decision {
                stays: name.len().is_multiple_of(2),
                rule: Rule { suspicious: name.contains("ab"), ..Rule::default() },
                part: if name.ends_with('b') { Part::Name } else { Part::Value },
            };
            for name in names.iter().chain(&names) {
                prop_assert_eq!(cache.get(name, || decision(name)), decision(name));
            }
        }
    }

    #[test]
    fn what_was_decided_is_not_asked_again() {
        let mut cache = Cache::default();
        for name in [
            "a",
            "id",
            "name",
            "customer_id",
            "of_twenty_four_characters",
        ] {
            let mut asked = 0;
            for _ in 0..3 {
                cache.get(name, || {
                    asked += 1;
                    Decision::default()
                });
            }
            let kept = name.len() <= LONGEST;
            assert_eq!(asked, if kept { 1 } else { 3 }, "{name}");
        }
    }

    #[test]
    fn parts_of_objects() {
        assert_eq!(Part::of("Name"), Part::Name);
        assert_eq!(Part::of("VALUE"), Part::Value);
        assert_eq!(Part::of("query"), Part::Query);
        assert_eq!(Part::of("names"), Part::None);
    }
}
