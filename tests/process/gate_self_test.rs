//! The log reports once what is wrong with the registry.

use crate::support_gate::{Fixture, Seen};
use tracing::Level;
use tracing_subscriber::{EnvFilter, prelude::*};

#[test]
fn making_the_layer_warns_of_it_once() {
    alone!();
    let (fixture, seen) = (Fixture::new(), Seen::default());
    let gate = || fixture.dashcam.gate(EnvFilter::new("info"));
    let one = tracing_subscriber::registry()
        .with(gate())
        .with(seen.clone());
    tracing::subscriber::with_default(one, || {
        let _ = fixture.dashcam.layer();
    });
    assert!(seen.messages().is_empty());
    let two = tracing_subscriber::registry()
        .with(gate())
        .with(gate())
        .with(seen.clone());
    tracing::subscriber::with_default(two, || {
        let _ = fixture.dashcam.layer();
        let _ = fixture.dashcam.layer();
    });
    let warnings = seen.messages();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("more than one gate"), "{warnings:?}");
    assert_eq!(seen.at(Level::WARN), 1);
}

#[test]
fn and_of_another_global_filter() {
    alone!();
    let (fixture, seen) = (Fixture::new(), Seen::default());
    let filtered = tracing_subscriber::registry()
        .with(seen.clone())
        .with(fixture.dashcam.gate(EnvFilter::new("info")))
        .with(EnvFilter::new("warn"));
    tracing::subscriber::with_default(filtered, || {
        let _ = fixture.dashcam.layer();
        let _ = fixture.dashcam.layer();
    });
    let warnings = seen.messages();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(
        warnings[0].starts_with("requests are not recorded: another global filter"),
        "{warnings:?}"
    );
}
