//! Rules that record more of some requests, and show nothing.
#![cfg(feature = "full")]

mod support_gate;

use dashcam::{
    exchange::{Exchange, KeepReason, Mode},
    kit::DashcamBuilder,
    selection::{Rule, Rules},
};
use http::{Request, StatusCode};
use std::time::{Duration, SystemTime};
use support_gate::{Body, Fixture, Output, Seen, messages};
use tracing_subscriber::{EnvFilter, prelude::*};

fn emit(tag: &'static str) {
    tracing::info!("{tag} info");
    tracing::debug!("{tag} debug");
    tracing::trace!("{tag} trace");
    tracing::trace!(target: "deep::down", "{tag} deep");
}

/// What is kept of a request that the rule selects, and of one that fails.
fn check(change: impl FnOnce(DashcamBuilder) -> DashcamBuilder) -> [Exchange; 2] {
    let soon = SystemTime::now() + Duration::from_secs(3600);
    let rules = Rules::new([Rule::new("deep", soon)
        .path_prefix("/v1/at-deep")
        .verbose("deep=trace")
        .unwrap()
        .record_only()]);
    let fixture = Fixture::with(|builder| change(builder.rules(rules)));
    let seen = Seen::default();
    let subscriber = tracing_subscriber::registry()
        .with(fixture.dashcam.gate(EnvFilter::new("info")))
        .with(seen.clone());
    tracing::subscriber::with_default(subscriber, || {
        let selected = Request::get("/v1/at-deep").body(Body::default()).unwrap();
        fixture.call(selected, StatusCode::OK, || emit("selected"));
        let selected = fixture.only();
        let failing = fixture.failing(|| emit("failing"));
        let infos = ["selected info", "request", "failing info", "request"];
        assert_eq!(seen.messages(), infos);
        assert_eq!(seen.count("selected deep"), 0);
        [selected, failing]
    })
}

#[test]
fn beside_what_is_recorded_of_all() {
    let [selected, failing] = check(|builder| builder);
    assert_eq!(
        messages(&selected),
        ["selected info", "selected debug", "selected deep"]
    );
    assert_eq!(selected.mode, Mode::Recorded);
    assert_eq!(
        selected.keep,
        [KeepReason::Selected {
            by: "deep".to_owned()
        }]
    );
    assert_eq!(messages(&failing), ["failing info", "failing debug"]);
}

#[test]
fn where_nothing_is_recorded_of_others() {
    let [selected, failing] = check(DashcamBuilder::record_off);
    assert_eq!(messages(&selected), ["selected info", "selected deep"]);
    assert_eq!(selected.mode, Mode::Recorded);
    assert_eq!(failing.events, []);
    assert_eq!(failing.mode, Mode::Off);
}

#[test]
fn until_it_is_switched_off() {
    let soon = SystemTime::now() + Duration::from_secs(3600);
    let rule = Rule::new("all", soon).verbose("trace").unwrap();
    let rules = Rules::new([rule.record_only()]);
    let fixture = Fixture::with(|builder| builder.rules(rules));
    let subscriber = tracing_subscriber::registry().with(fixture.dashcam.gate("info".into()));
    tracing::subscriber::with_default(subscriber, || {
        fixture.healthy(|| {
            emit("before");
            fixture.dashcam.steering().switch_off();
            emit("after");
        });
    });
    let exchange = fixture.only();
    let deep = messages(&exchange);
    assert_eq!(deep[..4].last(), Some(&"before deep"));
    assert_eq!(deep[4..], ["after info", "after debug"]);
}
