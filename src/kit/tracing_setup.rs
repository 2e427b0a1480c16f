use super::Dashcam;
use crate::lifecycle::install_hook;
use std::{env::VarError, fmt, io};
use tracing::dispatcher;
use tracing_subscriber::{EnvFilter, layer::SubscriberExt, util::SubscriberInitExt};

impl Dashcam {
    /// Installs a global subscriber: the gate over `RUST_LOG` (default `info`),
    /// and JSON lines on standard output. With the feature `log`, records of the
    /// `log` crate go there too.
    ///
    /// Whatever `RUST_LOG` says, each request leaves one line, and decision
    /// points are shown; see
    /// [`without_request_line`](super::DashcamBuilder::without_request_line).
    ///
    /// Also installs a panic hook that notes where a request panicked and then
    /// calls the hook that was there before. The default hook prints the panic
    /// message to standard error as it is, unredacted.
    ///
    /// Where the `log` crate has a logger already, its records stay there, and
    /// a warning says so. Where recording cannot work, a warning says why, once, and
    /// [`status`](Self::status) keeps saying it.
    ///
    /// # Errors
    ///
    /// A global subscriber is installed already: leave this call out, and add
    /// [`gate`](Self::gate) and, if wanted, [`json_lines`](Self::json_lines) to
    /// its registry where that is installed; the error says so. Or `RUST_LOG` cannot be read, or no thread is to
    /// be had.
    pub fn init_tracing(&self) -> Result<(), InitError> {
        let base = match std::env::var("RUST_LOG") {
            Ok(text) if !text.trim().is_empty() => {
                EnvFilter::try_new(&text).map_err(|error| InitError::Filter(error.to_string()))?
            }
            Err(error @ VarError::NotUnicode(_)) => {
                return Err(InitError::Filter(error.to_string()));
            }
            _ => EnvFilter::new("info"),
        };
        let lines = self.json_lines().map_err(InitError::Thread)?;
        let taken = dispatcher::has_been_set();
        let installed = tracing_subscriber::registry()
            .with(self.gate(base))
            .with(lines)
            .try_init();
        match installed {
            Ok(()) => install_hook(),
            // The subscriber is ours; only the `log` crate has a logger already.
            Err(error) if !taken && dispatcher::has_been_set() => {
                install_hook();
                tracing::warn!(
                    target: "dashcam::status",
                    "records of the `log` crate are not recorded: {error}"
                );
            }
            Err(error) => return Err(InitError::Installed(error.to_string())),
        }
        self.self_test();
        Ok(())
    }
}

/// Tracing could not be set up.
#[derive(Debug)]
#[non_exhaustive]
pub enum InitError {
    /// A global subscriber is installed already.
    Installed(String),
    /// `RUST_LOG` cannot be read.
    Filter(String),
    /// The operating system gave no thread.
    Thread(io::Error),
}

impl fmt::Display for InitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Installed(why) => write!(
                f,
                "{why}: `init_tracing` installs a subscriber of its own, and another one was \
                 installed before it. Leave one of the two out; or leave `init_tracing` out and \
                 add dashcam's layers where the other one is installed, after \
                 `Dashcam::builder().build()`: \
                 `tracing_subscriber::registry().with(dashcam.gate(…)).with(your layers).init()`, \
                 and `.with(dashcam.json_lines()?)` for JSON lines"
            ),
            Self::Filter(why) => write!(f, "RUST_LOG: {why}"),
            Self::Thread(error) => write!(f, "no thread for the log writer: {error}"),
        }
    }
}

impl std::error::Error for InitError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Thread(error) => Some(error),
            Self::Installed(_) | Self::Filter(_) => None,
        }
    }
}
