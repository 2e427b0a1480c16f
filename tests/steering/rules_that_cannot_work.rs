//! Rules that cannot work: the status and, once, the log report it, with what only a running
//! service knows.

use crate::support_gate::{Fixture, Seen, send};
use axum::{Router, body::Body, extract::ConnectInfo, http::Request, routing::get};
use dashcam::{
    Dashcam,
    selection::{Described, Rule, Rules, When},
};
use http::Method;
use std::{
    net::SocketAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};
use tracing_subscriber::{EnvFilter, prelude::*};

fn rule(name: &str) -> Rule {
    Rule::new(name, SystemTime::now() + Duration::from_secs(3600))
}

/// Runs this with the output of the service. The tests run one after the other, because
/// subscribers of other threads come and go.
fn shown(dashcam: &Dashcam, f: impl FnOnce()) -> Vec<String> {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let seen = Seen::default();
    let subscriber = tracing_subscriber::registry()
        .with(dashcam.gate(EnvFilter::new("info")))
        .with(seen.clone());
    tracing::subscriber::with_default(subscriber, f);
    let mut messages = seen.messages();
    messages.retain(|message| message.starts_with("the rule "));
    messages
}

fn requests(app: &Router, n: usize, peer: Option<[u8; 4]>) {
    for _ in 0..n {
        let mut request = Request::get("/orders/7").body(Body::empty()).unwrap();
        if let Some(peer) = peer {
            let peer = ConnectInfo(SocketAddr::from((peer, 1)));
            request.extensions_mut().insert(peer);
        }
        tokio_test::block_on(send(app.clone(), request));
    }
}

fn found(fixture: &Fixture) -> Vec<(String, &'static str)> {
    let warnings = fixture.dashcam.status().verbose.warnings;
    let found = warnings.into_iter().map(|warning| {
        let kind = warning.kind();
        (warning.rule, kind)
    });
    found.collect()
}

/// The findings of `rules check` are in the status and, once, in the log, also for rules that were
/// there before the subscriber.
#[test]
fn what_check_finds_is_told() {
    let old = rule("old").when(When::new().route("/orders/:id"));
    let fixture = Fixture::with(|builder| builder.rules(Rules::new([old])));
    let steering = fixture.dashcam.steering();
    let messages = shown(&fixture.dashcam, || {
        let app = Router::new()
            .route("/orders/{id}", get(|| async {}))
            .layer(fixture.dashcam.layer());
        requests(&app, 3, None);
        let mut none = dashcam::selection::Budget::unlimited();
        none.per_second = Some(0);
        let late = || {
            rule("late")
                .when(When::new().fact("tenant", "acme"))
                .budget(none)
        };
        let rules = Rules::new([late()]);
        steering.set_rules("later", rules.clone());
        steering.set_rules("later", Rules::default());
        steering.set_rules(
            "later",
            Rules::new([late(), rule("fine").when(When::new().route("/orders/{id}"))]),
        );
        requests(&app, 3, None);
    });
    let late = "the rule \"late\": its budget of `per_second = 0` selects no request; leave a \
                limit out to have none";
    assert_eq!(messages[1..], [late, late], "of each set that is put");
    assert!(
        messages[0].starts_with("the rule \"old\": no route is \"/orders/:id\"")
            && messages[0].contains("\"/orders/{id}\""),
        "{messages:?}"
    );
    let expected = [
        ("old".to_owned(), "condition"),
        ("late".to_owned(), "budget"),
    ];
    assert_eq!(found(&fixture), expected);
    let json = serde_json::to_value(fixture.dashcam.status()).unwrap();
    assert_eq!(json["verbose"]["warnings"][0]["kind"], "condition");
}

#[test]
fn a_service_that_does_not_know_its_clients() {
    let office = "10.0.0.0/8";
    let fixture = Fixture::with(|builder| {
        builder.rules(Rules::new([
            rule("office").when(When::new().client(office).unwrap()),
            rule("orders").when(When::new().route("/other")),
        ]))
    });
    let messages = shown(&fixture.dashcam, || {
        let app = Router::new()
            .route("/orders/{id}", get(|| async {}))
            .layer(fixture.dashcam.layer());
        requests(&app, 1, Some([10, 0, 0, 1]));
        assert_eq!(found(&fixture), []);
        requests(&app, 20, None);
    });
    assert_eq!(messages.len(), 1, "once: {messages:?}");
    let expected = "the rule \"office\": it needs the address of the client, and 1 of 2 requests \
                    came without: serve the router with \
                    `into_make_service_with_connect_info::<SocketAddr>()`";
    assert!(messages[0].starts_with(expected), "{messages:?}");
    let expected = [("office".to_owned(), "no_client")];
    assert_eq!(found(&fixture), expected);

    let request = Described::new(Method::GET, "/".parse().unwrap());
    let request = request.client([10, 0, 0, 1].into());
    let why = fixture.dashcam.steering().why(&request);
    assert_eq!(
        why.iter().position(dashcam::selection::Why::selects),
        Some(0)
    );
    let notes = why[0].notes.join("\n");
    assert!(
        notes.starts_with("it needs the address of the client: serve the router")
            && notes.contains("20 of 21 requests came without"),
        "{notes}"
    );
    assert!(why[1].notes.is_empty(), "{why:?}");
}

