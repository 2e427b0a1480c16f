//! The level of the `log` crate, which is separate from that of `tracing`.

use super::note;
use crate::targets::PROBE_TARGET;
use tracing::level_filters::LevelFilter;

/// Sets the level of the `log` crate to that of `tracing`, if its records reach the gate
/// and its level was that of `tracing` before. Any other level was set by the service, and
/// stays.
pub(super) fn follow(before: LevelFilter) {
    let now = LevelFilter::current();
    if now != before && log::max_level() == of(before) && comes_here() {
        log::set_max_level(of(now));
    }
}

/// Whether the logger asks the gate. It only asks, so that no logger writes anything.
fn comes_here() -> bool {
    let question = log::Metadata::builder()
        .level(log::Level::Error)
        .target(PROBE_TARGET)
        .build();
    note::is_asked_by(|| {
        log::logger().enabled(&question);
    })
}

fn of(level: LevelFilter) -> log::LevelFilter {
    match level {
        LevelFilter::OFF => log::LevelFilter::Off,
        LevelFilter::ERROR => log::LevelFilter::Error,
        LevelFilter::WARN => log::LevelFilter::Warn,
        LevelFilter::INFO => log::LevelFilter::Info,
        LevelFilter::DEBUG => log::LevelFilter::Debug,
        _ => log::LevelFilter::Trace,
    }
}
