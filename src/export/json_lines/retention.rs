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

/// No more files than this are kept, however small, because each new file lists the
/// directory.
const MAX_FILES: usize = 10_000;

/// Up to this many files of the same user may be undeletable. If there are more, nothing
/// can be deleted in the directory.
const MAX_STUCK: usize = 16;

/// Keeps the files of a directory within a total size.
#[derive(Debug)]
pub(super) struct Retention {
    max_total: u64,
    /// Files that last changed longer ago are deleted.
    max_age: Option<Duration>,
    /// Names of the files that this writer made and that may still exist. It makes room
    /// only between files, so that all of them are closed.
    own: HashSet<String>,
    /// The user that this process's files belong to, if known.
    user: Option<u32>,
    /// The files that could not be deleted.
    stays: HashSet<String>,
    /// The first of the files that could not be deleted and do not count, and why.
    stuck: Option<String>,
    /// Deletes a file. Tests replace it by one that fails.
    remove: fn(&Path) -> io::Result<()>,
}

/// The order in which files are deleted.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Rank {
    /// The file belongs to another user, is larger than any that this process writes, or
    /// could not be deleted before. No other file is deleted to make room for it.
    Foreign,
    Closed,
    /// Another writer may be writing the file.
    InUse,
}

struct Found {
    name: String,
    /// The bytes of the file and its index.
    bytes: u64,
    rank: Rank,
    of_other_user: bool,
    /// The time since the last change.
    age: Duration,
}

/// The files of the directory.
#[derive(Default)]
struct Listed {
    /// Oldest first.
    files: Vec<Found>,
    /// Files of other users that this process must not delete; they do not count.
    beyond: Vec<String>,
}

impl Retention {
    pub(super) fn new(max_total: u64, max_age: Option<Duration>) -> Self {
        Self {
            max_total,
            max_age,
            own: HashSet::new(),
            user: None,
            stays: HashSet::new(),
            stuck: None,
            remove: |path| fs::remove_file(path),
        }
    }

    /// The first of the files that could not be deleted and do not count, and why.
    pub(super) fn stuck(&self) -> Option<&str> {
        self.stuck.as_deref()
    }

    pub(super) fn max_total(&self) -> u64 {
        self.max_total
    }

    /// Notes the owner of a file that this process made.
    pub(super) fn is_of(&mut self, user: Option<u32>) {
        self.user = user.or(self.user);
    }

    pub(super) fn made(&mut self, name: String) {
        self.own.insert(name);
    }

    pub(super) fn max_age(&self) -> Option<Duration> {
        self.max_age
    }

