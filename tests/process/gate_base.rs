//! A base filter at `warn` or `off`: dashcam's own events pass nevertheless.

use crate::support_gate::{Buffer, Fixture, Output, Seen, bump, fmt_json, messages};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use tracing::Level;
use tracing_subscriber::{EnvFilter, prelude::*};

/// Runs with a base at this level, which shows warnings or not.
fn request_line_span_and_decisions_pass(base: &str, warnings: usize) {
    let (fixture, json, seen) = (Fixture::new(), Buffer::default(), Seen::default());
    tracing_subscriber::registry()
        .with(fixture.dashcam.gate(EnvFilter::new(base)))
        .with(fmt_json(&json))
        .with(seen.clone())
        .init();
    static EVALUATED: AtomicU32 = AtomicU32::new(0);
    let outside = || {
        tracing::info!(n = bump(&EVALUATED), "outside");
        assert!(!tracing::enabled!(Level::INFO));
        assert_eq!(EVALUATED.load(SeqCst), 0);
    };
    outside();
    fixture.healthy(|| {
        tracing::info!("healthy info");
        tracing::warn!("healthy warn");
    });
    let exchange = fixture.failing(|| {
        tracing::debug!("debug");
        tracing::info!("info");
        dashcam::decision!("discount", rule = "vip", "chose");
        tracing::info_span!("hidden").in_scope(|| tracing::warn!("warn"));
        tracing::info!("info again");
    });
    outside();
    assert_eq!(messages(&exchange), ["debug", "info", "warn", "info again"]);
    assert_eq!(exchange.decisions.len(), 1);
    assert_eq!(exchange.decisions[0].name, "discount");
    assert_eq!(exchange.decisions[0].fields["rule"], "vip");
    for output in [&json as &dyn Output, &seen] {
        assert_eq!(output.count("request"), 2, "the request lines");
        assert_eq!(output.count("chose"), 1, "the decision");
        assert_eq!(output.count("warn"), warnings);
        assert_eq!(output.count("healthy warn"), warnings);
        for message in ["outside", "healthy info", "debug", "info", "info again"] {
            assert_eq!(output.count(message), 0, "{message}");
        }
    }
    assert_eq!(seen.spans("request"), 2, "the request spans");
    assert_eq!(seen.spans("hidden"), 0);
    let chose = &json.with_message("chose")[0];
    assert_eq!(chose["span"]["name"], "request");
    assert_eq!(
        chose["span"]["correlation_id"],
        exchange.correlation.id.as_str()
    );
}

#[test]
fn at_warn() {
    alone!();
    request_line_span_and_decisions_pass("warn", 1);
}

#[test]
fn at_off() {
    alone!();
    request_line_span_and_decisions_pass("off", 0);
}
