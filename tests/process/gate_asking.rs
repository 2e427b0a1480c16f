//! `enabled!` in a recording request, beside filters that all return the same.
//!
//! With such filters, the registry skips its query for events that all of them want. A stale
//! answer would then go unnoticed.

use crate::support_gate::{Buffer, Fixture, Output, Seen, fmt_json, messages};
use tracing::{Level, level_filters::LevelFilter};
use tracing_subscriber::{EnvFilter, prelude::*};

fn check(fixture: &Fixture, outputs: &[&dyn Output], seen: &Seen, position: &str) {
    let exchange = fixture.failing(|| {
        assert!(tracing::enabled!(Level::DEBUG), "{position}");
        tracing::info!("{position} after asking");
        assert!(tracing::enabled!(Level::DEBUG), "{position}");
        tracing::info_span!("after asking").in_scope(|| tracing::info!("{position} in span"));
        if tracing::enabled!(Level::DEBUG) {
            tracing::debug!("{position} asked for");
        }
        tracing::info!("{position} after refused");
        assert!(tracing::event_enabled!(Level::DEBUG), "{position}");
        tracing::info!("{position} after asking for an event");
    });
    assert_eq!(
        messages(&exchange),
        [
            "after asking",
            "in span",
            "asked for",
            "after refused",
            "after asking for an event"
        ]
        .map(|end| format!("{position} {end}"))
    );
    for end in [
        "after asking",
        "in span",
        "after refused",
        "after asking for an event",
    ] {
        for output in outputs {
            assert_eq!(
                output.count(&format!("{position} {end}")),
                1,
                "{position} {end}"
            );
        }
    }
    for output in outputs {
        assert_eq!(output.count(&format!("{position} asked for")), 0);
    }
    assert_eq!(seen.spans("after asking"), 1, "{position}");
}

#[test]
fn asking_loses_nothing() {
    alone!();
    let fixture = Fixture::new();
    let (json, seen) = (Buffer::default(), Seen::default());
    let inner = tracing_subscriber::registry()
        .with(fixture.dashcam.gate(EnvFilter::new("info")))
        .with(fmt_json(&json).with_filter(LevelFilter::INFO))
        .with(seen.clone().with_filter(LevelFilter::INFO));
    tracing::subscriber::with_default(inner, || {
        check(&fixture, &[&json, &seen], &seen, "inner");
    });
    let (json, seen) = (Buffer::default(), Seen::default());
    let outer = tracing_subscriber::registry()
        .with(fmt_json(&json).with_filter(LevelFilter::INFO))
        .with(seen.clone().with_filter(LevelFilter::INFO))
        .with(fixture.dashcam.gate(EnvFilter::new("info")));
    tracing::subscriber::with_default(outer, || {
        check(&fixture, &[&json, &seen], &seen, "outer");
    });
}
