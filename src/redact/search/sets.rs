//! The sets of values: short values as they are, long ones by all their parts.

use super::fold::GAP;
use std::{
    collections::HashMap,
    hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState},
    sync::LazyLock,
};

/// The number of symbols of a part.
pub(super) const GRAM: usize = 8;

/// The number of symbols of the shortest and of the longest short value.
pub(super) const SHORTEST: usize = 3;
pub(super) const LONGEST: usize = 9;

/// The fewest slots of a set of parts.
const LEAST: usize = 512;

/// A short value with at least this many symbols is also found inside words.
pub(super) const SUBSTRING: usize = 6;

static SEEDS: LazyLock<(u64, u64)> = LazyLock::new(|| {
    let state = RandomState::new();
    (state.hash_one(1), state.hash_one(2) | 1)
});

/// A hash seeded once per process, so that clients cannot construct collisions.
#[derive(Clone, Copy)]
pub(super) struct Seeds(u64, u64);

impl Default for Seeds {
    fn default() -> Self {
        let (a, b) = *SEEDS;
        Self(a, b)
    }
}

impl Seeds {
    pub(super) fn mix(self, n: u64) -> u64 {
        let product = u128::from(n ^ self.0) * u128::from(self.1);
        (product >> 64) as u64 ^ product as u64
    }

    /// Of at most nine symbols.
    fn short(self, symbols: &[u8]) -> u64 {
        let (first, last) = match symbols.split_first_chunk() {
            Some((first, last)) => (u64::from_le_bytes(*first), last),
            None => (0, symbols),
        };
        let last = last.iter().fold(1, |n, b| n << 8 | u64::from(*b));
        self.mix(first ^ self.mix(last))
    }

    pub(super) fn bytes(self, bytes: &[u8]) -> u64 {
        let (words, rest) = bytes.as_chunks();
        let start = self.mix(bytes.len() as u64);
        let hash = words.iter().fold(start, |hash, word| {
            self.mix(hash.rotate_left(7) ^ u64::from_le_bytes(*word))
        });
        let rest = rest.iter().fold(0, |n, b| n << 8 | u64::from(*b));
        self.mix(self.mix(hash.rotate_left(7) ^ rest))
    }
}

/// A map whose keys are already hashes.
pub(super) type Hashed<V> = HashMap<u64, V, BuildHasherDefault<Same>>;

#[derive(Default)]
pub(super) struct Same(u64);

impl Hasher for Same {
    fn write(&mut self, bytes: &[u8]) {
        for b in bytes {
            self.0 = self.0 << 8 | u64::from(*b);
        }
    }

