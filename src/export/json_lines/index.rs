//! The index of an exchange file. It has one entry of a fixed size for each line, so that
//! readers find the lines that they look for.
//!
//! It is in a file of its own beside the exchanges. Readers do not need it: they read line
//! by line what it does not cover. They do not trust an entry that the file does not
//! confirm, see [`lookup`](super::lookup).

use super::{
    names,
    storage::{Storage, Target},
};
use crate::exchange::Exchange;
use jiff::Timestamp;
use serde::Deserialize;
use std::{borrow::Cow, io, path::Path};

/// The size of an entry.
pub(super) const ENTRY: usize = 112;

/// Readers read this much of a file without an index. Smaller files have none. The last
/// entries of others wait in memory until there are enough to write.
pub(super) const UNINDEXED: u64 = 64 * 1024;

/// The place of a line, and the parts of its exchange that searches use most.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Entry {
    pub(super) offset: u64,
    /// The newline included.
    pub(super) length: u32,
    mark: Mark,
}

/// The parts of an exchange that an entry has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Mark {
    /// In microseconds since 1970.
    started_us: i64,
    /// Zero if there is no response.
    status: u16,
    bits: u8,
    id: Id,
    correlation: Id,
}

/// Failures before it were counted and not written.
const SUPPRESSED: u8 = 1;

impl Mark {
    /// Returns `None` if an entry cannot describe the exchange.
    pub(super) fn of(exchange: &Exchange) -> Option<Self> {
        let status = exchange.response.as_ref().map(|response| response.status);
        let suppressed = exchange.losses.suppressed_before > 0;
        let ids = (&*exchange.id, &*exchange.correlation.id);
        Self::new(&exchange.started_at, ids, status, suppressed)
    }

    /// The same for an exchange as a line, without reading all of it into memory. Also
    /// returns `None` if the line is not an exchange.
    pub(super) fn of_line(line: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Line<'a> {
            #[serde(borrow)]
            schema: Cow<'a, str>,
            #[serde(borrow)]
            id: Cow<'a, str>,
            #[serde(borrow)]
            correlation: Correlation<'a>,
            #[serde(borrow)]
            started_at: Cow<'a, str>,
            response: Option<Response>,
            #[serde(default)]
            losses: Losses,
        }
        #[derive(Deserialize)]
        struct Correlation<'a> {
            #[serde(borrow)]
            id: Cow<'a, str>,
        }
        #[derive(Deserialize)]
        struct Response {
            status: u16,
        }
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Losses {
            suppressed_before: u64,
        }

        let line: Line<'_> = serde_json::from_slice(line).ok()?;
        if line.schema != Exchange::SCHEMA {
            return None;
        }
        let status = line.response.map(|response| response.status);
        let suppressed = line.losses.suppressed_before > 0;
        let ids = (&*line.id, &*line.correlation.id);
        Self::new(&line.started_at, ids, status, suppressed)
    }

    fn new(
        started_at: &str,
        (id, correlation): (&str, &str),
        status: Option<u16>,
        suppressed: bool,
    ) -> Option<Self> {
        let started: Timestamp = started_at.parse().ok()?;
        let started_us = started.as_microsecond();
        if started_us < 0 || !id.is_ascii() || !correlation.is_ascii() {
            return None;
        }
        Some(Self {
            started_us,
            status: status.unwrap_or(0),
            bits: if suppressed { SUPPRESSED } else { 0 },
            id: Id::of(id),
            correlation: Id::of(correlation),
        })
    }
}

impl Entry {
    /// In microseconds since 1970.
    pub(crate) fn started_us(&self) -> i64 {
        self.mark.started_us
    }

    pub(crate) fn status(&self) -> Option<u16> {
        (self.mark.status != 0).then_some(self.mark.status)
    }

    /// Whether failures before it were counted and not written.
    pub(crate) fn has_suppressed(&self) -> bool {
        self.mark.bits & SUPPRESSED != 0
    }

    /// Whether one of its IDs may begin with this. Long IDs are not in the entry as a
    /// whole.
    pub(crate) fn may_begin(&self, id: &str) -> bool {
        self.mark.id.may_begin(id) || self.mark.correlation.may_begin(id)
    }

    /// Whether the correlation ID may be this one.
    pub(crate) fn may_be_of(&self, correlation_id: &str) -> bool {
        self.mark.correlation == Id::of(correlation_id)
    }
}

