use super::{
    index::UNINDEXED,
    names,
    stats::{Counters, add},
};
use crate::plain_file;
use std::{
    collections::{HashMap, HashSet},
    fs,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
    time::{Duration, SystemTime},
};

/// A file of another writer that changed within this time may still be written.
const IN_USE: Duration = Duration::from_secs(60);

/// More files than this are not kept, however small: every new file lists the
/// directory.
const MAX_FILES: usize = 10_000;

/// So many files of others may be in the way without a meaning. Where there are more,
/// it is the directory in which nothing can be deleted.
const MAX_STUCK: usize = 16;

/// Keeps the files of a directory within a total size.
#[derive(Debug)]
pub(super) struct Retention {
    max_total: u64,
    /// Files that changed last so long ago go.
    max_age: Option<Duration>,
    /// Names of the files this writer made and that may still be there. It
    /// makes room only while it writes none, so all of them are closed.
    own: HashSet<String>,
    /// The first of the files that could not be deleted, and do not count, and why.
    stuck: Option<String>,
    /// Deletes a file; tests put one here that fails.
    remove: fn(&Path) -> io::Result<()>,
}

struct Found {
    name: String,
    /// Those of its index included.
    bytes: u64,
    in_use: bool,
    /// Since it changed last.
    age: Duration,
}

impl Retention {
    pub(super) fn new(max_total: u64, max_age: Option<Duration>) -> Self {
        Self {
            max_total,
            max_age,
            own: HashSet::new(),
            stuck: None,
            remove: |path| fs::remove_file(path),
        }
    }

    /// The first of the files that could not be deleted, and do not count, and why.
    pub(super) fn stuck(&self) -> Option<&str> {
        self.stuck.as_deref()
    }

    pub(super) fn max_total(&self) -> u64 {
        self.max_total
    }

    pub(super) fn made(&mut self, name: String) {
        self.own.insert(name);
    }

    pub(super) fn max_age(&self) -> Option<Duration> {
        self.max_age
    }

    /// Deletes what is too old, but for the file that is being written.
    pub(super) fn expire(
        &mut self,
        dir: &Path,
        current: Option<&str>,
        counters: &Counters,
    ) -> io::Result<()> {
        if self.max_age.is_none() {
            return Ok(());
        }
        let files = match self.list(dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            files => files?,
        };
        let mut result = Ok(());
        for file in files {
            if current != Some(&*file.name) && self.is_old(&file) {
                // One that stays must not keep the others.
                result = result.and(self.remove(dir, &file.name, counters));
            }
        }
        result
    }

    fn is_old(&self, file: &Found) -> bool {
        self.max_age.is_some_and(|max| file.age > max)
    }

    /// Deletes the oldest files until `needed` more bytes fit. Files that
    /// another writer may be writing go last.
    pub(super) fn make_room(
        &mut self,
        dir: &Path,
        needed: u64,
        counters: &Counters,
    ) -> io::Result<()> {
        let mut files = self.list(dir)?;
        let mut total = files.iter().map(|file| file.bytes).sum::<u64>();
        let mut failure = None;
        let mut stuck = Vec::new();
        for spare_in_use in [true, false] {
            let mut left = Vec::new();
            let mut count = files.len();
            for file in files {
                let fits = total.saturating_add(needed) <= self.max_total && count < MAX_FILES;
                let stays = fits || (spare_in_use && file.in_use);
                if stays && !self.is_old(&file) {
                    left.push(file);
                    continue;
                }
                if let Err(error) = self.remove(dir, &file.name, counters) {
                    if self.own.contains(&file.name) || stuck.len() == MAX_STUCK {
                        failure.get_or_insert(error);
                        left.push(file);
                        continue;
                    }
                    stuck.push(error.to_string());
                }
                self.own.remove(&file.name);
                total -= file.bytes;
                count -= 1;
            }
            files = left;
        }
        let more = stuck.len().saturating_sub(1);
        self.stuck = stuck.into_iter().next().map(|first| match more {
            0 => first,
            _ => format!("{first}; {more} more"),
        });
        match failure {
            Some(error) if total > 0 && total.saturating_add(needed) > self.max_total => Err(error),
            _ => Ok(()),
        }
    }

    /// The files that may have an index, oldest first, and how much more all files may
    /// take beside `needed` bytes.
    pub(super) fn indexable(&mut self, dir: &Path, needed: u64) -> io::Result<(Vec<String>, u64)> {
        let mut files = self.list(dir)?;
        let taken = files.iter().map(|file| file.bytes);
        let taken = taken.fold(needed, u64::saturating_add);
        files.retain(|file| file.bytes > UNINDEXED && names::uncompressed(&file.name).is_none());
        let names = files.into_iter().map(|file| file.name);
        Ok((names.collect(), self.max_total.saturating_sub(taken)))
    }

