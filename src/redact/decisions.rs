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

/// What was decided about names under one policy.
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

/// Decisions by name. Without a slot until there is the first one.
///
/// Bodies of one kind have their keys in one order, so each slot knows which
/// came next: then a key is known without being read.
#[derive(Default)]
pub(super) struct Cache {
    slots: Vec<Slot>,
    /// Where the last name is.
    last: usize,
}

#[derive(Clone, Copy, Default)]
struct Slot {
    name: Name,
    decision: Decision,
    /// Where the name is that came next.
    next: u8,
    /// Whether JSON writes the name as it is.
    plain: bool,
}

impl Cache {
    /// The name that is expected, where a text starts with it and a quote: its
    /// length, and what was decided about it.
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

    /// Notes which name came next.
    fn follow(&mut self, place: usize) {
        if let Some(slot) = self.slots.get_mut(self.last) {
            // There are 256, so the cast loses nothing.
            slot.next = place as u8;
        }
        self.last = place;
    }
}

/// A short name, to be compared at once: its bytes, and zeros behind them.
#[derive(Clone, Copy, Default, PartialEq)]
struct Name {
    words: [u64; 3],
    /// Zero where there is none.
    length: u8,
}

impl Name {
    /// `None` for one that is empty or too long.
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

    /// Whether a text starts with it.
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

/// By length, the bits of a name in its words.
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
                    // What JSON would read there, which is not always the whole name.
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
        // What has no slot is passed over; what is escaped is never expected.
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