    /// Deletes the files that are too old, except the one that is being written.
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
        for file in files.files {
            if current != Some(&*file.name) && self.is_old(&file) {
                // A file that cannot be deleted must not keep the others.
                result = result.and(self.remove(dir, &file.name, counters));
            }
        }
        result
    }

    fn is_old(&self, file: &Found) -> bool {
        self.max_age.is_some_and(|max| file.age > max)
    }

    /// Deletes the oldest files until `needed` more bytes fit: first those of other users,
    /// last those that another writer may be writing. Files of others that cannot be
    /// deleted do not count.
    pub(super) fn make_room(
        &mut self,
        dir: &Path,
        needed: u64,
        counters: &Counters,
    ) -> io::Result<()> {
        let Listed { mut files, beyond } = self.list(dir)?;
        files.sort_by_key(|file| file.rank);
        let sizes = files.iter().map(|file| file.bytes);
        let mut total = sizes.fold(0, u64::saturating_add);
        let mut count = files.len();
        let mut failure = None;
        let mut stuck = beyond;
        let mut of_the_user = 0;
        let mut stays = HashSet::new();
        for file in files {
            let fits = total.saturating_add(needed) <= self.max_total && count < MAX_FILES;
            if fits && !self.is_old(&file) {
                continue;
            }
            if let Err(error) = self.remove(dir, &file.name, counters) {
                of_the_user += usize::from(!file.of_other_user);
                if self.own.contains(&file.name) || of_the_user > MAX_STUCK {
                    failure.get_or_insert(error);
                    continue;
                }
                stuck.push(error.to_string());
                stays.insert(file.name.clone());
            }
            self.own.remove(&file.name);
            total = total.saturating_sub(file.bytes);
            count -= 1;
        }
        self.stays = stays;
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

    /// The files that may have an index, oldest first, and the bytes that all files may
    /// still take besides `needed`.
    pub(super) fn indexable(&mut self, dir: &Path, needed: u64) -> io::Result<(Vec<String>, u64)> {
        let mut files = self.list(dir)?.files;
        let taken = files.iter().map(|file| file.bytes);
        let taken = taken.fold(needed, u64::saturating_add);
        files.retain(|file| file.bytes > UNINDEXED && names::uncompressed(&file.name).is_none());
        let names = files.into_iter().map(|file| file.name);
        Ok((names.collect(), self.max_total.saturating_sub(taken)))
    }

    fn remove(&self, dir: &Path, name: &str, counters: &Counters) -> io::Result<()> {
        match (self.remove)(&dir.join(name)) {
            Ok(()) => add(&counters.deleted_files, 1),
            // Another process deleted it first.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(named(name, &error)),
        }
        let _ = fs::remove_file(dir.join(names::index(name)));
        Ok(())
    }

    /// The files of all writers, oldest first.
    fn list(&mut self, dir: &Path) -> io::Result<Listed> {
        let now = SystemTime::now();
        let whose = Users::of(dir, self.user);
        let mut files = Vec::new();
        let mut beyond = Vec::new();
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
            let age = age(&name, meta.modified().ok(), now);
            let recent = age.is_some_and(|age| age < IN_USE);
            let of_other_user = whose.is_other(&meta);
            if is_part {
                // The process that made the file ended before it was complete.
                if !recent {
                    let _ = fs::remove_file(entry.path());
                }
                continue;
            }
            if is_index {
                indexes.insert(name, (meta.len(), recent, of_other_user));
                continue;
            }
            if of_other_user && whose.keep_it {
                beyond.push(format!("{name}: it belongs to another user"));
                continue;
            }
            let own = self.own.contains(&name);
            let foreign = of_other_user
                || !own && meta.len() > self.max_total / 2
                || self.stays.contains(&name);
            files.push(Found {
                bytes: meta.len(),
                rank: match recent && !own {
                    _ if foreign => Rank::Foreign,
                    true => Rank::InUse,
                    false => Rank::Closed,
                },
                of_other_user,
                name,
                age: age.unwrap_or_default(),
            });
        }
        files.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        beyond.sort_unstable();
        remove_doubles(dir, &mut files);
        for file in &mut files {
            let index = indexes.remove(&names::index(&file.name));
            // An index that another user made must not make a file of this user a large
            // one.
            if let Some((bytes, _, of_other_user)) = index
                && of_other_user == file.of_other_user
            {
                file.bytes = file.bytes.saturating_add(bytes);
            }
        }
        self.doubt_in_use(&mut files);
        for (index, (_, recent, _)) in indexes {
            // The exchange file was deleted, or has just been begun.
            if !recent {
                let _ = fs::remove_file(dir.join(index));
            }
        }
        self.own
            .retain(|own| files.binary_search_by(|file| file.name.cmp(own)).is_ok());
        Ok(Listed { files, beyond })
    }

    /// The newest files that others are writing may take half of the room. The rest counts
    /// as closed.
    fn doubt_in_use(&self, files: &mut [Found]) {
        let mut total = 0_u64;
        let in_use = files.iter_mut().rev().filter(|f| f.rank == Rank::InUse);
        for file in in_use {
            total = total.saturating_add(file.bytes);
            if total > self.max_total / 2 {
                file.rank = Rank::Closed;
            }
        }
    }
}

