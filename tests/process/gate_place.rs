//! The gate records and hides at any place among layers without filters.

use crate::support_gate::{Buffer, DEADLINE, Fixture, Output, Seen, check_contract, fmt_json};
use tracing_subscriber::{EnvFilter, prelude::*};

/// The log line is written on its own thread.
struct Flushed<'a>(&'a Fixture, Buffer);

impl Output for Flushed<'_> {
    fn count(&self, message: &str) -> usize {
        assert!(self.0.dashcam.flush(DEADLINE));
        self.1.count(message)
    }
}

#[test]
fn innermost() {
    alone!();
    let (fixture, json, seen) = (Fixture::new(), Buffer::default(), Seen::default());
    tracing_subscriber::registry()
        .with(fixture.dashcam.gate(EnvFilter::new("info")))
        .with(fmt_json(&json))
        .with(seen.clone())
        .init();
    check_contract(&fixture, &[&json, &seen]);
    assert_eq!(seen.spans("after refused"), 1);
}

#[test]
fn outermost() {
    alone!();
    let (fixture, json, seen) = (Fixture::new(), Buffer::default(), Seen::default());
    tracing_subscriber::registry()
        .with(seen.clone())
        .with(fmt_json(&json))
        .with(fixture.dashcam.gate(EnvFilter::new("info")))
        .init();
    check_contract(&fixture, &[&json, &seen]);
    assert_eq!(seen.spans("after refused"), 1);
}

#[test]
fn between_layers_and_the_log_line() {
    alone!();
    let (fixture, json, seen) = (Fixture::new(), Buffer::default(), Seen::default());
    let lines = Flushed(&fixture, Buffer::default());
    tracing_subscriber::registry()
        .with(fmt_json(&json))
        .with(fixture.dashcam.gate(EnvFilter::new("info")))
        .with(seen.clone())
        .with(fixture.dashcam.json_log_to(lines.1.clone()).unwrap())
        .init();
    check_contract(&fixture, &[&json, &seen, &lines]);
    assert_eq!(seen.spans("after refused"), 1);
}