#[test]
fn a_fact_that_no_request_states() {
    let fixture = Fixture::with(|builder| {
        builder.rules(Rules::new([
            rule("elsewhere").when(When::new().route("/pay").fact("customer", "acme")),
            rule("typo").when(When::new().fact("tennant", "acme")),
            rule("fine").when(When::new().fact("tenant", "initech")),
            rule("mixed").when(When::new().route("/orders/{id}").fact("user", "u")),
        ]))
    });
    let app = Router::new()
        .route(
            "/orders/{id}",
            get(|| async { dashcam::current().unwrap().fact("tenant", "acme") }),
        )
        .layer(fixture.dashcam.layer());
    let messages = shown(&fixture.dashcam, || {
        requests(&app, 50, None);
        assert_eq!(found(&fixture), [], "too few to say something");
        requests(&app, 250, None);
    });
    let expected = [
        ("typo".to_owned(), "no_fact"),
        ("mixed".to_owned(), "no_fact"),
    ];
    assert_eq!(found(&fixture), expected);
    assert_eq!(messages.len(), 2, "{messages:?}");
    let expected = "the rule \"typo\": it waits for the fact \"tennant\", and none of the 100 \
                    requests in which a rule waited for it has stated it";
    assert_eq!(messages[0], expected);

    // Once the fact is stated there is no warning.
    let app = Router::new()
        .route(
            "/",
            get(|| async {
                let request = dashcam::current().unwrap();
                request.fact("tennant", "other");
            }),
        )
        .layer(fixture.dashcam.layer());
    let request = Request::get("/").body(Body::empty()).unwrap();
    tokio_test::block_on(send(app, request));
    let expected = [("mixed".to_owned(), "no_fact")];
    assert_eq!(found(&fixture), expected);
    // A new set of rules does not forget the counts.
    let steering = fixture.dashcam.steering();
    steering.set_rules(
        "later",
        Rules::new([rule("more").when(When::new().fact("user", "v"))]),
    );
    let kinds: Vec<_> = found(&fixture).into_iter().map(|(rule, _)| rule).collect();
    assert_eq!(kinds, ["mixed", "more"]);
}

/// A layer outside the router knows no route.
#[test]
fn a_layer_that_knows_no_route() {
    let fixture = Fixture::with(|builder| {
        builder.rules(Rules::new([
            rule("order").when(When::new().route("/orders/{id}")),
            rule("fine").when(When::new().path_prefix("/nowhere")),
        ]))
    });
    let service = || Router::new().route("/orders/{id}", get(|| async {}));
    let outside = Router::new().fallback_service(
        tower::ServiceBuilder::new()
            .layer(fixture.dashcam.layer())
            .service(service()),
    );
    let messages = shown(&fixture.dashcam, || requests(&outside, 150, None));
    let expected = [("order".to_owned(), "no_route")];
    assert_eq!(found(&fixture), expected);
    assert_eq!(messages.len(), 1, "{messages:?}");
    assert!(
        messages[0].starts_with("the rule \"order\": it needs the route template"),
        "{messages:?}"
    );
    requests(&service().layer(fixture.dashcam.layer()), 1, None);
    assert_eq!(found(&fixture), []);
}

/// Another rule selects the request before the fact comes, so no rule waits for it then.
#[test]
fn who_is_selected_waits_for_nothing() {
    let fixture = Fixture::with(|builder| {
        builder.rules(Rules::new([
            rule("first").when(When::new().fact("a", "1")),
            rule("second").when(When::new().fact("b", "2")),
        ]))
    });
    let app = Router::new()
        .route(
            "/orders/{id}",
            get(|| async {
                dashcam::current().unwrap().fact("a", "1");
                dashcam::current().unwrap().fact("b", "2");
            }),
        )
        .layer(fixture.dashcam.layer());
    shown(&fixture.dashcam, || requests(&app, 300, None));
    assert_eq!(found(&fixture), []);
}

#[test]
fn a_budget_over_all_that_leaves_nothing() {
    let mut budget = dashcam::selection::Budget::overall();
    budget.at_once = Some(0);
    let fixture = Fixture::with(|builder| builder.verbose_budget(budget));
    let warnings = fixture.dashcam.status().warnings;
    assert!(
        warnings
            .iter()
            .any(|warning| warning.starts_with("the budget over all rules of `at_once = 0`")),
        "{warnings:?}"
    );
}
