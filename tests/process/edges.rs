//! Edge cases of the stack.

use crate::support_gate::{Body, Buffer, DEADLINE, Fixture, Output, Seen, messages, request};
use bytes::Bytes;
use dashcam::{
    correlation::{CorrelationIdLayer, PropagateCorrelationIdLayer},
    selection::{Rule, Rules, When},
};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, StreamBody};
use std::{
    convert::Infallible,
    fmt,
    sync::OnceLock,
    time::{Duration, SystemTime},
};
use tower::{Layer as _, ServiceExt, service_fn};
use tracing::{field, level_filters::LevelFilter};
use tracing_subscriber::{EnvFilter, prelude::*};

struct Outputs {
    lines: Buffer,
    handle: dashcam::log::JsonLayer,
    at_warn: Seen,
    plain: Seen,
}

/// One subscriber for the process, whichever test comes first.
fn outputs() -> &'static Outputs {
    static OUTPUTS: OnceLock<Outputs> = OnceLock::new();
    OUTPUTS.get_or_init(|| {
        let lines = Buffer::default();
        let policy = dashcam::redact::Policy::by_name();
        let layer = dashcam::log::JsonLayer::new(lines.clone(), policy).unwrap();
        let outputs = Outputs {
            lines,
            handle: layer.clone(),
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
    alone!();
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

#[test]
fn a_span_that_is_recorded_to_often_costs_no_events() {
    alone!();
    let (outputs, fixture) = (outputs(), Fixture::new());
    let exchange = fixture.failing(|| {
        tracing::info_span!("work", name = "steady", done = field::Empty).in_scope(|| {
            for n in 0..20_000_u32 {
                tracing::Span::current().record("done", n);
            }
            tracing::debug!("after all the records");
            tracing::info!("shown after all the records");
        });
    });
    assert_eq!(
        messages(&exchange),
        ["after all the records", "shown after all the records"]
    );
    let span = &exchange.events[0].spans[0];
    assert_eq!(span.fields["done"], 19_999);
    assert_eq!(span.fields["name"], "steady");
    assert_eq!(exchange.losses.events_dropped, 0);
    assert!(outputs.handle.flush(DEADLINE));
    let lines = outputs.lines.with_message("shown after all the records");
    assert_eq!(lines[0]["spans"][0]["fields"]["done"], 19_999);
}

#[test]
fn deep_spans_with_large_fields_cost_no_events() {
    alone!();
    let (_, fixture) = (outputs(), Fixture::new());
    let large = "x".repeat(8_000);
    fn deep(n: usize, large: &str) {
        if n == 0 {
            tracing::debug!("at the bottom");
            return;
        }
        tracing::info_span!("deep", large).in_scope(|| deep(n - 1, large));
    }
    let exchange = fixture.failing(|| deep(40, &large));
    assert_eq!(messages(&exchange), ["at the bottom"]);
    assert_eq!(exchange.events[0].spans.len(), 40);
    assert!(exchange.losses.values_cut > 0);
}

#[test]
fn waiting_for_ever_is_no_panic() {
    alone!();
    let (outputs, fixture) = (outputs(), Fixture::new());
    let _lines = fixture.dashcam.json_log_to(std::io::sink()).unwrap();
    assert!(fixture.dashcam.flush(Duration::MAX));
    assert!(outputs.handle.flush(Duration::MAX));
}

#[test]
fn what_an_outer_request_became_inside_of_another_is_seen_after_it() {
    alone!();
    let (outputs, fixture) = (
        outputs(),
        Fixture::with(|builder| {
            let soon = SystemTime::now() + Duration::from_secs(600);
            builder.rules(Rules::new([
                Rule::new("tenant", soon).when(When::new().fact("tenant", "acme"))
            ]))
        }),
    );
    let inner = Fixture::new();
    let handler = async {
        let outer = dashcam::current().unwrap();
        let inside = async {
            outer.fact("tenant", "acme");
            StatusCode::OK
        };
        inner.serve(request(), inside).await;
        tracing::debug!("live after the inner request");
        StatusCode::OK
    };
    tokio_test::block_on(fixture.serve(request(), handler));
    assert_eq!(outputs.plain.count("live after the inner request"), 1);
}

struct Chatty;

impl fmt::Debug for Chatty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        tracing::debug!("inside of a decision");
        f.write_str("done")
    }
}

#[test]
fn a_decision_outside_of_requests_stays_below_the_ceiling_of_a_layer() {
    alone!();
    let outputs = outputs();
    dashcam::decision!("nowhere", value = ?Chatty, "decided outside of requests");
    assert_eq!(outputs.plain.count("decided outside of requests"), 1);
    assert_eq!(outputs.at_warn.count("decided outside of requests"), 0);
}

#[test]
fn an_inner_layer_of_another_header_puts_the_id_there() {
    alone!();
    let _ = outputs();
    let (outer, inner) = (
        Fixture::new(),
        Fixture::with(|builder| {
            let name = HeaderName::from_static("x-correlation-id");
            builder.correlation(CorrelationIdLayer::new().header(name))
        }),
    );
    let service = service_fn(|request: Request<_>| async move {
        let seen = request.headers()["x-correlation-id"].clone();
        let current = dashcam::current().unwrap().correlation_id().clone();
        assert_eq!(seen, current.as_str());
        Ok::<_, Infallible>(Response::new(Body::default()))
    });
    let service = outer
        .dashcam
        .layer()
        .layer(inner.dashcam.layer().layer(service));
    let request = Request::builder()
        .header("x-request-id", "one")
        .header("x-correlation-id", "two")
        .body(Body::default())
        .unwrap();
    let response = tokio_test::block_on(service.oneshot(request)).unwrap();
    assert_eq!(response.status(), StatusCode::OK);
}

#[test]
fn layers_that_answer_by_themselves_go_around() {
    alone!();
    let _ = outputs();
    let fixture = Fixture::new();
    let service = tower::ServiceBuilder::new()
        .layer(tower_http::timeout::TimeoutLayer::with_status_code(
            StatusCode::REQUEST_TIMEOUT,
            Duration::from_millis(1),
        ))
        .layer(fixture.dashcam.layer())
        .service(service_fn(|_: Request<_>| async {
            std::future::pending::<()>().await;
            Ok::<_, Infallible>(Response::new(Full::<bytes::Bytes>::default()))
        }));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let response = service.oneshot(request()).await.unwrap();
        assert_eq!(response.status(), StatusCode::REQUEST_TIMEOUT);
        assert!(
            response
                .into_body()
                .collect()
                .await
                .unwrap()
                .to_bytes()
                .is_empty()
        );
    });
}

