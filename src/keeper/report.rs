//! Reports losses in the log, and counters to the `metrics` facade.

use super::counters::{Backlog, Counters, Lost};
use crate::{export::Health, foreign};
use std::{
    io::{self, Write},
    sync::atomic::Ordering::Relaxed,
    time::{Duration, Instant},
};

/// The shortest time between two reports in the log.
const EVERY: Duration = Duration::from_secs(60);

/// The reports so far; on the exporter thread.
#[derive(Debug, Default)]
pub(super) struct Report {
    logged_at: Option<Instant>,
    /// When the log last reported exchanges that wait in the exporter.
    held_at: Option<Instant>,
    #[cfg(feature = "metrics")]
    sent: Sent,
}

/// Kept exchanges that are not written at the end.
#[derive(Debug)]
pub(crate) struct Farewell {
    /// Kept, and neither given up nor written.
    waiting: u64,
    /// Given up, and not yet reported.
    lost: u64,
    why: String,
}

impl Farewell {
    /// Returns the report for the end of the process or of a keeper. Each loss is reported
    /// once.
    pub(super) fn of(counters: &Counters, backlog: Backlog) -> Option<Self> {
        let lost = Lost::so_far(counters);
        let through = counters.exported.load(Relaxed) + lost.export_failed;
        let queued = counters.kept.load(Relaxed).saturating_sub(through);
        let waiting = queued + backlog.held.max(counters.unflushed.load(Relaxed));
        let mut said = counters.report();
        let untold = lost.since(said.lost);
        let this = Self {
            waiting,
            lost: untold.export_failed + untold.backlog,
            why: match counters.health() {
                Health::Degraded { why } => why,
                Health::Ok if queued > 0 => "the exporter is behind".to_owned(),
                Health::Ok => said.why.clone().unwrap_or_default(),
            },
        };
        let new = this.lost > 0 || waiting > said.waiting;
        said.waiting = waiting;
        said.lost.export_failed = lost.export_failed;
        said.lost.backlog = lost.backlog;
        new.then_some(this)
    }

    /// Logs the report, or writes it to standard error if there is no log.
    pub(crate) fn say(&self) {
        let Self { waiting, lost, why } = self;
        let log = || {
            tracing::warn!(
                target: crate::targets::STATUS_TARGET,
                waiting,
                lost,
                why,
                "kept exchanges are not written yet; those in `waiting` are lost if the process \
                 ends now"
            );
        };
        // Filters may reject the event, which counts as no log.
        let shown =
            || tracing::enabled!(target: crate::targets::STATUS_TARGET, tracing::Level::WARN);
        let shown = tracing::dispatcher::has_been_set() && foreign::run(shown) == Some(true);
        if !shown || foreign::run(log).is_none() {
            let _ = writeln!(
                io::stderr(),
                "dashcam: kept exchanges are not written ({waiting} wait and are lost if the \
                 process ends now, {lost} are lost): {why}"
            );
        }
    }
}

impl Counters {
    /// Returns the report on kept exchanges that are not written, if there is news.
    pub(crate) fn farewell(&self) -> Option<Farewell> {
        Farewell::of(self, self.backlog())
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
        if due && tracing::dispatcher::has_been_set() {
            let new = {
                let mut said = counters.report();
                lost.since(std::mem::replace(&mut said.lost, lost))
            };
            if new != Lost::default() {
                self.logged_at = Some(now);
                let Lost {
                    suppressed,
                    sampled_out,
                    queue_full,
                    export_failed,
                    backlog,
                } = new;
                tracing::warn!(
                    target: crate::targets::STATUS_TARGET,
                    suppressed,
                    // Most services have no sample.
                    sampled_out = (sampled_out > 0).then_some(sampled_out),
                    queue_full,
                    export_failed,
                    backlog,
                    "exchanges were not kept"
                );
            }
        }
        self.tell_held(counters, now);
        #[cfg(feature = "metrics")]
        self.measure(counters);
    }

    /// Logs that exchanges wait, before an operator ends the process.
    fn tell_held(&mut self, counters: &Counters, now: Instant) {
        let held = counters.backlog().held;
        if held == 0 {
            self.held_at = None;
            return;
        }
        let due = self
            .held_at
            .is_none_or(|at| now.duration_since(at) >= EVERY);
        if due && tracing::dispatcher::has_been_set() {
            self.held_at = Some(now);
            let why = match counters.health() {
                Health::Degraded { why } => Some(why),
                Health::Ok => None,
            };
            tracing::warn!(
                target: crate::targets::STATUS_TARGET,
                held,
                why,
                "kept exchanges wait in memory and are lost if the process ends"
            );
        }
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

/// The values that the facade has: it gets differences, so that several layers of one
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
        if lost.sampled_out > 0 {
            counter!(DROPPED, "reason" => "sample_budget").increment(lost.sampled_out);
        }
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
