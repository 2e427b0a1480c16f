//! A cache of decisions about names, which repeat in lists of objects and from body to
//! body.

use super::policy::Rule;

/// The longest name that is cached, in bytes.
const LONGEST: usize = 24;

/// How many names are cached.
const SLOTS: usize = 256;

/// How many slots a name may use. With one, two names with the same slot would evict each
/// other in every object.
const PLACES: usize = 4;

/// The decision about a name.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Decision {
    /// Whether the name itself may be written.
    pub(super) stays: bool,
    pub(super) rule: Rule,
    pub(super) part: Part,
}

/// The role of a member of a JSON object for its siblings.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Part {
    #[default]
    None,
    /// It names a later member's value: `{"name":"pin","value":1234}`.
    Name,
    /// It has the value of such a name.
    Value,
    /// It may be the text of a GraphQL query.
    Query,
}

/// Members that name the value of another member.
#[rustfmt::skip]
const NAMES: &[&str] = &[
    "name", "key", "id", "field", "param", "parameter", "header", "path", "pointer", "type", "kind",
    "label", "property", "attribute", "option", "setting", "variable", "claim", "k", "n",
];

/// Members that have the value of such a name.
#[rustfmt::skip]
const VALUES: &[&str] = &[
    "value", "val", "values", "v", "content", "data", "text", "to", "new", "old", "newvalue",
    "oldvalue", "answer", "input", "current",
];

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

/// Decisions about names under one policy.
#[derive(Default)]
pub(crate) struct Decisions {
    pub(super) keys: Cache,
    pub(super) headers: Cache,
}

impl Decisions {
    pub(super) fn is_empty(&self) -> bool {
        self.keys.slots.is_empty()
    }
}

/// Decisions by name. Empty until the first decision.
///
/// Bodies of one kind have their keys in the same order. Each slot knows the slot of the
/// next key, which then needs no parsing.
#[derive(Default)]
pub(super) struct Cache {
    slots: Vec<Slot>,
    /// The slot of the last name.
    last: usize,
}

#[derive(Clone, Copy, Default)]
struct Slot {
    name: Name,
    decision: Decision,
    /// The slot of the name that came next.
    next: u8,
    /// Whether JSON writes the name without escapes.
    plain: bool,
}

impl Cache {
    /// Returns the length of the expected name and the decision about it, if the text
    /// starts with it and a quote.
    pub(super) fn expect(&mut self, text: &[u8]) -> Option<(usize, Decision)> {
        let next = usize::from(self.slots.get(self.last)?.next);
        let slot = self.slots.get(next)?;
        let length = usize::from(slot.name.length);
        if slot.plain && text.get(length) == Some(&b'"') && slot.name.starts(text) {
            self.last = next;
            return Some((length, slot.decision));
        }
        None
    }

    pub(super) fn get(&mut self, name: &str, decide: impl FnOnce() -> Decision) -> Decision {
        let Some(packed) = Name::of(name.as_bytes()) else {
            return decide();
        };
        if self.slots.is_empty() {
            self.slots.resize(SLOTS, Slot::default());
        }
        let first = packed.place();
        let mut found = first;
        for place in (first..first + PLACES).map(|place| place % SLOTS) {
            match self.slots.get(place).copied() {
                Some(slot) if slot.name == packed => {
                    self.follow(place);
                    return slot.decision;
                }
                Some(slot) if slot.name.length == 0 => {
                    found = place;
                    break;
                }
                _ => {}
            }
        }
        let decision = decide();
        self.follow(found);
        if let Some(slot) = self.slots.get_mut(found) {
            *slot = Slot {
                name: packed,
                decision,
                next: slot.next,
                plain: name.bytes().all(|b| b >= b' ' && b != b'"' && b != b'\\'),
            };
        }
        decision
    }

    /// Records which name came next.
    fn follow(&mut self, place: usize) {
        if let Some(slot) = self.slots.get_mut(self.last) {
            // There are 256, so the cast loses nothing.
            slot.next = place as u8;
        }
        self.last = place;
    }
}

