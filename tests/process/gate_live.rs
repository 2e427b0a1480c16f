//! Requests that are live: by rule, by fact, by header.

use crate::support_gate::{Body, Buffer, Fixture, Output, Seen, fmt_json, messages, request};
use dashcam::{
    exchange::{KeepReason, Mode},
    selection::{Rule, Rules, When},
};
use http::{HeaderValue, Request, StatusCode};
use std::{
    sync::OnceLock,
    time::{Duration, SystemTime},
};
use tracing::{Level, level_filters::LevelFilter};
use tracing_subscriber::{EnvFilter, prelude::*};

struct Outputs {
    json: Buffer,
    plain: Seen,
    at_info: Seen,
}

impl Outputs {
    /// Returns how often the layers without a filter showed a message. All of them show it as
    /// often, and the one with a filter shows nothing below INFO.
    fn shown(&self, message: &str) -> usize {
        let shown = self.plain.count(message);
        assert_eq!(self.json.count(message), shown, "{message}");
        assert_eq!(
            self.at_info.at(Level::DEBUG) + self.at_info.at(Level::TRACE),
            0
        );
        shown
    }
}

/// One subscriber for the process, whichever test comes first.
fn outputs() -> &'static Outputs {
    static OUTPUTS: OnceLock<Outputs> = OnceLock::new();
    OUTPUTS.get_or_init(|| {
        let outputs = Outputs {
            json: Buffer::default(),
            plain: Seen::default(),
            at_info: Seen::default(),
        };
        tracing_subscriber::registry()
            .with(outputs.at_info.clone().with_filter(LevelFilter::INFO))
            .with(fmt_json(&outputs.json))
            .with(dashcam::gate::Gate::new(EnvFilter::new("info")))
            .with(outputs.plain.clone())
            .init();
        outputs
    })
}

fn soon() -> SystemTime {
    SystemTime::now() + Duration::from_secs(3600)
}

fn get(path: &str) -> Request<Body> {
    Request::get(path).body(Body::default()).unwrap()
}

fn with_header(values: &[&[u8]]) -> Request<Body> {
    let mut request = request();
    for value in values {
        let value = HeaderValue::from_bytes(value).unwrap();
        request.headers_mut().append("x-dashcam-verbose", value);
    }
    request
}

fn live(by: &str) -> Mode {
    Mode::Live { by: by.to_owned() }
}

fn selected(by: &str) -> Vec<KeepReason> {
    vec![KeepReason::Selected { by: by.to_owned() }]
}

#[test]
fn by_rule() {
    alone!();
    let outputs = outputs();
    let rules = Rules::new([
        Rule::new("old", SystemTime::now() - Duration::from_secs(1))
            .when(When::new().path_prefix("/v1/at-old")),
        Rule::new("beta", soon()).when(When::new().path_prefix("/v1/at-beta")),
        Rule::new("deep", soon())
            .when(When::new().path_prefix("/v1/at-deep"))
            .verbose("info,deep=trace,hyper=trace")
            .unwrap(),
        Rule::new("silent", soon())
            .when(When::new().path_prefix("/v1/at-silent"))
            .record_only(),
    ]);
    let fixture = Fixture::with(|builder| builder.rules(rules));
    let emit = |tag: &'static str| {
        move || {
            tracing::info!("{tag} info");
            tracing::debug!("{tag} debug");
            tracing::trace!("{tag} trace");
            tracing::trace!(target: "deep::down", "{tag} deep trace");
            tracing::debug!(target: "hyper::proto", "{tag} hyper");
        }
    };

    fixture.call(get("/v1/at-beta/1"), StatusCode::OK, emit("beta"));
    let exchange = fixture.only();
    assert_eq!(exchange.mode, live("beta"));
    assert_eq!(exchange.keep, selected("beta"));
    assert_eq!(messages(&exchange), ["beta info", "beta debug"]);
    assert_eq!(outputs.shown("beta info"), 1);
    assert_eq!(outputs.shown("beta debug"), 1);
    assert_eq!(outputs.shown("beta trace"), 0);
    assert_eq!(outputs.shown("beta hyper"), 0);
    assert_eq!(outputs.at_info.count("beta info"), 1);

    fixture.call(get("/v1/at-deep/1"), StatusCode::OK, emit("deep"));
    let exchange = fixture.only();
    assert_eq!(
        messages(&exchange),
        ["deep info", "deep debug", "deep deep trace"],
        "recorded at DEBUG, and what is shown"
    );
    assert_eq!(outputs.shown("deep debug"), 0, "not of this target");
    assert_eq!(outputs.shown("deep deep trace"), 1);
    assert_eq!(
        outputs.shown("deep hyper"),
        0,
        "excluded whatever a rule says"
    );

    fixture.call(get("/v1/at-silent"), StatusCode::OK, emit("silent"));
    let exchange = fixture.only();
    assert_eq!(
        (exchange.mode, exchange.keep),
        (Mode::Recorded, selected("silent"))
    );
    assert_eq!(outputs.shown("silent debug"), 0);
    assert_eq!(outputs.shown("silent info"), 1);

    for (path, tag) in [("/v1/at-old/1", "old"), ("/v1/at-other", "other")] {
        fixture.call(get(path), StatusCode::OK, emit(tag));
        assert!(fixture.take().is_empty(), "{path}");
        assert_eq!(outputs.shown(&format!("{tag} debug")), 0);
        assert_eq!(outputs.shown(&format!("{tag} info")), 1);
    }
    emit("none")();
    assert_eq!(outputs.shown("none info"), 1);
    assert_eq!(outputs.shown("none debug"), 0);
}

