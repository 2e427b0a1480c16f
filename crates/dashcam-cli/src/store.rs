//! Reads exchanges, and explains why none was found.

use super::{Failure, Output, args::FilterArgs};
use dashcam::{exchange::Exchange, export::json_lines::Torn, find::Search};
use std::{
    collections::BTreeSet,
    io,
    path::{Component, Path, PathBuf},
};

/// The directory without an argument and `$DASHCAM_DIR`.
const DEFAULT: &str = "./dashcam";

/// The directory of exchanges: the argument, `$DASHCAM_DIR` or the default. A bare name gets a
/// `./`, so that messages show a path.
pub(super) fn directory(given: Option<&Path>) -> PathBuf {
    let path = match (given, std::env::var_os("DASHCAM_DIR")) {
        (Some(given), _) => given.to_owned(),
        (None, Some(set)) if !set.is_empty() => set.into(),
        (None, _) => DEFAULT.into(),
    };
    let mut parts = path.components();
    match (parts.next(), parts.next()) {
        (Some(Component::Normal(name)), None) => Path::new(".").join(name),
        _ => path,
    }
}

pub(super) fn unreadable(path: &Path, error: &io::Error) -> Failure {
    let path = path.display();
    let hint = match error.kind() {
        io::ErrorKind::NotFound => {
            "give the directory that the service writes to, or set DASHCAM_DIR as it does"
        }
        io::ErrorKind::PermissionDenied => {
            "only the service's user can read the files; run this command as that user"
        }
        _ => "give a directory of exchanges, or one of its files",
    };
    Failure::cannot(format!("cannot read {path}: {error}; {hint}"))
}

/// Passes the exchanges of a search to `make`, and returns the results in the order of
/// time, and the lines and files that were skipped.
pub(super) fn read<T>(
    path: &Path,
    search: &Search,
    mut make: impl FnMut(Exchange) -> Option<T>,
) -> Result<(Vec<T>, Trouble), Failure> {
    let mut trouble = Trouble::default();
    let found = search.read(|item| match item {
        Ok(exchange) => make(exchange),
        Err(torn) => {
            trouble.note(&torn);
            None
        }
    });
    let found = found.map_err(|error| unreadable(path, &error))?;
    Ok((found, trouble))
}

const NOT_KEPT: &str = "healthy and 4xx requests are not kept by default, unless a rule, a \
                        token, `keep`, the baseline sample or an event at ERROR is the reason; \
                        the service's log has a line for each request";

/// Notes that nothing was found, of all exchanges or with this filter, and possible
/// reasons.
pub(super) fn explain_none(
    path: &Path,
    filter: &FilterArgs,
    all: bool,
    out: &mut Output,
) -> Result<(), Failure> {
    let like = if all { "" } else { " matches the conditions" };
    out.note(&format!("no exchange in {}{like}", path.display()));
    if path == Path::new(DEFAULT) {
        out.note("if the service writes to another directory, give it or set DASHCAM_DIR");
    }
    if all {
        out.note(NOT_KEPT);
    }
    explain(path, filter, out)
}

/// Notes possible reasons why nothing was found.
pub(super) fn explain(path: &Path, filter: &FilterArgs, out: &mut Output) -> Result<(), Failure> {
    if filter.asks_for_healthy() {
        out.note(NOT_KEPT);
    }
    if !filter.asks_for_values() {
        return Ok(());
    }
    if !filter.has_key() {
        out.note(
            "without --key-file, only values in the clear can be found; most values are hidden",
        );
        return Ok(());
    }
    let keys = keys(path, filter)?;
    // There may be one for each process.
    let shown: Vec<&str> = keys.iter().rev().take(5).map(String::as_str).collect();
    out.note(&format!(
        "a value can be found only with its key and --scope; the exchanges here have the keys {}{}",
        shown.join(", "),
        if keys.len() > shown.len() {
            ", …"
        } else {
            ""
        }
    ));
    if shown.iter().any(|key| key.starts_with("process-")) {
        out.note(
            "a key process-… was random and is gone; add a [key] to the policy to find values",
        );
    }
    Ok(())
}

/// The keys of the pseudonyms in the exchanges of that time.
fn keys(path: &Path, filter: &FilterArgs) -> Result<BTreeSet<String>, Failure> {
    let mut keys = BTreeSet::new();
    let search = Search::new(path).filter(filter.times()?);
    let note = |exchange: Exchange| {
        keys.insert(exchange.redaction.key_id);
        None::<()>
    };
    // The first search noted what cannot be read.
    read(path, &search, note)?;
    Ok(keys)
}

/// Lines and files that were skipped: the first ones are noted, the others counted.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    lines: u64,
    first: Vec<String>,
}

const TOLD: usize = 3;

impl Trouble {
    fn note(&mut self, torn: &Torn) {
        self.lines += 1;
        if self.first.len() < TOLD {
            let why = match torn.is_unfinished() {
                true => " (it is being written, or its writer was stopped)",
                false => "",
            };
            self.first.push(format!("skipped {torn}{why}"));
        }
    }

    /// Notes a skipped line at once.
    pub(super) fn tell(&mut self, torn: &Torn, out: &mut Output) {
        let known = self.first.len();
        self.note(torn);
        if let Some(first) = self.first.get(known) {
            out.note(first);
        }
    }

    pub(super) fn tell_all(&self, out: &mut Output) {
        for first in &self.first {
            out.note(first);
        }
        if self.lines > self.first.len() as u64 {
            out.note(&format!(
                "{} lines and files were skipped in all",
                self.lines
            ));
        }
    }
}
