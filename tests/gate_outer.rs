//! The gate outermost, over a formatting layer and one without filters.
#![cfg(feature = "full")]

mod support_gate;

use support_gate::{Buffer, Fixture, Seen, check_contract, fmt_json};
use tracing_subscriber::{EnvFilter, prelude::*};

#[test]
fn records_and_hides() {
    let (fixture, json, seen) = (Fixture::new(), Buffer::default(), Seen::default());
    tracing_subscriber::registry()
        .with(seen.clone())
        .with(fmt_json(&json))
        .with(fixture.dashcam.gate(EnvFilter::new("info")))
        .init();
    check_contract(&fixture, &[&json, &seen]);
    assert_eq!(seen.spans("after refused"), 1);
}
