use super::{Rules, steering::Inner};
use crate::foreign;
use std::{
    fmt, io,
    sync::{Arc, Weak},
    thread,
    time::Duration,
};

/// Somewhere that rules come from and change while the service runs.
///
/// It is asked by a thread of its own, so it may take its time; a source that
/// fetches in the background hands over what came in since the last question.
/// Sources that rather tell than be asked use a [`RuleSlot`].
///
/// ```
/// use dashcam::selection::{News, RuleSource, Rules, Steering};
///
/// struct Nobody;
///
/// impl RuleSource for Nobody {
///     fn name(&self) -> String {
///         "nobody".to_owned()
///     }
///
///     fn poll(&mut self) -> News {
///         News::Rules(Rules::default())
///     }
/// }
///
/// let steering = Steering::new().source(Nobody)?;
/// # let _ = steering;
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait RuleSource: Send + 'static {
    /// How the status and the log call it.
    fn name(&self) -> String;

    /// What is new since the last call.
    fn poll(&mut self) -> News;

    /// How long to wait after a call; default 500 ms. At least 10 ms are waited: of a
    /// source that says less the log says so once.
    fn interval(&self) -> Duration {
        DEFAULT_INTERVAL
    }
}

const DEFAULT_INTERVAL: Duration = Duration::from_millis(500);

/// A source that is asked without a pause would take a processor.
const LEAST_INTERVAL: Duration = Duration::from_millis(10);

/// What a source says when it is asked.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum News {
    /// Nothing: what it said last stays in use until it expires.
    Nothing,
    /// These rules from now on.
    Rules(Rules),
    /// These rules from now on, and what is wrong with the rest of what the source
    /// says; the log and the status say so.
    Partly(Rules, String),
    /// A version that cannot be used, and why. What it said last stays in use
    /// until it expires; the log and the status say so.
    Problem(String),
    /// There is nothing any more, and why: its rules end.
    Gone(String),
}

/// A place for the rules of one source; see [`Steering::slot`](super::Steering::slot).
#[derive(Clone)]
pub struct RuleSlot {
    steering: Weak<Inner>,
    source: usize,
}

impl RuleSlot {
    pub(super) fn new(steering: &Arc<Inner>, source: usize) -> Self {
        Self {
            steering: Arc::downgrade(steering),
            source,
        }
    }

    /// These rules from now on, instead of those before.
    pub fn set(&self, rules: Rules) {
        self.hear(News::Rules(rules));
    }

    /// What a source says. After the last clone of the steering is gone it does
    /// nothing.
    pub fn hear(&self, news: News) {
        let Some(steering) = self.steering.upgrade() else {
            return;
        };
        match news {
            News::Nothing => {}
            News::Rules(rules) => steering.set(self.source, Some(rules), None),
            News::Partly(rules, problem) => steering.set(self.source, Some(rules), Some(problem)),
            News::Problem(problem) => steering.set(self.source, None, Some(problem)),
            News::Gone(problem) => {
                steering.set(self.source, Some(Rules::default()), Some(problem));
            }
        }
        if let Some((source, problem)) = steering.untold(self.source) {
            let warn = || tracing::warn!(target: crate::targets::RULES_TARGET, "the rules of {source}: {problem}");
            // On a thread of ours, which a layer that panics must not end.
            foreign::run(warn);
        }
        steering.tell();
    }

    fn is_alive(&self) -> bool {
        self.steering.strong_count() > 0
    }
}

impl fmt::Debug for RuleSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RuleSlot")
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

/// Asks a source until nobody uses its rules. The first time it is asked at
/// once, so that a service starts with its rules.
pub(super) fn spawn(mut source: impl RuleSource, slot: RuleSlot) -> io::Result<()> {
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
                        target: crate::targets::RULES_TARGET,
                        "the rules of {name}: asked every {least:?}, not every {interval:?}"
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

/// The default, where the source panics.
fn interval(source: &impl RuleSource) -> Duration {
    foreign::run(|| source.interval()).unwrap_or(DEFAULT_INTERVAL)
}

fn name(source: &impl RuleSource) -> String {
    foreign::run(|| source.name()).unwrap_or_else(|| "a source whose name panics".to_owned())
}

fn ask(source: &mut impl RuleSource) -> News {
    foreign::run(|| source.poll())
        .unwrap_or_else(|| News::Problem("the source panicked".to_owned()))
}
