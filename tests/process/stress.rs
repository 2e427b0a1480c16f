//! Many concurrent requests of every kind: each keeps exactly its own events.
//!
//! `DASHCAM_LONG=1` runs many more. Use it in release mode.

use crate::support_gate::{Body, FAILED, Fixture, replay_all};
use dashcam::{
    context::InRequestExt,
    exchange::{Event, Exchange},
    kit::DashcamBuilder,
    selection::{Budget, Rule, Rules, When},
};
use fastrand::Rng;
use http::{Request, StatusCode, header::HeaderName};
use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, Once},
    time::{Duration, SystemTime},
};
use tokio::{sync::oneshot, task::yield_now};
use tracing::{Instrument, Level, Subscriber, field};
use tracing_subscriber::{
    EnvFilter,
    layer::{Context, Layer},
    prelude::*,
};

const SEED: u64 = 0x5eed;
const TASKS: u64 = 64;
/// Requests of a task between two checks of what was kept and shown.
const BATCH: u64 = 50;

fn batches() -> u64 {
    let long = std::env::var_os("DASHCAM_LONG").is_some_and(|v| v == "1");
    (if long { 10_000 } else { 150 }) / BATCH
}

/// An event of a request: its series and its number there.
type Key = (u64, u64);

/// What was shown, by the number of the request.
static SHOWN: LazyLock<Mutex<HashMap<u64, Vec<Key>>>> = LazyLock::new(Mutex::default);

struct Shows;

#[derive(Default)]
struct Numbers {
    n: Option<u64>,
    key: Key,
}

impl field::Visit for Numbers {
    fn record_u64(&mut self, field: &field::Field, value: u64) {
        match field.name() {
            "n" => self.n = Some(value),
            "series" => self.key.0 = value,
            "seq" => self.key.1 = value,
            _ => {}
        }
    }

    fn record_debug(&mut self, _: &field::Field, _: &dyn std::fmt::Debug) {}
}

