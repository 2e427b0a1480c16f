//! The request's span beside `tracing-opentelemetry`: its IDs, its attributes, and the sampler's
//! decisions.

use crate::support_gate::{Buffer, DEADLINE, until};
use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, Response, StatusCode, header},
    routing::{any, get, post},
};
use dashcam::{
    Dashcam,
    capture::StormLimits,
    correlation::CorrelationIdLayer,
    exchange::Exchange,
    export::Memory,
    opentelemetry::{SampleSelected, TrueTimes},
    selection::{Rule, Rules, When},
};
use http_body_util::BodyExt;
use opentelemetry::{
    Value,
    trace::{SpanKind, Status, TracerProvider},
};
use opentelemetry_sdk::trace::{InMemorySpanExporter, Sampler, SdkTracerProvider, SpanData};
use std::{
    sync::{
        LazyLock, Mutex,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};
use tower::ServiceExt;
use tower_http::trace::{DefaultMakeSpan, TraceLayer};
use tracing::{Instrument, Level};
use tracing_subscriber::{EnvFilter, prelude::*};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// One service with everything in it, for all tests of this process.
struct Service {
    dashcam: Dashcam,
    kept: Memory,
    spans: InMemorySpanExporter,
    lines: Buffer,
    app: Router,
    edge: Router,
}

/// Headers of the last request as its handler saw them, and of its call.
static SENT: Mutex<Vec<[HeaderMap; 2]>> = Mutex::new(Vec::new());

async fn call(seen: HeaderMap) {
    SENT.lock()
        .unwrap()
        .push([seen, dashcam::correlation::headers(&http::Uri::default())]);
}

fn routes() -> Router {
    Router::new()
        .route("/orders/{id}", get(call))
        .route(
            "/inner",
            get(|headers| call(headers).instrument(tracing::info_span!("charge"))),
        )
        .route(
            "/late",
            get(async || {
                dashcam::current().unwrap().fact("tenant", "acme");
                tracing::info_span!("after").in_scope(|| tracing::debug!("deep"));
            }),
        )
        .route(
            "/fails",
            post(async |_: String| {
                tracing::debug!(card = "4111 1111 1111 1111", "about to fail");
                StatusCode::BAD_GATEWAY
            }),
        )
        .route(
            "/panics",
            get(async || {
                if true {
                    panic!("oh")
                }
            }),
        )
        .route("/other", any(async || StatusCode::IM_A_TEAPOT))
}

static SERVICE: LazyLock<Service> = LazyLock::new(|| {
    let kept = Memory::new(10_000);
    let mut storm = StormLimits::default();
    storm.full = u64::MAX;
    storm.per_second = u64::MAX;
    let expires = SystemTime::now() + Duration::from_secs(3600);
    let rule = |name: &str| Rule::new(name, expires);
    let build = |correlation| {
        Dashcam::builder()
            .service("test", "0")
            .storm(storm)
            .correlation(correlation)
            .bodies_on_spans(1000)
            .rules(Rules::new([
                rule("by-header")
                    .when(When::new().header(header::HeaderName::from_static("x-debug"), "please"))
                    .verbose("debug")
                    .unwrap(),
                rule("by-fact")
                    .when(When::new().fact("tenant", "acme"))
                    .verbose("debug")
                    .unwrap(),
            ]))
            .exporter(kept.clone())
            .build()
            .unwrap()
    };
    let dashcam = build(CorrelationIdLayer::new().server_timing(true));
    let edge = build(CorrelationIdLayer::new().edge(true));
    let spans = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder()
        .with_sampler(SampleSelected::or(Sampler::AlwaysOff))
        .with_simple_exporter(spans.clone())
        .build();
    let lines = Buffer::default();
    tracing_subscriber::registry()
        .with(dashcam.gate(EnvFilter::new("info")))
        .with(dashcam.json_log_to(lines.clone()).unwrap())
        .with(
            tracing_opentelemetry::layer()
                .with_tracer(provider.tracer("test"))
                .with_filter(TrueTimes::new()),
        )
        .init();
    let app = routes().layer(dashcam.layer());
    let outer = edge.layer();
    // It flushes when it is dropped, and the layer continues.
    std::mem::forget(edge);
    Service {
        app,
        edge: routes().layer(outer),
        dashcam,
        kept,
        spans,
        lines,
    }
});

/// The results of one request.
struct Seen {
    id: String,
    response: Response<()>,
    line: serde_json::Value,
    span: Option<SpanData>,
    inner: Vec<SpanData>,
    exchange: Option<Exchange>,
    /// The `traceparent` that its handler saw, and that of its call.
    parents: Option<[String; 2]>,
}

impl Seen {
    fn span(&self) -> &SpanData {
        self.span.as_ref().expect("the span is exported")
    }

    fn sent(&self) -> &str {
        &self.parents.as_ref().expect("it made a call")[1]
    }

    fn attribute(&self, name: &str) -> Option<Value> {
        let attributes = &self.span().attributes;
        let mut found = attributes.iter().filter(|a| a.key.as_str() == name);
        let value = found.next().map(|a| a.value.clone());
        assert!(found.next().is_none(), "{name} is there once");
        value
    }

    fn text(&self, name: &str) -> Option<String> {
        self.attribute(name).map(|value| match value {
            Value::String(text) => text.as_str().to_owned(),
            value => panic!("{name} is no text: {value:?}"),
        })
    }
}

async fn send(app: &Router, mut request: Request<Body>) -> Seen {
    let service = &*SERVICE;
    // All are in one trace, so the trace would not distinguish them.
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let id = format!("request-{}", NUMBER.fetch_add(1, Relaxed));
    let headers = request.headers_mut();
    headers.insert("x-request-id", id.parse().unwrap());
    service.spans.reset();
    drop(service.kept.take());
    SENT.lock().unwrap().clear();
    let (head, body) = app.clone().oneshot(request).await.unwrap().into_parts();
    body.collect().await.unwrap();
    let id = head.headers["x-request-id"].to_str().unwrap().to_owned();
    assert!(service.dashcam.flush(DEADLINE));
    let of_request = |lines: &Buffer| {
        let lines = lines.with_message("request");
        lines.into_iter().find(|l| l["correlation_id"] == *id)
    };
    until("the request line", || of_request(&service.lines).is_some());
    let line = of_request(&service.lines).unwrap();
    let kept = line["fields"]["kept"] == true;
    let mut exchange = None;
    until("the exchange", || {
        exchange = exchange.take().or_else(|| service.kept.take().pop());
        exchange.is_some() == kept
    });
    // If it was kept, it closes on the exporter's thread.
    assert!(service.dashcam.flush(DEADLINE));
    let (server, inner) = service
        .spans
        .get_finished_spans()
        .unwrap()
        .into_iter()
        .partition::<Vec<_>, _>(|span| span.span_kind == SpanKind::Server);
    assert!(server.len() <= 1);
    Seen {
        id,
        response: Response::from_parts(head, ()),
        line,
        span: server.into_iter().next(),
        inner,
        exchange,
        parents: SENT.lock().unwrap().pop().map(|headers| {
            headers.map(|headers| {
                let parent = headers.get("traceparent");
                parent.map_or("-", |p| p.to_str().unwrap()).to_owned()
            })
        }),
    }
}

fn get_with(path: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::empty()).unwrap()
}

