//! Subscribers of single threads, each with its own gate, and no global one.

use crate::support_gate::{
    Buffer, FAILED, Fixture, Output, fmt_json, messages, replay_all, request, until,
};
use dashcam::context::in_request;
use futures_util::FutureExt;
use std::{
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    thread,
};
use tracing::{
    Id, Subscriber,
    span::Attributes,
    subscriber::{set_default, with_default},
};
use tracing_subscriber::{
    EnvFilter,
    layer::{Context, Layer},
    prelude::*,
    registry::LookupSpan,
};

/// A subscriber with this fixture's gate, and its output.
fn subscriber(
    fixture: &Fixture,
    base: &str,
) -> (
    impl Subscriber + for<'a> LookupSpan<'a> + Send + Sync + use<>,
    Buffer,
) {
    let buffer = Buffer::default();
    let subscriber = tracing_subscriber::registry()
        .with(fmt_json(&buffer))
        .with(fixture.dashcam.gate(EnvFilter::new(base)));
    (subscriber, buffer)
}

/// What the span's layer wrote for the one line with this message.
fn spans(output: &Buffer, message: &str) -> Vec<String> {
    let lines = output.with_message(message);
    assert_eq!(lines.len(), 1, "{message}");
    let spans = lines[0]["spans"].as_array().unwrap();
    let name = |s: &serde_json::Value| s["name"].as_str().unwrap().to_owned();
    spans.iter().map(name).collect()
}

/// Failing requests under a subscriber of this thread. All names include it.
fn requests(n: usize, started: &Barrier, base: &str) -> (Fixture, Buffer) {
    let fixture = Fixture::with(|builder| builder.replay(replay_all(false)));
    let (subscriber, output) = subscriber(&fixture, base);
    let _default = set_default(subscriber);
    started.wait();
    for round in 0..20 {
        let exchange = fixture.failing(|| {
            tracing::debug!("{n}.{round} debug");
            tracing::info!("{n}.{round} info");
            // Another subscriber inside, which has seen nothing of this request.
            if round == 7 {
                let inner = Fixture::new();
                let (subscriber, shown) = self::subscriber(&inner, "warn");
                with_default(subscriber, || {
                    let handler = async {
                        tracing::debug!("{n} inside");
                        FAILED
                    };
                    inner.serve(request(), handler).now_or_never().unwrap();
                    assert_eq!(messages(&inner.only()), [format!("{n} inside")]);
                });
                assert_eq!(shown.count("request"), 1);
                assert_eq!(shown.count(&format!("{n} inside")), 0);
            }
            tracing::debug!("{n}.{round} after");
        });
        let own = ["debug", "info", "after"].map(|m| format!("{n}.{round} {m}"));
        assert_eq!(messages(&exchange), own);
    }
    (fixture, output)
}

#[test]
fn each_records_shows_and_replays_its_own() {
    alone!();
    const THREADS: usize = 4;
    let started = Barrier::new(THREADS);
    let outputs: Vec<_> = thread::scope(|scope| {
        let run = |n| {
            let started = &started;
            scope.spawn(move || requests(n, started, if n % 2 == 0 { "info" } else { "warn" }))
        };
        let threads: Vec<_> = (0..THREADS).map(run).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    for (n, (fixture, output)) in outputs.iter().enumerate() {
        let text = output.text();
        for other in (0..THREADS).filter(|other| *other != n) {
            assert!(!text.contains(&format!("\"{other}.")), "{other} in {n}");
        }
        let infos_shown = n % 2 == 0;
        for round in 0..20 {
            let replayed = ["request", "replay"];
            assert_eq!(spans(output, &format!("{n}.{round} debug")), replayed);
            assert_eq!(spans(output, &format!("{n}.{round} after")), replayed);
            let info = spans(output, &format!("{n}.{round} info"));
            assert_eq!(info.len(), if infos_shown { 1 } else { 2 }, "{info:?}");
        }
        assert_eq!(output.count("request"), 20, "the lines of {n}");
        assert_eq!(output.count("recorded events follow"), 20);
        let replays = fixture.dashcam.status().replays;
        let events = if infos_shown { 40 } else { 60 };
        assert_eq!((replays.replays, replays.events), (20, events));
    }
}

#[test]
fn what_runs_on_threads_without_one_is_seen_by_nobody() {
    alone!();
    let fixture = Fixture::with(|builder| builder.replay(replay_all(false)));
    let (subscriber, output) = subscriber(&fixture, "info");
    let exchange = with_default(subscriber, || {
        fixture.failing(|| {
            tracing::debug!("here");
            // The request is carried there, the subscriber is not.
            let elsewhere = in_request(|| {
                tracing::debug!("elsewhere");
                dashcam::keep("from elsewhere");
            });
            thread::spawn(elsewhere).join().unwrap();
            let with = tracing::dispatcher::get_default(Clone::clone);
            let elsewhere = in_request(|| tracing::debug!("with it"));
            thread::spawn(move || tracing::dispatcher::with_default(&with, elsewhere))
                .join()
                .unwrap();
        })
    });
    assert_eq!(messages(&exchange), ["here", "with it"]);
    assert_eq!(exchange.keep.len(), 2);
    assert_eq!(spans(&output, "here"), ["request", "replay"]);
    assert_eq!(spans(&output, "with it"), ["request", "replay"]);
    assert_eq!(output.count("elsewhere"), 0);
}

#[test]
fn a_subscriber_that_is_gone_still_has_its_replays() {
    alone!();
    let fixture = Fixture::with(|builder| builder.replay(replay_all(true)));
    let (subscriber, output) = subscriber(&fixture, "info");
    with_default(subscriber, || {
        fixture.call(request(), http::StatusCode::OK, || {
            tracing::debug!("before");
            tracing::error!("reason");
            tracing::debug!("after");
        });
    });
    tracing::error!("outside");
    assert_eq!(messages(&fixture.only()), ["before", "reason", "after"]);
    assert_eq!(spans(&output, "before"), ["request", "replay"]);
    assert_eq!(spans(&output, "after"), ["request"], "it was live");
    assert_eq!(output.count("outside"), 0);
}

/// Counts open spans, and makes replays wait for the end of requests.
#[derive(Clone, Default)]
struct Open {
    spans: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
}

impl<S: Subscriber> Layer<S> for Open {
    fn on_new_span(&self, _: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        self.spans.fetch_add(1, SeqCst);
    }

    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "dashcam::replay" {
            until("the request is over", || self.over.load(SeqCst));
        }
    }

    fn on_close(&self, _: Id, _: Context<'_, S>) {
        self.spans.fetch_sub(1, SeqCst);
    }
}

#[test]
fn spans_of_replayed_requests_are_closed() {
    alone!();
    let fixture = Fixture::with(|builder| builder.replay(replay_all(false)));
    let (subscriber, output) = subscriber(&fixture, "info");
    let open = Open::default();
    let _default = set_default(subscriber.with(open.clone()));
    tracing::info_span!("around").in_scope(|| {
        for n in 0..3 {
            open.over.store(false, SeqCst);
            fixture.call(request(), FAILED, || tracing::debug!("{n} debug"));
            // Now only the replay holds the request's span.
            open.over.store(true, SeqCst);
            fixture.only();
            assert_eq!(spans(&output, &format!("{n} debug")).len(), 3);
        }
    });
    assert_eq!(open.spans.load(SeqCst), 0);
}