impl Entry {
    /// Whether the entry was made for this exchange.
    pub(super) fn is_of(&self, exchange: &Exchange) -> bool {
        Mark::of(exchange) == Some(self.mark)
    }

    pub(super) fn end(&self) -> u64 {
        self.offset.saturating_add(self.length.into())
    }
}

/// The part of an ID that is kept: all of it up to 39 bytes, else its first 31 and last 8.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Id {
    length: u8,
    text: [u8; ROOM],
}

const ROOM: usize = 39;
const HEAD: usize = 31;
const TAIL: usize = ROOM - HEAD;

/// The length that stands for all greater ones.
const LONG: u8 = 127;

impl Id {
    fn of(id: &str) -> Self {
        let bytes = id.as_bytes();
        let mut text = [0; ROOM];
        if let Some(all) = text.get_mut(..bytes.len()) {
            all.copy_from_slice(bytes);
        } else if let (Some((head, _)), Some((_, tail)), Some((to_head, to_tail))) = (
            bytes.split_first_chunk::<HEAD>(),
            bytes.split_last_chunk::<TAIL>(),
            text.split_first_chunk_mut::<HEAD>(),
        ) {
            *to_head = *head;
            to_tail.copy_from_slice(tail);
        }
        Self {
            length: u8::try_from(bytes.len()).unwrap_or(LONG).min(LONG),
            text,
        }
    }

    fn decode(bytes: &[u8; ROOM + 1]) -> Option<Self> {
        let (length, text) = bytes.split_first()?;
        Some(Self {
            length: *length,
            text: text.try_into().ok()?,
        })
    }

    fn may_begin(&self, id: &str) -> bool {
        let length = usize::from(self.length);
        if id.len() >= length && self.length < LONG {
            return Self::of(id) == *self;
        }
        let known = if length <= ROOM { length } else { HEAD };
        let known = self.text.get(..known.min(id.len())).unwrap_or_default();
        id.as_bytes().starts_with(known)
    }
}