fn parent(flags: &str) -> String {
    format!("00-{TRACE}-{PARENT}-{flags}")
}

#[tokio::test]
async fn the_ids_are_equal_everywhere() {
    alone!();
    let seen = send(
        &SERVICE.app,
        get_with(
            "/orders/7",
            &[("traceparent", &parent("01")), ("tracestate", "a=1,b=2")],
        ),
    )
    .await;
    let span = seen.span();
    let span_id = span.span_context.span_id().to_string();
    assert_eq!(span.span_context.trace_id().to_string(), TRACE);
    assert_eq!(span.parent_span_id.to_string(), PARENT);
    assert!(span.parent_span_is_remote);
    assert_eq!(span.span_context.trace_state().header(), "a=1,b=2");
    assert_eq!(seen.line["trace_id"], TRACE);
    assert_eq!(seen.line["span_id"], *span_id);
    assert_eq!(seen.sent(), format!("00-{TRACE}-{span_id}-01"));
    assert_eq!(
        seen.response.headers()["server-timing"],
        format!("trace;desc=\"00-{TRACE}-{span_id}-01\"")
    );
    assert_eq!(seen.text("correlation_id"), Some(seen.id));
}

#[tokio::test]
async fn a_call_is_a_child_of_the_innermost_span() {
    alone!();
    let seen = send(
        &SERVICE.app,
        get_with("/inner", &[("traceparent", &parent("03"))]),
    )
    .await;
    let [charge] = &seen.inner[..] else {
        panic!("{:?}", seen.inner)
    };
    assert_eq!(charge.parent_span_id, seen.span().span_context.span_id());
    let span_id = charge.span_context.span_id();
    // The flag that the ID is random is passed on.
    assert_eq!(seen.sent(), format!("00-{TRACE}-{span_id}-03"));
}

