use super::{
    names,
    storage::{Storage, Target},
};
use crate::plain_file;
use flate2::{Compression, write::GzEncoder};
use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
};

/// Replaces a closed file by its compressed form. Returns `false` if the file was deleted.
/// A crash at any moment leaves at least one complete copy under a name that readers know.
/// If it leaves both, they read the original.
pub(super) fn compress(dir: &Path, name: &str, storage: &dyn Storage) -> io::Result<bool> {
    let original = dir.join(name);
    let part = dir.join(names::part(name));
    let complete = dir.join(names::compressed(name));
    let mut source = match plain_file::open(&original) {
        Ok((source, _)) => source,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    let written = write(&mut source, &part, storage);
    // If the original was deleted meanwhile, the copy must not stay.
    let deleted = || matches!(original.try_exists(), Ok(false));
    if written.is_err() || deleted() {
        let _ = fs::remove_file(&part);
        return written.map(|()| false);
    }
    if let Err(error) = fs::rename(&part, &complete) {
        let _ = fs::remove_file(&part);
        return Err(error);
    }
    match fs::remove_file(&original) {
        // Another process saw that there is a complete copy.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        result => result.map(|()| true),
    }
}

fn write(source: &mut File, part: &Path, storage: &dyn Storage) -> io::Result<()> {
    let changed = source.metadata()?.modified();
    let output = Output(storage.create(part)?);
    let mut encoder = GzEncoder::new(output, Compression::fast());
    io::copy(source, &mut encoder)?;
    let mut output = encoder.finish()?.0;
    output.sync()?;
    drop(output);
    // Retention by age uses the time of the last exchange.
    if let Ok(changed) = changed {
        File::options()
            .append(true)
            .open(part)?
            .set_modified(changed)?;
    }
    Ok(())
}

struct Output(Box<dyn Target>);

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.append(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
