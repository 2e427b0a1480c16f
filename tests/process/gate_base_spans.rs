//! A base filter that reads spans.

use crate::support_gate::{Buffer, Fixture, Output, Seen, bump, fmt_json, messages};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use tracing::Level;
use tracing_subscriber::{EnvFilter, prelude::*};

#[test]
fn span_directives_work_and_recording_too() {
    alone!();
    let (fixture, json, seen) = (Fixture::new(), Buffer::default(), Seen::default());
    tracing_subscriber::registry()
        .with(fmt_json(&json))
        .with(
            fixture
                .dashcam
                .gate(EnvFilter::new("info,[work{tenant=acme}]=debug")),
        )
        .with(seen.clone())
        .init();

    static EVALUATED: AtomicU32 = AtomicU32::new(0);
    fn emit(tag: &str) {
        tracing::info_span!("work", tenant = "acme").in_scope(|| {
            assert!(tracing::enabled!(Level::DEBUG), "{tag}");
            tracing::debug!("{tag} acme debug");
            tracing::info!("{tag} acme info");
            tracing::trace!("{tag} acme trace");
        });
        tracing::info_span!("work", tenant = "other").in_scope(|| {
            tracing::debug!(n = bump(&EVALUATED), "{tag} other debug");
            tracing::info!("{tag} other info");
        });
        let late = tracing::info_span!("work", tenant = tracing::field::Empty);
        late.record("tenant", "acme");
        late.in_scope(|| tracing::debug!("{tag} late debug"));
        tracing::debug!(n = bump(&EVALUATED), "{tag} bare debug");
    }

    emit("outside");
    assert_eq!(EVALUATED.load(SeqCst), 0, "refused and not evaluated");
    assert_eq!(
        seen.messages(),
        [
            "outside acme debug",
            "outside acme info",
            "outside other info",
            "outside late debug"
        ]
    );

    let exchange = fixture.failing(|| emit("inside"));
    assert_eq!(
        messages(&exchange),
        [
            "inside acme debug",
            "inside acme info",
            "inside other debug",
            "inside other info",
            "inside late debug",
            "inside bare debug"
        ]
    );
    assert_eq!(EVALUATED.load(SeqCst), 2, "evaluated once each");
    for output in [&json as &dyn Output, &seen] {
        for (message, times) in [
            ("inside acme debug", 1),
            ("inside acme info", 1),
            ("inside acme trace", 0),
            ("inside other debug", 0),
            ("inside other info", 1),
            ("inside late debug", 1),
            ("inside bare debug", 0),
        ] {
            assert_eq!(output.count(message), times, "{message}");
        }
    }
    emit("after");
    assert_eq!(EVALUATED.load(SeqCst), 2);
    assert_eq!(seen.count("after acme debug"), 1);
    assert_eq!(seen.count("after other debug"), 0);
}
