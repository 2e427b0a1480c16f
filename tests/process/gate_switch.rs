//! What is recorded changes while the service runs.

use crate::support_gate::{Buffer, DEADLINE, Fixture, Output, Seen, bump, fmt_json, messages};
use dashcam::{
    exchange::Mode,
    kit::{DashcamBuilder, Recording},
};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use tracing::{Level, level_filters::LevelFilter};
use tracing_subscriber::{EnvFilter, prelude::*};

#[test]
fn off_on_and_by_target() {
    alone!();
    let fixture = Fixture::with(DashcamBuilder::record_off);
    let (json, seen) = (Buffer::default(), Seen::default());
    tracing_subscriber::registry()
        .with(fmt_json(&json))
        .with(fixture.dashcam.gate(EnvFilter::new("info")))
        .with(seen.clone())
        .init();
    let handle = fixture.dashcam.handle();

    static EVALUATED: AtomicU32 = AtomicU32::new(0);
    // The same callsites throughout, registered while recording is off.
    fn emit() {
        tracing::debug!(n = bump(&EVALUATED), "debug");
        tracing::trace!(target: "sqlx", n = bump(&EVALUATED), "trace of sqlx");
        tracing::trace!(n = bump(&EVALUATED), "trace");
        tracing::info!("info");
    }
    let mut infos = 0;
    let mut recorded = |tag: &str, expected: &[&str], evaluated: u32| {
        let before = EVALUATED.load(SeqCst);
        emit();
        assert_eq!(EVALUATED.load(SeqCst), before, "{tag}: outside");
        let exchange = fixture.failing(emit);
        assert_eq!(messages(&exchange), expected, "{tag}");
        assert_eq!(EVALUATED.load(SeqCst), before + evaluated, "{tag}");
        infos += 2;
        assert_eq!(json.count("info"), infos, "{tag}");
        assert_eq!(seen.count("info"), infos, "{tag}");
        exchange.mode
    };

    assert_eq!(recorded("off", &[], 0), Mode::Off);
    assert_eq!(LevelFilter::current(), LevelFilter::INFO);
    assert_eq!(handle.status().recording, Recording::Off);

    handle.recording().set("debug").unwrap();
    assert_eq!(handle.status().recording, Recording::On);
    assert_eq!(LevelFilter::current(), LevelFilter::DEBUG);
    assert_ne!(recorded("debug", &["debug", "info"], 1), Mode::Off);

    handle.recording().set("debug,sqlx=trace").unwrap();
    assert_eq!(handle.status().recording, Recording::On);
    recorded("by target", &["debug", "trace of sqlx", "info"], 2);

    handle.recording().set("trace").unwrap();
    recorded("trace", &["debug", "trace of sqlx", "trace", "info"], 3);

    // The probe also works at a level that is less verbose than DEBUG.
    handle.recording().set("warn").unwrap();
    assert_eq!(LevelFilter::current(), LevelFilter::INFO);
    assert_eq!(handle.status().recording, Recording::On);
    recorded("warn", &["info"], 0);

    for text in ["", "a=b=c"] {
        assert!(handle.recording().set(text).is_err(), "{text}");
    }
    recorded("as before", &["info"], 0);

    handle.recording().off();
    assert_eq!(handle.status().recording, Recording::Off);
    assert_eq!(LevelFilter::current(), LevelFilter::INFO);
    assert_eq!(recorded("off again", &[], 0), Mode::Off);

    // From a thread whose own subscriber has no gate.
    fixture.dashcam.recording().set("debug").unwrap();
    let dashcam = &fixture.dashcam;
    tracing::subscriber::with_default(tracing_subscriber::registry(), || {
        dashcam.recording().set("trace").unwrap();
        dashcam.recording().set("debug").unwrap();
    });
    recorded("debug again", &["debug", "info"], 1);

    // While requests run.
    let exchange = fixture.failing(|| {
        emit();
        fixture.dashcam.recording().off();
        assert!(!tracing::enabled!(Level::DEBUG));
        emit();
        fixture.dashcam.recording().set("debug").unwrap();
        emit();
    });
    assert_eq!(
        messages(&exchange),
        ["debug", "info", "info", "debug", "info"]
    );
    assert_eq!(json.count("info"), infos + 3);
    for message in ["debug", "trace", "trace of sqlx"] {
        assert_eq!(json.count(message) + seen.count(message), 0, "{message}");
    }

    // A callsite that was never reached before the change.
    let exchange = fixture.failing(|| tracing::debug!("late callsite"));
    assert_eq!(messages(&exchange), ["late callsite"]);
    fixture.dashcam.recording().off();
    let exchange = fixture.failing(|| tracing::debug!("later callsite"));
    assert!(exchange.events.is_empty(), "{exchange:#?}");
    fixture.dashcam.recording().set("debug").unwrap();
    assert!(fixture.dashcam.flush(DEADLINE));
}
