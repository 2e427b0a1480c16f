//! Another global filter keeps events from the gate, and the status says so.
#![cfg(feature = "full")]

mod support_gate;

use dashcam::kit::Recording;
use support_gate::Fixture;
use tracing_subscriber::{EnvFilter, prelude::*};

fn check(fixture: &Fixture, position: &str) {
    let Recording::Impossible { why } = fixture.dashcam.status().recording else {
        panic!("{position}: {:?}", fixture.dashcam.status());
    };
    assert!(why.contains("another global filter"), "{position}: {why}");
    let exchange = fixture.failing(|| {
        tracing::debug!("debug");
        tracing::info!("info");
    });
    assert_eq!(support_gate::messages(&exchange), ["info"], "{position}");
}

#[test]
fn a_second_global_filter_is_found_on_either_side() {
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
    // No trace of the question is left behind.
    assert_eq!(fixture.dashcam.status().late_events, 0);
    assert!(fixture.take().is_empty());
}
