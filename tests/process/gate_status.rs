//! The status reports why nothing can be recorded.

use crate::support_gate::{Buffer, Fixture, Output, fmt_json, messages};
use dashcam::{exchange::Mode, kit::Recording};
use tracing::{Level, level_filters::STATIC_MAX_LEVEL};
use tracing_subscriber::{EnvFilter, filter::LevelFilter, prelude::*};

/// Without a gate nothing is recorded.
#[test]
fn no_gate_is_installed() {
    alone!();
    let (fixture, json) = (Fixture::new(), Buffer::default());
    tracing_subscriber::registry()
        .with(LevelFilter::DEBUG)
        .with(fmt_json(&json))
        .init();
    let Recording::Impossible { why } = fixture.dashcam.status().recording else {
        panic!("{:?}", fixture.dashcam.status());
    };
    assert!(why.contains("no gate is installed"), "{why}");
    let exchange = fixture.failing(|| tracing::debug!("debug"));
    assert_eq!((exchange.mode, exchange.events.len()), (Mode::Off, 0));
    assert_eq!(json.count("debug"), 1, "the service's own filter decides");
    assert_eq!(json.count("request"), 1);
}

fn check(fixture: &Fixture, position: &str) {
    let Recording::Impossible { why } = fixture.dashcam.status().recording else {
        panic!("{position}: {:?}", fixture.dashcam.status());
    };
    assert!(why.contains("another global filter"), "{position}: {why}");
    let exchange = fixture.failing(|| {
        tracing::debug!("debug");
        tracing::info!("info");
    });
    assert_eq!(messages(&exchange), ["info"], "{position}");
}

/// Another global filter keeps events from the gate.
#[test]
fn a_second_global_filter_is_found_on_either_side() {
    alone!();
    let fixture = Fixture::new();
    let gate = || fixture.dashcam.gate(EnvFilter::new("info"));
    let outside = tracing_subscriber::registry()
        .with(gate())
        .with(EnvFilter::new("info"));
    tracing::subscriber::with_default(outside, || check(&fixture, "outside"));
    let inside = tracing_subscriber::registry()
        .with(EnvFilter::new("info"))
        .with(gate());
    tracing::subscriber::with_default(inside, || check(&fixture, "inside"));
    tracing::subscriber::with_default(tracing_subscriber::registry().with(gate()), || {
        assert_eq!(fixture.dashcam.status().recording, Recording::On);
    });
    // The probe leaves no trace.
    assert_eq!(fixture.dashcam.status().late_events, 0);
    assert!(fixture.take().is_empty());
}

/// A dependency removes debug events from the binary. Features apply to the whole build, so
/// `.ci/full` builds this test a second time, with `--features full,tracing/max_level_info`. In
/// other builds the test expects the opposite from the status.
#[test]
fn the_static_level_is_in_the_status() {
    alone!();
    let fixture = Fixture::new();
    tracing_subscriber::registry()
        .with(fixture.dashcam.gate(EnvFilter::new("info")))
        .init();
    let recording = fixture.dashcam.status().recording;
    let exchange = fixture.failing(|| {
        tracing::debug!("debug");
        tracing::info!("info");
    });
    let messages = messages(&exchange);
    if STATIC_MAX_LEVEL >= Level::DEBUG {
        assert_eq!(recording, Recording::On);
        assert_eq!(messages, ["debug", "info"]);
        return;
    }
    let Recording::Impossible { why } = recording else {
        panic!("{recording:?}");
    };
    assert!(why.contains("max_level_*"), "{why}");
    assert_eq!(messages, ["info"]);
}
