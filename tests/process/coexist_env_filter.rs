//! A base filter of targets and spans, beside recording, live requests and replays.

use crate::support_gate::{
    Buffer, FAILED, Fixture, Output, Seen, fmt_json, messages, replay_all, request,
};
use dashcam::exchange::Exchange;
use http::StatusCode;
use tracing_subscriber::{EnvFilter, prelude::*};

const BASE: &str = "info,chatty=warn,careful=debug,[work{user=7}]=debug";

/// An event of each kind, and whether the base filter alone shows it.
fn emit(tag: &str) -> Vec<(String, bool)> {
    let mut all = Vec::new();
    let mut is = |message: &str, shown| all.push((format!("{tag} {message}."), shown));
    for user in [7, 8] {
        let span = tracing::info_span!("work", user);
        span.in_scope(|| {
            tracing::debug!("{tag} debug of {user}.");
            is(&format!("debug of {user}"), user == 7);
            tracing::info!(target: "chatty", "{tag} chat of {user}.");
            is(&format!("chat of {user}"), user == 7);
            tracing::info_span!("deeper").in_scope(|| tracing::debug!("{tag} deep of {user}."));
            is(&format!("deep of {user}"), user == 7);
            tracing::info!("{tag} info of {user}.");
            is(&format!("info of {user}"), true);
        });
    }
    tracing::debug!("{tag} debug.");
    is("debug", false);
    tracing::info!(target: "chatty", "{tag} chat.");
    is("chat", false);
    tracing::warn!(target: "chatty", "{tag} loud.");
    is("loud", true);
    tracing::debug!(target: "careful::inside", "{tag} care.");
    is("care", true);
    all
}

fn check(outputs: &[&dyn Output], all: &[(String, bool)], hidden: usize) {
    for output in outputs {
        for (message, shown) in all {
            let times = if *shown { 1 } else { hidden };
            assert_eq!(output.count(message), times, "{message}");
        }
    }
}

fn check_exchange(exchange: &Exchange, all: &[(String, bool)]) {
    let recorded: Vec<_> = all.iter().map(|(message, _)| message.as_str()).collect();
    assert_eq!(messages(exchange), recorded);
}

#[test]
fn directives_of_the_base_filter_stay_and_all_is_replayed_once() {
    alone!();
    let fixture = Fixture::with(|builder| {
        let builder = builder.replay(replay_all(true));
        builder.insecure_plain_header(true)
    });
    let (json, plain) = (Buffer::default(), Seen::default());
    tracing_subscriber::registry()
        .with(plain.clone())
        .with(fixture.dashcam.gate(EnvFilter::new(BASE)))
        .with(fmt_json(&json))
        .init();
    let outputs: [&dyn Output; 2] = [&json, &plain];

    // The request span does not match the directive for spans.
    for round in ["first", "second"] {
        let tag = |what: &str| format!("{round} {what}");
        check(&outputs, &emit(&tag("outside")), 0);

        let mut all = Vec::new();
        fixture.healthy(|| all = emit(&tag("healthy")));
        assert!(fixture.take().is_empty());
        check(&outputs, &all, 0);

        let exchange = fixture.failing(|| all = emit(&tag("failing")));
        check_exchange(&exchange, &all);
        check(&outputs, &all, 1);

        // Events after the reason are live.
        fixture.call(request(), StatusCode::OK, || {
            all = emit(&tag("before"));
            tracing::error!("{round} reason");
            all.push((format!("{round} reason"), true));
            all.extend(emit(&tag("after")));
        });
        check_exchange(&fixture.only(), &all);
        check(&outputs, &all, 1);

        let mut live = request();
        let headers = live.headers_mut();
        headers.insert("x-dashcam-verbose", "debug".parse().unwrap());
        fixture.call(live, FAILED, || all = emit(&tag("live")));
        check_exchange(&fixture.only(), &all);
        check(&outputs, &all, 1);
    }
    check(&outputs, &emit("at last"), 0);
}
