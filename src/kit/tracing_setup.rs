use super::Dashcam;
use crate::selection::Directives;
use std::{env, fmt, io};
use tracing::{Dispatch, dispatcher, level_filters::LevelFilter};
use tracing_subscriber::{filter::Targets, layer::SubscriberExt};

/// Of how many directives that cannot be read the warning shows the text.
const SHOWN: usize = 8;

impl Dashcam {
    /// Installs a global subscriber: the gate over `RUST_LOG` (default `info`),
    /// and JSON lines on standard output. Records of the
    /// `log` crate go there too.
    ///
    /// `RUST_LOG` is a list of levels and of levels per target, which is read as a
    /// [`BaseFilter`](crate::gate::BaseFilter) is. What of it cannot be read, span
    /// and field filters (`[span{field}]=debug`) included, is left out, and one warning
    /// names it; where nothing is left it is `info`.
    ///
    /// Whatever `RUST_LOG` says, each request leaves one line, and decision
    /// points are shown; see
    /// [`request_line(false)`](super::DashcamBuilder::request_line).
    ///
    /// Also [installs a panic hook](Self::install_panic_hook).
    ///
    /// Where the `log` crate has a logger already, its records stay there, and
    /// a warning says so. Where recording cannot work, a warning says why, once, and
    /// [`status`](super::DashcamHandle::status) keeps saying it.
    ///
    /// # Errors
    ///
    /// A global subscriber is installed already: leave this call out, and add
    /// [`gate`](Self::gate) and, if wanted, [`json_log`](Self::json_log) to
    /// its registry where that is installed, and call
    /// [`install_panic_hook`](Self::install_panic_hook); the error says so. Or no thread is to be had.
    pub fn init_tracing(&self) -> Result<(), InitError> {
        let (base, problem) = base();
        let lines = self.json_log().map_err(InitError::Thread)?;
        let subscriber = tracing_subscriber::registry()
            .with(self.gate(base))
            .with(lines);
        dispatcher::set_global_default(Dispatch::new(subscriber))
            .map_err(|error| InitError::Installed(error.to_string()))?;
        self.install_panic_hook();
        if let Some(problem) = problem {
            tracing::warn!(target: crate::targets::STATUS_TARGET, "{problem}");
        }
        bridge_log();
        self.self_test();
        Ok(())
    }
}

/// The base filter by `RUST_LOG`, and what of that is left out.
fn base() -> (Targets, Option<String>) {
    let info = || Targets::new().with_default(LevelFilter::INFO);
    let Some(value) = env::var_os("RUST_LOG") else {
        return (info(), None);
    };
    let text = value.to_string_lossy();
    let (mut targets, mut bad, mut readable) = (Targets::new(), Vec::new(), false);
    for directive in split(&text) {
        match directive.parse::<Directives>() {
            // A text that is no Unicode has characters of which no target is made.
            Ok(one) => {
                let one = one.into_targets();
                let default = one.default_level();
                targets.extend(one);
                if let Some(level) = default {
                    targets = targets.with_default(level);
                }
                readable = true;
            }
            Err(_) => bad.push(directive),
        }
    }
    if !readable {
        targets = info();
    }
    if bad.is_empty() {
        return (targets, None);
    }
    (targets, Some(describe(&bad, readable)))
}

/// The directives of a list; commas between the brackets of one do not end it.
fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_u32;
    let parts = text.split(move |c| {
        match c {
            '[' | '{' => depth += 1,
            ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    });
    parts.map(str::trim).filter(|part| !part.is_empty())
}

fn describe(bad: &[&str], readable: bool) -> String {
    let mut text = "RUST_LOG: left out ".to_owned();
    for (n, directive) in bad.iter().take(SHOWN).enumerate() {
        let start: String = directive.chars().take(64).collect();
        text += if n > 0 { ", " } else { "" };
        text += &format!("{start:?}");
    }
    if bad.len() > SHOWN {
        text += &format!(" and {} more", bad.len() - SHOWN);
    }
    text += ", which is no level, target or `target=level`";
    if bad.iter().any(|directive| directive.contains('[')) {
        text += "; a filter by span or field takes an `EnvFilter` as the base of the gate";
    }
    if !readable {
        text += "; `info` is used";
    }
    text
}

/// Makes records of the `log` crate events, where it has no logger yet.
fn bridge_log() {
    use tracing_log::AsLog;
    let bridged = tracing_log::LogTracer::builder()
        .with_max_level(LevelFilter::current().as_log())
        .init();
    if let Err(error) = bridged {
        tracing::warn!(target: crate::targets::STATUS_TARGET, "records of the `log` crate are not recorded: {error}");
    }
}

/// Tracing could not be set up.
#[derive(Debug)]
#[non_exhaustive]
pub enum InitError {
    /// A global subscriber is installed already.
    Installed(String),
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
                 and `.with(dashcam.json_log()?)` for JSON lines"
            ),
            Self::Thread(error) => write!(f, "no thread for the log writer: {error}"),
        }
    }
}

impl std::error::Error for InitError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Thread(error) => Some(error),
            Self::Installed(_) => None,
        }
    }
}