#[tokio::test]
async fn the_conventions_are_followed() {
    alone!();
    let seen = send(
        &SERVICE.app,
        get_with(
            "/orders/4711-secret?token=abc&page=2",
            &[
                ("traceparent", &parent("01")),
                ("host", "shop.example:8443"),
                ("user-agent", "curl/8.0"),
                ("x-forwarded-proto", "HTTPS, http"),
            ],
        ),
    )
    .await;
    assert_eq!(seen.span().name, "GET /orders/{id}");
    assert_eq!(seen.span().span_kind, SpanKind::Server);
    assert_eq!(seen.span().status, Status::Unset);
    let text = |name| seen.text(name).unwrap();
    assert_eq!(text("http.request.method"), "GET");
    assert_eq!(text("http.route"), "/orders/{id}");
    assert_eq!(text("url.scheme"), "https");
    assert_eq!(text("server.address"), "shop.example");
    assert_eq!(seen.attribute("server.port"), Some(Value::I64(8443)));
    assert_eq!(text("network.protocol.version"), "1.1");
    assert_eq!(text("user_agent.original"), "curl/8.0");
    assert_eq!(
        seen.attribute("http.response.status_code"),
        Some(Value::I64(200))
    );
    assert_eq!(text("dashcam.outcome"), "completed");
    assert_eq!(seen.attribute("dashcam.kept"), Some(Value::Bool(false)));
    for absent in [
        "error.type",
        "dashcam.selected",
        "http.request.method_original",
    ] {
        assert_eq!(seen.attribute(absent), None, "{absent}");
    }
    let (path, query) = (text("url.path"), text("url.query"));
    assert!(path.starts_with("/orders/"), "{path}");
    assert!(!format!("{path}{query}").contains("secret"));
    assert!(!query.contains("abc"), "{query}");
    assert!(query.contains("token="), "{query}");
}

#[tokio::test]
async fn an_unknown_method_is_other() {
    alone!();
    let mut request = get_with("/other", &[("traceparent", &parent("01"))]);
    *request.method_mut() = "BREW".parse().unwrap();
    let seen = send(&SERVICE.app, request).await;
    assert_eq!(seen.span().name, "HTTP /other");
    assert_eq!(seen.text("http.request.method").unwrap(), "_OTHER");
    assert_eq!(seen.text("http.request.method_original").unwrap(), "BREW");
    // A client's mistake is no error of the service.
    assert_eq!(
        seen.attribute("http.response.status_code"),
        Some(Value::I64(418))
    );
    assert_eq!(seen.span().status, Status::Unset);
    assert_eq!(seen.attribute("error.type"), None);

    let seen = send(
        &SERVICE.app,
        get_with("/nowhere", &[("traceparent", &parent("01"))]),
    )
    .await;
    assert_eq!(seen.span().name, "GET");
    assert_eq!(seen.attribute("http.route"), None);
}

