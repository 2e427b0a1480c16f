use super::Rules;
use std::time::Duration;

/// Somewhere that rules come from and change while the service runs.
///
/// It is asked by a thread of its own, so it may take its time; a source that
/// fetches in the background hands over what came in since the last question.
/// Sources that rather tell than be asked use a [`RuleSlot`](super::RuleSlot).
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

pub(super) const DEFAULT_INTERVAL: Duration = Duration::from_millis(500);

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