#[test]
fn by_fact_from_then_on() {
    alone!();
    let outputs = outputs();
    let rules = Rules::new([
        Rule::new("gone", SystemTime::now()).when(When::new().fact("tenant", "gone")),
        Rule::new("acme", soon()).when(When::new().fact("tenant", "acme").fact("plan", "gold")),
    ]);
    let fixture = Fixture::with(|builder| builder.rules(rules));
    let state = |name: &'static str, value: &str| dashcam::current().unwrap().fact(name, value);
    fixture.healthy(|| {
        tracing::debug!("fact before");
        state("tenant", "acme");
        tracing::debug!("fact half");
        assert!(!dashcam::current().unwrap().is_live());
        state("plan", "gold");
        assert!(dashcam::current().unwrap().is_live());
        tracing::debug!("fact after");
        tracing::info!("fact info");
    });
    let exchange = fixture.only();
    assert_eq!(
        (&exchange.mode, &exchange.keep),
        (&live("acme"), &selected("acme"))
    );
    assert_eq!(exchange.events.len(), 4, "{exchange:#?}");
    assert_eq!(outputs.shown("fact before"), 0);
    assert_eq!(outputs.shown("fact half"), 0);
    assert_eq!(outputs.shown("fact after"), 1);
    assert_eq!(outputs.shown("fact info"), 1);

    // On another thread of the request, too, and not in the request after it.
    tokio_test::block_on(fixture.serve(request(), async {
        state("tenant", "acme");
        state("plan", "gold");
        let elsewhere = dashcam::context::in_request(|| tracing::debug!("fact elsewhere"));
        std::thread::spawn(elsewhere).join().unwrap();
        StatusCode::OK
    }));
    assert_eq!(fixture.only().mode, live("acme"));
    assert_eq!(outputs.shown("fact elsewhere"), 1);
    fixture.healthy(|| {
        state("tenant", "gone");
        tracing::debug!("fact gone");
        state("tenant", "other");
        state("plan", "gold");
        tracing::debug!("fact other");
    });
    assert!(fixture.take().is_empty());
    assert_eq!(outputs.shown("fact gone") + outputs.shown("fact other"), 0);
}

#[test]
fn by_header_where_that_is_allowed() {
    alone!();
    let outputs = outputs();
    let emit = |tag: String| {
        move || {
            tracing::debug!("{tag} one");
            tracing::trace!("{tag} two");
            tracing::debug!(target: "mine", "{tag} three");
            tracing::trace!(target: "h2", "{tag} four");
        }
    };
    let strict = Fixture::new();
    strict.call(
        with_header(&[b"trace"]),
        StatusCode::OK,
        emit("strict".into()),
    );
    assert!(strict.take().is_empty(), "the header is not enabled");
    assert_eq!(outputs.shown("strict one") + outputs.shown("strict two"), 0);

    let fixture = Fixture::with(|builder| builder.insecure_plain_header(true));
    for (value, shown) in [
        ("trace", [1, 1, 1, 0]),
        ("debug", [1, 0, 1, 0]),
        ("1", [1, 0, 1, 0]),
        ("true", [1, 0, 1, 0]),
        (" DEBUG ", [1, 0, 1, 0]),
        ("info,mine=debug", [0, 0, 1, 0]),
        ("info", [0, 0, 0, 0]),
    ] {
        let tag = format!("header {value}");
        let request = with_header(&[value.as_bytes()]);
        fixture.call(request, StatusCode::OK, emit(tag.clone()));
        let exchange = fixture.only();
        assert_eq!(exchange.mode, live("x-dashcam-verbose"), "{value}");
        assert_eq!(exchange.keep, selected("x-dashcam-verbose"), "{value}");
        let counts = ["one", "two", "three", "four"].map(|n| outputs.shown(&format!("{tag} {n}")));
        assert_eq!(counts, shown, "{value}");
    }

    let long = [&b"info,"[..], &[b'a'; 300], b"=debug"].concat();
    for (n, values) in [
        &[&b"debug"[..], b"debug"][..],
        &[&b"debug"[..], b"trace"],
        &[&long[..]],
        &[&b"a=b=c"[..]],
        &[&b"mine=loud"[..]],
        &[&b"\xff\xfe"[..]],
    ]
    .into_iter()
    .enumerate()
    {
        let tag = format!("refused {n}");
        fixture.call(with_header(values), StatusCode::OK, emit(tag.clone()));
        assert!(fixture.take().is_empty(), "{values:?}");
        for end in ["one", "two", "three", "four"] {
            assert_eq!(outputs.shown(&format!("{tag} {end}")), 0, "{values:?}");
        }
    }
}
