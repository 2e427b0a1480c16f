//! Reads an index, and the lines that its entries refer to.

use super::{
    index::{ENTRY, Entry, decode, seed},
    names,
    reader::{BUFFER, MAX_LINE, parse},
};
use crate::{exchange::Exchange, plain_file};
use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom, Take},
    path::Path,
    time::SystemTime,
};

/// The entries of an index, up to the first that does not follow the one before.
pub(super) struct Entries {
    input: BufReader<Take<File>>,
    seed: u64,
    size: u64,
    changed: Option<SystemTime>,
    last: Option<Entry>,
    count: u64,
    torn: bool,
}

impl Entries {
    /// Opens the index of this file; `None` if it has none.
    pub(super) fn open(path: &Path, name: &str) -> Option<Self> {
        let (file, size) = plain_file::open(&path.with_file_name(names::index(name))).ok()?;
        let changed = file.metadata().and_then(|meta| meta.modified()).ok();
        Some(Self {
            input: BufReader::with_capacity(BUFFER, file.take(size)),
            seed: seed(name),
            size,
            changed,
            last: None,
            count: 0,
            torn: false,
        })
    }

    /// The end of the part of the file that the entries so far cover.
    pub(super) fn end(&self) -> u64 {
        self.last.as_ref().map_or(0, Entry::end)
    }

    pub(super) fn lines(&self) -> u64 {
        self.count
    }

    /// The size of the index, and the time at which it was written.
    pub(super) fn version(&self) -> (u64, Option<SystemTime>) {
        (self.size, self.changed)
    }

    /// Whether all entries were read and are valid.
    pub(super) fn is_whole(&self) -> bool {
        !self.torn && self.count.saturating_mul(ENTRY as u64) == self.size
    }

    /// Whether the index was written before this time of its file.
    pub(super) fn is_before(&self, file: Option<SystemTime>) -> bool {
        matches!((file, self.changed), (Some(file), Some(index)) if file > index)
    }

    /// Whether the entries were made for this file, as far as its size, its times and the
    /// place of the last entry show.
    pub(super) fn is_of(&self, file: &mut File) -> io::Result<bool> {
        let meta = file.metadata()?;
        // Lines that were appended later do not matter.
        let changed = meta.len() == self.end() && self.is_before(meta.modified().ok());
        let last = self.last.as_ref();
        Ok(meta.len() >= self.end()
            && !changed
            && last.is_some_and(|last| read_at(file, last).is_some()))
    }
}

impl Iterator for Entries {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        let mut bytes = [0; ENTRY];
        if self.torn || self.input.read_exact(&mut bytes).is_err() {
            return None;
        }
        let end = self.end();
        let entry = decode(&bytes, self.seed).filter(|entry| entry.offset == end);
        self.torn = entry.is_none();
        if entry.is_some() {
            self.count += 1;
            self.last = entry;
        }
        entry
    }
}

/// The exchange of an entry; `None` if the file has something else at that place.
pub(super) fn read_at(file: &mut (impl Read + Seek), entry: &Entry) -> Option<Exchange> {
    let length = usize::try_from(entry.length).ok()?;
    if !(2..=MAX_LINE + 1).contains(&length) {
        return None;
    }
    // Includes the end of the line before.
    let before = usize::from(entry.offset > 0);
    let mut bytes = vec![0; length + before];
    file.seek(SeekFrom::Start(entry.offset - u64::from(entry.offset > 0)))
        .ok()?;
    file.read_exact(&mut bytes).ok()?;
    let (line, end) = bytes.split_last_chunk::<1>()?;
    let (start, line) = line.split_at_checked(before)?;
    if end != b"\n" || start.iter().any(|byte| *byte != b'\n') {
        return None;
    }
    let one = memchr::memchr(b'\n', line).is_none();
    let exchange = parse(line, true).ok().filter(|_| one)?;
    entry.is_of(&exchange).then_some(exchange)
}
