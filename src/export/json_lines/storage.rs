use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{self, Write},
    path::Path,
};

/// Where files are created. Tests replace it by one that fails.
pub(super) trait Storage: Send {
    /// Creates the directory and its parents if they are missing.
    fn make_dir(&self, dir: &Path) -> io::Result<()>;

    /// Creates a file that did not exist.
    fn create(&self, path: &Path) -> io::Result<Box<dyn Target>>;
}

/// A file that is being written.
pub(super) trait Target: Send {
    /// Appends all bytes to the file.
    fn append(&mut self, line: &[u8]) -> io::Result<()>;

    /// Syncs the file to the device.
    fn sync(&mut self) -> io::Result<()>;

    /// Whether the file was deleted since it was created.
    fn is_gone(&self) -> bool;

    /// The owner of the file; `None` if unknown.
    fn owner(&self) -> Option<u32> {
        None
    }
}

/// The file system.
pub(super) struct Disk;

impl Storage for Disk {
    fn make_dir(&self, dir: &Path) -> io::Result<()> {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(dir)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn Target>> {
        let mut options = OpenOptions::new();
        options.append(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        Ok(Box::new(DiskFile {
            file: options.open(path)?,
            #[cfg(not(unix))]
            path: path.to_owned(),
        }))
    }
}

struct DiskFile {
    file: File,
    #[cfg(not(unix))]
    path: std::path::PathBuf,
}

impl Target for DiskFile {
    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        self.file.write_all(line)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    #[cfg(unix)]
    fn is_gone(&self) -> bool {
        use std::os::unix::fs::MetadataExt;
        // This checks the open file: one that was moved is not deleted, and its lines must
        // not be written twice.
        self.file.metadata().is_ok_and(|meta| meta.nlink() == 0)
    }

    #[cfg(unix)]
    fn owner(&self) -> Option<u32> {
        use std::os::unix::fs::MetadataExt;
        self.file.metadata().ok().map(|meta| meta.uid())
    }

    #[cfg(not(unix))]
    fn is_gone(&self) -> bool {
        !self.path.try_exists().unwrap_or(true)
    }
}
