//! The origin of a recorded event, and how it reports what is missing.

use crate::support_gate::{Buffer, FAILED, Fixture, request};
use dashcam::{
    capture::Limits,
    context::{InRequestExt, in_request},
    exchange::{Event, Exchange},
};
use serde_json::json;
use std::{collections::HashMap, error::Error, fmt, sync::OnceLock, thread};
use tokio::task::yield_now;
use tracing_subscriber::{EnvFilter, prelude::*};

/// One subscriber for the process, whichever test comes first.
fn output() -> &'static Buffer {
    static OUTPUT: OnceLock<Buffer> = OnceLock::new();
    OUTPUT.get_or_init(|| {
        let buffer = Buffer::default();
        let layer = tracing_subscriber::fmt::layer()
            .json()
            .with_thread_ids(true)
            .with_thread_names(true)
            .with_writer(buffer.clone());
        tracing_subscriber::registry()
            .with(layer)
            .with(dashcam::gate::Gate::new(EnvFilter::new("info")))
            .init();
        buffer
    })
}

fn limited(change: impl FnOnce(&mut Limits)) -> Fixture {
    let mut limits = Limits::default();
    change(&mut limits);
    Fixture::with(|builder| builder.limits(limits))
}

fn of<'e>(exchange: &'e Exchange, message: &str) -> &'e Event {
    let mut found = exchange.events.iter();
    let found = found.find(|e| e.message.as_deref() == Some(message));
    found.unwrap_or_else(|| panic!("{message} of {exchange:#?}"))
}

