#[cfg(feature = "compression")]
mod compression;
mod indexing;
mod reading;
mod recovery;
mod rotation;

use super::{
    JsonLines, Torn,
    storage::{Disk, Storage, Target},
};
use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};

/// A directory that is deleted with the value.
pub(crate) struct TempDir(PathBuf);

impl TempDir {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("dashcam-unit-{}-{number}", process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A file system that has room for only so many more bytes, and whose sync may fail.
#[derive(Clone)]
struct Full(Arc<AtomicUsize>, Arc<AtomicBool>);

impl Full {
    fn after(bytes: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(bytes)), Arc::default())
    }

    fn set(&self, bytes: usize) {
        self.0.store(bytes, Ordering::Relaxed);
    }
}

impl Storage for Full {
    fn make_dir(&self, dir: &Path) -> io::Result<()> {
        Disk.make_dir(dir)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn Target>> {
        let file = Disk.create(path)?;
        let full = self.clone();
        // Deleting the file frees its bytes.
        let name = path.file_name().unwrap().to_string_lossy();
        let passes = name.starts_with(".dashcam-probe");
        Ok(Box::new(FullFile { file, full, passes }))
    }
}

struct FullFile {
    file: Box<dyn Target>,
    full: Full,
    passes: bool,
}

impl Target for FullFile {
    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        let left = self.full.0.load(Ordering::Relaxed);
        let fits = left.min(line.len());
        if self.passes && left > 0 {
            return self.file.append(line);
        }
        self.full.set(left - fits);
        self.file.append(&line[..fits])?;
        if fits < line.len() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.full.1.load(Ordering::Relaxed) {
            return Err(io::Error::other("no device"));
        }
        self.file.sync()
    }

    fn is_gone(&self) -> bool {
        self.file.is_gone()
    }
}

/// The IDs that can be read, in order, and the errors.
fn read(dir: &Path) -> (Vec<String>, Vec<Torn>) {
    let (mut ids, mut torn) = (Vec::new(), Vec::new());
    for item in JsonLines::read(dir).unwrap() {
        match item {
            Ok(exchange) => ids.push(exchange.id),
            Err(error) => torn.push(error),
        }
    }
    (ids, torn)
}

/// The exchange files, oldest first.
fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn size(paths: &[PathBuf]) -> u64 {
    paths.iter().map(|p| fs::metadata(p).unwrap().len()).sum()
}

fn ids(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|n| n.to_string()).collect()
}
