use super::{
    reader::{BUFFER, Input, MAX_LINE, compressed, files, is_compressed, open, parse},
    split::Splitter,
    torn::{Reason, Torn},
};
use crate::{exchange::Exchange, plain_file};
use std::{
    collections::BTreeMap,
    io::{self, BufReader, Read, Seek, SeekFrom},
    ops::ControlFlow,
    path::{Path, PathBuf},
};

/// How far the files of a directory, or one file, have been read. Files may begin, be
/// compressed or be deleted meanwhile.
#[derive(Clone, Debug, Default)]
pub(crate) struct Follow {
    /// The key is the name that a file had before it was compressed.
    places: BTreeMap<PathBuf, Place>,
}

/// How far a file has been read.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    offset: u64,
    lines: u64,
    /// The file is compressed and was read, so that nothing is appended to it any more; or
    /// it cannot be read to its end.
    done: bool,
    /// It was reported that the file cannot be read.
    told: bool,
}

impl Follow {
    /// Passes to `each` what is new since the last call, file by file, until `each` breaks;
    /// the next call continues behind that item. A line that is being written waits for the
    /// next call. A place that holds no exchange is passed once, as an error.
    ///
    /// # Errors
    ///
    /// The directory cannot be listed, or there is no such file.
    pub(crate) fn poll(
        &mut self,
        path: &Path,
        mut each: impl FnMut(Result<Exchange, Torn>) -> ControlFlow<()>,
    ) -> io::Result<()> {
        let paths = match path.is_file() {
            true => vec![path.to_owned()],
            false => files(path).or_else(|error| match compressed(path) {
                Some(path) if error.kind() == io::ErrorKind::NotFound && path.is_file() => {
                    Ok(vec![path])
                }
                _ => Err(error),
            })?,
        };
        let paths: Vec<_> = paths
            .iter()
            .map(|path| {
                let original = original(path);
                // Both exist if the original is not a regular file, or is empty.
                let key = match path != &original && paths.contains(&original) {
                    true => path.clone(),
                    false => original,
                };
                (path.clone(), key)
            })
            .collect();
        self.places
            .retain(|known, _| paths.iter().any(|(_, key)| key == known));
        for (path, key) in paths {
            let place = self.places.entry(key).or_default();
            match read(&path, place, &mut each) {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(())) => break,
                // Retention just deleted the file.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(_) if place.told => {}
                Err(error) => {
                    place.told = true;
                    place.done |= error.kind() == io::ErrorKind::FileTooLarge;
                    let reason = Reason::of(&error);
                    if each(Err(Torn::new(&path, place.lines, place.offset, reason))).is_break() {
                        break;
                    }
                }
            }
        }
        Ok(())
    }
}

