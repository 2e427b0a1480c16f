//! Files that people name: of regular ones a bounded part is read. A device or a pipe
//! could hold whoever reads it for ever, or have no end.

use std::{
    fs::{File, Metadata},
    io::{self, Read},
    path::Path,
};

/// Opens a regular file.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let is_file = |found: io::Result<Metadata>| match found?.is_file() {
        true => Ok(()),
        false => Err(io::Error::other("it is not a regular file")),
    };
    // Opening a pipe would wait for its writer.
    is_file(std::fs::metadata(path))?;
    let file = File::open(path)?;
    is_file(file.metadata())?;
    Ok(file)
}

/// All of a regular file of at most so many KiB.
pub(crate) fn read(path: &Path, kib: u64) -> io::Result<Vec<u8>> {
    whole(open(path)?, kib)
}

/// All of it, where that is at most so many KiB.
pub(crate) fn whole(input: impl Read, kib: u64) -> io::Result<Vec<u8>> {
    let most = kib * 1024;
    let mut bytes = Vec::new();
    input.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 <= most {
        return Ok(bytes);
    }
    Err(io::Error::other(match kib {
        1024 => "it is larger than 1 MiB".to_owned(),
        kib => format!("it is larger than {kib} KiB"),
    }))
}