/// Binds entries to their file, and to this version of the format.
pub(super) fn seed(name: &str) -> u64 {
    let name = names::stem(name).unwrap_or(name);
    let mut seed = 0xcbf2_9ce4_8422_2325_u64;
    for byte in b"dashcam.index/1 ".iter().chain(name.as_bytes()) {
        seed = (seed ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    seed
}

/// This does not protect from forgery: whoever can write here can write exchanges.
fn check(bytes: &[u8], seed: u64) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut last = [0; 8];
    last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    words.iter().chain([&last]).fold(seed, |sum, word| {
        let mixed = (sum ^ u64::from_le_bytes(*word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed ^ mixed >> 32
    })
}

/// Writes a number as bytes of seven bits each, so that an index is ASCII. Programs that
/// read all files of the directory as text can continue.
fn push(number: u64, bytes: u32, out: &mut Vec<u8>) {
    let sevens = (0..bytes).map(|n| (number >> (7 * n) & 0x7f) as u8);
    out.extend(sevens);
}

fn number(sevens: &[u8]) -> u64 {
    let sevens = sevens.iter().rev();
    sevens.fold(0, |number, seven| number << 7 | u64::from(seven & 0x7f))
}

fn encode(entry: &Entry, seed: u64, out: &mut Vec<u8>) {
    let Entry {
        offset,
        length,
        mark,
    } = entry;
    let start = out.len();
    push(*offset, 8, out);
    push((*length).into(), 4, out);
    push(mark.status.into(), 2, out);
    push(mark.bits.into(), 1, out);
    push(mark.started_us.unsigned_abs(), 9, out);
    for id in [mark.id, mark.correlation] {
        out.push(id.length);
        out.extend_from_slice(&id.text);
    }
    let sum = check(out.get(start..).unwrap_or_default(), seed);
    push(sum, 8, out);
}

/// Decodes an entry of the file with this seed; `None` if the bytes are not one.
pub(super) fn decode(bytes: &[u8; ENTRY], seed: u64) -> Option<Entry> {
    let (head, sum) = bytes.split_last_chunk::<8>()?;
    if check(head, seed) & SUM != number(sum) || !bytes.is_ascii() {
        return None;
    }
    let (offset, rest) = head.split_first_chunk::<8>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (status, rest) = rest.split_first_chunk::<2>()?;
    let (&[bits], rest) = rest.split_first_chunk()?;
    let (started_us, rest) = rest.split_first_chunk::<9>()?;
    let (id, rest) = rest.split_first_chunk()?;
    let (correlation, _) = rest.split_first_chunk()?;
    Some(Entry {
        offset: number(offset),
        length: number(length).try_into().ok()?,
        mark: Mark {
            started_us: number(started_us).try_into().ok()?,
            status: number(status).try_into().ok()?,
            bits,
            id: Id::decode(id)?,
            correlation: Id::decode(correlation)?,
        },
    })
}

/// The part of a checksum that is written.
const SUM: u64 = (1 << 56) - 1;

/// The part before the checksum.
#[cfg(any(test, fuzzing))]
pub(super) const HEAD_OF_ENTRY: usize = ENTRY - 8;

/// Completes the entry with this head.
#[cfg(any(test, fuzzing))]
pub(super) fn checked(head: &[u8], seed: u64) -> [u8; ENTRY] {
    let mut bytes: Vec<u8> = head.iter().map(|byte| byte & 0x7f).collect();
    push(check(&bytes, seed), 8, &mut bytes);
    let mut entry = [0; ENTRY];
    entry
        .iter_mut()
        .zip(bytes)
        .for_each(|(to, from)| *to = from);
    entry
}

/// The index of a file that is being written.
pub(super) struct IndexWriter {
    /// The name of the index.
    name: String,
    seed: u64,
    /// Entries that wait to be written.
    pending: Vec<u8>,
    target: Option<Box<dyn Target>>,
    /// The end of the entries so far, waiting ones included.
    end: u64,
    count: u64,
    written: u64,
    /// A line could not be described, or the index could not be written: it ends here.
    ended: bool,
}

impl IndexWriter {
    pub(super) fn new(name: &str) -> Self {
        Self::called(names::index(name), name)
    }

    /// Writes the index of the second name under the first name.
    pub(super) fn called(index: String, name: &str) -> Self {
        Self {
            name: index,
            seed: seed(name),
            pending: Vec::new(),
            target: None,
            end: 0,
            count: 0,
            written: 0,
            ended: false,
        }
    }

    /// Adds the next line of the file.
    pub(super) fn add(&mut self, mark: Option<&Mark>, length: usize) {
        let (Some(mark), Ok(length), false) = (mark, u32::try_from(length), self.ended) else {
            self.ended = true;
            return;
        };
        let entry = Entry {
            offset: self.end,
            length,
            mark: *mark,
        };
        self.end = entry.offset + u64::from(length);
        self.count += 1;
        encode(&entry, self.seed, &mut self.pending);
    }

    pub(super) fn is_due(&self) -> bool {
        self.end - self.written >= UNINDEXED
    }

    /// Writes the waiting entries if the file is large enough for an index. A failure costs
    /// the rest of the index, and no exchange.
    pub(super) fn write(&mut self, dir: &Path, storage: &dyn Storage) -> io::Result<()> {
        if self.pending.is_empty() || self.end < UNINDEXED {
            return Ok(());
        }
        let written = self.append(dir, storage);
        self.ended |= written.is_err();
        self.pending.clear();
        self.written = self.end;
        written
    }

    fn append(&mut self, dir: &Path, storage: &dyn Storage) -> io::Result<()> {
        let target = match self.target.take() {
            Some(target) => target,
            None => storage.create(&dir.join(&self.name))?,
        };
        self.target.insert(target).append(&self.pending)
    }

    /// The bytes that were written, and those that wait.
    pub(super) fn size(&self) -> u64 {
        self.count * ENTRY as u64
    }

    /// Whether the file of the index exists.
    pub(super) fn is_begun(&self) -> bool {
        self.target.is_some()
    }

    /// The exchange file was deleted, so the index is deleted, too.
    pub(super) fn remove(self, dir: &Path) {
        if self.target.is_some() {
            let _ = std::fs::remove_file(dir.join(self.name));
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::export::sample::sample;
    use proptest::prelude::*;

    fn entry(id: &str, correlation: &str) -> Entry {
        let mut exchange = sample(id);
        exchange.correlation.id = correlation.into();
        exchange.losses.suppressed_before = 1;
        Entry {
            offset: 5,
            length: 7,
            mark: Mark::of(&exchange).unwrap(),
        }
    }

    pub(in super::super) fn entry_at(id: &str, offset: u64, length: u32) -> Entry {
        let mark = Mark::of(&sample(id)).unwrap();
        Entry {
            offset,
            length,
            mark,
        }
    }

    fn encoded(entry: &Entry, seed: u64) -> [u8; ENTRY] {
        let mut bytes = Vec::new();
        encode(entry, seed, &mut bytes);
        bytes.try_into().unwrap()
    }

    #[test]
    fn an_entry_says_what_the_exchange_does() {
        let entry = entry("e", "c");
        assert_eq!(entry.started_us(), 1_735_787_045_678_901);
        assert_eq!((entry.status(), entry.has_suppressed()), (Some(500), true));
        assert_eq!(entry.end(), 12);
        let mut odd = sample("e");
        odd.started_at = "yesterday".into();
        assert!(Mark::of(&odd).is_none());
        assert!(Mark::of(&sample("é")).is_none());
        let large = Entry {
            offset: (1 << 56) - 1,
            length: (1 << 28) - 1,
            ..entry
        };
        let bytes = encoded(&large, 9);
        assert!(bytes.is_ascii());
        assert_eq!(decode(&bytes, 9), Some(large));
    }

    /// An entry made from a line is that made from its exchange.
    #[test]
    fn a_line_says_what_its_exchange_does() {
        let mut exchange = sample("e\u{1}\"");
        for _ in 0..2 {
            let line = serde_json::to_vec(&exchange).unwrap();
            assert!(Mark::of_line(&line).is_some());
            assert_eq!(Mark::of_line(&line), Mark::of(&exchange));
            assert_eq!(Mark::of_line(&line[1..]), None);
            exchange.response = None;
            exchange.losses.suppressed_before = 3;
        }
        exchange.schema = "another".into();
        let line = serde_json::to_vec(&exchange).unwrap();
        assert_eq!(Mark::of_line(&line), None);
    }

    #[test]
    fn of_another_file_it_is_none() {
        let name = "exchanges-20250102T030405.678Z-1-000000.jsonl";
        let (own, gz) = (seed(name), seed(&names::compressed(name)));
        assert_eq!(own, gz, "compression changes no line");
        let other = seed(&name.replace("-1-", "-2-"));
        let entry = entry("e", "c");
        let bytes = encoded(&entry, own);
        assert_eq!(decode(&bytes, own), Some(entry));
        assert_eq!(decode(&bytes, other), None);
    }

    #[test]
    fn ids_and_their_beginnings() {
        let long = "0123456789012345678901234567890123456789";
        let entry = entry("01a20747-b884-7738-88ce-62ae1b34f1da", &long.repeat(3));
        for (id, may) in [
            ("01a20747", true),
            ("01a20747-b884-7738-88ce-62ae1b34f1da", true),
            ("01a20747-b884-7738-88ce-62ae1b34f1db", false),
            ("01a20747-b884-7738-88ce-62ae1b34f1da0", false),
            ("01b", false),
            (&long[..31], true),
            (long, true),
            (&long.repeat(3), true),
            (&format!("{long}{}{}", "x".repeat(72), &long[32..]), true),
            (&(long.repeat(2) + &"x".repeat(40)), false),
            (&long.repeat(4), false),
        ] {
            assert_eq!(entry.may_begin(id), may, "{id}");
        }
        assert!(entry.may_be_of(&long.repeat(3)) && !entry.may_be_of(long));
    }

    proptest! {
        /// A search for an ID finds the exchange by its entry.
        #[test]
        fn nothing_is_missed(id in "[a-c.]{0,60}", correlation in "[ -~]{0,300}", cut: usize) {
            let entry = entry(&id, &correlation);
            for id in [&id, &correlation] {
                let cut = (0..=cut % (id.len() + 1)).rev().find(|at| id.is_char_boundary(*at));
                prop_assert!(entry.may_begin(&id[..cut.unwrap()]));
                prop_assert!(entry.may_begin(id));
            }
            prop_assert!(entry.may_be_of(&correlation));
            prop_assert_eq!(decode(&encoded(&entry, 9), 9), Some(entry));
        }

        /// One changed bit invalidates an entry.
        #[test]
        fn what_is_broken_is_none(at in 0..ENTRY * 8) {
            let mut bytes = encoded(&entry("e", "c"), 9);
            bytes[at / 8] ^= 1 << (at % 8);
            prop_assert_eq!(decode(&bytes, 9), None);
        }

        #[test]
        fn any_bytes_are_read(bytes in proptest::array::uniform32(any::<u8>()), seed: u64) {
            let mut entry = [0; ENTRY];
            entry[..32].copy_from_slice(&bytes);
            prop_assert_eq!(decode(&entry, seed), None);
        }
    }
}