#[tokio::test]
async fn failures_are_errors_and_have_their_redacted_bodies() {
    alone!();
    let request = Request::post("/fails")
        .header("traceparent", parent("01"))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(r#"{"name":"Ada Byron","n":7}"#))
        .unwrap();
    let seen = send(&SERVICE.app, request).await;
    let exchange = seen.exchange.as_ref().unwrap();
    let correlation = &exchange.correlation;
    let span_id = seen.span().span_context.span_id().to_string();
    assert_eq!(correlation.trace_id.as_deref(), Some(TRACE));
    assert_eq!(correlation.span_id.as_deref(), Some(&*span_id));
    assert_eq!(seen.span().status, Status::error(""));
    assert_eq!(seen.text("error.type").unwrap(), "502");
    assert_eq!(seen.text("dashcam.outcome").unwrap(), "failed");
    assert_eq!(seen.attribute("dashcam.kept"), Some(Value::Bool(true)));
    let body = seen.text("http.request.body.content").unwrap();
    assert!(body.contains("\"n\":7"), "{body}");
    assert!(!body.contains("Byron"), "{body}");
    assert_eq!(
        seen.attribute("http.request.body.size"),
        Some(Value::I64(26))
    );
    assert_eq!(seen.text("dashcam.request.body.state").unwrap(), "complete");

    let seen = send(
        &SERVICE.app,
        get_with("/panics", &[("traceparent", &parent("01"))]),
    )
    .await;
    assert_eq!(seen.span().status, Status::error(""));
    assert_eq!(seen.text("error.type").unwrap(), "panicked");
    assert_eq!(
        seen.attribute("http.response.status_code"),
        Some(Value::I64(500))
    );
}

#[tokio::test]
async fn selected_requests_are_sampled_and_others_obey_the_parent() {
    alone!();
    let debug = ("x-debug", "please");
    for (headers, sampled) in [
        (vec![], false),
        (vec![("traceparent", parent("00"))], false),
        (vec![("traceparent", parent("01"))], true),
        (vec![("x-debug", "please".to_owned())], true),
        (
            vec![("traceparent", parent("00")), (debug.0, debug.1.to_owned())],
            true,
        ),
    ] {
        let headers: Vec<_> = headers.iter().map(|(n, v)| (*n, &**v)).collect();
        let seen = send(&SERVICE.app, get_with("/orders/1", &headers)).await;
        assert_eq!(seen.span.is_some(), sampled, "{headers:?}");
        // The outgoing header carries the decision, and the IDs of the span.
        let sent: dashcam::correlation::TraceParent = seen.sent().parse().unwrap();
        assert_eq!(sent.is_sampled(), sampled, "{headers:?}");
        assert_eq!(seen.line["trace_id"], *sent.trace_id.to_string());
        assert_eq!(seen.line["span_id"], *sent.parent_id.to_string());
        if headers.contains(&debug) {
            assert_eq!(seen.text("dashcam.selected").unwrap(), "by-header");
        }
    }
}

#[tokio::test]
async fn who_is_selected_late_has_the_spans_from_there_on() {
    alone!();
    let seen = send(
        &SERVICE.app,
        get_with("/late", &[("traceparent", &parent("00"))]),
    )
    .await;
    assert!(seen.span.is_none(), "dropped before");
    let [after] = &seen.inner[..] else {
        panic!("{:?}", seen.inner)
    };
    assert_eq!(after.name, "after");
    assert_eq!(after.span_context.trace_id().to_string(), TRACE);
    assert_eq!(after.parent_span_id.to_string(), seen.line["span_id"]);
    assert_eq!(after.events.events[0].name, "deep");
}

#[tokio::test]
async fn in_edge_mode_the_trace_is_restarted() {
    alone!();
    let headers = [("traceparent", &*parent("01")), ("x-debug", "please")];
    let seen = send(&SERVICE.edge, get_with("/orders/1", &headers)).await;
    let own = seen.span().span_context.trace_id().to_string();
    assert_ne!(own, TRACE);
    assert!(!seen.span().parent_span_is_remote);
    assert_eq!(seen.line["trace_id"], *own);
    assert!(seen.sent().contains(&own));
    // Code that forwards headers does not forward those of the client.
    assert_eq!(seen.parents.as_ref().unwrap()[0], seen.sent());
    let exchange = seen.exchange.as_ref().unwrap();
    assert_eq!(exchange.correlation.trace_id.as_ref(), Some(&own));
    assert_eq!(exchange.correlation.client_trace_id.as_deref(), Some(TRACE));
    // The caller's flag is not used, either.
    let seen = send(&SERVICE.edge, get_with("/orders/1", &headers[..1])).await;
    assert!(seen.span.is_none());
}

#[tokio::test]
async fn below_a_span_of_an_outer_layer_it_is_its_child() {
    alone!();
    LazyLock::force(&SERVICE);
    let outer = tracing::info_span!("outer", otel.kind = "internal");
    {
        use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId};
        use tracing_opentelemetry::OpenTelemetrySpanExt;
        let remote = SpanContext::new(
            TraceId::from_hex(TRACE).unwrap(),
            SpanId::from_hex(PARENT).unwrap(),
            TraceFlags::SAMPLED,
            true,
            Default::default(),
        );
        let context = opentelemetry::Context::new().with_remote_span_context(remote);
        outer.set_parent(context).unwrap();
    }
    // As a middleware that read the same header.
    let request = get_with("/orders/1", &[("traceparent", &parent("01"))]);
    let seen = send(&SERVICE.app, request).instrument(outer).await;
    assert_eq!(seen.span().span_context.trace_id().to_string(), TRACE);
    assert_ne!(seen.span().parent_span_id.to_string(), PARENT);
    assert!(!seen.span().parent_span_is_remote);
}

