//! Where exchanges are read from.

use super::{Failure, Output};
use crate::{
    exchange::Exchange,
    export::json_lines::{Entry, Torn, TornReason, Wanted, look, paths},
    find::{Filter, Moment, Row},
};
use std::{
    cmp::{Ordering, Reverse},
    collections::{BTreeSet, BinaryHeap},
    io,
    ops::ControlFlow,
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

/// Which exchanges are to be read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Asked<'a> {
    Like(&'a Filter),
    /// With an ID or a correlation ID that begins so.
    Begins(&'a str),
    /// Of a trace whose ID begins so, in small letters.
    Trace(&'a str),
    Any,
    /// Those before which others like them were only counted.
    Counted,
}

impl Asked<'_> {
    fn holds(self, exchange: &Exchange) -> bool {
        match self {
            Self::Like(filter) => filter.matches(exchange),
            Self::Begins(id) => {
                exchange.id.starts_with(id) || exchange.correlation.id.starts_with(id)
            }
            Self::Trace(id) => {
                let trace = exchange.correlation.trace_id.as_deref();
                trace.is_some_and(|trace| trace.starts_with(id))
            }
            Self::Any => true,
            Self::Counted => exchange.losses.suppressed_before > 0,
        }
    }
}

/// The file, and where in it; those of later files are greater.
type Place = (usize, u64);

/// Gathers what is asked for of one path.
struct Reading<'a> {
    asked: Asked<'a>,
    file: usize,
    /// Only the newest are wanted, none from before this.
    not_before: Option<i64>,
    only_newest: bool,
    each: &'a mut dyn FnMut(Exchange, Place) -> Option<i64>,
    keys: &'a mut Keys,
    trouble: Trouble,
}

impl Wanted for Reading<'_> {
    fn is_choosy(&self) -> bool {
        self.only_newest
            || match self.asked {
                Asked::Like(filter) => filter.knows_some(),
                Asked::Begins(_) | Asked::Counted => true,
                // An index has no trace IDs.
                Asked::Trace(_) | Asked::Any => false,
            }
    }

    fn not_before(&self) -> Option<i64> {
        let since = match self.asked {
            Asked::Like(filter) => filter.since.map(Moment::micros),
            _ => None,
        };
        since.max(self.not_before)
    }

    fn may(&mut self, entry: &Entry) -> bool {
        self.not_before
            .is_none_or(|bound| entry.started_us() >= bound)
            && match self.asked {
                Asked::Like(filter) => {
                    filter.may_match(entry.started_us(), entry.status(), |id| entry.may_be_of(id))
                }
                Asked::Begins(id) => entry.may_begin(id),
                Asked::Trace(_) | Asked::Any => true,
                Asked::Counted => entry.has_suppressed(),
            }
    }

    fn may_line(&mut self, line: &[u8]) -> bool {
        match self.asked {
            // Others may be escaped in it.
            Asked::Begins(id) | Asked::Trace(id)
                if id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') =>
            {
                memchr::memmem::find(line, id.as_bytes()).is_some()
            }
            Asked::Counted => {
                let name = b"\"suppressed_before\":";
                let mut places = memchr::memmem::find_iter(line, name);
                places.any(|at| line.get(at + name.len()) != Some(&b'0'))
            }
            _ => true,
        }
    }

    fn take(&mut self, exchange: Exchange, offset: u64) -> ControlFlow<()> {
        self.keys.note(&exchange);
        if self.asked.holds(&exchange) {
            let bound = (self.each)(exchange, (self.file, offset));
            self.not_before = self.not_before.max(bound);
        }
        ControlFlow::Continue(())
    }

    fn torn(&mut self, torn: &Torn) {
        self.trouble.note(torn);
    }
}

/// Hands over what is asked for, of a directory or one of its files, and returns what
/// could not be read. Where only the newest are wanted, what it is handed over to says
/// how new the next has to be.
fn read(
    path: &Path,
    asked: Asked<'_>,
    only_newest: bool,
    keys: &mut Keys,
    each: &mut dyn FnMut(Exchange, Place) -> Option<i64>,
) -> Result<Trouble, Failure> {
    let mut reading = Reading {
        asked,
        file: 0,
        not_before: None,
        only_newest,
        each,
        keys,
        trouble: Trouble::default(),
    };
    if path.is_file() {
        let _ = look(path, &mut reading).map_err(|error| unreadable(path, &error))?;
    } else {
        let paths = paths(path).map_err(|error| unreadable(path, &error))?;
        // What is known of new ones tells that older ones need not be read.
        for (n, path) in paths.iter().enumerate().rev() {
            reading.file = n;
            match look(path, &mut reading) {
                Ok(_) => {}
                // Retention deleted it just now.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => reading.trouble.note(&Torn::of_file(path, &error)),
            }
        }
    }
    Ok(reading.trouble)
}

/// What has a time at which it began.
pub(super) trait Started {
    fn started_at(&self) -> &str;
}

impl Started for Exchange {
    fn started_at(&self) -> &str {
        &self.started_at
    }
}

impl Started for Row {
    fn started_at(&self) -> &str {
        &self.started_at
    }
}

