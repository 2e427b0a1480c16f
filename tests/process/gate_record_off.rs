//! Nothing is recorded if recording is off.

use crate::support_gate::{Buffer, Fixture, Output, Seen, bump, fmt_json};
use dashcam::{
    exchange::{KeepReason, Mode},
    kit::{DashcamBuilder, Recording},
};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use tracing::{Level, level_filters::LevelFilter};
use tracing_subscriber::{EnvFilter, prelude::*};

#[test]
fn disabled_events_stay_disabled() {
    alone!();
    let fixture = Fixture::with(DashcamBuilder::record_off);
    let (json, seen) = (Buffer::default(), Seen::default());
    tracing_subscriber::registry()
        .with(fixture.dashcam.gate(EnvFilter::new("info")))
        .with(fmt_json(&json))
        .with(seen.clone())
        .init();
    assert_eq!(LevelFilter::current(), LevelFilter::INFO);
    assert_eq!(fixture.dashcam.status().recording, Recording::Off);

    static EVALUATED: AtomicU32 = AtomicU32::new(0);
    let exchange = fixture.failing(|| {
        assert!(!tracing::enabled!(Level::DEBUG));
        tracing::debug!(n = bump(&EVALUATED), "debug");
        tracing::info!("info");
    });
    assert_eq!(EVALUATED.load(SeqCst), 0);
    assert_eq!(exchange.mode, Mode::Off);
    assert!(exchange.events.is_empty(), "{exchange:#?}");
    assert_eq!(exchange.losses.events_dropped, 0, "{exchange:#?}");
    assert_eq!((json.count("info"), seen.count("info")), (1, 1));
    assert_eq!((json.count("debug"), seen.count("debug")), (0, 0));
    assert_eq!(LevelFilter::current(), LevelFilter::INFO);

    // Not a recording: every exchange has these events.
    fixture.healthy(|| {
        dashcam::decision!("discount", rule = "vip");
        tracing::error!("went wrong");
        tracing::info!("and on");
    });
    let exchange = fixture.only();
    assert_eq!(exchange.keep, [KeepReason::ErrorEvent]);
    assert_eq!(exchange.mode, Mode::Off);
    assert!(exchange.events.is_empty(), "{exchange:#?}");
    assert_eq!(exchange.decisions.len(), 1, "{exchange:#?}");
    assert_eq!(exchange.decisions[0].fields["rule"], "vip");
    assert_eq!((seen.count("went wrong"), seen.count("and on")), (1, 1));
    fixture.healthy(|| tracing::warn!("only a warning"));
    assert!(fixture.take().is_empty());
}