#[tokio::test]
async fn a_layer_further_out_may_have_the_span() {
    alone!();
    // The outer layer makes the span, and the inner one knows how the request ended.
    let app = routes()
        .layer(SERVICE.dashcam.layer())
        // A middleware with a span of its own may be between.
        .layer(TraceLayer::new_for_http().make_span_with(DefaultMakeSpan::new().level(Level::INFO)))
        .layer(CorrelationIdLayer::new().server_timing(true));
    let headers = [("traceparent", &*parent("01"))];
    let mut request = get_with("/fails", &headers);
    *request.method_mut() = http::Method::POST;
    let seen = send(&app, request).await;
    let span_id = seen.span().span_context.span_id().to_string();
    assert_eq!(seen.line["span_id"], *span_id);
    assert_eq!(seen.text("error.type").unwrap(), "502");
    assert_eq!(seen.text("dashcam.outcome").unwrap(), "failed");
    assert_eq!(
        seen.exchange.as_ref().unwrap().correlation.span_id,
        Some(span_id)
    );
    assert_eq!(seen.text("dashcam.response.body.state").unwrap(), "none");
}

#[tokio::test]
async fn without_a_recorder_the_status_code_decides() {
    alone!();
    let spans = &SERVICE.spans;
    let app = routes().layer(CorrelationIdLayer::new());
    // Nothing else is known of its end, so there is no line to wait for.
    for (path, method, error) in [("/fails", "POST", Some("502")), ("/other", "GET", None)] {
        let trace = format!("{:032x}", 0xabc + method.len());
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("traceparent", format!("00-{trace}-{PARENT}-01"))
            .body(Body::empty())
            .unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        response.into_body().collect().await.unwrap();
        let spans = spans.get_finished_spans().unwrap();
        let of_trace = |s: &&SpanData| s.span_context.trace_id().to_string() == trace;
        let span = spans.iter().find(of_trace).unwrap();
        let found = span
            .attributes
            .iter()
            .find(|a| a.key.as_str() == "error.type");
        assert_eq!(
            found.map(|a| a.value.as_str().into_owned()).as_deref(),
            error
        );
        let failed = if error.is_some() {
            Status::error("")
        } else {
            Status::Unset
        };
        assert_eq!(span.status, failed);
        assert!(span.attributes.iter().any(|a| a.key.as_str() == "url.path"));
    }
}