impl<S: Subscriber> Layer<S> for Shows {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let mut numbers = Numbers::default();
        event.record(&mut numbers);
        if let Some(n) = numbers.n {
            let mut shown = SHOWN.lock().unwrap();
            shown.entry(n).or_default().push(numbers.key);
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Selected {
    Not,
    Live,
    RecordOnly,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fails {
    Not,
    Status,
    Panics,
    Dropped,
    ErrorEvent,
}

/// One event and its surroundings.
#[derive(Clone, Copy, Debug)]
struct Step {
    key: Key,
    level: Level,
    spans: u64,
    task: bool,
    yields: u8,
}

/// The actions of a request.
#[derive(Debug)]
struct Plan {
    n: u64,
    steps: Vec<Step>,
    /// Events of a task beside it.
    beside: Vec<Step>,
    selected: Selected,
    fails: Fails,
    /// The step before which it asks to be kept.
    keep: Option<usize>,
}

impl Plan {
    fn new(n: u64) -> Self {
        let mut rng = Rng::with_seed(SEED ^ n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let step = |rng: &mut Rng, series, seq| Step {
            key: (series, seq),
            level: if rng.u8(..3) == 0 {
                Level::INFO
            } else {
                Level::DEBUG
            },
            spans: rng.u64(..4).saturating_sub(1),
            task: rng.u8(..6) == 0,
            yields: rng.u8(..3).saturating_sub(1),
        };
        let fails = match rng.u8(..12) {
            0 => Fails::Status,
            1 => Fails::Panics,
            2 => Fails::Dropped,
            3 => Fails::ErrorEvent,
            _ => Fails::Not,
        };
        let (steps, beside) = (rng.u64(..30), rng.u64(..12).saturating_sub(6));
        let mut steps: Vec<_> = (0..steps).map(|seq| step(&mut rng, 0, seq)).collect();
        if fails == Fails::ErrorEvent {
            if steps.is_empty() {
                steps.push(step(&mut rng, 0, 0));
            }
            let at = rng.usize(..steps.len());
            steps[at].level = Level::ERROR;
        }
        Self {
            n,
            beside: (0..beside).map(|seq| step(&mut rng, 1, seq)).collect(),
            selected: match rng.u8(..10) {
                0 => Selected::Live,
                1 => Selected::RecordOnly,
                _ => Selected::Not,
            },
            fails,
            keep: (rng.u8(..12) == 0).then(|| rng.usize(..=steps.len())),
            steps,
        }
    }

    fn request(&self) -> Request<Body> {
        let path = match self.selected {
            Selected::RecordOnly => "/recorded",
            _ => "/other",
        };
        let request = Request::get(path).header("x-request-id", format!("request-{}", self.n));
        let request = match self.selected {
            Selected::Live => request.header("x-select", "live"),
            _ => request,
        };
        request.body(Body::default()).unwrap()
    }

    fn is_kept(&self) -> bool {
        self.fails != Fails::Not || self.selected != Selected::Not || self.keep.is_some()
    }

    /// Asserts whether its debug events are shown, each once.
    fn is_shown(&self, replays: bool) -> bool {
        let wrong = self.fails != Fails::Not || self.keep.is_some();
        self.selected == Selected::Live || replays && wrong
    }

    async fn run(self: Arc<Self>, at_the_end: oneshot::Sender<()>) -> StatusCode {
        let beside = Arc::clone(&self);
        let beside = async move {
            for step in &beside.beside {
                step.run(beside.n).await;
            }
        };
        let beside = tokio::spawn(beside.in_request());
        for (at, step) in self.steps.iter().enumerate() {
            if self.keep == Some(at) {
                dashcam::keep("planned");
            }
            step.run(self.n).await;
        }
        if self.keep == Some(self.steps.len()) {
            dashcam::keep("planned");
        }
        beside.await.unwrap();
        match self.fails {
            Fails::Panics => std::panic::panic_any("planned"),
            Fails::Dropped => {
                at_the_end.send(()).unwrap();
                std::future::pending().await
            }
            Fails::Status => FAILED,
            Fails::Not | Fails::ErrorEvent => StatusCode::OK,
        }
    }

    fn check_exchange(&self, exchange: &Exchange) {
        assert_eq!(exchange.losses, dashcam::exchange::Losses::default());
        for (series, steps) in [(0, &self.steps), (1, &self.beside)] {
            let of = |e: &&Event| e.fields["series"] == series;
            let events: Vec<_> = exchange.events.iter().filter(of).collect();
            assert_eq!(events.len(), steps.len(), "{self:#?} {exchange:#?}");
            for (event, step) in events.into_iter().zip(steps) {
                assert_eq!(event.fields["n"], self.n, "{exchange:#?}");
                assert_eq!(event.fields["seq"], step.key.1, "in order");
                assert_eq!(event.level, step.level.as_str());
                assert_eq!(event.spans.len() as u64, step.spans);
                assert!(event.spans.iter().all(|s| s.fields["of"] == self.n));
            }
        }
        let all = self.steps.len() + self.beside.len();
        assert_eq!(exchange.events.len(), all, "none of others");
        assert!(exchange.events.is_sorted_by_key(|e| e.at_us));
        let outcome = match self.fails {
            Fails::Not | Fails::ErrorEvent => "completed",
            Fails::Status => "failed",
            Fails::Panics => "panicked",
            Fails::Dropped => "abandoned",
        };
        assert_eq!(exchange.outcome.as_str(), outcome);
    }

    fn check_shown(&self, mut shown: Vec<Key>, replays: bool) {
        let all = self.steps.iter().chain(&self.beside);
        let is_shown = |s: &&Step| s.level <= Level::INFO || self.is_shown(replays);
        let mut expected: Vec<_> = all.filter(is_shown).map(|s| s.key).collect();
        shown.sort_unstable();
        expected.sort_unstable();
        assert_eq!(shown, expected, "each once: {self:#?}");
    }
}

impl Step {
    async fn run(self, n: u64) {
        for _ in 0..self.yields {
            yield_now().await;
        }
        let event = async move {
            let Self {
                key: (series, seq), ..
            } = self;
            match self.level {
                Level::ERROR => tracing::error!(n, series, seq, "error"),
                Level::INFO => tracing::info!(n, series, seq, "info"),
                _ => tracing::debug!(n, series, seq, "debug"),
            }
        };
        let mut span = tracing::Span::current();
        for depth in 0..self.spans {
            span = tracing::info_span!(parent: &span, "level", of = n, depth);
        }
        let event = event.instrument(span);
        if self.task {
            tokio::spawn(event.in_request()).await.unwrap();
        } else {
            event.await;
        }
    }
}

/// Serves a request to its end, or to where it is dropped.
async fn serve(fixture: &Fixture, plan: Arc<Plan>) {
    let (at_the_end, dropped) = oneshot::channel();
    let serve = fixture.serve(plan.request(), Arc::clone(&plan).run(at_the_end));
    let status = tokio::select! {
        status = serve => status,
        Ok(()) = dropped => return,
    };
    let failed = matches!(plan.fails, Fails::Status | Fails::Panics);
    assert_eq!(status.is_server_error(), failed);
}

fn check(fixture: &Fixture, numbers: std::ops::Range<u64>, replays: bool) {
    let mut kept = HashMap::new();
    for exchange in fixture.take() {
        let id = exchange.correlation.id.strip_prefix("request-").unwrap();
        let n: u64 = id.parse().unwrap();
        assert!(kept.insert(n, exchange).is_none(), "{n} is kept once");
    }
    for n in numbers {
        let plan = Plan::new(n);
        let exchange = kept.remove(&n);
        assert_eq!(exchange.is_some(), plan.is_kept(), "{plan:#?}");
        if let Some(exchange) = exchange {
            plan.check_exchange(&exchange);
        }
        let shown = SHOWN.lock().unwrap().remove(&n).unwrap_or_default();
        plan.check_shown(shown, replays);
    }
    assert!(kept.is_empty(), "{kept:#?}");
    let status = fixture.dashcam.status();
    assert_eq!((status.in_flight, status.bytes_held), (0, 0));
    assert_eq!((status.late_events, status.memory_refused), (0, 0));
    assert_eq!(status.kept, status.exported);
}

fn stress(first: u64, replays: bool, change: impl FnOnce(DashcamBuilder) -> DashcamBuilder) {
    static INIT: Once = Once::new();
    INIT.call_once(|| {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if info.payload().downcast_ref() != Some(&"planned") {
                hook(info);
            }
        }));
        tracing_subscriber::registry()
            .with(dashcam::gate::Gate::new(EnvFilter::new("info")))
            .with(Shows)
            .init();
    });
    let soon = SystemTime::now() + Duration::from_secs(24 * 3600);
    let rules = Rules::new([
        Rule::new("live", soon)
            .when(When::new().header(HeaderName::from_static("x-select"), "live")),
        Rule::new("recorded", soon)
            .when(When::new().path_prefix("/recorded"))
            .record_only(),
    ]);
    let mut limits = dashcam::capture::Limits::default();
    limits.queue = usize::MAX;
    limits.memory = 1024 * 1024 * 1024;
    let fixture = Arc::new(Fixture::with(|builder| {
        let builder = builder
            .rules(rules)
            .verbose_budget(Budget::unlimited())
            .limits(limits)
            .slow(Duration::MAX);
        change(builder)
    }));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .unwrap();
    for batch in 0..batches() {
        let first = first + batch * BATCH * TASKS;
        let tasks: Vec<_> = (0..TASKS)
            .map(|task| {
                let fixture = Arc::clone(&fixture);
                let first = first + task * BATCH;
                runtime.spawn(async move {
                    for n in first..first + BATCH {
                        serve(&fixture, Arc::new(Plan::new(n))).await;
                    }
                })
            })
            .collect();
        for task in tasks {
            runtime.block_on(task).unwrap();
        }
        check(&fixture, first..first + BATCH * TASKS, replays);
    }
    let status = fixture.dashcam.status();
    assert_eq!(status.finished, batches() * BATCH * TASKS);
    assert_eq!(status.replays.replays > 0, replays);
    assert_eq!(status.replays.suppressed + status.replays.queue_full, 0);
}

#[test]
fn every_request_has_its_own_events_and_no_other() {
    alone!();
    stress(0, false, |builder| builder);
}

#[test]
fn replays_at_the_end_show_each_event_once() {
    alone!();
    stress(10_000_000, true, |builder| {
        builder.replay(replay_all(false))
    });
}

#[test]
fn replays_while_requests_run_show_each_event_once() {
    alone!();
    stress(20_000_000, true, |builder| builder.replay(replay_all(true)));
}
