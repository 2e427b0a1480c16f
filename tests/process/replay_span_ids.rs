//! The registry reuses the IDs of closed spans: no recorded event may have a span of others,
//! neither in the exchange nor in the replay.

use crate::support_gate::{
    Buffer, DEADLINE, FAILED, Fixture, Output, fmt_json, replay_all, request,
};
use dashcam::exchange::{Event, Exchange};
use http::StatusCode;
use serde_json::Value;
use std::sync::{Mutex, mpsc};
use tracing::{Id, Span, Subscriber};
use tracing_subscriber::{
    EnvFilter,
    layer::{Context, Layer},
    prelude::*,
};

/// Its signal that a replay has begun, and the channel for which it then waits.
type Pause = (mpsc::Sender<()>, mpsc::Receiver<()>);

/// Delays a replay once it has begun, when told to.
struct HoldUp;

static PAUSE: Mutex<Option<Pause>> = Mutex::new(None);

impl<S: Subscriber> Layer<S> for HoldUp {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "dashcam::replay"
            && let Some((begun, go_on)) = PAUSE.lock().unwrap().take()
        {
            begun.send(()).unwrap();
            go_on.recv_timeout(DEADLINE).unwrap();
        }
    }
}

/// Installs the subscriber.
fn output() -> Buffer {
    let buffer = Buffer::default();
    tracing_subscriber::registry()
        .with(fmt_json(&buffer))
        .with(dashcam::gate::Gate::new(EnvFilter::new("info")))
        .with(HoldUp)
        .init();
    buffer
}

fn fixture() -> Fixture {
    Fixture::with(|builder| builder.replay(replay_all(false)))
}

/// Returns a span with the ID that another one had, if the registry gives it out.
fn impostor(id: &Id) -> Option<Span> {
    let mut spans = (0..100_000).map(|_| tracing::info_span!("impostor"));
    spans.find(|span| span.id().as_ref() == Some(id))
}

/// Opens and closes spans of other names, a few at a time.
fn churn(spans: u64, name: &str) {
    for n in (0..spans).step_by(4) {
        let _one = tracing::info_span!("foreign", n, name).entered();
        let _two = tracing::info_span!("foreign inside", n);
        let _three = tracing::warn_span!("foreign beside", n).entered();
        let _four = tracing::info_span!(parent: None, "foreign root", n);
    }
}

/// The work of a request: events in spans of their own, with the spans of others between them and
/// around them in time.
fn work(tag: &'static str, steps: u64) {
    for step in 0..steps {
        let outer = tracing::info_span!("outer", tag, step);
        outer.in_scope(|| {
            tracing::debug!(step, "{tag} outer");
            churn(8, tag);
            let inner = tracing::info_span!("inner", step);
            inner.in_scope(|| tracing::debug!(step, "{tag} inner"));
            drop(inner);
            tracing::info_span!("other", step).in_scope(|| churn(4, tag));
            tracing::debug!(step, "{tag} outer again");
        });
        drop(outer);
        tracing::debug!(step, "{tag} bare");
        churn(40, tag);
        tracing::debug!(step, "{tag} bare again");
    }
}

/// Asserts the spans of a request whose events were those of [`work`].
fn check(exchange: &Exchange, tag: &str, steps: u64) {
    let names = ["outer", "inner", "outer again", "bare", "bare again"];
    assert_eq!(exchange.losses, dashcam::exchange::Losses::default());
    assert_eq!(exchange.events.len() as u64, steps * 5);
    for (n, event) in exchange.events.iter().enumerate() {
        let (step, name) = (n / 5, names[n % 5]);
        assert_eq!(event.fields["step"], step);
        let message = format!("{tag} {name}");
        assert_eq!(event.message.as_ref(), Some(&message));
        let spans: Vec<_> = event.spans.iter().map(|s| s.name.as_str()).collect();
        let own: &[&str] = match name {
            "outer" | "outer again" => &["outer"],
            "inner" => &["outer", "inner"],
            _ => &[],
        };
        assert_eq!(spans, own, "{step} {name}");
        for span in &event.spans {
            assert_eq!(span.fields["step"], step, "{step} {name}");
        }
    }
}

