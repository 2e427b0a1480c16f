use crate::context::replayed_at;
use std::fmt;
use tracing_subscriber::fmt::{
    format::Writer,
    time::{FormatTime, SystemTime},
};

/// A timer for `fmt` layers that shows the original time of replayed events, and formats all
/// other times with the inner timer.
///
/// It formats the times of replayed events as RFC 3339 in UTC with microseconds, like the
/// default timer. Without it a `fmt` layer shows the time of the replay.
///
/// ```
/// use dashcam::gate::EventTime;
/// use tracing_subscriber::fmt;
///
/// let layer = fmt::layer::<tracing_subscriber::Registry>().with_timer(EventTime::utc());
/// # let _ = layer;
/// ```
///
/// An event that a layer emits while it handles a replayed event has that event's time, too.
///
/// # Errors
///
/// Formatting fails if the inner timer fails.
#[derive(Clone, Copy, Debug, Default)]
pub struct EventTime<T = SystemTime> {
    live: T,
}

impl EventTime {
    /// Creates a timer that formats live events like the default timer: RFC 3339 in UTC with
    /// microseconds.
    #[must_use]
    pub const fn utc() -> Self {
        Self { live: SystemTime }
    }
}

impl<T> EventTime<T> {
    /// Creates a timer that formats live events with this inner timer.
    pub const fn new(live: T) -> Self {
        Self { live }
    }
}

impl<T: FormatTime> FormatTime for EventTime<T> {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        match replayed_at() {
            Some(at) => match jiff::Timestamp::try_from(at) {
                Ok(at) => write!(writer, "{at:.6}"),
                // The year is before the first or after the last with four digits.
                Err(_) => writer.write_str("?"),
            },
            None => self.live.format_time(writer),
        }
    }
}