    fn remove(&self, dir: &Path, name: &str, counters: &Counters) -> io::Result<()> {
        match (self.remove)(&dir.join(name)) {
            Ok(()) => add(&counters.deleted_files, 1),
            // Another process was faster.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(named(name, &error)),
        }
        let _ = fs::remove_file(dir.join(names::index(name)));
        Ok(())
    }

    /// The files of all writers, oldest first.
    fn list(&mut self, dir: &Path) -> io::Result<Vec<Found>> {
        let now = SystemTime::now();
        let mut files = Vec::new();
        let mut indexes = HashMap::new();
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            let (is_part, is_index) = (names::is_part(&name), names::is_index(&name));
            if !is_part && !is_index && !names::is_ours(&name) {
                continue;
            }
            let meta = match entry.metadata() {
                Ok(meta) => meta,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(named(&name, &error)),
            };
            if !meta.is_file() {
                continue;
            }
            // A time in the future counts as now.
            let changed = meta.modified().unwrap_or(now);
            let age = now.duration_since(changed).unwrap_or_default();
            let recent = age < IN_USE;
            if is_part {
                // Its process ended while it wrote that.
                if !recent {
                    let _ = fs::remove_file(entry.path());
                }
                continue;
            }
            if is_index {
                indexes.insert(name, (meta.len(), recent));
                continue;
            }
            files.push(Found {
                bytes: meta.len(),
                in_use: recent && !self.own.contains(&name),
                name,
                age,
            });
        }
        files.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        remove_doubles(dir, &mut files);
        for file in &mut files {
            if let Some((bytes, _)) = indexes.remove(&names::index(&file.name)) {
                file.bytes = file.bytes.saturating_add(bytes);
            }
        }
        for (index, (_, recent)) in indexes {
            // Somebody else deleted its file; or began it just now.
            if !recent {
                let _ = fs::remove_file(dir.join(index));
            }
        }
        self.own
            .retain(|own| files.binary_search_by(|file| file.name.cmp(own)).is_ok());
        Ok(files)
    }
}

/// Where a process ended after it had compressed a file and before it deleted the
/// original, both are there: the compressed one is complete. Where it is not, as
/// somebody else put it there or cut it, the original stays.
fn remove_doubles(dir: &Path, files: &mut Vec<Found>) {
    let compressed: HashSet<_> = files
        .iter()
        .filter_map(|file| names::uncompressed(&file.name))
        .map(str::to_owned)
        .collect();
    files.retain(|file| {
        let double = compressed.contains(&file.name)
            && unpacks_to(&dir.join(names::compressed(&file.name)), file.bytes);
        !(double && fs::remove_file(dir.join(&file.name)).is_ok())
    });
}

/// The error, with the name of the file that it is about.
fn named(name: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{name}: {error}"))
}

