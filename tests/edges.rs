//! What a review of the code found, and holds now.
#![cfg(feature = "full")]

mod support_gate;

use dashcam::{correlation::CorrelationIdLayer, selection::Rule, selection::Rules};
use http::{HeaderName, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use std::{
    convert::Infallible,
    fmt,
    sync::OnceLock,
    time::{Duration, SystemTime},
};
use support_gate::{Body, Buffer, DEADLINE, Fixture, Output, Seen, messages, request};
use tower::{Layer as _, ServiceExt, service_fn};
use tracing::{field, level_filters::LevelFilter};
use tracing_subscriber::{EnvFilter, prelude::*};

struct Outputs {
    lines: Buffer,
    handle: dashcam::log_line::JsonLineHandle,
    at_warn: Seen,
    plain: Seen,
}

/// One subscriber for the process, whichever test comes first.
fn outputs() -> &'static Outputs {
    static OUTPUTS: OnceLock<Outputs> = OnceLock::new();
    OUTPUTS.get_or_init(|| {
        let lines = Buffer::default();
        let policy = dashcam::redact::Policy::by_name();
        let layer = dashcam::log_line::JsonLine::new(lines.clone(), policy).unwrap();
        let outputs = Outputs {
            lines,
            handle: layer.handle(),
            at_warn: Seen::default(),
            plain: Seen::default(),
        };
        tracing_subscriber::registry()
            .with(outputs.at_warn.clone().with_filter(LevelFilter::WARN))
            .with(dashcam::gate::Gate::new(EnvFilter::new("info")))
            .with(outputs.plain.clone())
            .with(layer)
            .init();
        outputs
    })
}

#[test]
fn the_request_line_of_a_failed_service_has_its_id() {
    let (outputs, fixture) = (outputs(), Fixture::new());
    let id = "failed-service-id";
    let request = || {
        let request = Request::builder().header("x-request-id", id);
        request.body(Body::default()).unwrap()
    };
    let service = fixture
        .dashcam
        .layer()
        .layer(service_fn(|_: Request<_>| async {
            Err::<Response<Body>, _>(fmt::Error)
        }));
    assert!(tokio_test::block_on(service.oneshot(request())).is_err());
    let layer = fixture.dashcam.layer().propagate_panics();
    let service = layer.layer(service_fn(|_: Request<_>| async {
        if true {
            panic!("of the service");
        }
        Ok::<_, Infallible>(Response::new(Body::default()))
    }));
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        drop(tokio_test::block_on(service.oneshot(request())));
    }));
    assert!(panicked.is_err());
    assert!(outputs.handle.flush(DEADLINE));
    let lines = outputs.lines.with_message("request");
    let lines: Vec<_> = lines
        .iter()
        .filter(|l| l["level"] == "ERROR" && l["fields"]["outcome"] != "completed")
        .collect();
    let lines: Vec<_> = lines
        .iter()
        .filter(|l| l["fields"]["http.response.status_code"].is_null())
        .collect();
    assert!(lines.len() >= 2, "{lines:#?}");
    for line in lines {
        assert_eq!(line["correlation_id"], id, "{line}");
    }
}

