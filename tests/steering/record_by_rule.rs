//! Rules that record more of some requests, and show nothing live.

use crate::support_gate::{Body, Fixture, Output, Seen, messages};
use dashcam::{
    exchange::{BodyState, Exchange, KeepReason, Mode},
    kit::DashcamBuilder,
    lifecycle::RequestBody,
    selection::{Rule, Rules, When},
};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use std::{
    convert::Infallible,
    time::{Duration, SystemTime},
};
use tower::{Layer as _, ServiceExt, service_fn};
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
        .when(When::new().path_prefix("/v1/at-deep"))
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
fn without_bodies_unless_it_fails() {
    let soon = SystemTime::now() + Duration::from_secs(3600);
    let rule = Rule::new("heads", soon).record_only().heads_only();
    let fixture = Fixture::with(|builder| builder.rules(Rules::new([rule])));
    let subscriber =
        tracing_subscriber::registry().with(fixture.dashcam.gate(EnvFilter::new("info")));
    tracing::subscriber::with_default(subscriber, || {
        let request = || Request::post("/").body(Body::from(r#"{"a":1}"#)).unwrap();
        let kept = |status| {
            let handler = service_fn(move |request: Request<_>| async move {
                let body: RequestBody<Body> = request.into_body();
                body.collect().await.unwrap();
                tracing::debug!("read");
                let mut response = Response::new(Body::default());
                *response.status_mut() = status;
                Ok::<_, Infallible>(response)
            });
            let service = fixture.dashcam.layer().layer(handler);
            tokio_test::block_on(async {
                let response = service.oneshot(request()).await.unwrap();
                response.into_body().collect().await.unwrap();
            });
            fixture.only()
        };
        let selected = kept(StatusCode::OK);
        let skipped = BodyState::Skipped {
            why: "rule".to_owned(),
        };
        assert_eq!(
            (&selected.request.body.state, &selected.request.body.content),
            (&skipped, &None)
        );
        assert_eq!(messages(&selected), ["read"]);
        let missing: Vec<_> = selected
            .missing
            .iter()
            .map(|m| (&*m.what, &*m.why))
            .collect();
        assert_eq!(missing, [("bodies", "rule")]);

        let failed = kept(StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(failed.request.body.state, BodyState::Complete);
        assert!(failed.request.body.content.is_some());
        assert!(failed.missing.is_empty());
    });
}

#[test]
fn until_it_is_switched_off() {
    let soon = SystemTime::now() + Duration::from_secs(3600);
    let rule = Rule::new("all", soon).verbose("trace").unwrap();
    let rules = Rules::new([rule.record_only()]);
    let fixture = Fixture::with(|builder| builder.rules(rules));
    let subscriber =
        tracing_subscriber::registry().with(fixture.dashcam.gate(EnvFilter::new("info")));
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
