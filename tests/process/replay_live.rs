//! A reason to keep a request while it runs makes the rest of it live, and replays what was
//! recorded before.

use crate::support_gate::{Body, Buffer, DEADLINE, Fixture, Output, fmt_json, messages, request};
use dashcam::{
    capture::Replay,
    exchange::{Exchange, KeepReason, Mode},
    selection::{Rule, Rules, When},
};
use http::{Request, StatusCode};
use std::{
    sync::{Arc, Barrier, OnceLock, mpsc::channel},
    time::{Duration, Instant, SystemTime},
};
use tracing_subscriber::{EnvFilter, prelude::*};

/// One subscriber for the process, whichever test comes first.
fn output() -> &'static Buffer {
    static OUTPUT: OnceLock<Buffer> = OnceLock::new();
    OUTPUT.get_or_init(|| {
        let buffer = Buffer::default();
        tracing_subscriber::registry()
            .with(fmt_json(&buffer))
            .with(dashcam::gate::Gate::new(EnvFilter::new("info")))
            .init();
        buffer
    })
}

fn fixture(change: impl FnOnce(&mut Replay)) -> Fixture {
    let mut replay = Replay::default();
    replay.per_second = u64::MAX;
    change(&mut replay);
    Fixture::with(|builder| builder.replay(replay))
}

/// The spans around the one line with this message.
fn spans(message: &str) -> Vec<String> {
    let lines = output().with_message(message);
    assert_eq!(lines.len(), 1, "{message}");
    let spans = lines[0]["spans"].as_array().unwrap();
    spans
        .iter()
        .map(|span| span["name"].as_str().unwrap().to_owned())
        .collect()
}

/// Events after the reason are live, those before are replayed, all once.
fn check(exchange: &Exchange, tag: &str) {
    let all = [
        "before one",
        "before two",
        "reason",
        "after one",
        "after two",
    ];
    let all: Vec<_> = all.iter().map(|m| format!("{tag} {m}")).collect();
    assert_eq!(messages(exchange), all);
    for message in &all[..2] {
        assert_eq!(spans(message), ["request", "replay"]);
    }
    for message in &all[2..] {
        assert_eq!(spans(message), ["request"]);
    }
}

#[test]
fn after_an_error_event() {
    alone!();
    output();
    let fixture = fixture(|_| {});
    fixture.call(request(), StatusCode::OK, || {
        tracing::debug!("error before one");
        tracing::debug!("error before two");
        tracing::error!("error reason");
        assert!(dashcam::current().unwrap().is_live());
        tracing::debug!("error after one");
        let span = tracing::debug_span!("deep");
        assert!(!span.is_disabled(), "spans are made, too");
        tracing::debug!("error after two");
    });
    let exchange = fixture.only();
    check(&exchange, "error");
    assert_eq!(exchange.keep, [KeepReason::ErrorEvent]);
    let Mode::Live { by } = &exchange.mode else {
        panic!("{:?}", exchange.mode)
    };
    assert_eq!(by, "a reason to keep it");
    let replays = fixture.dashcam.status().replays;
    assert_eq!((replays.replays, replays.events), (1, 2));
}

