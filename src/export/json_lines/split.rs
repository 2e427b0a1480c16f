use std::io::{self, BufRead};

/// After this many bytes without a usable line the file is foreign or damaged. It may be
/// far larger than its size on disk.
const USELESS: u64 = 64 * 1024 * 1024;

/// The byte order mark that some editors write at the start of a file.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// Splits a stream into lines without holding more than `max` bytes of one.
pub(super) struct Splitter<R> {
    reader: R,
    max: usize,
    line: Vec<u8>,
    number: u64,
    /// The start of the next line.
    offset: u64,
    /// Bytes since the last line that was neither blank nor too long.
    useless: u64,
}

/// One line, without its newline and byte order mark.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct RawLine<'a> {
    pub(super) number: u64,
    pub(super) offset: u64,
    /// Empty if the line is too long.
    pub(super) text: &'a [u8],
    /// Whether the line has its newline.
    pub(super) ended: bool,
    pub(super) too_long: bool,
}

impl<R: BufRead> Splitter<R> {
    pub(super) fn new(reader: R, max: usize) -> Self {
        Self {
            reader,
            max,
            line: Vec::new(),
            number: 0,
            offset: 0,
            useless: 0,
        }
    }

    /// The number and the offset of the line that [`next`](Self::next) looks for.
    pub(super) fn position(&self) -> (u64, u64) {
        (self.number + 1, self.offset)
    }

    /// Returns the next line; `None` at the end.
    ///
    /// # Errors
    ///
    /// Errors of reading, and [`FileTooLarge`](io::ErrorKind::FileTooLarge) after 64 MiB
    /// without a usable line.
    pub(super) fn next(&mut self) -> io::Result<Option<RawLine<'_>>> {
        self.line.clear();
        let offset = self.offset;
        let mut length = 0;
        let mut too_long = false;
        let ended = loop {
            let chunk = match self.reader.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if chunk.is_empty() {
                break false;
            }
            let newline = chunk.iter().position(|&byte| byte == b'\n');
            let part = newline.and_then(|end| chunk.get(..end)).unwrap_or(chunk);
            too_long |= self.line.len() + part.len() > self.max;
            if too_long {
                self.line = Vec::new();
            } else {
                self.line.extend_from_slice(part);
            }
            let used = part.len() + usize::from(newline.is_some());
            self.reader.consume(used);
            length += u64::try_from(used).unwrap_or(u64::MAX);
            if newline.is_some() {
                break true;
            }
            if self.useless + length > USELESS {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
        };
        if length == 0 {
            return Ok(None);
        }
        self.offset += length;
        self.number += 1;
        let text = self.line.strip_prefix(BOM).unwrap_or(&self.line);
        if too_long || text.trim_ascii().is_empty() {
            self.useless += length;
            if self.useless > USELESS {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
        } else {
            self.useless = 0;
        }
        Ok(Some(RawLine {
            number: self.number,
            offset,
            text,
            ended,
            too_long,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::BufReader;

    fn split(text: &str, max: usize, chunk: usize) -> Vec<(u64, u64, String, bool, bool)> {
        let mut splitter = Splitter::new(BufReader::with_capacity(chunk, text.as_bytes()), max);
        let mut lines = Vec::new();
        while let Some(line) = splitter.next().unwrap() {
            let text = String::from_utf8(line.text.to_vec()).unwrap();
            lines.push((line.number, line.offset, text, line.ended, line.too_long));
        }
        assert!(splitter.next().unwrap().is_none());
        lines
    }

    #[test]
    fn lines_and_places() {
        for chunk in [1, 2, 3, 100] {
            assert!(split("", 5, chunk).is_empty());
            assert_eq!(
                split("ab\n\n12345\n123456\nlast", 5, chunk),
                [
                    (1, 0, "ab".into(), true, false),
                    (2, 3, String::new(), true, false),
                    (3, 4, "12345".into(), true, false),
                    (4, 10, String::new(), true, true),
                    (5, 17, "last".into(), false, false),
                ]
            );
            assert_eq!(
                split("1234567", 5, chunk),
                [(1, 0, String::new(), false, true)]
            );
        }
    }
}