/// A short name for one comparison: its bytes, padded with zeros.
#[derive(Clone, Copy, Default, PartialEq)]
struct Name {
    words: [u64; 3],
    /// Zero if there is none.
    length: u8,
}

impl Name {
    /// Returns `None` for an empty or too long name.
    fn of(name: &[u8]) -> Option<Self> {
        if name.is_empty() {
            return None;
        }
        let mut bytes = [0; LONGEST];
        bytes.get_mut(..name.len())?.copy_from_slice(name);
        Some(Self {
            words: words(&bytes),
            length: u8::try_from(name.len()).ok()?,
        })
    }

    /// Returns whether a text starts with it.
    fn starts(&self, text: &[u8]) -> bool {
        let length = usize::from(self.length);
        let Some(start) = text.first_chunk() else {
            return Self::of(text.get(..length).unwrap_or_default()) == Some(*self);
        };
        let masks = MASKS.get(length).copied().unwrap_or_default();
        let differs = |n: usize, word: u64| (word & masks[n]) ^ self.words[n];
        let [a, b, c] = words(start);
        differs(0, a) | differs(1, b) | differs(2, c) == 0
    }

    fn place(self) -> usize {
        let [a, b, c] = self.words;
        let mixed = a ^ b.rotate_left(21) ^ c.rotate_left(42) ^ u64::from(self.length);
        // The top bits of a product depend on all bits below.
        (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as usize
    }
}

fn words(bytes: &[u8; LONGEST]) -> [u64; 3] {
    let mut words = [0; 3];
    for (word, bytes) in words.iter_mut().zip(bytes.as_chunks().0) {
        *word = u64::from_le_bytes(*bytes);
    }
    words
}

/// The mask of a name's bits in its words, by length.
const MASKS: [[u64; 3]; LONGEST + 1] = {
    let mut masks = [[0; 3]; LONGEST + 1];
    let mut length = 0;
    while length <= LONGEST {
        let mut byte = 0;
        while byte < length {
            masks[length][byte / 8] |= 0xff << (byte % 8 * 8);
            byte += 1;
        }
        length += 1;
    }
    masks
};

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_name_has_its_own_decision(
            names in prop::collection::vec("[ab]{1,3}|[a-c]{4,8}|[ab_é]{9,16}|[ab]{17,26}|[a\"\\\\]{0,4}", 1..400),
            behind in "[ab\":]{0,30}",
        ) {
            let mut cache = Cache::default();
            let decision = |name: &str| Decision {
                stays: name.len().is_multiple_of(2),
                rule: Rule { suspicious: name.contains("ab"), ..Rule::default() },
                part: if name.ends_with('b') { Part::Name } else { Part::Value },
            };
            for name in names.iter().chain(&names) {
                let text = format!("{name}\"{behind}");
                if let Some((length, expected)) = cache.expect(text.as_bytes()) {
                    // The string that JSON would parse there, which is not always the whole
                    // name.
                    let read = text.split('"').next().unwrap();
                    prop_assert_eq!(length, read.len());
                    prop_assert_eq!(expected, decision(read));
                    prop_assert!(!read.contains('\\'));
                    continue;
                }
                prop_assert_eq!(cache.get(name, || decision(name)), decision(name));
            }
        }
    }

    #[test]
    fn the_name_that_came_next_is_expected() {
        let mut cache = Cache::default();
        let names = ["id", "a_name_of_20_letters", "", "k\\", "name", "status"];
        let mut know = |name: &str| {
            let known = cache.expect(format!("{name}\":1,").as_bytes()).is_some();
            if !known {
                cache.get(name, Decision::default);
            }
            known
        };
        for name in names.iter().chain(&names) {
            know(name);
        }
        // A name without a slot is skipped; an escaped name is never expected.
        assert_eq!(names.map(know), [true, true, false, false, true, true]);
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
