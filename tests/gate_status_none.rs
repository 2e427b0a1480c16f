//! Without a gate nothing is recorded, and the status says so.
#![cfg(feature = "full")]

mod support_gate;

use dashcam::{exchange::Mode, kit::Recording};
use support_gate::{Buffer, Fixture, Output, fmt_json};
use tracing_subscriber::{filter::LevelFilter, prelude::*};

#[test]
fn the_status_says_why() {
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