/// Whether gzip says at the end of a file that so many bytes are in it, modulo 2³².
fn unpacks_to(compressed: &Path, bytes: u64) -> bool {
    let mut end = [0; 4];
    let read = plain_file::open(compressed).and_then(|(mut file, _)| {
        file.seek(SeekFrom::End(-4))?;
        file.read_exact(&mut end)
    });
    read.is_ok() && u64::from(u32::from_le_bytes(end)) == bytes % (1 << 32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::json_lines::tests::TempDir;
    use std::sync::atomic::Ordering;

    fn file(dir: &TempDir, day: u8, bytes: usize, age_secs: u64) -> String {
        let name = format!("exchanges-202501{day:02}T000000.000Z-1-000000.jsonl");
        let path = dir.path().join(&name);
        fs::write(&path, vec![b'x'; bytes]).unwrap();
        let file = fs::File::options().append(true).open(path).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(age_secs))
            .unwrap();
        name
    }

    fn left(dir: &TempDir) -> Vec<String> {
        let entries = fs::read_dir(dir.path()).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn oldest_first_and_nothing_else() {
        let dir = TempDir::new();
        fs::write(dir.path().join("notes.jsonl"), [0; 500]).unwrap();
        let files: Vec<_> = (1..=4).map(|day| file(&dir, day, 100, 3600)).collect();
        let counters = Counters::default();
        Retention::new(300, None)
            .make_room(dir.path(), 100, &counters)
            .unwrap();
        assert_eq!(left(&dir), [&files[2], &files[3], "notes.jsonl"]);
        assert_eq!(counters.deleted_files.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn one_that_stays_is_named_and_stops_nothing() {
        let dir = TempDir::new();
        let files: Vec<_> = (1..=3).map(|day| file(&dir, day, 100, 3600)).collect();
        let stuck = file(&dir, 9, 1000, 3600);
        let counters = Counters::default();
        let mut retention = Retention::new(300, None);
        retention.remove = |path| match path.to_str() {
            Some(path) if path.contains("-20250109T") => Err(io::Error::other("not that one")),
            _ => fs::remove_file(path),
        };
        retention.make_room(dir.path(), 100, &counters).unwrap();
        let why = retention.stuck().unwrap();
        assert!(
            why.starts_with(&stuck) && why.contains("not that one"),
            "{why}"
        );
        // It is the size of the others that counts.
        retention.remove = |_| Err(io::Error::other("none"));
        let own = file(&dir, 4, 300, 0);
        retention.made(own.clone());
        let error = retention.make_room(dir.path(), 100, &counters).unwrap_err();
        assert!(error.to_string().contains(&own), "{error}");
        assert!(left(&dir).contains(&stuck) && !left(&dir).contains(&files[0]));
    }

    #[test]
    fn where_nothing_can_be_deleted_nothing_is_written() {
        let dir = TempDir::new();
        for day in 1..=18 {
            file(&dir, day, 100, 3600);
        }
        let mut retention = Retention::new(150, None);
        retention.remove = |_| Err(io::Error::other("none"));
        let counters = Counters::default();
        let error = retention.make_room(dir.path(), 100, &counters).unwrap_err();
        assert!(error.to_string().contains("exchanges-202501"), "{error}");
    }

    #[test]
    fn files_in_use_go_last() {
        let dir = TempDir::new();
        let live = file(&dir, 1, 100, 0);
        let own = file(&dir, 2, 100, 0);
        let old = file(&dir, 3, 100, 3600);
        let mut retention = Retention::new(300, None);
        retention.made(own.clone());
        let counters = Counters::default();
        retention.make_room(dir.path(), 100, &counters).unwrap();
        assert_eq!(left(&dir), [live.as_str(), old.as_str()]);
        retention.make_room(dir.path(), 200, &counters).unwrap();
        assert_eq!(left(&dir), [live]);
        retention.make_room(dir.path(), 201, &counters).unwrap();
        assert!(left(&dir).is_empty());
        assert!(retention.own.is_empty());
    }

    #[test]
    fn what_is_too_old_goes() {
        let dir = TempDir::new();
        file(&dir, 1, 100, 3601);
        let written = file(&dir, 2, 100, 3601);
        let young = file(&dir, 3, 100, 3500);
        let counters = Counters::default();
        let mut retention = Retention::new(u64::MAX, Some(Duration::from_secs(3600)));
        retention
            .expire(dir.path(), Some(&written), &counters)
            .unwrap();
        assert_eq!(left(&dir), [written.as_str(), &young]);
        // While none is written, and where there is room.
        retention.make_room(dir.path(), 1, &counters).unwrap();
        assert_eq!(left(&dir), [young]);
        assert_eq!(counters.deleted_files.load(Ordering::Relaxed), 2);
        fs::remove_dir_all(dir.path()).unwrap();
        assert!(retention.expire(dir.path(), None, &counters).is_ok());
    }

    #[test]
    fn what_a_crash_left_of_a_compression_goes() {
        let dir = TempDir::new();
        let plain = file(&dir, 1, 100, 0);
        let gz = names::compressed(&plain);
        fs::write(dir.path().join(&gz), [0, 0, 100, 0, 0, 0]).unwrap();
        let broken = file(&dir, 3, 100, 0);
        let cut = names::compressed(&broken);
        fs::write(dir.path().join(&cut), [0; 10]).unwrap();
        let other = file(&dir, 2, 100, 0);
        for name in [names::part(&other), names::part("x")] {
            fs::write(dir.path().join(name), [0; 10]).unwrap();
        }
        let stale = dir
            .path()
            .join(names::part("exchanges-20250109T000000.000Z-1-000000.jsonl"));
        fs::write(&stale, [0; 10]).unwrap();
        let stale = fs::File::options().append(true).open(stale).unwrap();
        stale
            .set_modified(SystemTime::now() - Duration::from_secs(3600))
            .unwrap();
        let mut retention = Retention::new(1000, None);
        retention
            .make_room(dir.path(), 10, &Counters::default())
            .unwrap();
        // What is not known, and what may be under way, stays.
        let (unknown, under_way) = (names::part("x"), names::part(&other));
        // So does the original of what is none.
        let mut wanted = [unknown, under_way, gz, other, broken, cut];
        wanted.sort();
        assert_eq!(left(&dir), wanted);
    }

    #[test]
    fn a_directory_with_such_a_name_is_not_ours() {
        let dir = TempDir::new();
        let name = "exchanges-20250101T000000.000Z-1-000000.jsonl";
        fs::create_dir(dir.path().join(name)).unwrap();
        let mut retention = Retention::new(1, None);
        retention
            .make_room(dir.path(), 10, &Counters::default())
            .unwrap();
        assert_eq!(left(&dir), [name]);
    }
}
