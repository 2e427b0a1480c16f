//! The service's own words stay, whatever its requests contain. Values of requests that it repeats
//! are hidden.
#![cfg(all(feature = "full", target_os = "linux"))]

use crate::support_gate::{Body, Buffer, DEADLINE, Fixture};
use dashcam::exchange::{Exchange, KeepReason};
use http::{Request, Response};
use http_body_util::BodyExt;
use std::{fmt, io};
use tower::{Layer as _, ServiceExt, service_fn};
use tracing_subscriber::{EnvFilter, prelude::*};

const BODY: &str = r#"{"what":"an order","who":"Quvex Moltrin","state":"awaiting payment"}"#;

#[derive(Debug)]
#[allow(dead_code)] // read by `Debug` alone
struct Order {
    state: &'static str,
    who: String,
}

#[derive(Debug)]
struct Declined(String);

impl fmt::Display for Declined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an order of {} is awaiting payment", self.0)
    }
}

impl std::error::Error for Declined {}

fn say(who: &str) {
    let _span = tracing::info_span!("serving", what = "an order", who).entered();
    tracing::info!(total = 3, "an order");
    tracing::info!("cannot serve an order of {who}: {}", "awaiting payment");
    let order = Order {
        state: "awaiting payment",
        who: who.to_owned(),
    };
    tracing::info!(?order, made = "an order".to_owned(), "with fields");
    let declined = Declined(who.to_owned());
    tracing::warn!(error = &declined as &dyn std::error::Error, "declined");
}

/// Logs, and ends as requested. Returns the exchange and the log lines.
fn run<E>(end: impl Fn(&str) -> Result<Response<Body>, E> + Clone) -> (Exchange, String)
where
    E: fmt::Display + 'static,
{
    let (fixture, buffer) = (Fixture::new(), Buffer::default());
    let subscriber = tracing_subscriber::registry()
        .with(fixture.dashcam.gate(EnvFilter::new("info")))
        .with(fixture.dashcam.json_log_to(buffer.clone()).unwrap());
    let service = fixture.dashcam.layer().layer(service_fn(
        |request: Request<dashcam::lifecycle::RequestBody<Body>>| {
            let end = end.clone();
            async move {
                let body = request.into_body().collect().await.unwrap().to_bytes();
                let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
                let who = body["who"].as_str().unwrap();
                dashcam::keep("an order");
                dashcam::keep(format!("an order of {who}"));
                say(who);
                end(who)
            }
        },
    ));
    let request = Request::post("/")
        .header("content-type", "application/json")
        .body(Body::from(BODY))
        .unwrap();
    tracing::subscriber::with_default(subscriber, || {
        let _ = tokio_test::block_on(service.oneshot(request));
    });
    assert!(fixture.dashcam.flush(DEADLINE));
    (fixture.only(), buffer.text())
}

#[test]
fn of_events_and_reasons() {
    let (exchange, lines) = run(|_| Ok::<_, io::Error>(Response::new(Body::default())));
    let messages: Vec<_> = exchange
        .events
        .iter()
        .filter_map(|e| e.message.as_deref())
        .collect();
    assert_eq!(messages[0], "an order");
    let [before, after] = ["cannot serve an order of [~", "]: awaiting payment"];
    assert!(
        messages[1].starts_with(before) && messages[1].ends_with(after),
        "{messages:?}"
    );
    let fields = &exchange.events[2].fields;
    let order = fields["order"].as_str().unwrap();
    assert!(
        order.starts_with(r#"Order { state: "awaiting payment", who: "[~"#),
        "{order}"
    );
    assert!(
        fields["made"].as_str().unwrap().starts_with("[~"),
        "{fields:?}"
    );
    let error = exchange.events[3].fields["error"].as_str().unwrap();
    assert!(
        error.starts_with("an order of [~") && error.ends_with("] is awaiting payment"),
        "{error}"
    );
    assert_eq!(exchange.events[0].spans[0].fields["what"], "an order");
    let reasons: Vec<_> = exchange
        .keep
        .iter()
        .filter_map(|reason| match reason {
            KeepReason::Asked { why } => Some(why.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(reasons[0], "an order");
    assert!(reasons[1].starts_with("[~"), "{reasons:?}");
    for text in [serde_json::to_string(&exchange).unwrap(), lines.clone()] {
        assert!(!text.contains("Quvex"), "{text}");
    }
    for words in [
        r#""message":"an order""#,
        "an order of [~",
        r#"]: awaiting payment""#,
    ] {
        assert!(lines.contains(words), "{words}: {lines}");
    }
}

#[test]
fn of_errors() {
    let (exchange, _) = run(|who| Err(Declined(who.to_owned())));
    let error = exchange.error.unwrap();
    assert!(
        error.starts_with("an order of [~") && error.ends_with("] is awaiting payment"),
        "{error}"
    );
}

#[test]
fn of_panics() {
    let (exchange, _) = run(|_| -> Result<_, io::Error> { panic!("an order") });
    assert_eq!(exchange.panic.unwrap().message, "an order");
    let (exchange, _) = run(|who| -> Result<_, io::Error> { panic!("an order of {who}") });
    let message = exchange.panic.unwrap().message;
    assert!(!message.contains("Quvex"), "{message}");
}
