use super::{Dashcam, Error};
use crate::selection::Directives;
use std::env;
use tracing::{Dispatch, dispatcher, level_filters::LevelFilter};
use tracing_subscriber::{filter::Targets, layer::SubscriberExt};

/// How many invalid directives the warning quotes.
const SHOWN: usize = 8;

impl Dashcam {
    /// Installs a global subscriber: the gate with `RUST_LOG` as base filter (default
    /// `info`), and JSON lines on standard output. Records of the `log` crate are included.
    ///
    /// `RUST_LOG` is a list of levels and of levels per target, as in a
    /// [`BaseFilter`](crate::gate::BaseFilter). Directives that cannot be parsed, including
    /// span and field filters (`[span{field}]=debug`), are ignored, and one warning quotes
    /// them. If no directive is left, the level is `info`.
    ///
    /// Independent of `RUST_LOG`, each request leaves one line (see
    /// [`request_line`](super::DashcamBuilder::request_line)), and decision points are
    /// shown.
    ///
    /// It also [installs a panic hook](Self::install_panic_hook).
    ///
    /// If the `log` crate already has a logger, its records stay there, and a warning
    /// reports it. If events cannot be recorded, one warning has the reason, and
    /// [`status`](super::DashcamHandle::status) has it as long as it lasts.
    ///
    /// # Errors
    ///
    /// [`Error::AlreadyInstalled`] if there is a global subscriber. Then remove this call,
    /// add [`gate`](Self::gate) and, if wanted, [`json_log`](Self::json_log) to that
    /// subscriber's registry, and call [`install_panic_hook`](Self::install_panic_hook).
    /// [`Error::Thread`] if the operating system cannot start a thread.
    pub fn init_tracing(&self) -> Result<(), Error> {
        let (base, problem) = base();
        let lines = self.json_log().map_err(Error::Thread)?;
        let subscriber = tracing_subscriber::registry()
            .with(self.gate(base))
            .with(lines);
        dispatcher::set_global_default(Dispatch::new(subscriber))
            .map_err(|error| Error::AlreadyInstalled(error.to_string()))?;
        self.install_panic_hook();
        if let Some(problem) = problem {
            tracing::warn!(target: crate::targets::STATUS_TARGET, "{problem}");
        }
        bridge_log();
        self.self_test();
        Ok(())
    }
}

/// Returns the base filter of `RUST_LOG`, and a warning about ignored directives.
fn base() -> (Targets, Option<String>) {
    let info = || Targets::new().with_default(LevelFilter::INFO);
    let Some(value) = env::var_os("RUST_LOG") else {
        return (info(), None);
    };
    let text = value.to_string_lossy();
    let (mut targets, mut bad, mut readable) = (Targets::new(), Vec::new(), false);
    for directive in split(&text) {
        match directive.parse::<Directives>() {
            // Invalid Unicode becomes characters that no target has.
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

/// Splits a list into directives. A comma inside brackets does not end a directive.
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
    let mut text = "RUST_LOG: ignored ".to_owned();
    for (n, directive) in bad.iter().take(SHOWN).enumerate() {
        let start: String = directive.chars().take(64).collect();
        text += if n > 0 { ", " } else { "" };
        text += &format!("{start:?}");
    }
    if bad.len() > SHOWN {
        text += &format!(" and {} more", bad.len() - SHOWN);
    }
    text += ": not a level, a target or `target=level`";
    if bad.iter().any(|directive| directive.contains('[')) {
        text += "; for filters by span or field, enable the feature `env-filter` and pass an \
                 `EnvFilter` to the gate";
    }
    if !readable {
        text += "; the level is `info`";
    }
    text
}

/// Turns records of the `log` crate into events, if it has no logger yet.
fn bridge_log() {
    use tracing_log::AsLog;
    let bridged = tracing_log::LogTracer::builder()
        .with_max_level(LevelFilter::current().as_log())
        .init();
    if let Err(error) = bridged {
        tracing::warn!(target: crate::targets::STATUS_TARGET, "records of the `log` crate are not recorded, because it has another logger: {error}");
    }
}
