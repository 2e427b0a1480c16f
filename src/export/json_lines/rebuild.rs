//! Rebuilds indexes that are missing, torn, or of another file.
//!
//! The work is done in turns while the exporter is idle. Each turn reads a bounded part of
//! a file, or of an index. The new index is in a hidden file until it is complete.

use super::{
    MAX_LINE,
    entries::Entries,
    index::{IndexWriter, Mark, UNINDEXED},
    names,
    reader::BUFFER,
    split::Splitter,
    storage::Storage,
};
use crate::plain_file;
use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Take},
    path::{Path, PathBuf},
    time::SystemTime,
};

/// The bytes that a turn reads, without the rest of a line.
const TURN: u64 = 256 * 1024;

/// The entries that a turn reads.
const ENTRIES: usize = 2048;

/// Turns between two ticks: 8 MiB a second.
const TURNS: u32 = 32;

/// The state of the work.
pub(super) struct Rebuild {
    /// Files that changed after this time have a writer.
    began: SystemTime,
    /// Turns left until the next tick.
    turns: u32,
    /// Files that were not examined yet, oldest first; `None` until they are listed.
    left: Option<Vec<String>>,
    /// The bytes that indexes may take. No exchange is deleted for them.
    room: u64,
    /// There was no room, or writing failed. The work continues when there is room for a
    /// new file.
    waits: bool,
    work: Option<Work>,
}

/// A file that is being examined.
enum Work {
    Check(Box<Asked>, Option<Box<Entries>>),
    Build(Box<Asked>, Box<Build>),
}

struct Asked {
    name: String,
    path: PathBuf,
    file: File,
    size: u64,
    changed: SystemTime,
    /// The existing index.
    index: Option<(u64, Option<SystemTime>)>,
}

impl Rebuild {
    pub(super) fn new(began: SystemTime) -> Self {
        Self {
            began,
            turns: TURNS,
            left: None,
            room: 0,
            waits: false,
            work: None,
        }
    }

    pub(super) fn tick(&mut self) {
        self.turns = TURNS;
    }

    /// Whether it needs [`start`](Self::start).
    pub(super) fn is_unlisted(&self) -> bool {
        self.left.is_none()
    }

    /// Starts with these files, and this room for indexes.
    pub(super) fn start(&mut self, (left, room): (Vec<String>, u64)) {
        self.left = Some(left);
        self.room = room;
    }

    pub(super) fn room_was_made(&mut self) {
        if std::mem::take(&mut self.waits) {
            self.left = None;
        }
    }

    /// Does one turn; returns whether there is more to do.
    pub(super) fn turn(&mut self, dir: &Path, storage: &dyn Storage) -> bool {
        if self.turns == 0 {
            return false;
        }
        let work = match self.work.take() {
            Some(work) => Some(work),
            None => match self.left.as_mut().and_then(Vec::pop) {
                Some(name) => self.look(dir, name),
                None => {
                    self.left = Some(Vec::new());
                    return false;
                }
            },
        };
        self.turns -= 1;
        let next = match work {
            Some(Work::Check(asked, entries)) => Ok(check(asked, entries)),
            Some(Work::Build(asked, build)) => self.build(dir, asked, build, storage),
            None => Ok(None),
        };
        match next {
            Ok(work) => self.work = work,
            Err(_) => {
                self.left = Some(Vec::new());
                self.waits = true;
            }
        }
        self.turns > 0
    }

    /// Opens a file that has no writer and is large enough.
    fn look(&self, dir: &Path, name: String) -> Option<Work> {
        let path = dir.join(&name);
        // A link is not followed.
        let (size, changed) = version(&path)?;
        if size <= UNINDEXED || changed >= self.began {
            return None;
        }
        let (file, _) = plain_file::open(&path).ok()?;
        let entries = Entries::open(&path, &name);
        let asked = Box::new(Asked {
            index: entries.as_ref().map(Entries::version),
            name,
            path,
            file,
            size,
            changed,
        });
        Some(Work::Check(asked, entries.map(Box::new)))
    }