/// Every replayed line is in the `replay` span of its own request, and nowhere else.
fn check_lines(lines: &[Value], exchange: &Exchange, tag: &str) {
    let message = |line: &Value| line["fields"]["message"].as_str().unwrap().to_owned();
    let own: Vec<_> = lines
        .iter()
        .filter(|line| message(line).starts_with(tag))
        .collect();
    assert_eq!(own.len(), exchange.events.len(), "each once");
    for (line, event) in own.into_iter().zip(&exchange.events) {
        assert_eq!(Some(&message(line)), event.message.as_ref());
        assert_eq!(line["fields"].get("step"), event.fields.get("step"));
        let spans = line["spans"].as_array().unwrap();
        let names: Vec<_> = spans.iter().map(|s| s["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["request", "replay"], "{line}");
        let id = exchange.correlation.id.as_str();
        assert_eq!(spans[0]["correlation_id"], id, "{line}");
    }
}

#[test]
fn a_span_with_the_id_of_another_is_not_taken_for_it() {
    alone!();
    output();
    let exchange = fixture().failing(|| {
        let mut outer = tracing::info_span!("outer", n = 1).entered();
        for round in 0..2 {
            let inner = tracing::info_span!("inner", round);
            let id = inner.id().unwrap();
            inner.in_scope(|| tracing::debug!("in itself"));
            drop(inner);
            let impostor = impostor(&id).expect("IDs come again");
            impostor.in_scope(|| tracing::debug!("in another"));
            drop(impostor);
            let id = outer.id().unwrap();
            drop(outer);
            let impostor = self::impostor(&id).expect("IDs come again");
            impostor.in_scope(|| tracing::debug!("in another, outside"));
            drop(impostor);
            outer = tracing::info_span!("outer", n = 1).entered();
        }
        drop(outer);
        tracing::debug!("in none");
    });
    let path = |event: &Event| {
        let spans = event.spans.iter();
        let spans = spans.map(|s| format!("{} {}", s.name, s.fields.len()));
        spans.collect::<Vec<_>>().join("/")
    };
    let paths: Vec<_> = exchange.events.iter().map(path).collect();
    let round = ["outer 1/inner 1", "outer 1/impostor 0", "impostor 0"];
    assert_eq!(paths[..3], round);
    assert_eq!(paths[3..6], round);
    assert_eq!(paths[6..], [""]);
}

#[test]
fn a_replay_that_waits_keeps_its_span() {
    alone!();
    let output = output();
    let fixture = fixture();
    let (begun, has_begun) = mpsc::channel();
    let (go_on, wait) = mpsc::channel();
    *PAUSE.lock().unwrap() = Some((begun, wait));
    let mut ids = Vec::new();
    for tag in ["held up", "waiting"] {
        fixture.call(request(), FAILED, || {
            ids.push(Span::current().id().unwrap());
            tracing::debug!("{tag} event");
        });
    }
    has_begun.recv_timeout(DEADLINE).unwrap();
    assert!(!fixture.dashcam.flush(std::time::Duration::from_millis(1)));
    for id in &ids {
        assert!(impostor(id).is_none(), "the span is still there");
    }
    go_on.send(()).unwrap();
    let kept = fixture.take();
    for (exchange, tag) in kept.iter().zip(["held up", "waiting"]) {
        check_lines(&output.lines(), exchange, tag);
    }
    assert_eq!(output.count("waiting event"), 1);
}

#[test]
fn replays_stay_with_their_own_spans() {
    alone!();
    let output = output();
    let fixture = fixture();

    // Within one request.
    let exchange = fixture.failing(|| work("alone", 25));
    check(&exchange, "alone", 25);
    check_lines(&output.lines(), &exchange, "alone");

    // Between the recording of a request and its replay, in other requests and outside of any,
    // while others are replayed.
    let tags = ["one", "two", "three", "four"];
    std::thread::scope(|scope| {
        for tag in tags {
            let fixture = &fixture;
            scope.spawn(move || {
                fixture.call(request(), FAILED, || {
                    work(tag, 20);
                    churn(20_000, tag);
                });
                churn(5_000, tag);
                fixture.call(request(), StatusCode::OK, || churn(5_000, tag));
            });
        }
    });
    let kept = fixture.take();
    assert_eq!(kept.len(), tags.len());
    let lines = output.lines();
    for tag in tags {
        let first = format!("{tag} outer");
        let is = |e: &&Exchange| e.events[0].message.as_ref() == Some(&first);
        let exchange = kept.iter().find(is).unwrap();
        check(exchange, tag, 20);
        check_lines(&lines, exchange, tag);
    }
}
