//! The thread that polls a source of rules.

use super::{
    Rules, Steering,
    source::{DEFAULT_INTERVAL, RuleSource},
    steering::RuleSlot,
};
use crate::{foreign, targets::RULES_TARGET};
use std::{error::Error, io, iter, thread, time::Duration};

/// The shortest interval: polling without a pause would use up a core.
const LEAST_INTERVAL: Duration = Duration::from_millis(10);

/// How many causes of an error are reported. An error may name itself as its cause.
const CAUSES: usize = 32;

impl Steering {
    /// Adds a source, and starts a thread that polls it until the last clone of this steering
    /// is dropped. The first poll is before this method returns.
    ///
    /// # Errors
    ///
    /// The operating system cannot start the thread.
    pub fn source(self, source: impl RuleSource) -> io::Result<Self> {
        let slot = self.slot(source.name());
        spawn(source, slot)?;
        Ok(self)
    }
}

/// Polls a source until nobody uses its rules. The first poll is at once, so that a service
/// starts with its rules.
fn spawn(mut source: impl RuleSource, slot: RuleSlot) -> io::Result<()> {
    slot.hear(ask(&mut source));
    let run = move || {
        let mut told = false;
        while slot.is_alive() {
            let interval = interval(&source);
            if interval < LEAST_INTERVAL && !told && tracing::dispatcher::has_been_set() {
                told = true;
                let (name, least) = (name(&source), LEAST_INTERVAL);
                let warn = || {
                    tracing::warn!(
                        target: RULES_TARGET,
                        "the rules of {name}: polled every {least:?}, not every {interval:?}"
                    );
                };
                foreign::run(warn);
            }
            thread::sleep(interval.max(LEAST_INTERVAL));
            slot.hear(ask(&mut source));
        }
        foreign::discard(source);
    };
    thread::Builder::new()
        .name("dashcam-rules".to_owned())
        .spawn(run)
        .map(drop)
}

/// Returns the interval, or the default if the source panics.
fn interval(source: &impl RuleSource) -> Duration {
    foreign::run(|| source.interval()).unwrap_or(DEFAULT_INTERVAL)
}

fn name(source: &impl RuleSource) -> String {
    foreign::run(|| source.name()).unwrap_or_else(|| "a source whose name panics".to_owned())
}

/// Polls the source. Its error may panic, too, so it is formatted and dropped in there.
fn ask(source: &mut impl RuleSource) -> Result<Option<Rules>, String> {
    foreign::run(|| source.poll().map_err(|error| with_causes(&*error)))
        .unwrap_or_else(|| Err("the source panicked".to_owned()))
}

/// Returns the text of an error, followed by those of its causes.
fn with_causes(error: &(dyn Error + 'static)) -> String {
    let causes = iter::successors(error.source(), |cause| (*cause).source());
    causes
        .take(CAUSES)
        .fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
