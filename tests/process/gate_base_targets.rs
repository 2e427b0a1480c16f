//! A base filter with levels per target.

use crate::support_gate::{Buffer, Fixture, Output, Seen, fmt_json, messages};
use tracing::Level;
use tracing_subscriber::{EnvFilter, prelude::*};

#[test]
fn the_base_decides_what_is_shown_and_all_is_recorded() {
    alone!();
    let (fixture, json, seen) = (Fixture::new(), Buffer::default(), Seen::default());
    tracing_subscriber::registry()
        .with(fmt_json(&json))
        .with(
            fixture
                .dashcam
                .gate(EnvFilter::new("info,loud=trace,quiet=error")),
        )
        .with(seen.clone())
        .init();
    let emit = || {
        assert!(tracing::enabled!(target: "loud", Level::TRACE));
        tracing::trace!(target: "loud", "loud trace");
        tracing::debug!(target: "loud::inside", "loud debug");
        tracing::debug!("plain debug");
        tracing::info!("plain info");
        tracing::debug!(target: "quiet", "quiet debug");
        tracing::warn!(target: "quiet", "quiet warn");
        tracing::error!(target: "quiet", "quiet error");
    };
    emit();
    let shown = ["loud trace", "loud debug", "plain info", "quiet error"];
    assert_eq!(seen.messages(), shown);

    let exchange = fixture.failing(emit);
    // Events that the base shows are recorded, even above the recording level.
    assert_eq!(
        messages(&exchange),
        [
            "loud trace",
            "loud debug",
            "plain debug",
            "plain info",
            "quiet debug",
            "quiet warn",
            "quiet error"
        ]
    );
    for output in [&json as &dyn Output, &seen] {
        for message in shown {
            assert_eq!(output.count(message), 2, "{message}");
        }
        for message in ["plain debug", "quiet debug", "quiet warn"] {
            assert_eq!(output.count(message), 0, "{message}");
        }
    }
    assert!(!tracing::enabled!(Level::DEBUG));
    assert!(!tracing::enabled!(target: "quiet", Level::WARN));
}
