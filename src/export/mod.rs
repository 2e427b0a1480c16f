//! Exporters, which receive the kept exchanges.
//!
//! An [`Exporter`] receives every kept [`Exchange`] on a thread of its own, behind a bounded
//! queue. It may block, because requests never wait for it. When the queue is full, the newest
//! exchange is dropped and counted.
//!
//! [`JsonLines`] writes files. [`Memory`] keeps the newest exchanges in the process. A pair
//! `(A, B)` or a `Vec` of exporters passes every exchange to each. [`Exporter::filter`] passes
//! only some exchanges on, and [`Exporter::retry`] exports again what failed.
//!
//! [`har`] and [`Exchange::to_curl`] convert exchanges for other tools.

mod curl;
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
    json_lines::{JsonLines, JsonLinesBuilder, JsonLinesStats},
    memory::Memory,
};

use self::{filter::Filter, held::Held};
use crate::exchange::Exchange;
use serde::Serialize;
use std::path::PathBuf;

/// Receives kept exchanges.
///
/// All methods run on one thread that belongs to the exporter, never on the path of a
/// request, so they may block. Meanwhile exchanges wait in the queue, and are dropped and
/// counted when it is full.
///
/// A panic in any method is caught and counted. The exporter is called again afterwards, so it
/// has to leave itself in a usable state.
pub trait Exporter: Send + 'static {
    /// Exports one exchange.
    ///
    /// # Errors
    ///
    /// After an error the exchange is lost, or with [`retry`](Self::retry) exported again. An
    /// exporter that itself holds the exchange to try again returns `Ok` and reports
    /// [`Health::Degraded`].
    fn export(&mut self, exchange: &Exchange) -> Result<(), ExportError>;

    /// Flushes every exchange accepted so far to its destination. Default: does nothing.
    ///
    /// # Errors
    ///
    /// Some exchange accepted so far was not delivered.
    fn flush(&mut self) -> Result<(), ExportError> {
        Ok(())
    }

    /// Returns whether exchanges are delivered. Default: [`Health::Ok`]. It is called after
    /// every call of another method except [`idle`](Self::idle), so it should be cheap.
    fn health(&self) -> Health {
        Health::Ok
    }

    /// Returns how many exchanges it has accepted and holds to try again. Default: 0.
    /// Called as often as [`health`](Self::health).
    fn held(&self) -> u64 {
        0
    }

    /// Returns how many exchanges it has accepted and given up since it was built.
    /// Default: 0. Called as often as [`health`](Self::health).
    fn lost(&self) -> u64 {
        0
    }

    /// Returns the absolute path of the directory that it writes to, for the log and the
    /// status. Default: `None`. It is called once, at the start.
    fn directory(&self) -> Option<PathBuf> {
        None
    }

    /// Returns texts about misconfigurations that do not prevent delivery, for the log and the
    /// status. Default: none. Called as often as [`health`](Self::health).
    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }

    /// Recovers from failures, for example. It is called about once a second, even while there
    /// are no exchanges. Default: does nothing.
    fn tick(&mut self) {}

    /// Does one piece of background work, so short that an exchange can wait for it. It is
    /// called while no exchange waits: after each [`tick`](Self::tick), and again as long as it
    /// returns `true`. Default: returns `false`.
    fn idle(&mut self) -> bool {
        false
    }

    /// Returns an exporter that passes on only the exchanges for which `wanted` returns
    /// `true`. The others count as exported, not as lost.
    ///
    /// ```
    /// use dashcam::{exchange::Outcome, export::{Exporter, JsonLines, Memory}};
    ///
    /// # let dir = std::env::temp_dir().join("dashcam-doc-filter");
    /// // All exchanges to files, panics also into memory.
    /// let panics = Memory::new(100);
    /// let exporter = (
    ///     JsonLines::builder(dir).build(),
    ///     panics.clone().filter(|exchange| exchange.outcome == Outcome::Panicked),
    /// );
    /// # let _ = exporter;
    /// ```
    #[must_use]
    fn filter<F>(self, wanted: F) -> impl Exporter
    where
        Self: Sized,
        F: FnMut(&Exchange) -> bool + Send + 'static,
    {
        Filter::new(self, wanted)
    }

    /// Returns an exporter that holds up to 256 exchanges, of 8 MiB together, that this one
    /// does not accept, and exports them again; see
    /// [`retry_within`](Self::retry_within).
    ///
    /// With it an exporter of your own needs one method, which delivers one exchange or
    /// returns an error:
    ///
    /// ```
    /// use dashcam::{exchange::Exchange, export::{ExportError, Exporter}};
    /// use std::{io::Write, net::TcpStream};
    ///
    /// struct Collector;
    ///
    /// impl Exporter for Collector {
    ///     fn export(&mut self, exchange: &Exchange) -> Result<(), ExportError> {
    ///         let line = serde_json::to_vec(exchange)
    ///             .map_err(|error| ExportError::new("not serialised").with_source(error).permanent())?;
    ///         TcpStream::connect("127.0.0.1:5170")
    ///             .and_then(|mut socket| socket.write_all(&line))
    ///             .map_err(|error| ExportError::new("sending to the collector").with_source(error))
    ///     }
    /// }
    ///
    /// let exporter = Collector.retry();
    /// # let _ = exporter;
    /// ```
    #[must_use]
    fn retry(self) -> impl Exporter
    where
        Self: Sized,
    {
        self.retry_within(256, 8 * 1024 * 1024)
    }

    /// Returns an exporter that holds exchanges that this one does not accept, and exports
    /// them again. It holds up to `max_exchanges`, at least 1, of up to `max_bytes` together.
    /// The size of an exchange is that of its JSON; a larger one than `max_bytes` is lost.
    ///
    /// After an error the exchange and those after it are held. One second later they are
    /// exported in order, up to the first error; after another error two seconds later, and
    /// so on up to thirty. An exchange may arrive twice if the exporter returns an error for
    /// one that arrived. Where there is no room the oldest are dropped;
    /// [`lost`](Self::lost) counts them. An exchange is also given up if the error is
    /// [permanent](ExportError::permanent), or if the exporter panics.
    ///
    /// [`flush`](Self::flush) exports at once everything that is held, and then flushes the
    /// exporter. [`health`](Self::health) is [`Health::Degraded`] with the last error while
    /// anything is held.
    #[must_use]
    fn retry_within(self, max_exchanges: usize, max_bytes: usize) -> impl Exporter
    where
        Self: Sized,
    {
        Held::new(self, max_exchanges, max_bytes)
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

    fn held(&self) -> u64 {
        (**self).held()
    }

    fn lost(&self) -> u64 {
        (**self).lost()
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

/// Whether an exporter delivers exchanges.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Health {
    /// Exchanges are delivered.
    #[default]
    Ok,
    /// Exchanges are not delivered, or not all of them. The exporter tries again.
    Degraded {
        /// The reason, for a log line.
        why: String,
    },
}

impl Health {
    /// Returns whether this is [`Health::Ok`].
    #[must_use]
    pub fn is_ok(&self) -> bool {
        matches!(self, Self::Ok)
    }
}
