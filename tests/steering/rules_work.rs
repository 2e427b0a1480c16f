//! The cost of conditions for one request: it is bounded, counted and reported.

use crate::support_gate::{Fixture, Seen, send};
use axum::{Router, body::Body, http::Request, routing::get};
use dashcam::{
    Dashcam,
    selection::{Described, Rule, Rules, Text, When},
};
use http::{HeaderName, HeaderValue, Method};
use std::{
    sync::LazyLock,
    time::{Duration, SystemTime},
};
use tracing_subscriber::{EnvFilter, prelude::*};

/// Two fewer than a source may have.
const N: usize = 98;

fn rule(name: impl Into<String>) -> Rule {
    Rule::new(name, SystemTime::now() + Duration::from_secs(3600))
}

fn expressions(of: impl Fn(Rule, Text) -> Rule) -> Vec<Rule> {
    static ALL: LazyLock<Vec<Text>> = LazyLock::new(|| {
        let text = |n| Text::regex(&format!("(.*x)?.*needle-{n}")).unwrap();
        (0..N).map(text).collect()
    });
    let each = |(n, text): (usize, &Text)| of(rule(format!("rule-{n}")), text.clone());
    ALL.iter().enumerate().map(each).collect()
}

fn header(name: &'static str) -> HeaderName {
    HeaderName::from_static(name)
}

/// The log lines while the requests come, and which requests were selected.
fn run(fixture: &Fixture, requests: &[Request<String>]) -> Vec<String> {
    let seen = Seen::default();
    let subscriber = tracing_subscriber::registry()
        .with(fixture.dashcam.gate(EnvFilter::new("info")))
        .with(seen.clone());
    let app = Router::new()
        .fallback(get(|request: Request<Body>| async move {
            let tenant = request.headers().get("x-tenant");
            if let (Some(current), Some(tenant)) = (dashcam::current(), tenant) {
                current.fact("tenant", tenant.to_str().unwrap().to_owned());
                current.fact("late", "yes");
            }
        }))
        .layer(fixture.dashcam.layer());
    tracing::subscriber::with_default(subscriber, || {
        for request in requests {
            let request = request.clone().map(Body::from);
            tokio_test::block_on(send(app.clone(), request));
        }
    });
    let mut messages = seen.messages();
    messages.retain(|message| message.contains("more work"));
    messages
}

fn selected(dashcam: &Dashcam) -> Vec<(String, u64)> {
    let rules = dashcam.status().verbose.rules;
    let all = rules.into_iter().map(|rule| (rule.name, rule.spent.live));
    all.filter(|(_, n)| *n > 0).collect()
}

fn get_with(uri: &str, name: &str, value: &str) -> Request<String> {
    let request = Request::get(uri).header(name, value);
    request.body(String::new()).unwrap()
}

/// Expressions on a long header: the first are evaluated, those beyond the limit are not, not even
/// negated ones. Cheap conditions beside them still hold.
#[test]
fn a_long_header_and_many_expressions() {
    let mut rules = expressions(|rule, text| rule.when(When::new().header(header("x-note"), text)));
    let text = Text::regex("nobody.*").unwrap();
    let not = When::new().not(When::new().header(header("x-note"), text));
    rules.push(rule("not").when(not));
    rules.push(rule("plain").when(When::new().header(header("x-customer"), "acme")));
    let fixture = Fixture::with(|builder| builder.rules(Rules::new(rules)));
    let long = "y".repeat(8000);
    let mut request = get_with("/", "x-note", &long);
    let customer = HeaderValue::from_static("acme");
    request.headers_mut().insert("x-customer", customer);
    let messages = run(&fixture, &[request.clone(), request.clone(), request]);
    assert_eq!(messages.len(), 1, "once: {messages:?}");
    assert_eq!(selected(&fixture.dashcam), [("plain".to_owned(), 3)]);
    let status = fixture.dashcam.status().verbose;
    assert_eq!(status.beyond_work, 3);
    let short: Vec<_> = status.rules.iter().map(|rule| rule.beyond_work).collect();
    assert_eq!(short[0], 0, "the first ones are asked");
    assert_eq!(short[N], 3);
    let asked = short.iter().filter(|n| **n == 0).count();
    assert!((32..128).contains(&asked), "{asked}");
}

/// Typical requests are unaffected, however many expressions there are.
#[test]
fn usual_values_are_asked_of_all() {
    let rules = expressions(|rule, text| rule.when(When::new().header(header("x-note"), text)));
    let fixture = Fixture::with(|builder| builder.rules(Rules::new(rules)));
    let note = format!("{} needle-{}", "y".repeat(200), N - 1);
    let messages = run(&fixture, &[get_with("/", "x-note", &note)]);
    assert_eq!(messages, [""; 0]);
    assert_eq!(selected(&fixture.dashcam), [(format!("rule-{}", N - 1), 1)]);
    assert_eq!(fixture.dashcam.status().verbose.beyond_work, 0);
}

