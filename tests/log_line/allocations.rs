//! Lines cost no allocation each, neither on the thread that logs nor on the writer's.

use crate::support_gate::DEADLINE;
use dashcam::{log::JsonLayer, redact::Policy};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::{alloc::System, hint::black_box};
use tracing_subscriber::prelude::*;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const EVENTS: usize = 20_000;

#[test]
fn no_line_allocates() {
    alone!();
    let lines = JsonLayer::new(std::io::sink(), Policy::strict()).unwrap();
    let handle = lines.clone();
    let subscriber = tracing_subscriber::registry().with(lines.flatten_fields(true));
    let log = || {
        for n in 0..EVENTS {
            tracing::info!(
                n,
                large = 1_700_000_000_000_000_000 + n,
                ratio = 0.5,
                flag = true,
                level = "taken",
                text = black_box("a text that stays as it is, with \"quotes\""),
                debug = ?Some(n),
                "message {n} of many"
            );
            if n % 100 == 0 {
                assert!(handle.flush(DEADLINE));
            }
        }
        assert!(handle.flush(DEADLINE));
    };
    tracing::subscriber::with_default(subscriber, || {
        let _span = tracing::info_span!("work", method = "GET", attempt = 3).entered();
        log();
        let region = Region::new(ALLOCATOR);
        log();
        let change = region.change();
        assert_eq!(handle.dropped(), 0);
        // The buffers may still grow when more lines than before wait at once.
        let allocations = change.allocations + change.reallocations;
        assert!(allocations < EVENTS / 200, "{change:?}");
    });
}
