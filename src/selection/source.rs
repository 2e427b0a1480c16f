use super::Rules;
use std::{error::Error, time::Duration};

/// A source of rules that change while the service runs.
///
/// A thread of its own polls it, so [`poll`](Self::poll) may block. A source that fetches in
/// the background returns what came in since the last poll. A source that pushes calls
/// [`Steering::set_rules`](super::Steering::set_rules) instead.
///
/// ```
/// use dashcam::selection::{RuleSource, Rules, Steering};
/// use std::error::Error;
///
/// struct Nobody;
///
/// impl RuleSource for Nobody {
///     fn name(&self) -> String {
///         "nobody".to_owned()
///     }
///
///     fn poll(&mut self) -> Result<Option<Rules>, Box<dyn Error + Send + Sync>> {
///         Ok(Some(Rules::default()))
///     }
/// }
///
/// let steering = Steering::new().source(Nobody)?;
/// # let _ = steering;
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait RuleSource: Send + 'static {
    /// Returns the name of the source in the status and the log.
    fn name(&self) -> String;

    /// Returns the rules from now on, or `None` if they are those of the last poll.
    ///
    /// Rules of which a part cannot be used have a [problem](Rules::with_problem). A source that
    /// is gone returns no rules, with a problem.
    ///
    /// # Errors
    ///
    /// The newest version cannot be used. The rules of the last poll stay in use until they
    /// expire; the log and the status report the error with its causes.
    fn poll(&mut self) -> Result<Option<Rules>, Box<dyn Error + Send + Sync>>;

    /// Returns how long to wait after a poll. Default: 500 ms; at least 10 ms. The log reports
    /// a source with less once.
    fn interval(&self) -> Duration {
        DEFAULT_INTERVAL
    }
}

pub(super) const DEFAULT_INTERVAL: Duration = Duration::from_millis(500);
