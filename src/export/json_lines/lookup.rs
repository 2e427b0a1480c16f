//! Reads the exchanges of files that a search looks for: by the index if it is valid, else
//! line by line.

use super::{
    entries::{Entries, read_at},
    index::{Entry, UNINDEXED},
    names,
    reader::{BUFFER, MAX_LINE, files, is_compressed, open, parse},
    split::Splitter,
    torn::{Reason, Torn},
};
use crate::{exchange::Exchange, plain_file};
use std::{
    collections::HashSet,
    ffi::OsStr,
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom},
    ops::ControlFlow,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

/// The clock of a writer may have been set back by this much.
const SLACK: Duration = Duration::from_secs(60);

/// A search for some of the exchanges of a file.
pub(crate) trait Wanted {
    /// Whether it rejects some exchanges, so that an index helps.
    fn is_choosy(&self) -> bool;

    /// The time before which no exchange matches, in microseconds since 1970. It may
    /// increase while the search reads.
    fn not_before(&self) -> Option<i64>;

    /// Whether the exchange of an entry may match. This is called again just before the
    /// exchange is read.
    fn may(&mut self, entry: &Entry) -> bool;

    /// Whether the exchange in this line may match.
    fn may_line(&mut self, _line: &[u8]) -> bool {
        true
    }

    /// Receives an exchange, which may not match. Those of one file that the index leads to
    /// come newest first.
    fn take(&mut self, exchange: Exchange, offset: u64) -> ControlFlow<()>;

    /// Receives a place that holds no exchange.
    fn torn(&mut self, torn: Torn);
}

/// The exchange files in a directory, oldest first.
///
/// # Errors
///
/// The directory cannot be listed.
pub(crate) fn paths(dir: &Path) -> io::Result<Vec<PathBuf>> {
    files(dir)
}

/// Passes to `wanted` what may match in one file; nothing if the file was deleted.
///
/// # Errors
///
/// The file cannot be opened.
pub(crate) fn look(path: &Path, wanted: &mut dyn Wanted) -> io::Result<ControlFlow<()>> {
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    match look_at(path, name, wanted) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && !is_compressed(path) => {
            // The file was compressed after it was listed.
            let name = names::compressed(name);
            look_at(&path.with_file_name(&name), &name, wanted)
        }
        result => result,
    }
}

fn look_at(path: &Path, name: &str, wanted: &mut dyn Wanted) -> io::Result<ControlFlow<()>> {
    let (mut file, size) = plain_file::open(path)?;
    let changed = file.metadata()?.modified().ok();
    if is_older(changed, wanted.not_before()) {
        return Ok(ControlFlow::Continue(()));
    }
    let mut lines = Lines {
        path,
        taken: HashSet::new(),
        flow: ControlFlow::Continue(()),
    };
    let mut index = (wanted.is_choosy() && (size > UNINDEXED || is_compressed(path)))
        .then(|| Entries::open(path, name))
        .flatten();
    let mut found: Vec<Entry> = Vec::new();
    if let Some(entries) = &mut index {
        found.extend(entries.filter(|entry| wanted.may(entry)));
    }
    if is_compressed(path) {
        let nothing = index.is_some_and(|index| {
            found.is_empty()
                && unpacked_size(&mut file, size) == Some(index.end() % (1 << 32))
                && !index.is_before(changed)
        });
        if !nothing {
            lines.all(open(path)?, (0, 0), wanted)?;
        }
        return Ok(lines.flow);
    }
    let mut from = (0, 0);
    if let Some(index) = index {
        found.sort_by_key(|entry| std::cmp::Reverse(entry.started_us()));
        if index.is_of(&mut file)? && lines.found(&mut file, &found, wanted)? {
            from = (index.end(), index.lines());
        }
    }
    if lines.flow.is_continue() {
        let size = file.metadata()?.len();
        file.seek(SeekFrom::Start(from.0))?;
        let rest = file.take(size.saturating_sub(from.0));
        lines.all(BufReader::with_capacity(BUFFER, rest), from, wanted)?;
    }
    Ok(lines.flow)
}

/// Whether a file was last written before that time.
fn is_older(changed: Option<SystemTime>, not_before: Option<i64>) -> bool {
    let changed = changed.and_then(|at| {
        at.checked_add(SLACK)?
            .duration_since(SystemTime::UNIX_EPOCH)
            .ok()
    });
    match (changed, not_before) {
        (Some(changed), Some(not_before)) => i128::try_from(changed.as_micros())
            .is_ok_and(|changed| changed < i128::from(not_before)),
        _ => false,
    }
}

