use super::{
    index::{ENTRY, IndexWriter, Mark},
    names,
    rebuild::Rebuild,
    retention::Retention,
    stats::Counters,
    storage::{Storage, Target},
};
use std::{
    fs, io,
    path::{self, Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

/// How often a line is written again if its file is deleted meanwhile, and how many names
/// are tried for a new file.
const ATTEMPTS: usize = 3;
const NAMES: usize = 100;

/// The size of an entry in the index.
const ENTRY_BYTES: u64 = ENTRY as u64;
/// The bytes that are written to test for room: a full disk still allows empty files.
const PROBE: usize = 4 * 1024;

/// How often old files are deleted while no file is begun.
const EXPIRE_EVERY: Duration = Duration::from_secs(60);

/// When files are closed and deleted.
pub(super) struct Rotation {
    pub(super) max_file: u64,
    pub(super) max_file_age: Duration,
    pub(super) max_total: u64,
    pub(super) max_age: Option<Duration>,
    #[cfg(feature = "compression")]
    pub(super) compress: bool,
}

/// Writes lines to one file after the other.
pub(super) struct Writer {
    dir: PathBuf,
    max_file: u64,
    max_file_age: Duration,
    retention: Retention,
    rebuild: Rebuild,
    storage: Box<dyn Storage>,
    counters: Arc<Counters>,
    /// The warning about others who may write to the directory.
    open_to: Option<String>,
    pub(super) current: Option<Current>,
    pub(super) expired_at: Instant,
    /// Why a closed file may not be synced to the device.
    unsynced: Option<io::Error>,
    /// Names of closed files that wait for compression, if that is on.
    #[cfg(feature = "compression")]
    closed: Option<Vec<String>>,
}

pub(super) struct Current {
    target: Box<dyn Target>,
    name: String,
    /// The bytes of the file and its index.
    bytes: u64,
    index: IndexWriter,
    pub(super) opened: Instant,
    written: Instant,
}

impl Writer {
    /// At least two files fit into the total size, so that a new file never displaces all
    /// old ones.
    pub(super) fn new(
        dir: PathBuf,
        rotation: &Rotation,
        storage: Box<dyn Storage>,
        counters: Arc<Counters>,
    ) -> Self {
        let max_total = rotation.max_total;
        let dir = match dir.as_os_str().is_empty() {
            true => PathBuf::from("."),
            false => dir,
        };
        // The process may change its directory.
        let dir = path::absolute(&dir).unwrap_or(dir);
        Self {
            dir,
            max_file: rotation.max_file.min(max_total / 2),
            max_file_age: rotation.max_file_age,
            retention: Retention::new(max_total, rotation.max_age),
            rebuild: Rebuild::new(SystemTime::now()),
            storage,
            counters,
            open_to: None,
            current: None,
            expired_at: Instant::now(),
            unsynced: None,
            #[cfg(feature = "compression")]
            closed: rotation.compress.then(Vec::new),
        }
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The longest line that can be written.
    pub(super) fn max_line(&self) -> u64 {
        self.retention.max_total().saturating_sub(ENTRY_BYTES)
    }

    /// Tests whether files can be created and written, and who else may write to the
    /// directory.
    pub(super) fn probe(&mut self) -> io::Result<()> {
        self.storage.make_dir(&self.dir)?;
        let (path, mut target) = self.create(names::probe)?;
        let written = target.append(&[b'\n'; PROBE]);
        self.open_to = open_to(&self.dir, target.owner());
        self.retention.is_of(target.owner());
        drop(target);
        written.and(fs::remove_file(self.dir.join(path)))
    }

    /// Problems with the directory that do not prevent writing.
    pub(super) fn warnings(&self) -> Vec<String> {
        let dir = self.dir.display();
        let open = self.open_to.clone();
        let stuck = self.retention.stuck().map(|file| {
            format!(
                "cannot delete a file in {dir}, so it does not count for the total size: {file}"
            )
        });
        open.into_iter().chain(stuck).collect()
    }

    /// Creates a file with one of these names.
    fn create(&self, name: impl Fn() -> String) -> io::Result<(String, Box<dyn Target>)> {
        let mut failure = None;
        for _ in 0..NAMES {
            let name = name();
            match self.storage.create(&self.dir.join(&name)) {
                Ok(target) => return Ok((name, target)),
                // A process with the same ID on another machine or in another container
                // uses or left this name.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    failure = Some(io::Error::new(error.kind(), format!("{name}: {error}")));
                }
                Err(error) => return Err(error),
            }
        }
        Err(failure.unwrap_or_else(|| io::Error::other("no name for a new file is free")))
    }

    /// Writes one line, which ends with a newline. After an error the next line is written
    /// to a new file, so that a part of this line is the last in its file.
    pub(super) fn write(&mut self, line: &[u8], mark: Option<&Mark>) -> io::Result<()> {
        let length = u64::try_from(line.len()).unwrap_or(u64::MAX);
        let length = length.saturating_add(ENTRY_BYTES);
        for _ in 0..ATTEMPTS {
            let fits = |current: &Current| {
                current.bytes.saturating_add(length) <= self.max_file
                    && current.opened.elapsed() < self.max_file_age
            };
            let current = match self.current.take() {
                Some(current) if fits(&current) => Some(current),
                Some(current) => {
                    self.close(current);
                    None
                }
                None => None,
            };
            let mut current = match current {
                Some(current) => current,
                None => self.open(length)?,
            };
            if let Err(error) = current.target.append(line) {
                if current.bytes == 0 {
                    // The file has no complete line. Keeping it would leave one more with
                    // each attempt.
                    drop(current.target);
                    let _ = fs::remove_file(self.dir.join(current.name));
                } else {
                    self.close(current);
                }
                return Err(error);
            }
            // This is checked after writing, so that no line is lost in a file that was
            // deleted before or meanwhile.
            if current.target.is_gone() {
                current.index.remove(&self.dir);
                continue;
            }
            current.index.add(mark, line.len());
            if current.index.is_due() {
                let _ = current.index.write(&self.dir, &*self.storage);
            }
            current.bytes = current.bytes.saturating_add(length);
            current.written = Instant::now();
            self.current = Some(current);
            return Ok(());
        }
        Err(io::Error::other(
            "the files are deleted while dashcam writes to them",
        ))
    }

    /// Syncs everything that was written to the device.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        if let Some(error) = self.unsynced.take() {
            return Err(error);
        }
        let Some(mut current) = self.current.take() else {
            return Ok(());
        };
        if let Err(error) = current.target.sync() {
            self.close(current);
            self.unsynced = None;
            return Err(error);
        }
        // The index is written after the last line, so that it is newer.
        let _ = current.index.write(&self.dir, &*self.storage);
        self.current = Some(current);
        Ok(())
    }

    /// Closes and deletes files that are too old, and compresses closed files. Runs also
    /// while nothing is written.
    pub(super) fn tick(&mut self) -> io::Result<()> {
        self.rebuild.tick();
        let idle = self.retention.max_age().unwrap_or(Duration::MAX);
        let old = |current: &mut Current| {
            current.opened.elapsed() >= self.max_file_age || current.written.elapsed() >= idle
        };
        if let Some(current) = self.current.take_if(old) {
            self.close(current);
        }
        #[cfg(feature = "compression")]
        self.compress_closed();
        if self.expired_at.elapsed() < EXPIRE_EVERY {
            return Ok(());
        }
        self.expired_at = Instant::now();
        let current = self.current.as_ref().map(|current| current.name.as_str());
        self.retention.expire(&self.dir, current, &self.counters)
    }

    /// Does one turn of rebuilding indexes; returns whether there may be another.
    pub(super) fn idle(&mut self) -> bool {
        if self.rebuild.is_unlisted() {
            // Exchanges come first: the room that the current file may still need stays
            // free.
            let current = self.current.as_ref().map_or(0, |current| current.bytes);
            let needed = self.max_file.saturating_sub(current);
            // Without a directory there is nothing to do.
            let listed = self.retention.indexable(&self.dir, needed);
            self.rebuild.start(listed.unwrap_or_default());
        }
        self.rebuild.turn(&self.dir, &*self.storage)
    }

    /// The file is closed. The next [`sync`](Self::sync) reports if it could not be synced
    /// to the device.
    fn close(&mut self, mut current: Current) {
        if let Err(error) = current.target.sync() {
            self.unsynced = Some(error);
        }
        let _ = current.index.write(&self.dir, &*self.storage);
        #[cfg(feature = "compression")]
        if let Some(closed) = &mut self.closed {
            closed.push(current.name);
        }
        #[cfg(not(feature = "compression"))]
        drop(current);
    }

    #[cfg(feature = "compression")]
    fn compress_closed(&mut self) {
        use super::{compress::compress, stats::add};

        let Some(closed) = &mut self.closed else {
            return;
        };
        for name in std::mem::take(closed) {
            match compress(&self.dir, &name, &*self.storage) {
                Ok(true) => {
                    self.retention.made(names::compressed(&name));
                    add(&self.counters.compressed_files, 1);
                }
                Ok(false) => {}
                Err(_) => add(&self.counters.failed_compressions, 1),
            }
        }
    }

    fn open(&mut self, length: u64) -> io::Result<Current> {
        self.storage.make_dir(&self.dir)?;
        let needed = self.max_file.max(length);
        self.retention
            .make_room(&self.dir, needed, &self.counters)?;
        let (name, target) = self.create(names::next)?;
        self.retention.made(name.clone());
        self.retention.is_of(target.owner());
        self.rebuild.room_was_made();
        let now = Instant::now();
        Ok(Current {
            target,
            index: IndexWriter::new(&name),
            name,
            bytes: 0,
            opened: now,
            written: now,
        })
    }
}

