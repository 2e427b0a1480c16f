//! An exporter that exports again what failed.

#[cfg(test)]
mod tests;
mod waiting;

pub(super) use self::waiting::Waiting;
use super::{ExportError, Exporter, Health};
use crate::exchange::Exchange;
use std::{
    error::Error,
    io::{self, Write},
    path::PathBuf,
};

/// Holds exchanges that an exporter does not accept, and exports them again; see
/// [`Exporter::retry_within`].
pub(super) struct Held<E> {
    exporter: E,
    waiting: Waiting<Exchange>,
    max_bytes: usize,
}

impl<E: Exporter> Held<E> {
    pub(super) fn new(exporter: E, max_exchanges: usize, max_bytes: usize) -> Self {
        Self {
            exporter,
            waiting: Waiting::new(max_exchanges, max_bytes),
            max_bytes,
        }
    }

    fn hold(&mut self, exchange: &Exchange) -> Result<(), ExportError> {
        let mut size = Size(0);
        serde_json::to_writer(&mut size, exchange).map_err(|error| {
            ExportError::new("the exchange cannot be serialised").with_source(error)
        })?;
        if size.0 > self.max_bytes {
            let max = self.max_bytes;
            return Err(ExportError::new(format!(
                "the exchange has more than {max} bytes as JSON, the most that may be held"
            )));
        }
        self.waiting.push(exchange.clone(), size.0);
        Ok(())
    }

    fn hand_over(&mut self) -> Result<(), ExportError> {
        let (exporter, mut refused) = (&mut self.exporter, 0);
        let done = self.waiting.hand_over(|exchange| {
            exporter.export(exchange).or_else(|error| {
                refused += u64::from(error.is_permanent());
                if error.is_permanent() {
                    Ok(())
                } else {
                    Err(error)
                }
            })
        });
        (0..refused).for_each(|_| self.waiting.lose());
        done.inspect_err(|error| self.waiting.failed(why(error)))
    }
}

impl<E: Exporter> Exporter for Held<E> {
    /// Exports the exchange, or holds it.
    ///
    /// # Errors
    ///
    /// The error is permanent, or the exchange is too large to be held.
    fn export(&mut self, exchange: &Exchange) -> Result<(), ExportError> {
        if self.waiting.trouble().is_some() {
            self.hold(exchange)?;
            if self.waiting.is_due() {
                // The health has the error.
                let _ = self.hand_over();
            }
            return Ok(());
        }
        match self.exporter.export(exchange) {
            Err(error) if !error.is_permanent() => {
                self.waiting.failed(why(&error));
                self.hold(exchange)
            }
            done => done,
        }
    }

    fn flush(&mut self) -> Result<(), ExportError> {
        if self.waiting.trouble().is_some() {
            self.hand_over()?;
        }
        self.exporter.flush()
    }

    fn health(&self) -> Health {
        match self.waiting.trouble() {
            None => self.exporter.health(),
            Some(why) => Health::Degraded {
                why: why.to_owned(),
            },
        }
    }

    fn held(&self) -> u64 {
        self.exporter.held() + self.waiting.len()
    }

    fn lost(&self) -> u64 {
        self.exporter.lost() + self.waiting.lost()
    }

    fn directory(&self) -> Option<PathBuf> {
        self.exporter.directory()
    }

    fn warnings(&self) -> Vec<String> {
        self.exporter.warnings()
    }

    fn tick(&mut self) {
        if self.waiting.is_due() {
            let _ = self.hand_over();
        }
        self.exporter.tick();
    }

    fn idle(&mut self) -> bool {
        self.waiting.trouble().is_none() && self.exporter.idle()
    }
}

/// The error with its cause.
fn why(error: &ExportError) -> String {
    match error.source() {
        None => error.to_string(),
        Some(source) => format!("{error}: {source}"),
    }
}

/// Counts the bytes that are written.
struct Size(usize);

impl Write for Size {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
