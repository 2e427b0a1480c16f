//! A value of a span that logs while it is formatted, under a layer whose own
//! filter refuses the span.

use crate::support_gate::{Buffer, DEADLINE, Fixture, Output, fmt_json, messages, request};
use http::StatusCode;
use std::fmt;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{EnvFilter, prelude::*};

struct Logs;

impl fmt::Debug for Logs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        tracing::info!("said while formatting");
        f.write_str("value")
    }
}

#[test]
fn is_shown_to_those_that_want_it() {
    alone!();
    let fixture = Fixture::new();
    let (warnings, lines) = (Buffer::default(), Buffer::default());
    tracing_subscriber::registry()
        .with(fixture.dashcam.gate(EnvFilter::new("info")))
        .with(fixture.dashcam.json_log_to(lines.clone()).unwrap())
        .with(fmt_json(&warnings).with_filter(LevelFilter::WARN))
        .init();
    let work = |tag: &'static str| {
        let span = tracing::info_span!("work", value = ?Logs);
        let _span = span.enter();
        tracing::info!(value = ?Logs, "{tag} info");
        tracing::warn!(value = ?Logs, "{tag} warn");
    };
    fixture.healthy(|| work("healthy"));
    fixture.call(request(), StatusCode::OK, || {
        work("kept");
        dashcam::keep("to look at it");
    });
    let exchange = fixture.only();
    assert_eq!(exchange.panic, None);
    let said = "said while formatting";
    let shown: Vec<_> = messages(&exchange);
    assert_eq!(shown.iter().filter(|m| **m != said).count(), 2, "{shown:?}");
    assert!(fixture.dashcam.flush(DEADLINE));
    for tag in ["healthy", "kept"] {
        let count = |level: &str| {
            let message = format!("{tag} {level}");
            (lines.count(&message), warnings.count(&message))
        };
        assert_eq!((count("info"), count("warn")), ((1, 0), (1, 1)), "{tag}");
    }
    assert_eq!(warnings.count(said), 0);
}
