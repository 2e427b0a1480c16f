//! Tests whether recording can work in this process.

use super::Gate;
use crate::{
    context::{Mode, RequestContext},
    foreign,
    id::Identity,
    targets::PROBE_TARGET,
};
use std::{
    fmt,
    time::{Instant, SystemTime},
};
use tracing::{
    Dispatch, Level, dispatcher,
    level_filters::{LevelFilter, STATIC_MAX_LEVEL},
};

/// What prevents recording.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Obstacle {
    NoGate,
    StaticLevel,
    Filtered,
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoGate => {
                "no gate is installed: call `init_tracing`, or add `dashcam.gate(…)` to the registry"
            }
            Self::StaticLevel => {
                "a dependency enables a `max_level_*` or `release_max_level_*` feature of `tracing`, \
                 so debug events are not in this binary"
            }
            Self::Filtered => {
                "another global filter in the registry refuses debug events before the gate is \
                 asked: use it as the gate's base filter, or attach it to a single layer"
            }
        })
    }
}

/// Whether the current subscriber has a second gate.
pub(crate) fn doubled() -> bool {
    dispatcher::get_default(|dispatch| {
        dispatch
            .downcast_ref::<Gate>()
            .is_some_and(Gate::has_second)
    })
}

/// Emits a debug event through the current subscriber, like a request that records up to
/// this level, and checks whether it was recorded.
pub(crate) fn probe(recorded: LevelFilter) -> Result<(), Obstacle> {
    // No other subscriber may see the event.
    if !dispatcher::get_default(Dispatch::is::<Gate>) {
        return Err(Obstacle::NoGate);
    }
    let debug = recorded >= Level::DEBUG;
    if debug && STATIC_MAX_LEVEL < Level::DEBUG {
        return Err(Obstacle::StaticLevel);
    }
    let identity = Identity::default();
    let context = RequestContext::new(identity, Instant::now(), SystemTime::UNIX_EPOCH, None);
    context.shared().recording().begin(1024, None);
    context.raise(Mode::RECORD);
    // Layers may see it.
    foreign::run(|| {
        context.in_scope(|| {
            if debug {
                tracing::debug!(target: PROBE_TARGET, "probe");
            } else {
                tracing::error!(target: PROBE_TARGET, "probe");
            }
        });
    });
    let recorded = context.shared().recording().len();
    if recorded == 1 {
        Ok(())
    } else {
        Err(Obstacle::Filtered)
    }
}