fn read(
    path: &Path,
    place: &mut Place,
    each: &mut dyn FnMut(Result<Exchange, Torn>) -> ControlFlow<()>,
) -> io::Result<ControlFlow<()>> {
    let Some(input) = resume(path, place)? else {
        return Ok(ControlFlow::Continue(()));
    };
    let start = *place;
    let mut splitter = Splitter::new(input, MAX_LINE);
    while let Some(line) = splitter.next()? {
        let (number, offset) = (start.lines + line.number, start.offset + line.offset);
        let parsed = if line.too_long {
            Err(Reason::TooLong)
        } else if line.text.trim_ascii().is_empty() {
            // The newline of a line that was complete without it.
            *place = at(start, splitter.position());
            continue;
        } else {
            parse(line.text, line.ended)
        };
        if !line.ended && parsed.is_err() {
            break;
        }
        *place = at(start, splitter.position());
        let item = parsed.map_err(|reason| Torn::new(path, number, offset, reason));
        if each(item).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    place.done = is_compressed(path);
    Ok(ControlFlow::Continue(()))
}

/// The rest of a file, if there may be any.
fn resume(path: &Path, place: &mut Place) -> io::Result<Option<Input>> {
    if place.done {
        return Ok(None);
    }
    if is_compressed(path) {
        let mut input = open(path)?;
        io::copy(&mut input.by_ref().take(place.offset), &mut io::sink())?;
        return Ok(Some(input));
    }
    let (mut file, len) = plain_file::open(path)?;
    if len == place.offset {
        return Ok(None);
    }
    if len < place.offset {
        // Another program truncated the file, so it is read from the start.
        *place = Place::default();
    }
    file.seek(SeekFrom::Start(place.offset))?;
    let rest = file.take(len - place.offset);
    Ok(Some(Box::new(BufReader::with_capacity(BUFFER, rest))))
}

fn original(path: &Path) -> PathBuf {
    if is_compressed(path) {
        path.with_extension("")
    } else {
        path.to_owned()
    }
}

/// Where the next line begins.
fn at(start: Place, (next, offset): (u64, u64)) -> Place {
    Place {
        offset: start.offset + offset,
        lines: start.lines + next - 1,
        done: false,
        told: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::sample::sample;
    use std::{
        fs::{self, File},
        io::Write,
    };

    fn polled(follow: &mut Follow, dir: &Path) -> Vec<Result<String, Reason>> {
        let mut seen = Vec::new();
        follow
            .poll(dir, |item| {
                seen.push(item.map(|exchange| exchange.id).map_err(|torn| torn.reason));
                ControlFlow::Continue(())
            })
            .unwrap();
        seen
    }

    #[cfg(feature = "compression")]
    #[test]
    fn one_file_that_is_compressed_meanwhile() {
        use crate::export::json_lines::{compress::compress, storage::Disk};
        let dir = std::env::temp_dir().join(format!("dashcam-follow-one-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        let name = "exchanges-20250102T030405.678Z-1-000000.jsonl";
        let file = dir.join(name);
        let append = |id| {
            let mut file = File::options()
                .create(true)
                .append(true)
                .open(&file)
                .unwrap();
            serde_json::to_writer(&file, &sample(id)).unwrap();
            file.write_all(b"\n").unwrap();
        };
        append("a");
        let mut follow = Follow::default();
        assert_eq!(polled(&mut follow, &file), [Ok("a".to_owned())]);
        append("b");
        assert!(compress(&dir, name, &Disk).unwrap() && !file.exists());
        assert_eq!(polled(&mut follow, &file), [Ok("b".to_owned())]);
        assert!(polled(&mut follow, &file).is_empty(), "nothing twice");
        fs::remove_dir_all(&dir).unwrap();
        let error = follow.poll(&file, |_| ControlFlow::Continue(()));
        assert_eq!(error.unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn lines_as_they_come() {
        let dir = std::env::temp_dir().join(format!("dashcam-follow-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        let file = |n| dir.join(format!("exchanges-20250102T030405.678Z-1-00000{n}.jsonl"));
        let append = |n: u32, bytes: &[u8]| {
            let mut file = File::options()
                .create(true)
                .append(true)
                .open(file(n))
                .unwrap();
            file.write_all(bytes).unwrap();
        };
        let line = |id| serde_json::to_vec(&sample(id)).unwrap();
        let mut follow = Follow::default();
        assert!(polled(&mut follow, &dir).is_empty());

        append(
            0,
            &[line("a"), b"\n".to_vec(), line("b")[..50].to_vec()].concat(),
        );
        assert_eq!(polled(&mut follow, &dir), [Ok("a".to_owned())]);
        assert!(polled(&mut follow, &dir).is_empty(), "nothing twice");
        append(0, &line("b")[50..]);
        // The line lacks only its newline.
        assert_eq!(polled(&mut follow, &dir), [Ok("b".to_owned())]);
        append(0, b"\n");
        assert!(polled(&mut follow, &dir).is_empty());

        // The next file, and a line that is not an exchange.
        append(
            1,
            &[line("c"), b"\n{}\n".to_vec(), line("d"), b"\n".to_vec()].concat(),
        );
        let seen = polled(&mut follow, &dir);
        assert_eq!(
            (&seen[0], &seen[2]),
            (&Ok("c".to_owned()), &Ok("d".to_owned()))
        );
        assert!(
            matches!(seen[1], Err(Reason::InvalidJson { .. })),
            "{seen:?}"
        );

        fs::remove_file(file(0)).unwrap();
        append(1, &[line("e"), b"\n".to_vec()].concat());
        assert_eq!(polled(&mut follow, &dir), [Ok("e".to_owned())]);
        // A poll that was stopped continues behind the item.
        append(
            1,
            &[line("f"), b"\n".to_vec(), line("g"), b"\n".to_vec()].concat(),
        );
        follow.poll(&dir, |_| ControlFlow::Break(())).unwrap();
        assert_eq!(polled(&mut follow, &dir), [Ok("g".to_owned())]);

        // The file was compressed meanwhile: only unread lines are new.
        #[cfg(feature = "compression")]
        {
            use crate::export::json_lines::{compress::compress, names, storage::Disk};
            append(1, &[line("h"), b"\n".to_vec()].concat());
            let name = file(1).file_name().unwrap().to_str().unwrap().to_owned();
            assert!(compress(&dir, &name, &Disk).unwrap());
            assert!(dir.join(names::compressed(&name)).exists() && !file(1).exists());
            assert_eq!(polled(&mut follow, &dir), [Ok("h".to_owned())]);
            assert!(polled(&mut follow, &dir).is_empty());
        }
        fs::remove_dir_all(&dir).unwrap();
        assert!(follow.poll(&dir, |_| ControlFlow::Continue(())).is_err());
    }
}