    fn build(
        &mut self,
        dir: &Path,
        asked: Box<Asked>,
        mut build: Box<Build>,
        storage: &dyn Storage,
    ) -> io::Result<Option<Work>> {
        let ended = build.turn(dir, storage)?;
        let size = build.index.size();
        let replaced = asked.index.map_or(0, |(size, _)| size);
        if size > self.room.saturating_add(replaced) {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        if !ended {
            return Ok(Some(Work::Build(asked, build)));
        }
        let index = asked.path.with_file_name(names::index(&asked.name));
        let now = Entries::open(&asked.path, &asked.name).map(|now| now.version());
        // If the file or its index changed meanwhile, that is newer.
        let same = version(&asked.path) == Some((asked.size, asked.changed)) && now == asked.index;
        if build.index.is_begun() && same {
            fs::rename(&build.part.0, index)?;
            self.room = self.room.saturating_add(replaced).saturating_sub(size);
        }
        Ok(None)
    }
}

/// The size of a regular file, and when it changed.
fn version(path: &Path) -> Option<(u64, SystemTime)> {
    let meta = fs::symlink_metadata(path).ok()?;
    let changed = meta.modified().ok().filter(|_| meta.is_file())?;
    Some((meta.len(), changed))
}

/// Reads on in the index, and decides whether it is complete.
fn check(mut asked: Box<Asked>, mut entries: Option<Box<Entries>>) -> Option<Work> {
    if let Some(entries_left) = &mut entries
        && entries_left.by_ref().take(ENTRIES).count() == ENTRIES
    {
        return Some(Work::Check(asked, entries));
    }
    let end = entries.as_ref().map_or(0, |entries| entries.end());
    let good = match &entries {
        Some(entries) => entries.is_whole() && entries.is_of(&mut asked.file).ok()?,
        None => true,
    };
    if good {
        // The process was killed, or has not written its last entries yet.
        if asked.size.saturating_sub(end) <= UNINDEXED {
            return None;
        }
        // An index ends at a line that an entry cannot describe.
        let mut rest = lines(&asked.file, end, asked.size).ok()?;
        describe(&mut rest)?;
    }
    let part = names::index_part(&asked.name);
    let build = Build {
        part: Part(asked.path.with_file_name(&part)),
        index: IndexWriter::called(part, &asked.name),
        lines: lines(&asked.file, 0, asked.size).ok()?,
    };
    Some(Work::Build(asked, Box::new(build)))
}

type Lines = Splitter<BufReader<Take<File>>>;

fn lines(file: &File, from: u64, size: u64) -> io::Result<Lines> {
    let mut file = file.try_clone()?;
    file.seek(SeekFrom::Start(from))?;
    let rest = file.take(size.saturating_sub(from));
    let rest = BufReader::with_capacity(BUFFER, rest);
    Ok(Splitter::new(rest, MAX_LINE))
}

/// The entry of the next line, and the length of the line; `None` if it has no exchange
/// that an entry can describe.
fn describe<R: BufRead>(lines: &mut Splitter<R>) -> Option<(Mark, usize)> {
    let (_, start) = lines.position();
    let line = lines.next().ok()?.filter(|line| line.ended)?;
    let (mark, length) = (Mark::of_line(line.text)?, line.text.len() + 1);
    // A byte order mark is not part of the text.
    let (_, end) = lines.position();
    (end - start == length as u64).then_some((mark, length))
}

/// An index that is being made.
struct Build {
    /// The path of its hidden file.
    part: Part,
    index: IndexWriter,
    lines: Lines,
}

impl Build {
    /// Adds entries for some more lines; returns whether it is complete.
    fn turn(&mut self, dir: &Path, storage: &dyn Storage) -> io::Result<bool> {
        let (_, start) = self.lines.position();
        loop {
            let Some((mark, length)) = describe(&mut self.lines) else {
                self.index.write(dir, storage)?;
                return Ok(true);
            };
            self.index.add(Some(&mark), length);
            if self.index.is_due() {
                self.index.write(dir, storage)?;
            }
            let (_, end) = self.lines.position();
            if end - start >= TURN {
                return Ok(false);
            }
        }
    }
}

/// A file that is deleted with the value, unless it was renamed.
struct Part(PathBuf);

impl Drop for Part {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
