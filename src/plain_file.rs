//! Reads a bounded part of regular files that users name. A device or a pipe could block
//! the reader for ever, or have no end.

use std::{
    error::Error,
    fmt,
    fs::{self, File, OpenOptions},
    io::{self, Read},
    path::Path,
};

/// The error for other kinds of files.
#[derive(Debug)]
pub(crate) struct NotRegular;

impl fmt::Display for NotRegular {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a regular file")
    }
}

impl Error for NotRegular {}

/// `O_NONBLOCK`, if its value is known: the file may have been replaced by a FIFO, and opening one
/// waits for a writer.
#[cfg(unix)]
const NONBLOCK: i32 = if cfg!(any(target_os = "linux", target_os = "android")) {
    if cfg!(any(
        target_arch = "mips",
        target_arch = "mips64",
        target_arch = "sparc",
        target_arch = "sparc64"
    )) {
        0
    } else {
        0o4000
    }
} else if cfg!(any(
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly"
)) {
    4
} else {
    0
};

/// Opens a regular file, or a link to one, for reading. Returns its size, too: a reader
/// that stops there ends, whatever is appended meanwhile.
///
/// # Errors
///
/// [`InvalidInput`](io::ErrorKind::InvalidInput) for FIFOs, sockets and devices, which
/// could be read for ever.
pub(crate) fn open(path: &Path) -> io::Result<(File, u64)> {
    // Opening a device may have effects.
    check(&fs::metadata(path)?)?;
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, NONBLOCK);
    let file = options.open(path)?;
    let meta = file.metadata()?;
    check(&meta)?;
    Ok((file, meta.len()))
}

fn check(meta: &fs::Metadata) -> io::Result<()> {
    if meta.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if meta.is_file() {
        Ok(())
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, NotRegular))
    }
}

/// Reads all of a regular file, or of standard input under its name. It may have at most this many
/// KiB.
pub(crate) fn read(path: &Path, kib: u64) -> io::Result<Vec<u8>> {
    let file = if path == Path::new("/dev/stdin") {
        File::open(path)?
    } else {
        open(path)?.0
    };
    whole(file, kib)
}

/// Reads all of the input, which may have at most this many KiB.
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
