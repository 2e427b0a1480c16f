use crate::context::replayed_at;
use std::fmt;
use tracing_subscriber::fmt::{
    format::Writer,
    time::{FormatTime, SystemTime},
};

/// A timer for `fmt` layers that shows replayed events with the time at which
/// they were emitted, and all others by the timer within.
///
/// Replayed events are shown as RFC 3339 in UTC with microseconds, as the
/// default timer shows all. Without this wrapper a `fmt` layer shows them with
/// the time of the replay.
///
/// ```
/// use dashcam::gate::EventTime;
/// use tracing_subscriber::fmt;
///
/// let layer = fmt::layer::<tracing_subscriber::Registry>().with_timer(EventTime::utc());
/// # let _ = layer;
/// ```
///
/// What a layer logs itself while it is shown a replayed event has that event's
/// time, too.
///
/// # Errors
///
/// Those of the timer within.
#[derive(Clone, Copy, Debug, Default)]
pub struct EventTime<T = SystemTime> {
    live: T,
}

impl EventTime {
    /// Shows live events as the default timer does: RFC 3339 in UTC with
    /// microseconds.
    #[must_use]
    pub const fn utc() -> Self {
        Self { live: SystemTime }
    }
}

impl<T> EventTime<T> {
    /// Shows live events by this timer.
    pub const fn new(live: T) -> Self {
        Self { live }
    }
}

impl<T: FormatTime> FormatTime for EventTime<T> {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        match replayed_at() {
            Some(at) => match jiff::Timestamp::try_from(at) {
                Ok(at) => write!(writer, "{at:.6}"),
                // Before the first or after the last year that has four digits.
                Err(_) => writer.write_str("?"),
            },
            None => self.live.format_time(writer),
        }
    }
}
