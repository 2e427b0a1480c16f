//! Where kept exchanges go.
//!
//! An [`Exporter`] receives every kept [`Exchange`] on a thread of its own,
//! behind a bounded queue. It may block: a request never waits for it. When
//! the queue is full the newest exchange is dropped and counted.
//!
//! [`JsonLines`] writes files, [`Memory`] keeps the newest exchanges in the
//! process, and a pair `(A, B)` or a `Vec` of exporters gives every exchange to all.
//! [`Exporter::filter`] gives an exporter some of them, and [`Held`] makes one of your own
//! try again what failed.
//!
//! [`har`] and [`curl`] turn exchanges into what other tools read.

pub mod curl;
mod error;
mod fan_out;
mod filter;
pub mod har;
mod held;
pub mod json_lines;
mod memory;
mod notes;
#[cfg(test)]
pub(crate) mod sample;
mod target;

pub use self::{
    error::ExportError,
    filter::Filter,
    held::Held,
    json_lines::{JsonLines, JsonLinesBuilder, JsonLinesStats, JsonLinesStatsHandle},
    memory::Memory,
};

use crate::exchange::Exchange;
use serde::Serialize;
use std::path::PathBuf;

/// Receives kept exchanges.
///
/// All methods run on one thread that belongs to the exporter, never on the
/// path of a request, so they may block. While they do, at most as many
/// exchanges wait as the queue holds; further ones are dropped and counted.
///
/// A panic in any method is caught and counted; the exporter is used again
/// afterwards, so it has to leave itself in a usable state.
pub trait Exporter: Send + 'static {
    /// Takes one exchange.
    ///
    /// # Errors
    ///
    /// An error means that this exchange is lost, or within [`Held`] that it is handed
    /// over again. An exporter that itself keeps the exchange to try again later returns
    /// `Ok` and reports [`Health::Degraded`].
    fn export(&mut self, exchange: &Exchange) -> Result<(), ExportError>;

    /// Flushes every exchange accepted so far to its destination. Does nothing by
    /// default.
    ///
    /// # Errors
    ///
    /// Something taken so far has not arrived.
    fn flush(&mut self) -> Result<(), ExportError> {
        Ok(())
    }

    /// How the exporter is doing, [`Health::Ok`] by default. It is asked after every call
    /// of another method but [`idle`](Self::idle), so it should be cheap.
    fn health(&self) -> Health {
        Health::Ok
    }

    /// What it has taken and not brought where it belongs; nothing by default.
    /// Asked as often as [`health`](Self::health).
    fn backlog(&self) -> Backlog {
        Backlog::default()
    }

    /// The directory it writes to, absolute, where it writes to one; for the log and the
    /// status, asked once at the start. None by default.
    fn directory(&self) -> Option<PathBuf> {
        None
    }

    /// What is set up in a way that nobody means though exchanges arrive, in words, for
    /// the log and the status; nothing by default. Asked as often as
    /// [`health`](Self::health).
    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }

    /// Called about once a second, also while no exchanges arrive: the place
    /// to recover from a failure. Does nothing by default.
    fn tick(&mut self) {}

    /// Called while no exchange waits, after each [`tick`](Self::tick) and then as long as
    /// it returns `true`: the place for work that is in no hurry, in pieces so short that
    /// an exchange can wait for one. Does nothing by default.
    fn idle(&mut self) -> bool {
        false
    }

    /// This exporter for some exchanges only.
    ///
    /// ```
    /// use dashcam::{exchange::Outcome, export::{Exporter, JsonLines, Memory}};
    ///
    /// # let dir = std::env::temp_dir().join("dashcam-doc-filter");
    /// // All to files, panics also into memory.
    /// let panics = Memory::new(100);
    /// let exporter = (
    ///     JsonLines::builder(dir).build(),
    ///     panics.clone().filter(|exchange| exchange.outcome == Outcome::Panicked),
    /// );
    /// # let _ = exporter;
    /// ```
    fn filter<F>(self, wanted: F) -> Filter<Self, F>
    where
        Self: Sized,
        F: FnMut(&Exchange) -> bool + Send + 'static,
    {
        Filter::new(self, wanted)
    }
}

/// Exchanges that an exporter has taken and that are not where they belong.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Backlog {
    /// Held, to be tried again.
    pub held: u64,
    /// Given up since the start.
    pub lost: u64,
}

impl Backlog {
    /// So many held, so many given up.
    #[must_use]
    pub fn new(held: u64, lost: u64) -> Self {
        Self { held, lost }
    }
}

impl<E: Exporter + ?Sized> Exporter for Box<E> {
    fn export(&mut self, exchange: &Exchange) -> Result<(), ExportError> {
        (**self).export(exchange)
    }

    fn flush(&mut self) -> Result<(), ExportError> {
        (**self).flush()
    }

    fn health(&self) -> Health {
        (**self).health()
    }

    fn backlog(&self) -> Backlog {
        (**self).backlog()
    }

    fn directory(&self) -> Option<PathBuf> {
        (**self).directory()
    }

    fn warnings(&self) -> Vec<String> {
        (**self).warnings()
    }

    fn tick(&mut self) {
        (**self).tick();
    }

    fn idle(&mut self) -> bool {
        (**self).idle()
    }
}

/// How an exporter is doing.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Health {
    /// Exchanges arrive where they belong.
    #[default]
    Ok,
    /// Exchanges do not arrive, or not all of them; the exporter tries again.
    Degraded {
        /// What is wrong, for a log line.
        why: String,
    },
}

impl Health {
    /// Whether this is [`Health::Ok`].
    #[must_use]
    pub fn is_ok(&self) -> bool {
        matches!(self, Self::Ok)
    }
}