/// The time since a file changed, if its times are plausible. If it lies in the future, the
/// time in the name counts.
fn age(name: &str, changed: Option<SystemTime>, now: SystemTime) -> Option<Duration> {
    let since = |at: SystemTime| match now.duration_since(at) {
        Ok(age) => Some(age),
        // Clocks differ a little.
        Err(ahead) => (ahead.duration() < IN_USE).then_some(Duration::ZERO),
    };
    changed.map_or(Some(Duration::ZERO), since).or_else(|| {
        let began = names::began(name)?;
        // The file changed at an unknown time after that, and counts as not in use.
        since(began).map(|age| age.max(IN_USE))
    })
}

/// Who owns the files of a directory.
struct Users {
    user: Option<u32>,
    /// Whether files of others are kept: those in a sticky directory of another user.
    keep_it: bool,
}

impl Users {
    #[cfg(unix)]
    fn of(dir: &Path, user: Option<u32>) -> Self {
        use std::os::unix::fs::MetadataExt;
        let sticky = |user: u32| {
            let meta = fs::metadata(dir);
            meta.is_ok_and(|dir| dir.mode() & 0o1000 != 0 && dir.uid() != user)
        };
        Self {
            user,
            keep_it: user.is_some_and(|user| user != 0 && sticky(user)),
        }
    }

    #[cfg(not(unix))]
    fn of(_: &Path, user: Option<u32>) -> Self {
        Self {
            user,
            keep_it: false,
        }
    }

    #[cfg(unix)]
    fn is_other(&self, file: &fs::Metadata) -> bool {
        use std::os::unix::fs::MetadataExt;
        self.user.is_some_and(|user| user != file.uid())
    }

    #[cfg(not(unix))]
    fn is_other(&self, _: &fs::Metadata) -> bool {
        false
    }
}

/// If a process ended after it had compressed a file and before it deleted the original,
/// both exist, and the compressed one is complete. If it is not, because another program
/// made or truncated it, the original stays.
fn remove_doubles(dir: &Path, files: &mut Vec<Found>) {
    let compressed: HashSet<_> = files
        .iter()
        // A copy of another user does not prove anything about this user's file.
        .filter(|file| !file.of_other_user)
        .filter_map(|file| names::uncompressed(&file.name))
        .map(str::to_owned)
        .collect();
    files.retain(|file| {
        let double = compressed.contains(&file.name)
            && unpacks_to(&dir.join(names::compressed(&file.name)), file.bytes);
        !(double && fs::remove_file(dir.join(&file.name)).is_ok())
    });
}

/// The error, with the name of the file.
fn named(name: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{name}: {error}"))
}

