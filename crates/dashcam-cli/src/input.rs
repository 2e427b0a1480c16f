//! What is read of files and of standard input.

use super::Failure;
use std::{
    fs::{self, File},
    io::{self, Read},
    path::Path,
};

/// No value and no token is larger.
const MAX_INPUT_KIB: u64 = 1024;

/// Standard input without the end of its line.
pub(super) fn standard_input() -> Result<String, Failure> {
    let text = text(io::stdin(), MAX_INPUT_KIB)
        .map_err(|error| Failure::cannot(format!("standard input cannot be read: {error}")))?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}

/// The text of a regular file of at most so many KiB, or of what standard input has under
/// its name. A device or a pipe could have no end.
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
