use std::{fmt, io};

/// [`DashcamBuilder::build`](super::DashcamBuilder::build) or
/// [`Dashcam::init_tracing`](super::Dashcam::init_tracing) failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// A setting of the builder is invalid: which one, and what is wrong with it.
    InvalidSetting(String),
    /// The operating system could not start a thread.
    Thread(io::Error),
    /// A global subscriber is already installed.
    AlreadyInstalled(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidSetting(why) => f.write_str(why),
            Self::Thread(error) => write!(
                f,
                "cannot start a thread of dashcam (exporter, replay, rule source or log \
                 writer): {error}"
            ),
            Self::AlreadyInstalled(why) => write!(
                f,
                "{why}: `init_tracing` installs a global subscriber, and another one is already \
                 installed. Remove one of the two. To keep the other one, leave `init_tracing` out \
                 and add dashcam's layers to it after `Dashcam::builder().build()`: \
                 `tracing_subscriber::registry().with(dashcam.gate(…)).with(your layers).init()`, \
                 and `.with(dashcam.json_log()?)` for JSON lines"
            ),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Thread(error) => Some(error),
            Self::InvalidSetting(_) | Self::AlreadyInstalled(_) => None,
        }
    }
}
