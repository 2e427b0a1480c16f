//! Where exchanges are read from.

use super::{Failure, Output};
use crate::{
    exchange::Exchange,
    export::json_lines::{Torn, TornReason, read_dir, read_file},
    find::Filter,
};
use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
};

/// Where the service writes, as far as this process knows.
pub(super) fn directory(given: Option<&Path>) -> PathBuf {
    match (given, std::env::var_os("DASHCAM_DIR")) {
        (Some(given), _) => given.to_owned(),
        (None, Some(set)) if !set.is_empty() => set.into(),
        (None, _) => "dashcam".into(),
    }
}

pub(super) fn unreadable(path: &Path, error: &io::Error) -> Failure {
    let path = path.display();
    let hint = match error.kind() {
        io::ErrorKind::NotFound => {
            "give the directory that the service writes to, or set DASHCAM_DIR as it does"
        }
        io::ErrorKind::PermissionDenied => {
            "files are readable by the service's user only; run this as that user"
        }
        _ => "give a directory of exchanges, or one of its files",
    };
    Failure::cannot(format!("{path} cannot be read: {error}; {hint}"))
}

/// Hands over every exchange, in the order of the files. Lines that are none are
/// told on standard error.
pub(super) fn each(
    path: &Path,
    out: &mut Output,
    each: &mut dyn FnMut(Exchange, &mut Output) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let items: Box<dyn Iterator<Item = Result<Exchange, Torn>>> = if path.is_file() {
        Box::new(read_file(path).map_err(|error| unreadable(path, &error))?)
    } else {
        Box::new(read_dir(path).map_err(|error| unreadable(path, &error))?)
    };
    let mut trouble = Trouble::default();
    for item in items {
        match item {
            Ok(exchange) => each(exchange, out)?,
            Err(torn) => trouble.tell(&torn, out),
        }
    }
    trouble.sum_up(out);
    Ok(())
}

/// The keys of pseudonyms under which exchanges were written.
#[derive(Debug, Default)]
pub(super) struct Keys(BTreeSet<String>);

impl Keys {
    pub(super) fn note(&mut self, exchange: &Exchange) {
        let id = &exchange.redaction.key_id;
        if !self.0.contains(id) {
            self.0.insert(id.clone());
        }
    }

    /// Says why a value may not have been found.
    pub(super) fn explain(&self, filter: &Filter, out: &mut Output) {
        if !filter.asks_for_values() {
            return;
        }
        if filter.key.is_none() {
            out.note(
                "without --key-file only values are found that are written in the clear, which \
                 few are",
            );
            return;
        }
        // A process may have had many.
        let keys: Vec<&str> = self.0.iter().rev().take(5).map(String::as_str).collect();
        out.note(&format!(
            "a value is found under its key and --scope only; here are exchanges of {}{}",
            keys.join(", "),
            if self.0.len() > keys.len() {
                ", …"
            } else {
                ""
            }
        ));
        if keys.iter().any(|key| key.starts_with("process-")) {
            out.note(
                "the key of process-… was random and is gone: with a [key] in the policy values \
                 are found",
            );
        }
    }
}

/// Lines that hold no exchange: the first ones are told, the rest is counted.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    lines: u64,
}

const TOLD: u64 = 3;

impl Trouble {
    pub(super) fn tell(&mut self, torn: &Torn, out: &mut Output) {
        self.lines += 1;
        if self.lines <= TOLD {
            let why = match torn.reason {
                TornReason::EndOfFile => " (it is being written, or its writer was stopped)",
                _ => "",
            };
            out.note(&format!("skipped {torn}{why}"));
        }
    }

    fn sum_up(&self, out: &mut Output) {
        if self.lines > TOLD {
            out.note(&format!("{} lines were skipped in all", self.lines));
        }
    }
}
