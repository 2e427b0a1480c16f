//! A dependency that takes debug events out of the binary, and the status that
//! says so. Features are those of the whole build, so `.ci/full` builds this test
//! a second time, with `--features full,tracing/max_level_info`; in other builds
//! it holds the status to the opposite.
#![cfg(feature = "full")]

mod support_gate;

use dashcam::kit::Recording;
use support_gate::Fixture;
use tracing::{Level, level_filters::STATIC_MAX_LEVEL};
use tracing_subscriber::{EnvFilter, prelude::*};

#[test]
fn the_static_level_is_in_the_status() {
    let fixture = Fixture::new();
    tracing_subscriber::registry()
        .with(fixture.dashcam.gate(EnvFilter::new("info")))
        .init();
    let recording = fixture.dashcam.status().recording;
    let exchange = fixture.failing(|| {
        tracing::debug!("debug");
        tracing::info!("info");
    });
    let messages = support_gate::messages(&exchange);
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
