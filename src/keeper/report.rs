//! What was lost, in the log; and counters, for the `metrics` facade.

use super::Counters;
#[cfg(feature = "metrics")]
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

/// The log tells of losses at most this often.
const EVERY: Duration = Duration::from_secs(60);

/// What was told so far; on the exporter thread.
#[derive(Debug, Default)]
pub(super) struct Report {
    logged: Lost,
    logged_at: Option<Instant>,
    #[cfg(feature = "metrics")]
    sent: Sent,
}

/// Exchanges that should be somewhere and are not.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Lost {
    suppressed: u64,
    queue_full: u64,
    export_failed: u64,
    backlog: u64,
}

impl Lost {
    fn so_far(counters: &Counters) -> Self {
        let dropped = counters.dropped();
        Self {
            suppressed: dropped.suppressed,
            queue_full: dropped.queue_full,
            export_failed: dropped.export_failed,
            backlog: counters.backlog().lost,
        }
    }

    fn since(self, before: Self) -> Self {
        Self {
            suppressed: self.suppressed.saturating_sub(before.suppressed),
            queue_full: self.queue_full.saturating_sub(before.queue_full),
            export_failed: self.export_failed.saturating_sub(before.export_failed),
            backlog: self.backlog.saturating_sub(before.backlog),
        }
    }
}

impl Report {
    /// Called about once a second.
    pub(super) fn tick(&mut self, counters: &Counters) {
        let now = Instant::now();
        let due = self
            .logged_at
            .is_none_or(|at| now.duration_since(at) >= EVERY);
        let lost = Lost::so_far(counters);
        if due && lost != self.logged && tracing::dispatcher::has_been_set() {
            let Lost {
                suppressed,
                queue_full,
                export_failed,
                backlog,
            } = lost.since(self.logged);
            tracing::warn!(
                target: "dashcam::status",
                suppressed,
                queue_full,
                export_failed,
                backlog,
                "exchanges were not kept"
            );
            self.logged = lost;
            self.logged_at = Some(now);
        }
        #[cfg(feature = "metrics")]
        self.measure(counters);
    }

    /// Brings the metrics up to date.
    #[cfg(feature = "metrics")]
    pub(super) fn measure(&mut self, counters: &Counters) {
        self.sent.send(Sent {
            finished: counters.finished.load(Relaxed),
            kept: counters.kept.load(Relaxed),
            exported: counters.exported.load(Relaxed),
            in_flight: counters.in_flight.load(Relaxed),
            held: counters.backlog().held,
            lost: Lost::so_far(counters),
        });
    }
}

/// What the facade was told: it gets differences, so that several layers of one
/// process add up.
#[cfg(feature = "metrics")]
#[derive(Clone, Copy, Debug, Default)]
struct Sent {
    finished: u64,
    kept: u64,
    exported: u64,
    in_flight: u64,
    held: u64,
    lost: Lost,
}

#[cfg(feature = "metrics")]
impl Sent {
    fn send(&mut self, now: Self) {
        use metrics::{counter, gauge};

        const DROPPED: &str = "dashcam_exchanges_dropped_total";
        let lost = now.lost.since(self.lost);
        counter!("dashcam_requests_total").increment(now.finished.saturating_sub(self.finished));
        counter!("dashcam_exchanges_kept_total").increment(now.kept.saturating_sub(self.kept));
        counter!("dashcam_exchanges_exported_total")
            .increment(now.exported.saturating_sub(self.exported));
        counter!(DROPPED, "reason" => "storm_budget").increment(lost.suppressed);
        counter!(DROPPED, "reason" => "queue_full").increment(lost.queue_full);
        counter!(DROPPED, "reason" => "export_failed").increment(lost.export_failed);
        counter!(DROPPED, "reason" => "backlog").increment(lost.backlog);
        gauge!("dashcam_requests_in_flight").increment(difference(now.in_flight, self.in_flight));
        gauge!("dashcam_exchanges_held").increment(difference(now.held, self.held));
        *self = now;
    }
}

#[cfg(feature = "metrics")]
#[allow(clippy::cast_precision_loss, reason = "counts are small")]
fn difference(now: u64, before: u64) -> f64 {
    now as f64 - before as f64
}