    fn write_u64(&mut self, n: u64) {
        self.0 = n;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// A set of parts: 30 bits of a hash, and the boundaries beside the part in the value.
#[derive(Clone, Default)]
pub(super) struct Grams {
    slots: Vec<u32>,
    len: usize,
    seeds: Seeds,
}

/// The value has a boundary before the part, or after it.
pub(super) const BEFORE: u32 = 1;
pub(super) const BEHIND: u32 = 2;

impl Grams {
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn at(&self, print: u32) -> usize {
        // The slot comes from the upper bits of the print, so that slots can move.
        ((u64::from(print) * self.slots.len() as u64) >> 30) as usize
    }

    /// Returns the slot of a print, or the one for it.
    fn slot(&self, print: u32) -> (usize, u32) {
        let mut at = self.at(print);
        loop {
            match self.slots.get(at) {
                Some(0) => return (at, 0),
                Some(slot) if slot >> 2 == print => return (at, *slot),
                Some(_) => at += 1,
                None if self.slots.is_empty() => return (0, 0),
                None => at = 0,
            }
        }
    }

    fn print(&self, gram: u64) -> u32 {
        ((self.seeds.mix(gram) >> 34) as u32).max(1)
    }

    /// Returns whether a part is in the set, and the boundaries beside it.
    pub(super) fn get(&self, gram: u64) -> Option<u32> {
        let (_, slot) = self.slot(self.print(gram));
        (slot != 0).then_some(slot & 3)
    }

    /// Reserves room for more parts.
    pub(super) fn reserve(&mut self, more: usize) {
        let needed = (self.len + more) * 8 / 5 + 8;
        if needed <= self.slots.len() {
            return;
        }
        let size = needed.max(self.slots.len() * 3 / 2).max(LEAST);
        let old = std::mem::replace(&mut self.slots, vec![0; size]);
        for slot in old.into_iter().filter(|slot| *slot != 0) {
            let (at, _) = self.slot(slot >> 2);
            if let Some(new) = self.slots.get_mut(at) {
                *new = slot;
            }
        }
    }

    /// Adds a part. There must be room for it.
    pub(super) fn insert(&mut self, gram: u64, beside: u32) {
        let print = self.print(gram);
        let (at, old) = self.slot(print);
        if let Some(slot) = self.slots.get_mut(at) {
            *slot = print << 2 | (old & 3) | beside;
            self.len += usize::from(old == 0);
        }
    }
}

/// The short values.
#[derive(Clone, Default)]
pub(super) struct Shorts {
    values: Hashed<Short>,
    /// The existing lengths, by the first three symbols.
    starts: Vec<u8>,
    seeds: Seeds,
}

#[derive(Clone, Copy)]
struct Short {
    id: u32,
    /// The symbols with a gap before them in the value.
    gaps: u16,
    start: u32,
    lengths: u8,
}

/// The lengths that are found inside words.
pub(super) const INSIDE: u8 = !((1 << (SUBSTRING - SHORTEST)) - 1);

impl Shorts {
    pub(super) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    fn start(&self, first: u32) -> u32 {
        // Only the upper bits are hashed well.
        first.wrapping_mul(self.seeds.1 as u32).swap_bytes()
    }

    /// Returns the lengths of values with these first symbols, a bit for each.
    pub(super) fn lengths(&self, first: u32) -> u8 {
        let start = self.start(first) as usize;
        let known = self.starts.get(start & self.starts.len().wrapping_sub(1));
        known.copied().unwrap_or(0)
    }

    pub(super) fn insert(&mut self, symbols: &[u8], flags: &[u8], id: u32) {
        let new = Short {
            id,
            gaps: gaps(flags),
            start: self.start(first(symbols)),
            lengths: 1 << symbols.len().saturating_sub(SHORTEST).min(7),
        };
        self.values
            .entry(self.seeds.short(symbols))
            .and_modify(|known| known.gaps |= new.gaps)
            .or_insert(new);
        if self.values.len() * 8 > self.starts.len() {
            let size = (self.values.len() * 32).next_power_of_two().max(512);
            self.starts = vec![0; size];
            let all: Vec<Short> = self.values.values().copied().collect();
            all.into_iter().for_each(|short| self.mark(short));
        } else {
            self.mark(new);
        }
    }

    /// Returns the value with these symbols, if there is one.
    pub(super) fn id(&self, symbols: &[u8]) -> Option<u32> {
        let short = self.values.get(&self.seeds.short(symbols))?;
        Some(short.id)
    }

    fn mark(&mut self, short: Short) {
        let at = short.start as usize & self.starts.len().wrapping_sub(1);
        if let Some(start) = self.starts.get_mut(at) {
            *start |= short.lengths;
        }
    }

    /// Returns the value with these symbols, if it has all of their gaps, or each symbol is
    /// separate.
    pub(super) fn get(&self, symbols: &[u8], flags: &[u8]) -> Option<u32> {
        let short = self.values.get(&self.seeds.short(symbols))?;
        let gaps = gaps(flags);
        let alone = gaps.count_ones() as usize + 1 == symbols.len();
        (alone || gaps & !short.gaps == 0).then_some(short.id)
    }
}

/// The first three symbols as one number.
pub(super) fn first(symbols: &[u8]) -> u32 {
    let first = symbols.iter().take(SHORTEST);
    first.fold(0, |first, b| first << 8 | u32::from(*b))
}

/// Returns the symbols, except the first, with a gap before them.
fn gaps(flags: &[u8]) -> u16 {
    let all = flags.iter().take(LONGEST).enumerate();
    all.fold(0, |gaps, (at, flag)| gaps | u16::from(flag & GAP) << at) & !1
}
