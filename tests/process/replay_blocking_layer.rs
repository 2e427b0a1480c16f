//! A layer of the service that blocks during a replay.

use crate::support_gate::{
    Buffer, DEADLINE, FAILED, Fixture, Output, Seen, fmt_json, messages, replay_all, request, until,
};
use http::StatusCode;
use std::{
    sync::{Mutex, mpsc},
    time::Duration,
};
use tracing::Subscriber;
use tracing_subscriber::{
    EnvFilter,
    layer::{Context, Layer},
    prelude::*,
};

/// Its signal that it blocks, and the channel for which it then waits.
static BLOCK: Mutex<Option<(mpsc::Sender<()>, mpsc::Receiver<()>)>> = Mutex::new(None);

struct Blocking;

impl<S: Subscriber> Layer<S> for Blocking {
    fn on_event(&self, _: &tracing::Event<'_>, _: Context<'_, S>) {
        if std::thread::current().name() != Some("dashcam-replay") {
            return;
        }
        let block = BLOCK.lock().unwrap().take();
        if let Some((blocks, go_on)) = block {
            blocks.send(()).unwrap();
            go_on.recv_timeout(DEADLINE * 2).unwrap();
        }
    }
}

#[test]
fn traffic_goes_on_and_what_does_not_fit_is_counted() {
    alone!();
    const QUEUE: u64 = 4;
    let mut replay = replay_all(false);
    replay.queue = QUEUE as usize;
    let fixture = Fixture::with(|builder| builder.replay(replay));
    let (json, plain) = (Buffer::default(), Seen::default());
    tracing_subscriber::registry()
        .with(fmt_json(&json))
        .with(Blocking)
        .with(fixture.dashcam.gate(EnvFilter::new("info")))
        .with(plain.clone())
        .init();
    let (blocks, is_blocked) = mpsc::channel();
    let (go_on, wait) = mpsc::channel();
    *BLOCK.lock().unwrap() = Some((blocks, wait));
    let fail = |n: u64| {
        fixture.call(request(), FAILED, || {
            tracing::debug!("debug {n}");
            tracing::info!("info {n}");
        });
    };
    fail(0);
    is_blocked.recv_timeout(DEADLINE).unwrap();

    // Nothing waits for it: neither requests, nor the exporter, nor the other layers.
    for n in 1..20 {
        fail(n);
        assert_eq!(plain.count(&format!("info {n}")), 1);
        fixture.call(request(), StatusCode::OK, || tracing::info!("healthy {n}"));
        assert_eq!(json.count(&format!("healthy {n}")), 1);
    }
    until("all are exported", || fixture.kept.len() == 20);
    for (n, exchange) in fixture.kept.take().iter().enumerate() {
        assert_eq!(
            messages(exchange),
            [format!("debug {n}"), format!("info {n}")]
        );
    }
    let replays = || fixture.dashcam.status().replays;
    assert_eq!(replays().queue_full, 19 - QUEUE);
    assert_eq!(replays().replays, 1, "the one that has begun");
    assert_eq!(replays().events, 0);
    assert_eq!(fixture.dashcam.status().in_flight, 0);
    assert!(
        !fixture.dashcam.flush(Duration::from_millis(1)),
        "it is reported"
    );
    assert_eq!(plain.count("debug 1"), 0);

    go_on.send(()).unwrap();
    assert!(fixture.dashcam.flush(DEADLINE));
    let all = replays();
    assert_eq!((all.replays, all.events), (1 + QUEUE, 1 + QUEUE));
    assert_eq!((all.queue_full, all.suppressed), (19 - QUEUE, 0));
    for n in 0..20 {
        let times = usize::from(n <= QUEUE);
        assert_eq!(plain.count(&format!("debug {n}")), times, "{n}");
        assert_eq!(json.count(&format!("debug {n}")), times, "{n}");
    }
    assert_eq!(fixture.dashcam.status().bytes_held, 0);

    // As if nothing had happened.
    fail(20);
    assert_eq!(messages(&fixture.only()), ["debug 20", "info 20"]);
    assert_eq!((plain.count("debug 20"), json.count("debug 20")), (1, 1));
}
