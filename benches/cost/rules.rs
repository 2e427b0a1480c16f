//! The cost of a decision: a request through a layer with rules, compared with one without rules.

use crate::{Case, setup::Op};
use dashcam::{
    selection::{Peer, Rule, Rules, Steering, Text, When},
    verbose::VerboseLayer,
};
use http::{HeaderMap, HeaderName, Method, Request, Response, Uri};
use std::{
    convert::Infallible,
    future::{Ready, ready},
    pin::pin,
    task,
    time::{Duration, SystemTime},
};
use tower::{Layer, Service, service_fn};

pub(crate) fn cases() -> Vec<Case> {
    macro_rules! cases {
        ($($name:literal => $run:expr,)*) => { vec![$(Case { name: $name, run: $run },)*] };
    }
    cases! {
        "rules/none" => |go| requests(Rules::default(), None, go),
        "rules/100 mixed, none selects" => |go| requests(mixed(100), None, go),
        "rules/none, and a fact" => |go| requests(Rules::default(), Some("nobody"), go),
        "rules/100 mixed, and a fact that none selects" => |go| requests(mixed(100), Some("nobody"), go),
        "rules/100 that wait for a fact, and one that none selects" => |go| {
            let rule = |n| Rule::new(format!("rule-{n}"), later()).when(When::new().fact("tenant", format!("tenant-{n}")));
            requests(Rules::new((0..100).map(rule)), Some("nobody"), go);
        },
        "rules/100 of which only the last selects" => |go| {
            let last = Rule::new("last", later()).when(When::new().path_prefix("/api/")).record_only();
            let rules = mixed(99).iter().cloned().chain([last]).collect::<Vec<_>>();
            requests(Rules::new(rules), None, go);
        },
    }
}

fn later() -> SystemTime {
    SystemTime::now() + Duration::from_secs(24 * 3600)
}

/// As many rules of each of ten kinds, none of which selects the request.
fn mixed(count: u32) -> Rules {
    Rules::new((0..count).map(|n| {
        let rule = Rule::new(format!("rule-{n}"), later());
        let header = HeaderName::from_static;
        match n % 10 {
            0 => rule.when(When::new().header(header("x-tenant"), format!("tenant-{n}"))),
            1 => rule.when(When::new().path(&format!("/api/v{n}/*/items/**")).unwrap()),
            2 => rule.when(
                When::new()
                    .method(Method::POST)
                    .route(format!("/r{n}/{{id}}")),
            ),
            3 => rule.when(When::new().cookie("session", format!("session-{n}"))),
            4 => rule.when(When::new().query("debug", format!("key-{n}"))),
            5 => rule.when(When::new().fact("tenant", format!("tenant-{n}"))),
            6 => rule.when(
                When::new()
                    .client(&format!("10.{}.0.0/16", n % 250))
                    .unwrap(),
            ),
            7 => rule.when(When::new().host(format!("host-{n}.example.org"))),
            8 => {
                let text = if n % 50 == 8 {
                    Text::regex(&format!("agent-{n}/[0-9]+")).unwrap()
                } else {
                    Text::prefix(format!("agent-{n}/"))
                };
                rule.when(When::new().header(header("user-agent"), text))
            }
            _ => {
                let either = |value: &str| When::new().header(header("x-version"), value);
                let both = [either("1"), either("2").not(either("3"))];
                let rule = rule.when(When::new().any(both));
                rule.sample(5.0).unwrap()
            }
        }
    }))
}

fn head() -> (Uri, HeaderMap) {
    let headers = [
        ("host", "shop.example.org"),
        (
            "user-agent",
            "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        ),
        ("accept", "application/json"),
        ("accept-language", "de,en;q=0.7"),
        ("accept-encoding", "gzip, br"),
        (
            "cookie",
            "theme=dark; session=8f14e45fceea167a5a36dedd4bea2543; lang=de",
        ),
        ("x-tenant", "initech"),
        ("x-version", "7"),
        ("content-type", "application/json"),
        ("authorization", "Bearer 8f14e45fceea167a5a36dedd4bea2543"),
        (
            "traceparent",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ),
        ("x-request-id", "0b1e5f0e-7c8a-4b52-9f0f-6b3f7a1d2c3e"),
    ];
    let headers =
        headers.map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
    (
        "/api/orders/17?page=2&sort=asc".parse().unwrap(),
        HeaderMap::from_iter(headers),
    )
}

fn requests(rules: Rules, fact: Option<&'static str>, go: Op<'_>) {
    let steering = Steering::new().rules(rules);
    through(&VerboseLayer::new().steering(steering), fact, None, go);
}

/// Sends requests through this layer, with this value of the header `x-dashcam-verbose`.
pub(crate) fn through(
    layer: &VerboseLayer,
    fact: Option<&'static str>,
    asks: Option<&str>,
    go: Op<'_>,
) {
    let mut service = layer.layer(service(fact));
    let (uri, mut headers) = head();
    if let Some(asks) = asks {
        headers.insert("x-dashcam-verbose", asks.parse().unwrap());
    }
    go(&mut || {
        let mut request = Request::new(String::new());
        *request.uri_mut() = uri.clone();
        *request.headers_mut() = headers.clone();
        request.extensions_mut().insert(Peer([192, 0, 2, 1].into()));
        let mut context = task::Context::from_waker(task::Waker::noop());
        let future = service.call(request);
        assert!(pin!(future).poll(&mut context).is_ready());
    });
}

fn service<B>(
    fact: Option<&'static str>,
) -> impl Service<
    Request<B>,
    Response = Response<String>,
    Error = Infallible,
    Future = Ready<Result<Response<String>, Infallible>>,
> {
    service_fn(move |_: Request<B>| {
        if let Some(tenant) = fact {
            dashcam::current().unwrap().fact("tenant", tenant);
        }
        ready(Ok(Response::new(String::new())))
    })
}
