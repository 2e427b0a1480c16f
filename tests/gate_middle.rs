//! The gate between a formatting layer, the JSON log line and one without filters.
#![cfg(feature = "full")]

mod support_gate;

use support_gate::{Buffer, DEADLINE, Fixture, Output, Seen, check_contract, fmt_json};
use tracing_subscriber::{EnvFilter, prelude::*};

/// The log line writes from a thread of its own.
struct Flushed<'a>(&'a Fixture, Buffer);

impl Output for Flushed<'_> {
    fn count(&self, message: &str) -> usize {
        assert!(self.0.dashcam.flush(DEADLINE));
        self.1.count(message)
    }
}

#[test]
fn records_and_hides() {
    let (fixture, json, seen) = (Fixture::new(), Buffer::default(), Seen::default());
    let lines = Flushed(&fixture, Buffer::default());
    tracing_subscriber::registry()
        .with(fmt_json(&json))
        .with(fixture.dashcam.gate(EnvFilter::new("info")))
        .with(seen.clone())
        .with(fixture.dashcam.json_lines_to(lines.1.clone()).unwrap())
        .init();
    check_contract(&fixture, &[&json, &seen, &lines]);
    assert_eq!(seen.spans("after refused"), 1);
}