#[test]
fn after_keep_while_the_request_goes_on() {
    alone!();
    output();
    let fixture = fixture(|_| {});
    let handler = async {
        tracing::debug!("keep before one");
        tracing::debug!("keep before two");
        dashcam::keep("odd");
        tracing::info!("keep reason");
        // The request still runs when its recorded events are replayed.
        let until = Instant::now() + DEADLINE;
        while output().with_message("keep before two").is_empty() {
            assert!(Instant::now() < until, "shown while the request runs");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tracing::debug!("keep after one");
        tracing::debug!("keep after two");
        StatusCode::OK
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(fixture.serve(request(), handler));
    check(&fixture.only(), "keep");
}

#[test]
fn once_a_rule_knows_a_fact() {
    alone!();
    output();
    let soon = SystemTime::now() + Duration::from_secs(3600);
    let rules = Rules::new([Rule::new("acme", soon).when(When::new().fact("tenant", "acme"))]);
    let mut replay = Replay::default();
    replay.per_signature = 0;
    let fixture = Fixture::with(|builder| builder.replay(replay).rules(rules));
    fixture.call(request(), StatusCode::OK, || {
        tracing::debug!("fact before one");
        tracing::debug!("fact before two");
        dashcam::current().unwrap().fact("tenant", "acme");
        tracing::info!("fact reason");
        tracing::debug!("fact after one");
        tracing::debug!("fact after two");
    });
    let exchange = fixture.only();
    check(&exchange, "fact");
    assert_eq!(
        exchange.mode,
        Mode::Live {
            by: "acme".to_owned()
        }
    );
}

#[test]
fn not_where_it_is_switched_off() {
    alone!();
    output();
    let fixture = fixture(|replay| replay.live = false);
    fixture.call(request(), StatusCode::OK, || {
        tracing::debug!("quiet before");
        tracing::error!("quiet reason");
        assert!(!dashcam::current().unwrap().is_live());
        tracing::debug!("quiet after");
    });
    let exchange = fixture.only();
    assert_eq!(exchange.mode, Mode::Recorded);
    assert_eq!(spans("quiet before"), ["request", "replay"]);
    assert_eq!(spans("quiet after"), ["request", "replay"]);
}

#[test]
fn not_in_what_a_rule_only_records() {
    alone!();
    output();
    let soon = SystemTime::now() + Duration::from_secs(3600);
    let rules = Rules::new([Rule::new("silent", soon)
        .when(When::new().path_prefix("/v1/at-silent"))
        .record_only()]);
    let fixture = Fixture::with(|builder| builder.replay(Replay::default()).rules(rules));
    let silent = || Request::get("/v1/at-silent").body(Body::default()).unwrap();
    fixture.call(silent(), StatusCode::OK, || tracing::debug!("silent debug"));
    assert_eq!(messages(&fixture.only()), ["silent debug"]);
    assert_eq!(output().count("silent debug"), 0);
    fixture.call(silent(), StatusCode::BAD_GATEWAY, || {
        tracing::debug!("silent debug of a failure");
    });
    fixture.only();
    assert_eq!(spans("silent debug of a failure"), ["request", "replay"]);
}

#[test]
fn as_often_as_the_budget_allows_and_says_what_it_left_out() {
    alone!();
    output();
    let fixture = fixture(|replay| {
        replay.per_signature = 1;
        replay.window = Duration::from_millis(200);
    });
    let count = |message: &str| output().count(message);
    let fail = || {
        fixture.call(request(), StatusCode::BAD_GATEWAY, || {
            tracing::debug!("budget debug");
        });
        assert_eq!(fixture.take().len(), 1, "the exchange has its own budget");
    };
    fail();
    assert_eq!(count("budget debug"), 1);
    let mut suppressed = 0;
    let until = Instant::now() + DEADLINE;
    loop {
        fail();
        if count("budget debug") == 2 {
            break;
        }
        suppressed += 1;
        assert!(Instant::now() < until);
    }
    assert_eq!(fixture.dashcam.status().replays.suppressed, suppressed);
    let told: Vec<_> = output()
        .with_message("recorded events follow")
        .iter()
        .filter_map(|line| line["fields"]["suppressed_before"].as_u64())
        .filter(|n| *n > 0)
        .collect();
    assert_eq!(
        told,
        if suppressed > 0 {
            vec![suppressed]
        } else {
            vec![]
        }
    );
}

#[test]
fn errors_beyond_the_budget_make_nothing_live() {
    alone!();
    output();
    let fixture = fixture(|replay| replay.per_signature = 1);
    let mut live = Vec::new();
    for _ in 0..3 {
        fixture.call(request(), StatusCode::OK, || {
            tracing::error!(target: "budget", "a dependency is down");
            live.push(dashcam::current().unwrap().is_live());
        });
    }
    assert_eq!(live, [true, false, false]);
    assert_eq!(fixture.take().len(), 3);
    assert_eq!(fixture.dashcam.status().replays.suppressed, 2);
}

#[test]
fn what_a_storm_keeps_less_of_is_replayed_by_its_own_budget() {
    alone!();
    output();
    let mut storm = dashcam::capture::StormLimits::default();
    (storm.full, storm.heads) = (1, 1);
    let fixture = Fixture::with(|builder| builder.replay(Replay::default()).storm(storm));
    for _ in 0..5 {
        fixture.call(request(), StatusCode::BAD_GATEWAY, || {
            tracing::debug!("storm debug");
        });
    }
    assert_eq!(fixture.take().len(), 2);
    let replays = fixture.dashcam.status().replays;
    assert_eq!((replays.replays, replays.suppressed), (3, 2));
    assert_eq!(output().count("storm debug"), 3);
}

#[test]
fn a_reason_in_other_words_is_no_other_signature() {
    alone!();
    output();
    let fixture = fixture(|replay| {
        replay.per_signature = 2;
        replay.per_second = 10;
    });
    for n in 0..40 {
        fixture.call(request(), StatusCode::OK, || {
            tracing::debug!("other words");
            dashcam::keep(format!("order {n} is odd"));
        });
    }
    assert_eq!(fixture.take().len(), 40);
    assert_eq!(output().count("other words"), 2);
    assert_eq!(fixture.dashcam.status().replays.suppressed, 38);
}

#[test]
fn what_was_shown_before_is_known_to_be_hidden() {
    alone!();
    output();
    let fixture = fixture(|_| {});
    fixture.call(request(), StatusCode::OK, || {
        // Not in the source in this form: literals are the program's own words.
        let [token, password] = ["t0ken-of-the-span", "s3cret-of-the-event"].map(str::to_owned);
        let span = tracing::info_span!("login", token);
        let _span = span.enter();
        tracing::info!(password, "shown");
        tracing::debug!("repeats {password} and {token}");
        tracing::error!("directory down");
    });
    fixture.take();
    let replayed = output().lines().into_iter().find(|line| {
        let message = line["fields"]["message"].as_str();
        message.is_some_and(|m| m.starts_with("repeats "))
    });
    let message = replayed.unwrap()["fields"]["message"].to_string();
    assert!(
        !message.contains("s3cret") && !message.contains("t0ken"),
        "{message}"
    );
}

#[test]
fn without_live_nothing_is_shown_before_the_end() {
    alone!();
    output();
    let fixture = fixture(|replay| replay.live = false);
    let handler = async {
        tracing::debug!("patient debug");
        dashcam::keep("odd");
        tracing::error!("patient reason");
        assert!(fixture.dashcam.flush(DEADLINE));
        assert_eq!(output().count("patient debug"), 0);
        StatusCode::OK
    };
    tokio_test::block_on(fixture.serve(request(), handler));
    fixture.take();
    assert_eq!(output().count("patient debug"), 1);
}

#[test]
fn an_upload_that_broke_is_replayed_as_other_failures() {
    alone!();
    output();
    let fixture = fixture(|_| ());
    let cut = futures_util::stream::iter([
        Ok(bytes::Bytes::from_static(b"{")),
        Err(std::io::Error::other("cut")),
    ]);
    let request = Request::post("/").body(axum::body::Body::from_stream(cut));
    let service = tower::service_fn(async |request: Request<_>| {
        tracing::debug!("reading what is cut");
        let read = http_body_util::BodyExt::collect(request.into_body()).await;
        assert!(read.is_err());
        let mut response = http::Response::new(axum::body::Body::empty());
        *response.status_mut() = StatusCode::BAD_REQUEST;
        Ok::<_, std::convert::Infallible>(response)
    });
    let service = tower::Layer::layer(&fixture.dashcam.layer(), service);
    let status = tokio_test::block_on(crate::support_gate::send(service, request.unwrap()));
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(fixture.take()[0].keep, [KeepReason::RequestBody]);
    assert_eq!(output().count("reading what is cut"), 1);
}

#[test]
fn live_ends_with_the_request() {
    alone!();
    output();
    let fixture = fixture(|_| {});
    let (go, wait) = channel::<()>();
    let entered = Arc::new(Barrier::new(2));
    let enters = Arc::clone(&entered);
    let mut stray = None;
    fixture.call(request(), StatusCode::OK, || {
        tracing::error!("stray reason");
        stray = Some(std::thread::spawn(dashcam::context::in_request(
            move || {
                tracing::debug!("stray while it runs");
                enters.wait();
                wait.recv().unwrap();
                assert!(!dashcam::current().unwrap().is_live());
                tracing::debug!("stray debug");
                assert!(tracing::debug_span!("stray span").is_disabled());
            },
        )));
        entered.wait();
    });
    go.send(()).unwrap();
    stray.unwrap().join().unwrap();
    fixture.take();
    assert_eq!(output().count("stray while it runs"), 1);
    assert_eq!(output().count("stray debug"), 0);
}