#[test]
fn threads_and_tasks() {
    alone!();
    let output = output();
    let fixture = Fixture::new();
    let named = |name: &str| thread::Builder::new().name(name.to_owned());
    let handler = async {
        tracing::info!("here");
        let run = in_request(|| tracing::info!("named"));
        named("clerk").spawn(run).unwrap().join().unwrap();
        thread::spawn(in_request(|| tracing::info!("nameless")))
            .join()
            .unwrap();
        let task = async {
            tracing::info!("task");
            yield_now().await;
            tracing::debug!("task, hidden");
            tokio::task::id().to_string()
        };
        let first = tokio::spawn(task.in_request()).await.unwrap();
        let second = async {
            tracing::info!("other task");
            tokio::task::id().to_string()
        };
        (first, tokio::spawn(second.in_request()).await.unwrap())
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("worker")
        .build()
        .unwrap();
    let mut tasks = None;
    let slot = &mut tasks;
    let serve = fixture.serve(request(), async move {
        *slot = Some(handler.await);
        FAILED
    });
    runtime.block_on(serve);
    let exchange = fixture.only();
    assert_eq!(exchange.events.len(), 6, "{exchange:#?}");

    for event in exchange.events.iter().filter(|e| e.level == "INFO") {
        let thread = event.thread.as_ref().unwrap();
        let line = output.with_message(event.message.as_ref().unwrap());
        assert_eq!(line.len(), 1);
        let shown = format!("ThreadId({})", thread.id);
        assert_eq!(line[0]["threadId"], shown.as_str(), "{event:?}");
        let name = thread.name.as_deref();
        assert_eq!(line[0]["threadName"].as_str(), name, "{event:?}");
    }
    let name = |message| of(&exchange, message).thread.as_ref().unwrap().name.clone();
    assert_eq!(name("named").as_deref(), Some("clerk"));
    assert_eq!(name("nameless"), None);
    assert_eq!(name("task, hidden").as_deref(), Some("worker"));

    let task = |message| of(&exchange, message).task.map(|id| id.to_string());
    let (first, second) = tasks.unwrap();
    assert_ne!(first, second);
    assert_eq!(task("task"), Some(first.clone()));
    assert_eq!(task("task, hidden"), Some(first));
    assert_eq!(task("other task"), Some(second));
    for message in ["here", "named", "nameless"] {
        assert_eq!(task(message), None, "{message} is in no task");
    }
}

#[test]
fn places_and_spans() {
    alone!();
    output();
    let fixture = Fixture::new();
    let mut lines = Vec::new();
    let exchange = fixture.failing(|| {
        let outer = tracing::info_span!("outer", n = 1, later = tracing::field::Empty);
        let outer = outer.entered();
        lines.push(line!() + 1);
        tracing::debug!("in one");
        outer.record("later", "filled");
        let inner = tracing::warn_span!("inner", flag = true).entered();
        lines.push(line!() + 1);
        tracing::info!(target: "elsewhere", "in two");
        drop((inner, outer));
        lines.push(line!() + 1);
        tracing::debug!("in none");
    });
    assert_eq!(exchange.events.len(), 3);
    for (event, line) in exchange.events.iter().zip(lines) {
        assert_eq!(event.file.as_deref(), Some(file!()));
        assert_eq!(event.line, Some(line));
    }
    assert_eq!(exchange.events[0].target, module_path!());
    assert_eq!(exchange.events[1].target, "elsewhere");
    let spans = |n: usize| serde_json::to_value(&exchange.events[n].spans).unwrap();
    let early = json!({"name": "outer", "fields": {"n": 1}});
    let outer = json!({"name": "outer", "fields": {"n": 1, "later": "filled"}});
    let inner = json!({"name": "inner", "fields": {"flag": true}});
    assert_eq!(spans(0), json!([early]), "as it was then");
    assert_eq!(spans(1), json!([outer, inner]));
    assert_eq!(spans(2), json!([]));
}

#[derive(Debug)]
struct Because(&'static str, Option<Box<Self>>);

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for Because {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.1.as_deref().map(|source| source as _)
    }
}

#[test]
fn errors_with_their_sources() {
    alone!();
    output();
    let fixture = Fixture::new();
    let exchange = fixture.failing(|| {
        let chain = |names: [&'static str; 3]| {
            let source = |name, source| Some(Box::new(Because(name, source)));
            let [outer, middle, root] = names;
            Because(outer, source(middle, source(root, None)))
        };
        let error = chain(["outer", "middle", "root"]);
        let error: &(dyn Error + 'static) = &error;
        tracing::debug!(error, "as an event's field");
        tracing::info_span!("failed", error).in_scope(|| tracing::debug!("in a span"));
    });
    let [field, span] = &exchange.events[..] else {
        panic!("{exchange:#?}")
    };
    assert_eq!(field.fields["error"], "outer: middle: root");
    assert_eq!(span.spans[0].fields["error"], "outer: middle: root");
}

#[test]
fn a_value_that_is_cut_says_so() {
    alone!();
    output();
    let fixture = Fixture::new();
    let huge = "é".repeat(512 * 1024);
    let exchange = fixture.failing(|| {
        tracing::debug!("before");
        tracing::debug!(body = %huge, n = 1, "huge");
        tracing::debug!("after");
    });
    let [before, cut, after] = &exchange.events[..] else {
        panic!("{exchange:#?}")
    };
    let counts = [before, cut, after].map(|e| (e.values_cut, e.lost_before));
    assert_eq!(counts, [(0, 0), (1, 0), (0, 0)]);
    assert_eq!(exchange.losses.values_cut, 1);
    let body = cut.fields["body"].as_str().unwrap();
    assert!(body.starts_with('é') && body.ends_with('…'), "{body}");
    assert!(body.len() <= 8 * 1024 + '…'.len_utf8(), "{}", body.len());
    assert_eq!(cut.fields["n"], 1, "the small one has room");
    assert!(exchange.missing.is_empty());
}

#[test]
fn the_first_kept_event_says_how_many_were_dropped() {
    alone!();
    output();
    let fixture = limited(|limits| limits.recording = 2048);
    for all in [1_u64, 200, 5000] {
        let exchange = fixture.failing(|| {
            let span = tracing::info_span!("many").entered();
            (0..all).for_each(|n| tracing::debug!(n, "many"));
            drop(span);
        });
        let kept = exchange.events.len() as u64;
        assert!(kept > 0 && (all == 1) == (kept == all), "{kept} of {all}");
        let numbers = exchange.events.iter().map(|e| &e.fields["n"]);
        assert!(
            numbers.eq(&(all - kept..all).collect::<Vec<_>>()),
            "the newest"
        );
        let lost = exchange.events.iter().map(|e| u64::from(e.lost_before));
        let lost: Vec<_> = lost.collect();
        assert_eq!(lost[0], all - kept);
        assert!(lost[1..].iter().all(|n| *n == 0), "{lost:?}");
        assert_eq!(exchange.losses.events_dropped, all - kept);
    }
}

#[test]
fn events_have_their_spans_however_many_there_were() {
    alone!();
    output();
    for (limit, whole) in [(64 * 1024, true), (8 * 1024, false)] {
        let fixture = limited(|limits| limits.recording = limit);
        let exchange = fixture.failing(|| {
            let around = tracing::info_span!("around", name = "all");
            let _around = around.enter();
            for n in 0..300 {
                let span = tracing::info_span!("one of many", n);
                span.in_scope(|| tracing::debug!(n, "inside"));
                tracing::debug!(n, "between");
            }
        });
        let kept = exchange.events.len();
        assert!(kept > 20 && whole == (kept == 600), "{kept}");
        for event in &exchange.events {
            let names: Vec<_> = event.spans.iter().map(|s| &*s.name).collect();
            let inside = event.message.as_deref() == Some("inside");
            let expected: &[_] = if inside {
                &["around", "one of many"]
            } else {
                &["around"]
            };
            assert_eq!(names, expected);
            assert_eq!(event.spans[0].fields["name"], "all");
            if let Some(own) = event.spans.get(1) {
                assert_eq!(own.fields["n"], event.fields["n"]);
            }
        }
        assert_eq!(exchange.losses.values_cut, 0);
        assert_eq!(exchange.losses.events_dropped, 600 - kept as u64);
        assert_eq!(u64::from(exchange.events[0].lost_before), 600 - kept as u64);
    }
}

#[test]
fn what_does_not_fit_is_missed_where_it_was() {
    alone!();
    output();
    let fixture = limited(|limits| limits.recording = 2048);
    let exchange = fixture.failing(|| {
        tracing::debug!("dropped, too");
        tracing::debug!(text = %"word ".repeat(1000), "larger than all of it");
        tracing::debug!("after");
    });
    let after = of(&exchange, "after");
    let before = exchange.events.iter().position(|e| e == after).unwrap() as u64;
    assert_eq!(u64::from(after.lost_before), 2 - before);
    assert_eq!(exchange.losses.events_dropped, 2 - before);
}

#[test]
fn events_over_the_memory_of_all_are_missing() {
    alone!();
    output();
    // A quarter of it is for events, and other requests hold that.
    let fixture = limited(|limits| limits.memory = 256 * 1024);
    let fill = |n: u64| async move {
        (0..400).for_each(|step| tracing::debug!(n, step, "some text to fill the memory"));
        yield_now().await;
        FAILED
    };
    let requests = (0..20).map(|n| fixture.serve(request(), fill(n)));
    tokio_test::block_on(futures_util::future::join_all(requests));
    let kept = fixture.take();
    assert_eq!(kept.len(), 20);
    let mut short = 0;
    let mut of_request: HashMap<u64, u64> = HashMap::new();
    for exchange in &kept {
        let (first, last) = (&exchange.events[0], exchange.events.last().unwrap());
        assert_eq!(last.fields["step"], 399, "the newest are here");
        let n = first.fields["n"].as_u64().unwrap();
        assert!(exchange.events.iter().all(|e| e.fields["n"] == n));
        *of_request.entry(n).or_default() += 1;
        let lost = 400 - exchange.events.len() as u64;
        assert_eq!(u64::from(first.lost_before), lost);
        assert_eq!(exchange.losses.events_dropped, lost);
        let missing = exchange.missing.iter();
        let missing: Vec<_> = missing.map(|m| (m.what.as_str(), m.why.as_str())).collect();
        if missing.is_empty() {
            continue;
        }
        assert_eq!(missing, [("events", "memory_budget")]);
        assert!(lost > 0);
        short += 1;
    }
    assert_eq!(of_request.len(), 20);
    assert!(short > 0, "the memory was short");
    assert!(fixture.dashcam.status().memory_refused > 0);
    assert_eq!(fixture.dashcam.status().bytes_held, 0);
    let exchange = fixture.failing(|| tracing::debug!("one"));
    assert!(exchange.missing.is_empty());
}