/// The same for everything else that a client can make long.
#[test]
fn every_input_is_bounded() {
    let long = "y".repeat(8000);
    let encoded = format!("/?{}", "%6b+%6b=%79&".repeat(2000));
    let path = format!("/{}", "a/b".repeat(2000));
    let cases: [(&str, Vec<Rule>, Request<String>); 8] = [
        (
            "path",
            expressions(|rule, text| rule.when(path_like(&text))),
            get_with(&path, "a", "b"),
        ),
        (
            "globs",
            (0..N)
                .map(|n| {
                    let glob = format!("/**a**b**a**b**a**{n}x");
                    rule(format!("r{n}")).when(When::new().path(&glob).unwrap())
                })
                .collect(),
            get_with(&path, "a", "b"),
        ),
        (
            "query",
            (0..N)
                .map(|n| rule(format!("r{n}")).when(any_query(n)))
                .collect(),
            get_with(&encoded, "a", "b"),
        ),
        (
            "cookie",
            expressions(|rule, text| rule.when(When::new().cookie("a", text))),
            get_with("/", "cookie", &format!("a=b; {}", "c=d; ".repeat(1600))),
        ),
        (
            "host",
            expressions(|rule, text| rule.when(When::new().host(text))),
            get_with("/", "host", &long),
        ),
        (
            "spelling of a host",
            vec![
                rule("prefix").when(When::new().host(Text::prefix("shop"))),
                rule("not").when(When::new().not(When::new().host(Text::prefix("shop")))),
            ],
            {
                let label: String = ('\u{100}'..'\u{17e}').collect();
                let host = HeaderValue::from_bytes((label + ".").repeat(40).as_bytes());
                let mut request = get_with("/", "a", "b");
                request.headers_mut().insert("host", host.unwrap());
                request
            },
        ),
        (
            "facts",
            expressions(|rule, text| {
                let is = || When::new().fact("tenant", text.clone());
                let present = When::new().header(header("x-tenant"), Text::present());
                rule.when(present.any((0..6).map(|_| is())))
            }),
            get_with("/", "x-tenant", &"y".repeat(1000)),
        ),
        (
            "lists",
            (0..N)
                .map(|n| {
                    let values = (0..1000).map(|m| format!("value-{n}-{m}"));
                    let not = When::new().header(header("x-note"), Text::one_of(values));
                    rule(format!("r{n}")).when(When::new().not(not).fact("never", "x"))
                })
                .collect(),
            {
                let mut request = get_with("/", "x-note", "a");
                for _ in 0..50 {
                    let value = HeaderValue::from_static("value");
                    request.headers_mut().append("x-note", value);
                }
                request
            },
        ),
    ];
    for (what, rules, request) in cases {
        let fixture = Fixture::with(|builder| builder.rules(Rules::new(rules)));
        run(&fixture, &[request]);
        let status = fixture.dashcam.status().verbose;
        assert_eq!(status.beyond_work, 1, "{what}");
        assert_eq!(selected(&fixture.dashcam), [], "{what}");
    }
}

fn path_like(text: &Text) -> When {
    let json = serde_json::json!({ "path": text });
    serde_json::from_value(json).unwrap()
}

fn any_query(n: usize) -> When {
    When::new().any([
        When::new().query(format!("k{n}"), "a"),
        When::new().method(Method::GET).query("no", "b"),
        When::new().not(When::new().query("no", Text::absent())),
    ])
}

/// The author of rules is warned in advance.
#[test]
fn what_is_dear_is_told() {
    let kinds = |rules: &Rules| {
        let found = rules.check(SystemTime::now()).into_iter();
        let found = found.filter(|warning| warning.kind() == "work");
        found.map(|warning| warning.rule).collect::<Vec<_>>()
    };
    let of = |text: &str| {
        let text = Text::regex(text).unwrap();
        rule("one").when(When::new().header(header("x-note"), text))
    };
    for cheap in [
        "[a-z]+-7",
        "(?i)mozilla/.*firefox/[0-9]+.*",
        ".*(acme|initech).*",
    ] {
        assert_eq!(kinds(&Rules::new([of(cheap)])), [""; 0], "{cheap}");
    }
    for dear in [".*a.{50}", "(.*a.{12})?x.{400}|.*[ab].{120}"] {
        assert_eq!(kinds(&Rules::new([of(dear)])), ["one"], "{dear}");
    }
    let many = expressions(|rule, text| {
        let both = rule.when(When::new().header(header("x-note"), text.clone()));
        both.when(When::new().header(header("x-other"), text))
    });
    let many = Rules::new(many);
    let found = kinds(&many);
    assert_eq!(found.len(), 1, "one for the set");
    let fixture = Fixture::with(|builder| builder.rules(many));
    let warnings = fixture.dashcam.status().verbose.warnings;
    let found_too = warnings.iter().filter(|w| w.kind() == "work");
    assert_eq!(found_too.map(|w| &w.rule).collect::<Vec<_>>(), [&found[0]]);
}

/// An expression that costs too much alone is not evaluated on long values, and `why` reports it.
#[test]
fn one_dear_expression() {
    let text = Text::regex(".*a.{50}").unwrap();
    let rules = Rules::new([rule("dear").when(When::new().header(header("x-note"), text))]);
    let why = |len: usize| {
        let value = HeaderValue::from_str(&"a".repeat(len)).unwrap();
        let request = Described::new(Method::GET, "/".parse().unwrap());
        rules.why(&request.header(header("x-note"), value))
    };
    assert!(why(100)[0].selects());
    let long = why(8000);
    assert!(!long[0].selects());
    assert!(long[0].fails[0].contains("more work"), "{long:?}");
}
