//! A layer that logs, and enters requests, while it receives replayed events.

use crate::support_gate::{Buffer, DEADLINE, Fixture, Output, Seen, messages};
use dashcam::capture::Replay;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::{
    EnvFilter,
    layer::{Context, Layer},
    prelude::*,
    registry::LookupSpan,
};

static REPLAYING: AtomicBool = AtomicBool::new(false);

struct Noisy;

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Noisy {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        if metadata.target() == "dashcam::replay" {
            REPLAYING.store(true, SeqCst);
        }
        if REPLAYING.load(SeqCst) && *metadata.level() == Level::DEBUG {
            let request = dashcam::current().expect("the replayed request is current");
            request.in_scope(|| tracing::warn!("said beside 4111 1111 1111 1111"));
            request.keep("while it is replayed");
        }
    }
}

#[test]
fn what_it_says_is_its_own() {
    alone!();
    let fixture = Fixture::with(|builder| builder.replay(Replay::default()));
    let (lines, seen) = (Buffer::default(), Seen::default());
    tracing_subscriber::registry()
        .with(Noisy)
        .with(seen.clone())
        .with(fixture.dashcam.json_log_to(lines.clone()).unwrap())
        .with(fixture.dashcam.gate(EnvFilter::new("info")))
        .init();
    let exchange = fixture.failing(|| {
        tracing::debug!("one");
        tracing::info_span!("around", n = 7).in_scope(|| tracing::debug!("two"));
        tracing::debug!("three");
    });
    assert!(fixture.dashcam.flush(DEADLINE));
    assert_eq!(messages(&exchange), ["one", "two", "three"]);
    for message in ["one", "two", "three"] {
        assert_eq!(seen.count(message), 1, "{message}");
        let line = lines.with_message(message).remove(0);
        assert_eq!(line["replayed"], true);
    }
    let said: Vec<_> = lines
        .lines()
        .into_iter()
        .filter(|line| line["message"].as_str().unwrap().starts_with("said beside"))
        .collect();
    assert_eq!(said.len(), 3);
    for line in said {
        assert_eq!(line.get("replayed"), None, "{line}");
        assert!(!line.to_string().contains("4111 1111"), "{line}");
        assert!(!line.to_string().contains("around"), "{line}");
    }
    let status = fixture.dashcam.status();
    assert_eq!((status.replays.events, status.late_events), (3, 0));
}
