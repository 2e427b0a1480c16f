use super::{
    names,
    split::Splitter,
    torn::{Reason, Torn},
};
use crate::{exchange::Exchange, plain_file};
use serde::Deserialize;
use std::{
    collections::HashSet,
    fmt, fs,
    io::{self, BufRead, BufReader, Read},
    iter::FusedIterator,
    path::{Path, PathBuf},
    vec,
};

/// Longer lines are skipped, so that a broken file does not fill the memory.
pub(super) const MAX_LINE: usize = 16 * 1024 * 1024;

pub(super) const BUFFER: usize = 64 * 1024;

/// A file, decompressed if its name ends in `.gz`.
pub(super) type Input = Box<dyn BufRead + Send + Sync>;

/// Reads a directory, or one file.
pub(super) fn read(path: &Path) -> io::Result<DirLines> {
    let (paths, current) = if path.is_dir() {
        (files(path)?, None)
    } else {
        (Vec::new(), Some(read_file(path)?))
    };
    Ok(DirLines {
        paths: paths.into_iter(),
        current,
    })
}

fn read_file(path: &Path) -> io::Result<Lines> {
    Ok(Lines {
        path: path.to_owned(),
        splitter: Some(Splitter::new(open(path)?, MAX_LINE)),
    })
}

pub(super) fn open(path: &Path) -> io::Result<Input> {
    let (file, len) = plain_file::open(path)?;
    let file = file.take(len);
    if !is_compressed(path) {
        return Ok(Box::new(BufReader::with_capacity(BUFFER, file)));
    }
    #[cfg(feature = "compression")]
    {
        let decoder = flate2::read::MultiGzDecoder::new(file);
        Ok(Box::new(BufReader::with_capacity(BUFFER, decoder)))
    }
    #[cfg(not(feature = "compression"))]
    Err(io::ErrorKind::Unsupported.into())
}

/// Reads a file that was listed, even if it was compressed since then.
fn read_listed(path: &Path) -> io::Result<Lines> {
    let result = read_file(path);
    match (&result, compressed(path)) {
        (Err(error), Some(compressed)) if error.kind() == io::ErrorKind::NotFound => {
            read_file(&compressed)
        }
        _ => result,
    }
}

/// Returns the path that a file has once it is compressed, or `None` if it is already.
pub(super) fn compressed(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    (!is_compressed(path)).then(|| path.with_file_name(names::compressed(name)))
}

pub(super) fn is_compressed(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "gz")
}

/// The files in this directory, oldest first.
pub(super) fn files(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(names::is_ours) {
            paths.push(entry.path());
        }
    }
    paths.sort();
    // A crash may leave a file and its compressed copy, with the same exchanges. The
    // original is known to be what was written.
    let all: HashSet<_> = paths.iter().cloned().collect();
    let mut doubles = HashSet::new();
    for path in paths.iter().filter(|path| is_compressed(path)) {
        let original = path.with_extension("");
        if !all.contains(&original) {
            continue;
        }
        match fs::metadata(&original) {
            Ok(meta) if meta.is_file() && meta.len() > 0 => doubles.insert(path.clone()),
            // The original was just compressed, or is a broken link.
            Err(error) if error.kind() == io::ErrorKind::NotFound => doubles.insert(original),
            _ => false,
        };
    }
    paths.retain(|path| !doubles.contains(path));
    Ok(paths)
}

/// The exchanges of one file.
struct Lines {
    path: PathBuf,
    /// Absent after the end.
    splitter: Option<Splitter<Input>>,
}

impl Iterator for Lines {
    type Item = Result<Exchange, Torn>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let splitter = self.splitter.as_mut()?;
            let (number, offset) = splitter.position();
            let result = match splitter.next() {
                Ok(None) => {
                    self.splitter = None;
                    return None;
                }
                Err(error) => {
                    self.splitter = None;
                    Err(Reason::of(&error))
                }
                Ok(Some(line)) if line.too_long => Err(Reason::TooLong),
                Ok(Some(line)) if line.text.trim_ascii().is_empty() => continue,
                Ok(Some(line)) => parse(line.text, line.ended),
            };
            return Some(result.map_err(|reason| Torn::new(&self.path, number, offset, reason)));
        }
    }
}

/// The exchanges of a directory, or of one file.
#[derive(Debug)]
pub(super) struct DirLines {
    paths: vec::IntoIter<PathBuf>,
    current: Option<Lines>,
}

impl Iterator for DirLines {
    type Item = Result<Exchange, Torn>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(item) = self.current.as_mut().and_then(Iterator::next) {
                return Some(item);
            }
            let path = self.paths.next()?;
            match read_listed(&path) {
                Ok(lines) => self.current = Some(lines),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Some(Err(Torn::of_file(&path, &error))),
            }
        }
    }
}

impl FusedIterator for DirLines {}

/// A line without its newline may be complete: the JSON shows it.
pub(super) fn parse(text: &[u8], ended: bool) -> Result<Exchange, Reason> {
    #[derive(Deserialize)]
    struct Head {
        schema: String,
    }

    let parsed = serde_json::from_slice::<Exchange>(text);
    let error = match parsed {
        Ok(exchange) if exchange.schema == Exchange::SCHEMA => return Ok(exchange),
        Ok(exchange) => return Err(unknown(&exchange.schema)),
        Err(error) => error,
    };
    if !ended && error.is_eof() {
        return Err(Reason::EndOfFile);
    }
    match serde_json::from_slice::<Head>(text) {
        Ok(Head { schema }) if schema != Exchange::SCHEMA => Err(unknown(&schema)),
        _ => Err(Reason::InvalidJson {
            // The message quotes unknown names, whatever their length.
            message: error.to_string().chars().take(500).collect(),
        }),
    }
}

fn unknown(schema: &str) -> Reason {
    Reason::UnknownSchema {
        schema: schema.chars().take(64).collect(),
    }
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}