/// The warning about others who may write to the directory or replace it.
#[cfg(unix)]
fn open_to(dir: &Path, own: Option<u32>) -> Option<String> {
    use std::os::unix::fs::MetadataExt;

    if let Some(whom) = writable_by(&fs::metadata(dir).ok()?, own, true) {
        return Some(format!(
            "the directory {} may be written to by {whom}, who can delete exchanges or fill \
             their room; make it one of this process alone, with mode 0700",
            dir.display()
        ));
    }
    // The real path counts: links lead to other directories.
    let real = dir.canonicalize().ok()?;
    let above = real.ancestors().skip(1);
    above.into_iter().find_map(|above| {
        let meta = fs::metadata(above).ok()?;
        // In a sticky directory each user can replace only his own files.
        let sticky = meta.mode() & 0o1000 != 0;
        let whom = writable_by(&meta, own, !sticky)?;
        Some(format!(
            "the directory {} can be replaced by {whom}, who may write to {} above it; put it \
             where only this process and root may",
            dir.display(),
            above.display()
        ))
    })
}

/// Who except the owner may write to a directory. Or the owner, if it is neither root nor
/// the user of this process, which owns a file in it.
#[cfg(unix)]
fn writable_by(meta: &fs::Metadata, own: Option<u32>, mode_counts: bool) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let (mode, owner) = (meta.mode(), meta.uid());
    if mode_counts && mode & 0o002 != 0 {
        return Some(format!("everybody (its mode is {:04o})", mode & 0o7777));
    }
    if mode_counts && mode & 0o020 != 0 {
        return Some(format!("its group (its mode is {:04o})", mode & 0o7777));
    }
    let foreign = owner != 0 && own.is_some_and(|own| own != owner);
    foreign.then(|| format!("its owner, which is the user {owner}"))
}

#[cfg(not(unix))]
fn open_to(_: &Path, _: Option<u32>) -> Option<String> {
    None
}
