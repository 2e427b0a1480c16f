//! Recording some targets only.

use crate::support_gate::{Buffer, Fixture, Output, Seen, bump, fmt_json, messages};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use tracing::{Level, level_filters::LevelFilter};
use tracing_subscriber::{EnvFilter, prelude::*};

#[test]
fn by_target_and_never_the_excluded_ones() {
    alone!();
    let fixture = Fixture::with(|builder| {
        builder.record_level("my_target=debug,deep=trace,hyper=trace,tower=debug")
    });
    let (json, seen) = (Buffer::default(), Seen::default());
    tracing_subscriber::registry()
        .with(fmt_json(&json))
        .with(fixture.dashcam.gate(EnvFilter::new("info")))
        .with(seen.clone())
        .init();
    assert_eq!(LevelFilter::current(), LevelFilter::TRACE);

    static EVALUATED: AtomicU32 = AtomicU32::new(0);
    let exchange = fixture.failing(|| {
        tracing::debug!(target: "my_target", "mine");
        tracing::debug!(target: "my_target::inside", "inside");
        tracing::trace!(target: "my_target", n = bump(&EVALUATED), "too deep");
        tracing::trace!(target: "deep", "deep");
        tracing::debug!(target: "other", n = bump(&EVALUATED), "other");
        tracing::info!(target: "other", "other info");
        tracing::debug!(target: "hyper", n = bump(&EVALUATED), "http");
        tracing::trace!(target: "hyper::proto", n = bump(&EVALUATED), "proto");
        tracing::debug!(target: "tower::buffer", n = bump(&EVALUATED), "buffer");
        tracing::debug!(target: "dashcam", n = bump(&EVALUATED), "own");
        tracing::info!(target: "hyper", "http info");
        assert!(tracing::enabled!(target: "my_target", Level::DEBUG));
        assert!(!tracing::enabled!(target: "other", Level::DEBUG));
        assert!(!tracing::enabled!(target: "hyper", Level::DEBUG));
    });
    assert_eq!(
        messages(&exchange),
        ["mine", "inside", "deep", "other info"]
    );
    assert_eq!(EVALUATED.load(SeqCst), 0);
    for (message, shown) in [
        ("mine", 0),
        ("deep", 0),
        ("other info", 1),
        ("http info", 1),
    ] {
        assert_eq!(
            (json.count(message), seen.count(message)),
            (shown, shown),
            "{message}"
        );
    }
}

#[test]
fn excluded_means_the_target_and_what_is_below_it() {
    alone!();
    let fixture = Fixture::new();
    let gate = fixture.dashcam.gate(EnvFilter::new("info"));
    tracing::subscriber::with_default(tracing_subscriber::registry().with(gate), || {
        let exchange = fixture.failing(|| {
            tracing::debug!(target: "hyper", "excluded");
            tracing::debug!(target: "h2::codec", "excluded");
            tracing::debug!(target: "hyperion", "hyperion");
            tracing::debug!(target: "my::hyper", "inside of another");
        });
        assert_eq!(messages(&exchange), ["hyperion", "inside of another"]);
    });
}