/// The size that gzip has at the end of a file, modulo 2³².
fn unpacked_size(file: &mut File, size: u64) -> Option<u64> {
    let mut end = [0; 4];
    file.seek(SeekFrom::Start(size.checked_sub(4)?)).ok()?;
    file.read_exact(&mut end).ok()?;
    Some(u32::from_le_bytes(end).into())
}

/// Reads lines of one file.
struct Lines<'p> {
    path: &'p Path,
    /// The offsets of the lines that the index led to, so that none comes twice.
    taken: HashSet<u64>,
    flow: ControlFlow<()>,
}

impl Lines<'_> {
    /// Passes on the lines that the index leads to; `false` if the file does not have one.
    fn found(
        &mut self,
        file: &mut File,
        found: &[Entry],
        wanted: &mut dyn Wanted,
    ) -> io::Result<bool> {
        for entry in found {
            if !wanted.may(entry) {
                continue;
            }
            let Some(exchange) = read_at(file, entry) else {
                return Ok(false);
            };
            self.taken.insert(entry.offset);
            self.flow = wanted.take(exchange, entry.offset);
            if self.flow.is_break() {
                break;
            }
        }
        Ok(true)
    }

    /// Passes on the lines from here on: an offset, and the number of lines before.
    fn all(
        &mut self,
        input: impl BufRead,
        (start, before): (u64, u64),
        wanted: &mut dyn Wanted,
    ) -> io::Result<()> {
        let mut splitter = Splitter::new(input, MAX_LINE);
        loop {
            let (number, offset) = splitter.position();
            let (number, offset) = (before + number, start + offset);
            let parsed = match splitter.next() {
                Ok(None) => return Ok(()),
                Err(error) => {
                    let reason = Reason::of(&error);
                    wanted.torn(Torn::new(self.path, number, offset, reason));
                    return Ok(());
                }
                Ok(Some(line)) if line.too_long => Err(Reason::TooLong),
                Ok(Some(line)) if line.text.trim_ascii().is_empty() => continue,
                Ok(Some(_)) if self.taken.contains(&offset) => continue,
                // A line that was cut is always reported.
                Ok(Some(line)) if line.ended && !wanted.may_line(line.text) => continue,
                Ok(Some(line)) => parse(line.text, line.ended),
            };
            match parsed {
                Ok(exchange) => self.flow = wanted.take(exchange, offset),
                Err(reason) => wanted.torn(Torn::new(self.path, number, offset, reason)),
            }
            if self.flow.is_break() {
                return Ok(());
            }
        }
    }
}

/// Reads intact entries of any content against any file: what they lead to is a whole line
/// of it.
#[cfg(any(test, fuzzing))]
pub(crate) fn any_index(file: &[u8], entries: &[u8]) {
    for head in entries.chunks_exact(super::index::HEAD_OF_ENTRY) {
        let entry = super::index::checked(head, 7);
        let Some(entry) = super::index::decode(&entry, 7) else {
            panic!("what was written cannot be read");
        };
        let _ = (entry.end(), entry.status(), entry.has_suppressed());
        let _ = entry.may_begin("01a") || entry.may_be_of("01a");
        if let Some(exchange) = read_at(&mut io::Cursor::new(file), &entry) {
            let mut lines = file.split(|byte| *byte == b'\n');
            assert!(lines.any(|line| parse(line, true).as_ref() == Ok(&exchange)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::{json_lines::index::tests::entry_at, sample::sample};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_index_makes_up_an_exchange(
            file in proptest::collection::vec(any::<u8>(), 0..300),
            entries in proptest::collection::vec(any::<u8>(), 0..500),
        ) {
            any_index(&file, &entries);
        }

        /// An entry leads only to its line, whatever offset and length it has.
        #[test]
        fn an_entry_leads_to_its_line(
            offset_by in -3_i64..4, length_by in -3_i64..4, other in 0..2,
        ) {
            let line = |id: &str| serde_json::to_string(&sample(id)).unwrap() + "\n";
            let (first, second) = (line("a"), line("b"));
            let file = format!("{first}{second}{first}");
            let offset = first.len() as i64 + offset_by;
            let length = second.len() as i64 + length_by;
            let id = if other == 0 { "b" } else { "a" };
            let entry = entry_at(id, offset as u64, length as u32);
            let found = read_at(&mut io::Cursor::new(file.as_bytes()), &entry);
            let right = offset_by == 0 && length_by == 0 && id == "b";
            prop_assert_eq!(found.is_some(), right);
        }
    }
}
