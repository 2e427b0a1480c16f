//! `axum-tracing-opentelemetry` on both sides of dashcam: which spans exist, and their IDs.

use crate::support_net::{keeping_all, the_only};
use axum::{Router, body::Body, http::Request, routing::get};
use axum_tracing_opentelemetry::middleware::{OtelAxumLayer, OtelInResponseLayer};
use dashcam::{correlation::TraceParent, exchange::Exchange, testing::TestDashcam};
use http::{HeaderMap, Uri};
use http_body_util::BodyExt;
use opentelemetry::{global, trace::TracerProvider};
use opentelemetry_sdk::{
    propagation::TraceContextPropagator,
    trace::{InMemorySpanExporter, SdkTracerProvider, SpanData},
};
use std::sync::OnceLock;
use tower::ServiceExt;
use tracing_subscriber::{EnvFilter, prelude::*};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

fn exporter() -> &'static InMemorySpanExporter {
    static EXPORTER: OnceLock<InMemorySpanExporter> = OnceLock::new();
    EXPORTER.get_or_init(|| {
        let exporter = InMemorySpanExporter::default();
        let provider = SdkTracerProvider::builder()
            .with_simple_exporter(exporter.clone())
            .build();
        global::set_text_map_propagator(TraceContextPropagator::new());
        // The layers' own span is at TRACE.
        let base = EnvFilter::new("info,otel::tracing=trace");
        tracing_subscriber::registry()
            .with(dashcam::gate::Gate::new(base))
            .with(tracing_opentelemetry::layer().with_tracer(provider.tracer("test")))
            .init();
        exporter
    })
}

/// The results of a request that came with a trace.
struct Visit {
    kept: Exchange,
    response: HeaderMap,
    /// What a call of the handler would have carried.
    sent_on: TraceParent,
    spans: Vec<SpanData>,
}

impl Visit {
    fn span(&self, ours: bool) -> &SpanData {
        let is_ours = |span: &&SpanData| {
            let names = span.attributes.iter().map(|a| a.key.as_str());
            names.into_iter().any(|name| name == "correlation_id") == ours
        };
        let found: Vec<_> = self.spans.iter().filter(is_ours).collect();
        assert_eq!(found.len(), 1, "{:#?}", self.spans);
        assert_eq!(found[0].name, "GET /orders/{id}");
        assert_eq!(found[0].span_context.trace_id().to_string(), TRACE);
        found[0]
    }

    /// The span of dashcam.
    fn ours(&self) -> &SpanData {
        self.span(true)
    }

    /// The span of the other layer.
    fn theirs(&self) -> &SpanData {
        self.span(false)
    }
}

fn traceparent(headers: &HeaderMap, name: &str) -> TraceParent {
    TraceParent::parse(headers[name].as_bytes()).unwrap()
}

fn id(span: &SpanData) -> String {
    span.span_context.span_id().to_string()
}

async fn visit(place: impl FnOnce(Router, &TestDashcam) -> Router) -> Visit {
    exporter().reset();
    let handler = || async {
        tracing::debug!("looking for the order");
        let headers = dashcam::correlation::headers(&Uri::from_static("http://stock/"));
        [("x-sent-on", headers["traceparent"].clone())]
    };
    let app = Router::new().route("/orders/{id}", get(handler));
    let dashcam = keeping_all();
    let request = Request::get("/orders/7")
        .header("traceparent", format!("00-{TRACE}-{CALLER}-01"))
        .body(Body::empty());
    let service = place(app, &dashcam);
    let (head, body) = service
        .oneshot(request.unwrap())
        .await
        .unwrap()
        .into_parts();
    body.collect().await.unwrap();
    Visit {
        kept: the_only(&dashcam).await,
        sent_on: traceparent(&head.headers, "x-sent-on"),
        response: head.headers,
        spans: exporter().get_finished_spans().unwrap(),
    }
}

/// What holds on both sides.
fn check(visit: &Visit) {
    assert_eq!(visit.kept.correlation.trace_id.as_deref(), Some(TRACE));
    assert_eq!(visit.sent_on.trace_id.to_string(), TRACE);
    let correlation = &visit.kept.correlation;
    assert_eq!(correlation.span_id, Some(id(visit.ours())));
    let theirs = visit.theirs();
    assert_eq!(theirs.parent_span_id.to_string(), CALLER);
    // Its response names its span.
    let answered = traceparent(&visit.response, "traceparent");
    assert_eq!(answered.trace_id.to_string(), TRACE);
    assert_eq!(answered.parent_id.to_string(), id(theirs));
    // The span is around the event in either place.
    let event = &visit.kept.events[0];
    assert_eq!(event.message.as_deref(), Some("looking for the order"));
    assert_eq!(event.spans[0].name, "HTTP request");
}

#[tokio::test]
async fn inside_the_span_of_axum_tracing_opentelemetry_is_beside_ours() {
    alone!();
    let visit = visit(|app, dashcam| {
        app.layer(OtelInResponseLayer)
            .layer(OtelAxumLayer::default())
            .layer(dashcam.layer())
    })
    .await;
    check(&visit);
    // Both name the caller as their parent: they are siblings.
    assert_eq!(visit.ours().parent_span_id.to_string(), CALLER);
}

#[tokio::test]
async fn outside_the_span_of_axum_tracing_opentelemetry_is_the_parent() {
    alone!();
    let visit = visit(|app, dashcam| {
        app.layer(dashcam.layer())
            .layer(OtelInResponseLayer)
            .layer(OtelAxumLayer::default())
    })
    .await;
    check(&visit);
    let parent = visit.ours().parent_span_id.to_string();
    assert_eq!(parent, id(visit.theirs()));
}
