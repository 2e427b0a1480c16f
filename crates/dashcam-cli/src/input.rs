//! Reads files and standard input, up to a limit.

use super::Failure;
use std::{
    fs::{self, File},
    io::{self, Read},
    path::Path,
};

/// The limit of standard input. No value and no token is larger.
const MAX_INPUT_KIB: u64 = 1024;

/// Reads standard input, without the line end.
pub(super) fn standard_input() -> Result<String, Failure> {
    let text = text(io::stdin(), MAX_INPUT_KIB)
        .map_err(|error| Failure::cannot(format!("cannot read standard input: {error}")))?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}

/// Reads a regular file of at most so many KiB, or standard input as `/dev/stdin`. Other
/// devices and pipes may have no end.
pub(super) fn file(path: &Path, kib: u64) -> io::Result<String> {
    let meta = fs::metadata(path)?;
    if meta.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !meta.is_file() && path != Path::new("/dev/stdin") {
        return Err(io::Error::other("not a regular file"));
    }
    text(File::open(path)?, kib)
}

fn text(input: impl Read, kib: u64) -> io::Result<String> {
    let most = kib * 1024;
    let mut bytes = Vec::new();
    input.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::other(match kib {
            1024 => "it is larger than 1 MiB".to_owned(),
            kib => format!("it is larger than {kib} KiB"),
        }));
    }
    String::from_utf8(bytes).map_err(|_| io::Error::other("it is not UTF-8"))
}
