use super::{
    Failure,
    text::{Plain, safe_json},
};
use serde::Serialize;
use std::{
    fmt,
    fs::OpenOptions,
    io::{self, BufWriter, IsTerminal, Stdout, Write},
    path::Path,
};

/// Standard output and standard error, and their formats.
pub(super) struct Output {
    out: BufWriter<Stdout>,
    json: bool,
    paint: bool,
    paint_errors: bool,
}

/// The meaning of a coloured part of a line.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ink {
    Bad,
    Warn,
    Good,
    Dim,
    Strong,
}

impl Ink {
    fn code(self) -> &'static str {
        match self {
            Self::Bad => "31",
            Self::Warn => "33",
            Self::Good => "32",
            Self::Dim => "2",
            Self::Strong => "1",
        }
    }
}

/// A value in a colour, or plain if colours are off.
#[derive(Debug)]
pub(super) struct Painted<T>(Option<Ink>, T);

impl<T: fmt::Display> fmt::Display for Painted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(ink) => {
                write!(f, "\u{1b}[{}m", ink.code())?;
                self.1.fmt(f)?;
                f.write_str("\u{1b}[0m")
            }
            None => self.1.fmt(f),
        }
    }
}

impl Output {
    pub(super) fn standard(json: bool) -> Self {
        let out = io::stdout();
        // https://no-color.org: set and not empty, whatever its value.
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            && std::env::var_os("TERM").is_none_or(|value| value != "dumb");
        Self {
            paint: wanted && !json && out.is_terminal(),
            paint_errors: wanted && io::stderr().is_terminal(),
            out: BufWriter::new(out),
            json,
        }
    }

    pub(super) fn is_json(&self) -> bool {
        self.json
    }

    pub(super) fn paint<T>(&self, ink: Ink, what: T) -> Painted<T> {
        Painted(self.paint.then_some(ink), what)
    }

    /// Writes one line of text, which must be safe for a terminal.
    pub(super) fn line(&mut self, line: fmt::Arguments<'_>) -> Result<(), Failure> {
        self.out.write_fmt(line)?;
        self.out.write_all(b"\n")?;
        Ok(())
    }

    /// Writes one line of JSON.
    pub(super) fn json(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        self.line(format_args!("{}", json_text(value)?))
    }

    /// Writes text that has no data of clients.
    pub(super) fn bytes(&mut self, text: &[u8]) -> Result<(), Failure> {
        self.out.write_all(text)?;
        Ok(())
    }

    pub(super) fn flush(&mut self) -> Result<(), Failure> {
        self.out.flush().map_err(Failure::from)
    }

    /// Writes a note beside the answer, to standard error.
    pub(super) fn note(&mut self, note: &str) {
        let word = Painted(self.paint_errors.then_some(Ink::Warn), "note");
        let _ = self.out.flush();
        let _ = writeln!(io::stderr(), "{word}: {}", Plain(note));
    }

    pub(super) fn error(&mut self, why: &str) {
        let word = Painted(self.paint_errors.then_some(Ink::Bad), "error");
        let _ = self.out.flush();
        let _ = writeln!(io::stderr(), "{word}: {}", Plain(why));
    }
}

/// Converts a value to JSON without unsafe characters.
pub(super) fn json_text(value: &impl Serialize) -> Result<String, Failure> {
    let json = serde_json::to_string(value)
        .map_err(|error| Failure::cannot(format!("cannot convert the result to JSON: {error}")))?;
    Ok(safe_json(&json))
}

/// Writes a key to a new file that only its owner can read.
pub(super) fn create_private(path: &Path, key: &str) -> Result<(), Failure> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let made = options.open(path).and_then(|mut file| {
        file.write_all(key.as_bytes())?;
        file.write_all(b"\n")
    });
    made.map_err(|error| {
        let path = path.display();
        Failure::cannot(match error.kind() {
            io::ErrorKind::AlreadyExists => {
                format!("{path} already exists, and keys are not overwritten; give another file")
            }
            _ => format!("cannot create {path}: {error}"),
        })
    })
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output").finish_non_exhaustive()
    }
}
