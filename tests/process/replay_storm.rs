//! Thousands of requests that fail at once, with replays on.

use crate::support_gate::{FAILED, Fixture, get, replay_all, send};
use axum::{Router, extract::Path, http::StatusCode, routing::get as on_get};
use dashcam::{capture::Replay, kit::Status};
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, LazyLock, Mutex},
    thread,
    time::Duration,
};
use tracing::{Level, Subscriber, field};
use tracing_subscriber::{
    EnvFilter,
    layer::{Context, Layer},
    prelude::*,
};

const REQUESTS: u64 = 5_000;
const ROUTES: u64 = 20;

/// The replayed requests, by name of the thread.
#[derive(Debug, Default)]
struct Shown {
    /// The debug events, as request and step.
    debug: Vec<(u64, u64)>,
    /// What replays have announced.
    announced: HashMap<String, u64>,
    replays: u64,
    threads: HashSet<Option<String>>,
    requests: u64,
}

static SHOWN: LazyLock<Mutex<Shown>> = LazyLock::new(Mutex::default);

struct Watch;

struct Numbers(HashMap<String, u64>);

impl field::Visit for Numbers {
    fn record_u64(&mut self, field: &field::Field, value: u64) {
        self.0.insert(field.name().to_owned(), value);
    }

    fn record_debug(&mut self, _: &field::Field, _: &dyn std::fmt::Debug) {}
}

impl<S: Subscriber> Layer<S> for Watch {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let mut numbers = Numbers(HashMap::new());
        event.record(&mut numbers);
        let mut shown = SHOWN.lock().unwrap();
        let replay = event.metadata().target() == "dashcam::replay";
        if replay || *event.metadata().level() == Level::DEBUG {
            let name = thread::current().name().map(str::to_owned);
            shown.threads.insert(name);
        }
        match event.metadata().target() {
            "dashcam::request" => shown.requests += 1,
            "dashcam::replay" => {
                shown.replays += 1;
                for (name, value) in numbers.0 {
                    *shown.announced.entry(name).or_default() += value;
                }
            }
            _ if *event.metadata().level() == Level::DEBUG => {
                shown.debug.push((numbers.0["n"], numbers.0["step"]));
            }
            _ => {}
        }
    }
}

fn storm(replay: Replay) -> (Status, Shown) {
    tracing_subscriber::registry()
        .with(Watch)
        .with(dashcam::gate::Gate::new(EnvFilter::new("info")))
        .init();
    let fixture = Fixture::with(|builder| {
        let mut limits = dashcam::capture::Limits::default();
        limits.queue = REQUESTS as usize;
        builder.replay(replay).limits(limits)
    });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    // All of them are in flight before the first one fails.
    let all_here = Arc::new(tokio::sync::Barrier::new(REQUESTS as usize));
    let handler = move |Path(n): Path<u64>| async move {
        for step in 0..3_u64 {
            tracing::debug!(n, step, "step");
        }
        all_here.wait().await;
        FAILED
    };
    let routes = (0..ROUTES).fold(Router::new(), |router, route| {
        router.route(&format!("/{route}/{{n}}"), on_get(handler.clone()))
    });
    let app = routes.layer(fixture.dashcam.layer());
    runtime.block_on(async {
        let requests = (0..REQUESTS).map(|n| {
            let request = get(&format!("/{}/{n}", n % ROUTES));
            tokio::spawn(send(app.clone(), request))
        });
        let requests: Vec<_> = requests.collect();
        for request in requests {
            let status: StatusCode = request.await.unwrap();
            assert_eq!(status, FAILED);
        }
    });
    assert_eq!(fixture.take().len() as u64, REQUESTS);
    let status = fixture.dashcam.status();
    assert_eq!((status.in_flight, status.bytes_held), (0, 0));
    assert_eq!(status.finished, REQUESTS);
    let shown = std::mem::take(&mut *SHOWN.lock().unwrap());
    (status, shown)
}

/// What must hold however many are replayed.
fn check(status: &Status, shown: &Shown) {
    let replays = &status.replays;
    let counted = replays.replays + replays.suppressed + replays.queue_full;
    assert_eq!(counted, REQUESTS, "every request is counted: {replays:?}");
    assert_eq!(shown.replays, replays.replays);
    assert_eq!(shown.announced["events"], replays.events);
    assert_eq!(shown.requests, REQUESTS, "no line of a request is lost");
    let thread = Some("dashcam-replay".to_owned());
    assert_eq!(shown.threads, HashSet::from([thread]));
    // Each of them complete, in order and once.
    assert_eq!(shown.debug.len() as u64, replays.events);
    assert_eq!(replays.events, 3 * replays.replays);
    let (mut steps, mut requests) = (shown.debug.chunks_exact(3), HashSet::new());
    assert!(steps.all(|s| {
        let n = s[0].0;
        requests.insert(n) && s == [(n, 0), (n, 1), (n, 2)]
    }));
}

#[test]
#[cfg_attr(not(feature = "axum"), ignore = "needs routes of axum")]
fn of_one_signature_so_many() {
    alone!();
    let mut replay = replay_all(false);
    replay.per_signature = 3;
    replay.window = Duration::MAX;
    let (status, shown) = storm(replay);
    check(&status, &shown);
    assert_eq!(status.replays.replays, 3 * ROUTES);
    assert_eq!(status.replays.queue_full, 0);
    let routes = shown.debug.iter().map(|(n, _)| n % ROUTES);
    let mut of_route = HashMap::<u64, u64>::new();
    routes.for_each(|route| *of_route.entry(route).or_default() += 1);
    assert!((0..ROUTES).all(|route| of_route[&route] == 9), "3 of each");
}

#[test]
#[cfg_attr(not(feature = "axum"), ignore = "needs routes of axum")]
fn per_second_none_but_the_first_of_each_signature() {
    alone!();
    let mut replay = replay_all(true);
    replay.per_second = 0;
    replay.window = Duration::MAX;
    let (status, shown) = storm(replay);
    check(&status, &shown);
    assert_eq!(status.replays.replays, ROUTES);
}

#[test]
fn no_more_than_may_wait() {
    alone!();
    let mut replay = replay_all(false);
    replay.queue = 1;
    let (status, shown) = storm(replay);
    check(&status, &shown);
    assert!(status.replays.replays > 0, "{:?}", status.replays);
    assert_eq!(status.replays.suppressed, 0);
}