/// In the order of time. All times are UTC, in one form.
struct Ranked<T>(Place, T);

impl<T: Started> Ord for Ranked<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |of: &Self| of.0;
        let at = self.1.started_at().cmp(other.1.started_at());
        at.then_with(|| key(self).cmp(&key(other)))
    }
}

impl<T: Started> PartialOrd for Ranked<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T: Started> PartialEq for Ranked<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<T: Started> Eq for Ranked<T> {}

/// The newest so many of what is asked for, or all, oldest first. What cannot be read is
/// told.
pub(super) fn newest<T: Started>(
    path: &Path,
    asked: Asked<'_>,
    limit: Option<usize>,
    keys: &mut Keys,
    out: &mut Output,
    make: &mut dyn FnMut(Exchange) -> T,
) -> Result<Vec<T>, Failure> {
    let (found, trouble) = gather(path, asked, limit, keys, make)?;
    trouble.tell_all(out);
    Ok(found)
}

/// The newest so many of what is asked for, oldest first; what cannot be read was told
/// before.
pub(super) fn newest_of<T: Started>(
    path: &Path,
    asked: Asked<'_>,
    limit: usize,
    make: &mut dyn FnMut(Exchange) -> T,
) -> Result<Vec<T>, Failure> {
    let keys = &mut Keys::default();
    gather(path, asked, Some(limit), keys, make).map(|(found, _)| found)
}

/// All of a trace whose ID begins so, oldest first.
pub(super) fn of_trace<T: Started>(
    path: &Path,
    id: &str,
    make: &mut dyn FnMut(Exchange) -> T,
) -> Result<Vec<T>, Failure> {
    let keys = &mut Keys::default();
    gather(path, Asked::Trace(id), None, keys, make).map(|(found, _)| found)
}

fn gather<T: Started>(
    path: &Path,
    asked: Asked<'_>,
    limit: Option<usize>,
    keys: &mut Keys,
    make: &mut dyn FnMut(Exchange) -> T,
) -> Result<(Vec<T>, Trouble), Failure> {
    let mut found = BinaryHeap::new();
    let trouble = read(
        path,
        asked,
        limit.is_some(),
        keys,
        &mut |exchange, place| {
            found.push(Reverse(Ranked(place, make(exchange))));
            let limit = limit?;
            if found.len() > limit {
                found.pop();
            }
            if found.len() < limit {
                return None;
            }
            // With a limit of none nothing is new enough.
            let oldest = found
                .peek()
                .map(|Reverse(Ranked(_, oldest))| oldest.started_at());
            oldest.map_or(Some(i64::MAX), micros)
        },
    )?;
    let mut found = found.into_vec();
    found.sort_by(|Reverse(a), Reverse(b)| a.cmp(b));
    let found = found.into_iter().map(|Reverse(Ranked(_, item))| item);
    Ok((found.collect(), trouble))
}

/// Hands over all that is asked for, in no order.
pub(super) fn each(
    path: &Path,
    asked: Asked<'_>,
    keys: &mut Keys,
    out: &mut Output,
    each: &mut dyn FnMut(Exchange),
) -> Result<(), Failure> {
    let trouble = read(path, asked, false, keys, &mut |exchange, _| {
        each(exchange);
        None
    })?;
    trouble.tell_all(out);
    Ok(())
}

fn micros(started_at: &str) -> Option<i64> {
    let at: jiff::Timestamp = started_at.parse().ok()?;
    Some(at.as_microsecond())
}

const NOT_KEPT: &str = "healthy and 4xx requests are not kept by default, but where a rule, a \
                        token, `keep`, the baseline sample or an event at ERROR is the reason; \
                        the service's log has a line of each request";

/// The keys of pseudonyms under which exchanges were written.
#[derive(Debug, Default)]
pub(super) struct Keys(BTreeSet<String>);

impl Keys {
    fn note(&mut self, exchange: &Exchange) {
        let id = &exchange.redaction.key_id;
        if !self.0.contains(id) {
            self.0.insert(id.clone());
        }
    }

    /// Says that nothing was found, where all was asked for or what the filter says, and
    /// why that may be.
    pub(super) fn explain_none(&self, path: &Path, filter: &Filter, all: bool, out: &mut Output) {
        let like = if all { "" } else { " is like that" };
        out.note(&format!("no exchange in {}{like}", path.display()));
        if all {
            out.note(NOT_KEPT);
        }
        self.explain(filter, out);
    }

    /// Says why nothing may have been found.
    pub(super) fn explain(&self, filter: &Filter, out: &mut Output) {
        if filter.asks_for_healthy() {
            out.note(NOT_KEPT);
        }
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

/// What holds no exchange: the first are told, the rest is counted.
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
            let why = match torn.reason {
                TornReason::EndOfFile => " (it is being written, or its writer was stopped)",
                _ => "",
            };
            self.first.push(format!("skipped {torn}{why}"));
        }
    }

    /// As soon as it is known.
    pub(super) fn tell(&mut self, torn: &Torn, out: &mut Output) {
        let known = self.first.len();
        self.note(torn);
        if let Some(first) = self.first.get(known) {
            out.note(first);
        }
    }

    fn tell_all(&self, out: &mut Output) {
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
