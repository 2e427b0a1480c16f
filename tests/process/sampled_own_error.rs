//! A request that is live because of its own failure has no span sampled for that.

use crate::support_gate::{Fixture, Output, Seen, request};
use dashcam::{
    capture::Replay,
    opentelemetry::SampleSelected,
    selection::{Rule, Rules, When},
};
use http::{HeaderValue, StatusCode};
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::trace::{InMemorySpanExporter, Sampler, SdkTracerProvider};
use std::time::{Duration, SystemTime};
use tracing_subscriber::{EnvFilter, prelude::*};

const UNSAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

#[test]
fn an_error_event_selects_nothing() {
    alone!();
    let until = SystemTime::now() + Duration::from_secs(3600);
    let rule = Rule::new("asked", until).when(When::new().fact("tenant", "acme"));
    let by_header =
        Rule::new("head", until).when(When::new().header("x-asked".parse().unwrap(), "1"));
    let fixture = Fixture::with(|builder| {
        let rules = Rules::new([rule, by_header]);
        builder.replay(Replay::default()).rules(rules)
    });
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder()
        .with_sampler(SampleSelected::or(Sampler::AlwaysOff))
        .with_simple_exporter(exporter.clone())
        .build();
    let seen = Seen::default();
    tracing_subscriber::registry()
        .with(tracing_opentelemetry::layer().with_tracer(provider.tracer("test")))
        .with(seen.clone())
        .with(fixture.dashcam.gate(EnvFilter::new("info")))
        .init();
    let names = || {
        // After its replay, which the exchange does not wait for.
        assert!(fixture.dashcam.flush(Duration::from_secs(60)));
        let spans = exporter.get_finished_spans().unwrap();
        exporter.reset();
        let mut names: Vec<_> = spans.iter().map(|span| span.name.to_string()).collect();
        names.sort();
        names
    };
    let work = |fact: bool| {
        tracing::debug!("before");
        tracing::error!("it is broken");
        if fact {
            dashcam::current().unwrap().fact("tenant", "acme");
        }
        tracing::info_span!("inner").in_scope(|| tracing::debug!("inside"));
    };
    let unsampled = || {
        let mut request = request();
        let value = HeaderValue::from_static(UNSAMPLED);
        request.headers_mut().insert("traceparent", value);
        request
    };
    for request in [request(), unsampled()] {
        fixture.call(request, StatusCode::BAD_GATEWAY, || work(false));
        fixture.only();
    }
    // A request without an ERROR event is replayed at its end.
    fixture.call(unsampled(), StatusCode::BAD_GATEWAY, || {
        tracing::debug!("quiet");
    });
    fixture.only();
    assert_eq!(names(), [""; 0]);
    assert!(seen.count("before") >= 1, "it is still shown");
    assert!(seen.count("recorded events follow") >= 1);

    // A request that a rule selects is sampled, whatever else it is.
    let mut asked = unsampled();
    asked
        .headers_mut()
        .insert("x-asked", HeaderValue::from_static("1"));
    fixture.call(asked, StatusCode::BAD_GATEWAY, || work(false));
    fixture.only();
    assert_eq!(names(), ["GET", "inner"]);

    // If a fact selects it, its spans are sampled from there on, and there is no replay in
    // between.
    fixture.call(unsampled(), StatusCode::BAD_GATEWAY, || {
        tracing::debug!("first");
        dashcam::current().unwrap().fact("tenant", "acme");
        tracing::info_span!("inner").in_scope(|| tracing::debug!("inside"));
    });
    fixture.only();
    assert_eq!(names(), ["inner"]);
}
