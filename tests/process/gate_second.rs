//! Two gates in one registry: the outermost records, the other one filters, and the status reports
//! it.

use crate::support_gate::{Fixture, Output, Seen, messages};
use dashcam::kit::Recording;
use tracing::{Dispatch, Level, dispatcher};
use tracing_subscriber::{EnvFilter, Layer, prelude::*};

fn emit() {
    tracing::debug!("debug");
    tracing::info_span!("work", tenant = 3).in_scope(|| tracing::info!("info"));
    tracing::warn!("warn");
    tracing::debug!(target: "hyper::proto", "excluded");
}

/// `lowest` is the lowest level that both bases show.
fn check(fixture: &Fixture, seen: &Seen, lowest: Level, position: &str) {
    let status = fixture.dashcam.status();
    assert_eq!(status.recording, Recording::On, "{position}");
    assert_eq!(status.warnings.len(), 1, "{position}: {status:?}");
    assert!(
        status.warnings[0].contains("more than one gate"),
        "{position}: {status:?}"
    );

    emit();
    let exchange = fixture.failing(emit);
    let recorded = messages(&exchange);
    assert_eq!(recorded, ["debug", "info", "warn"], "{position}");
    let info = &exchange.events[1];
    if lowest == Level::INFO {
        assert_eq!(info.spans.len(), 1, "{position}: {info:#?}");
        assert_eq!(info.spans[0].fields["tenant"], 3, "{position}");
    }
    for (message, level) in [
        ("debug", Level::DEBUG),
        ("info", Level::INFO),
        ("warn", Level::WARN),
    ] {
        let shown = if level <= lowest { 2 } else { 0 };
        assert_eq!(seen.count(message), shown, "{position}: {message}");
    }
    assert_eq!(seen.count("excluded"), 0, "{position}");
    assert!(!tracing::enabled!(Level::DEBUG), "{position}");
}

fn run(position: &str, lowest: Level, registry: impl FnOnce(&Fixture, Seen) -> Dispatch) {
    let (fixture, seen) = (Fixture::new(), Seen::default());
    dispatcher::with_default(&registry(&fixture, seen.clone()), || {
        check(&fixture, &seen, lowest, position);
    });
}

#[test]
fn nothing_is_recorded_twice_and_the_status_says_why() {
    alone!();
    let info = |f: &Fixture| f.dashcam.gate(EnvFilter::new("info"));
    let warn = |f: &Fixture| f.dashcam.gate(EnvFilter::new("warn"));
    run("beside each other", Level::INFO, |f, seen| {
        Dispatch::new(
            tracing_subscriber::registry()
                .with(info(f))
                .with(info(f))
                .with(seen),
        )
    });
    run("around an output", Level::INFO, |f, seen| {
        Dispatch::new(
            tracing_subscriber::registry()
                .with(info(f))
                .with(seen)
                .with(info(f)),
        )
    });
    run("the inner one shows less", Level::WARN, |f, seen| {
        Dispatch::new(
            tracing_subscriber::registry()
                .with(warn(f))
                .with(seen)
                .with(info(f)),
        )
    });
    run("the outer one shows less", Level::WARN, |f, seen| {
        Dispatch::new(
            tracing_subscriber::registry()
                .with(info(f))
                .with(seen)
                .with(warn(f)),
        )
    });
    run("as one layer", Level::INFO, |f, seen| {
        Dispatch::new(tracing_subscriber::registry().with(info(f).and_then(seen).and_then(info(f))))
    });
    run("boxed, of two dashcams", Level::INFO, |f, seen| {
        let other = Fixture::new();
        Dispatch::new(
            tracing_subscriber::registry()
                .with(info(&other).boxed())
                .with(seen)
                .with(Some(info(f))),
        )
    });
}

#[test]
fn two_registries_may_have_one_each() {
    alone!();
    let (one, other) = (Fixture::new(), Fixture::new());
    for fixture in [&one, &other] {
        let gate = fixture.dashcam.gate(EnvFilter::new("info"));
        let registry = tracing_subscriber::registry().with(gate);
        tracing::subscriber::with_default(registry, || {
            let nested =
                tracing_subscriber::registry().with(other.dashcam.gate(EnvFilter::new("warn")));
            tracing::subscriber::with_default(nested, || {
                let exchange = fixture.failing(|| tracing::debug!("debug"));
                assert_eq!(messages(&exchange), ["debug"]);
                assert_eq!(fixture.dashcam.status().warnings, [""; 0]);
            });
            let exchange = fixture.failing(|| tracing::debug!("debug"));
            assert_eq!(messages(&exchange), ["debug"]);
            assert_eq!(fixture.dashcam.status().warnings, [""; 0]);
        });
    }
}
