//! What is recorded changes thousands of times while threads emit: no event that the base filter
//! shows is lost or shown twice, none below it is shown, and requests that ran between two changes
//! have exactly their events.

use crate::support_gate::{DEADLINE, Fixture, messages};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    thread,
    time::Instant,
};
use tracing::{Event, Level, Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{EnvFilter, Layer, layer::Context, prelude::*};

const CHANGES: u64 = 2_000;
const EMITTERS: usize = 3;

#[derive(Clone, Default)]
struct Count(Arc<[AtomicU64; 2]>);

impl Count {
    fn shown(&self) -> u64 {
        self.0[0].load(SeqCst)
    }

    fn below_base(&self) -> u64 {
        self.0[1].load(SeqCst)
    }
}

impl<S: Subscriber> Layer<S> for Count {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        if metadata.target() == module_path!() {
            self.0[usize::from(*metadata.level() > Level::INFO)].fetch_add(1, SeqCst);
        }
    }
}

/// Changes run while the number is odd: a request that saw the same even number at its begin and
/// end ran under one configuration.
#[derive(Default)]
struct Now {
    number: AtomicU64,
    level: Mutex<Option<Level>>,
}

fn random(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}

fn emit() -> u64 {
    tracing::debug!("debug");
    tracing::info!("info");
    tracing::trace!("trace");
    tracing::debug!("debug");
    tracing::info!("info");
    2
}

fn expected(level: Option<Level>) -> Vec<&'static str> {
    let all = ["debug", "info", "trace", "debug", "info"];
    let recorded = |message: &&str| match (level, *message) {
        (None, _) => false,
        (_, "info") => true,
        (Some(level), "debug") => level >= Level::DEBUG,
        (Some(level), _) => level >= Level::TRACE,
    };
    all.into_iter().filter(recorded).collect()
}

#[test]
fn no_event_is_lost_or_shown_by_a_change() {
    alone!();
    let fixture = Fixture::new();
    let (plain, filtered) = (Count::default(), Count::default());
    tracing_subscriber::registry()
        // With a filter that always returns the same, the registry skips its query, so a stale
        // answer shows.
        .with(filtered.clone().with_filter(LevelFilter::INFO))
        .with(fixture.dashcam.gate(EnvFilter::new("info")))
        .with(plain.clone())
        .init();
    let now = Now::default();
    let (done, exact) = (AtomicBool::new(false), AtomicU64::new(0));
    *now.level.lock().unwrap() = Some(Level::DEBUG);

    let (emitted, unchanged) = thread::scope(|scope| {
        let emitters: Vec<_> = (0..EMITTERS)
            .map(|_| {
                scope.spawn(|| {
                    let (mut emitted, mut requests) = (0, Vec::new());
                    while !done.load(SeqCst) {
                        emitted += emit();
                        let number = now.number.load(SeqCst);
                        let level = *now.level.lock().unwrap();
                        let mut id = None;
                        fixture.call(
                            crate::support_gate::request(),
                            http::StatusCode::INTERNAL_SERVER_ERROR,
                            || {
                                id = dashcam::current()
                                    .map(|c| c.correlation_id().as_str().to_owned());
                                emitted += emit();
                            },
                        );
                        // Even and unchanged: it ran under one configuration.
                        if number % 2 == 0 && now.number.load(SeqCst) == number {
                            requests.push((id.unwrap(), level));
                            exact.fetch_add(1, SeqCst);
                        }
                    }
                    (emitted, requests)
                })
            })
            .collect();
        let mut seed = 0x9e37_79b9_7f4a_7c15;
        for _ in 0..CHANGES {
            let level = match random(&mut seed) % 4 {
                0 => None,
                1 => Some(Level::INFO),
                2 => Some(Level::DEBUG),
                _ => Some(Level::TRACE),
            };
            now.number.fetch_add(1, SeqCst);
            *now.level.lock().unwrap() = level;
            match level {
                None => fixture.dashcam.recording().off(),
                Some(level) => fixture.dashcam.recording().set(level.as_str()).unwrap(),
            }
            now.number.fetch_add(1, SeqCst);
            // Gives the others a turn, sometimes several.
            (0..random(&mut seed) % 8).for_each(|_| thread::yield_now());
        }
        // On a busy machine all changes may be over before another thread had a turn.
        let until = Instant::now() + DEADLINE;
        while exact.load(SeqCst) < 50 && Instant::now() < until {
            thread::yield_now();
        }
        done.store(true, SeqCst);
        let mut all = (0, Vec::new());
        for emitter in emitters {
            let (emitted, requests) = emitter.join().unwrap();
            all.0 += emitted;
            all.1.extend(requests);
        }
        all
    });

    for count in [&plain, &filtered] {
        assert_eq!(count.shown(), emitted);
        assert_eq!(count.below_base(), 0);
    }
    let exchanges = fixture.take();
    let exchanges: HashMap<_, _> = exchanges
        .iter()
        .map(|exchange| (exchange.correlation.id.as_str(), exchange))
        .collect();
    let mut checked = 0;
    for (id, level) in &unchanged {
        // The queue drops exchanges that it has no room for. Those that were kept are exact.
        let Some(exchange) = exchanges.get(id.as_str()) else {
            continue;
        };
        assert_eq!(messages(exchange), expected(*level), "{level:?}");
        checked += 1;
    }
    assert!(checked > 20, "{checked} of {}", unchanged.len());
}