/// Whether the size at the end of the gzip file is this one, modulo 2³².
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

    fn file(dir: &TempDir, day: u8, bytes: usize, age_secs: i64) -> String {
        let name = format!("exchanges-202501{day:02}T000000.000Z-1-000000.jsonl");
        let path = dir.path().join(&name);
        fs::write(&path, vec![b'x'; bytes]).unwrap();
        let file = fs::File::options().append(true).open(path).unwrap();
        let (now, by) = (
            SystemTime::now(),
            Duration::from_secs(age_secs.unsigned_abs()),
        );
        let changed = if age_secs < 0 { now + by } else { now - by };
        file.set_modified(changed).unwrap();
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
        // The size of the others counts.
        retention.remove = |_| Err(io::Error::other("none"));
        let own = file(&dir, 4, 300, 0);
        retention.made(own.clone());
        let error = retention.make_room(dir.path(), 100, &counters).unwrap_err();
        assert!(error.to_string().contains(&own), "{error}");
        assert!(left(&dir).contains(&stuck) && !left(&dir).contains(&files[0]));
    }

    /// No file of this process is deleted for a file that it cannot delete, whatever name
    /// and time that has.
    #[test]
    fn no_file_goes_for_one_that_stays() {
        for (day, age, bytes) in [(1, 0, 1000), (9, 0, 1000), (9, -3000, 1000), (9, 3600, 140)] {
            let dir = TempDir::new();
            let stuck = file(&dir, day, bytes, age);
            let own: Vec<_> = (3..=4).map(|day| file(&dir, day, 100, 0)).collect();
            let mut retention = Retention::new(300, None);
            own.iter().for_each(|name| retention.made(name.clone()));
            retention.remove = match day {
                1 => |path| refuse(path, "-20250101T"),
                _ => |path| refuse(path, "-20250109T"),
            };
            let counters = Counters::default();
            if bytes < 150 {
                // A file that may belong to others is found undeletable when it is tried.
                drop(retention.make_room(dir.path(), 200, &counters));
                retention.made(file(&dir, 3, 100, 0));
                retention.made(file(&dir, 4, 100, 0));
            }
            retention.make_room(dir.path(), 100, &counters).unwrap();
            let left = left(&dir);
            assert!(
                own.iter().all(|own| left.contains(own)),
                "{day} {age}: {left:?}"
            );
            assert!(left.contains(&stuck));
            let why = retention.stuck().unwrap();
            assert!(why.starts_with(&stuck), "{why}");
        }
    }

    fn refuse(path: &Path, name: &str) -> io::Result<()> {
        match path.to_str() {
            Some(path) if path.contains(name) => Err(io::Error::other("not that one")),
            _ => fs::remove_file(path),
        }
    }

    #[test]
    fn a_time_in_the_future_is_none() {
        let dir = TempDir::new();
        let (future, old) = (file(&dir, 1, 100, -3000), file(&dir, 2, 100, 3600));
        let mut retention = Retention::new(300, Some(Duration::from_secs(7200)));
        let counters = Counters::default();
        // The name limits the age.
        retention.expire(dir.path(), None, &counters).unwrap();
        assert_eq!(left(&dir), [old.as_str()]);
        let future = (future, file(&dir, 1, 100, -3000)).1;
        let mut retention = Retention::new(300, None);
        retention.make_room(dir.path(), 200, &counters).unwrap();
        assert_eq!(left(&dir), [old.as_str()], "{future} is not in use");
        // A clock that is a little ahead is not such a time.
        let ahead = file(&dir, 1, 100, -5);
        retention.make_room(dir.path(), 200, &counters).unwrap();
        assert_eq!(left(&dir), [ahead]);
    }

    #[cfg(unix)]
    #[test]
    fn files_of_other_users() {
        use std::os::unix::fs::{MetadataExt, PermissionsExt};
        let dir = TempDir::new();
        let sizes = |dir: &TempDir| {
            let foreign = file(dir, 9, 140, 0);
            fs::write(dir.path().join(names::index(&foreign)), [0; 100]).unwrap();
            foreign
        };
        let foreign = sizes(&dir);
        let other = fs::metadata(dir.path()).unwrap().uid() + 1;
        let counters = Counters::default();
        // For a process that must not delete it.
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o1777)).unwrap();
        let mut retention = Retention::new(300, None);
        retention.is_of(Some(other));
        retention.make_room(dir.path(), 300, &counters).unwrap();
        assert!(left(&dir).contains(&foreign));
        assert!(retention.stuck().unwrap().starts_with(&foreign));
        assert_eq!(retention.indexable(dir.path(), 0).unwrap().1, 300);
        // For a process that may delete it.
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
        retention.make_room(dir.path(), 60, &counters).unwrap();
        assert!(left(&dir).contains(&foreign), "there is room");
        retention.make_room(dir.path(), 200, &counters).unwrap();
        assert!(left(&dir).is_empty(), "{:?}", left(&dir));
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
        // While no file is written, and where there is room.
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
        // Files that are unknown, or may be in use, stay.
        let (unknown, under_way) = (names::part("x"), names::part(&other));
        // The original of an invalid copy stays.
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
