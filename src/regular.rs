//! Opening what there is under a file's name, which may be anything.

use std::{
    error::Error,
    fmt,
    fs::{self, File, OpenOptions},
    io::{self, Read},
    path::Path,
};

/// There is something that is no regular file.
#[derive(Debug)]
pub(crate) struct NotRegular;

impl fmt::Display for NotRegular {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a regular file")
    }
}

impl Error for NotRegular {}

/// `O_NONBLOCK`, where its value is known: what was a file a moment ago may be a FIFO
/// by now, and opening one waits for a writer.
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

/// Opens a regular file, or a link to one, for reading. Returns its size, too: who
/// reads no more than that comes to an end, whatever is appended meanwhile.
///
/// # Errors
///
/// [`InvalidInput`](io::ErrorKind::InvalidInput) for FIFOs, sockets and devices, which
/// could be read for ever.
pub(crate) fn open(path: &Path) -> io::Result<(File, u64)> {
    // Some devices do something when they are opened.
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

/// Keys and the like are smaller.
const SMALL: u64 = 64 * 1024;

/// All of a small regular file, or of what standard input has under its name.
///
/// # Errors
///
/// As [`open`], and [`FileTooLarge`](io::ErrorKind::FileTooLarge) from 64 KiB on.
pub(crate) fn read_small(path: &Path) -> io::Result<Vec<u8>> {
    let file = if path == Path::new("/dev/stdin") {
        File::open(path)?
    } else {
        open(path)?.0
    };
    let mut bytes = Vec::new();
    file.take(SMALL + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > SMALL {
        let why = "it is larger than 64 KiB";
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
    }
    Ok(bytes)
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
