//! A layer of the service that panics during a replay.

use crate::support_gate::{
    Buffer, DEADLINE, FAILED, Fixture, Output, Seen, fmt_json, messages, replay_all, request, until,
};
use http::StatusCode;
use std::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering::SeqCst},
};
use tracing::{Id, Level, Subscriber, level_filters::LevelFilter, span::Attributes};
use tracing_subscriber::{
    EnvFilter,
    layer::{Context, Layer},
    prelude::*,
    registry::LookupSpan,
};

/// Panics at the places that it is told, on the thread of the replays.
struct Panicking;

static WHERE: Mutex<&str> = Mutex::new("");
static OVER: AtomicBool = AtomicBool::new(false);
static PANICKED: AtomicBool = AtomicBool::new(false);

impl Panicking {
    fn at(place: &str) {
        if std::thread::current().name() != Some("dashcam-replay") {
            return;
        }
        // So that only the replay holds the request's span.
        until("the request is over", || OVER.load(SeqCst));
        if WHERE.lock().unwrap().contains(place) {
            PANICKED.store(true, SeqCst);
            panic!("a layer panics at {place}");
        }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Panicking {
    fn on_new_span(&self, _: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        Self::at("new span");
    }

    fn on_enter(&self, _: &Id, _: Context<'_, S>) {
        Self::at("enter");
    }

    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        Self::at(if event.metadata().target() == "dashcam::replay" {
            "announcement"
        } else {
            "event"
        });
    }

    fn on_exit(&self, _: &Id, _: Context<'_, S>) {
        Self::at("exit");
    }

    fn on_close(&self, id: Id, cx: Context<'_, S>) {
        Self::at(match cx.span(&id).unwrap().name() {
            "request" => "end",
            _ => "close",
        });
    }
}

#[test]
fn the_others_go_on() {
    alone!();
    let fixture = Fixture::with(|builder| builder.replay(replay_all(true)));
    let [at_info, at_debug, last] = std::array::from_fn(|_| Buffer::default());
    let (first, plain) = (Seen::default(), Seen::default());
    tracing_subscriber::registry()
        .with(first.clone())
        .with(fmt_json(&at_info).with_filter(LevelFilter::INFO))
        .with(Panicking)
        .with(fmt_json(&at_debug).with_filter(LevelFilter::DEBUG))
        .with(plain.clone())
        .with(fixture.dashcam.gate(EnvFilter::new("info")))
        .with(fmt_json(&last))
        .init();
    let everywhere: [(&dyn Output, Level); 5] = [
        (&first, Level::DEBUG),
        (&at_info, Level::INFO),
        (&at_debug, Level::DEBUG),
        (&plain, Level::DEBUG),
        (&last, Level::DEBUG),
    ];
    let counts = |message: &str| everywhere.map(|(output, _)| output.count(message));
    let places = [
        "new span",
        "enter",
        "announcement",
        "event",
        "exit",
        "close",
        "end",
        "event, exit",
        "event, close",
        "event, end",
        "event, exit, close, end",
        "new span, enter, announcement, event, exit, close, end",
    ];
    let mut panics = 0;
    for (n, place) in places.iter().enumerate() {
        PANICKED.store(false, SeqCst);
        OVER.store(false, SeqCst);
        *WHERE.lock().unwrap() = place;
        fixture.call(request(), FAILED, || {
            tracing::debug!("{place} debug");
            tracing::info!("{place} info");
            tracing::debug!("{place} second");
        });
        OVER.store(true, SeqCst);
        assert!(fixture.dashcam.flush(DEADLINE), "after a panic at {place}");
        assert!(PANICKED.load(SeqCst), "it panicked at {place}");
        *WHERE.lock().unwrap() = "";
        let exchange = fixture.only();
        let own = ["debug", "info", "second"].map(|m| format!("{place} {m}"));
        assert_eq!(messages(&exchange), own);
        assert_eq!(exchange.panic, None, "the request did not panic");
        assert_eq!(counts(&format!("{place} info")), [1; 5]);
        assert!(counts(&format!("{place} debug")).iter().all(|n| *n <= 1));

        // Requests of every kind after it, whose replays are complete.
        fixture.healthy(|| tracing::debug!("healthy after {place}"));
        fixture.call(request(), FAILED, || {
            tracing::debug!("debug after {place}");
            tracing::info!("info after {place}");
        });
        fixture.call(request(), StatusCode::OK, || {
            tracing::debug!("before error after {place}");
            tracing::error!("error after {place}");
            tracing::debug!("live after {place}");
        });
        tracing::debug!("debug outside after {place}");
        assert_eq!(fixture.take().len(), 2);
        for message in ["debug", "before error", "live"] {
            for (output, level) in everywhere {
                let times = usize::from(level == Level::DEBUG);
                assert_eq!(output.count(&format!("{message} after {place}")), times);
            }
        }
        for message in ["info", "error"] {
            assert_eq!(counts(&format!("{message} after {place}")), [1; 5]);
        }
        for message in ["healthy", "debug outside"] {
            assert_eq!(counts(&format!("{message} after {place}")), [0; 5]);
        }
        let status = fixture.dashcam.status();
        assert_eq!(status.replays.replays, 3 * (n as u64 + 1));
        panics += u64::from(*place != "end");
        assert_eq!(status.replays.panics, panics, "after {place}");
        assert_eq!((status.in_flight, status.bytes_held), (0, 0));
        assert_eq!(status.replays.suppressed + status.replays.queue_full, 0);
    }
}