#[test]
fn a_context_that_is_held_holds_no_events_that_nobody_wants() {
    alone!();
    let (_, fixture) = (outputs(), Fixture::new());
    let mut held = None;
    fixture.healthy(|| {
        // More than every request is granted at least.
        for _ in 0..100 {
            tracing::debug!("soon forgotten, all of a hundred times");
        }
        assert!(fixture.dashcam.status().bytes_held > 0);
        held = dashcam::current();
    });
    assert_eq!(fixture.dashcam.status().bytes_held, 0);
    // Later events count as late, and are held no longer.
    held.unwrap().in_scope(|| tracing::debug!("late"));
    assert_eq!(fixture.dashcam.status().bytes_held, 0);
}

/// As many as a map of headers can have.
fn all_there_can_be() -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut n = 0_u32;
    loop {
        let name = HeaderName::try_from(format!("x-{n}")).unwrap();
        if headers
            .try_append(name, HeaderValue::from_static("1"))
            .is_err()
        {
            return headers;
        }
        n += 1;
    }
}

#[test]
fn headers_without_room_stay_as_they_are() {
    alone!();
    outputs();
    let dashcam = dashcam::Dashcam::builder()
        .service("test", "1")
        .correlation(CorrelationIdLayer::new().server_timing(true))
        .exporter(dashcam::export::Memory::new(10))
        .build()
        .unwrap();
    let full = all_there_can_be();
    let full = &full;
    let call = |request: Request<_>| async move {
        assert_eq!(request.headers().len(), full.len());
        let id = dashcam::current().unwrap().correlation_id().to_string();
        let other = PropagateCorrelationIdLayer::new().layer(service_fn(
            |request: Request<Body>| async move { Ok::<_, Infallible>(request.headers().len()) },
        ));
        let mut request = Request::new(Body::default());
        request.headers_mut().clone_from(full);
        let sent = other.oneshot(request).await.unwrap();
        assert_eq!(sent, full.len());
        let mut response = Response::new(Body::from(id));
        response.headers_mut().clone_from(full);
        Ok::<_, Infallible>(response)
    };
    let mut request = Request::new(Body::default());
    request.headers_mut().clone_from(full);
    let service = dashcam.layer().layer(service_fn(call));
    let response = tokio_test::block_on(service.oneshot(request)).unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers().len(), full.len());
    let body = tokio_test::block_on(response.into_body().collect()).unwrap();
    assert_eq!(body.to_bytes().len(), 36, "it still has an ID");
}

/// Buffers that log when they are dropped, in the middle of a request.
struct Logs([u8; 64]);

impl AsRef<[u8]> for Logs {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Logs {
    fn drop(&mut self) {
        tracing::warn!("a buffer was dropped");
    }
}

#[test]
fn buffers_that_log_hold_nothing_up() {
    alone!();
    let (outputs, fixture) = (outputs(), Fixture::new());
    let chunks = |n: u8| {
        let chunk =
            |n| Ok::<_, Infallible>(http_body::Frame::data(Bytes::from_owner(Logs([n; 64]))));
        StreamBody::new(futures_util::stream::iter((0..n).map(chunk)))
    };
    let service =
        fixture
            .dashcam
            .layer()
            .layer(service_fn(move |request: Request<_>| async move {
                let mut body = std::pin::pin!(BodyExt::into_data_stream(request.into_body()));
                while let Some(chunk) = futures_util::StreamExt::next(&mut body).await {
                    drop(chunk);
                }
                let mut response = Response::new(axum::body::Body::new(chunks(3)));
                *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                Ok::<_, Infallible>(response)
            }));
    tokio_test::block_on(async {
        let response = service.oneshot(Request::new(chunks(3))).await.unwrap();
        let mut body = std::pin::pin!(response.into_body().into_data_stream());
        while let Some(chunk) = futures_util::StreamExt::next(&mut body).await {
            drop(chunk);
        }
    });
    drop(fixture.only());
    assert!(outputs.handle.flush(DEADLINE));
    assert!(outputs.lines.with_message("a buffer was dropped").len() >= 6);
}
