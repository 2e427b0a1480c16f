//! A request in which handlers run, and a server that records its calls.

use axum::{Router, body::Body, extract::State, response::Response, routing::any};
use dashcam::{
    correlation::CorrelationIdLayer,
    selection::{Rule, Rules},
    testing::TestDashcam,
    token::{Propagation, TokenKey},
};
use http::{HeaderMap, Request, StatusCode, Uri};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, SystemTime},
};
use tokio::{net::TcpListener, sync::mpsc, time::timeout};
use tower::ServiceExt;

/// Reached only if something hangs.
const DEADLINE: Duration = Duration::from_secs(60);

/// What the request carried.
pub(crate) struct Inbound {
    pub(crate) id: &'static str,
    pub(crate) traceparent: &'static str,
    pub(crate) tracestate: &'static str,
    pub(crate) baggage: &'static str,
}

pub(crate) const INBOUND: Inbound = Inbound {
    id: "order-4711",
    traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    tracestate: "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE",
    baggage: "tenant=acme",
};

/// Runs a handler in a request.
pub(crate) async fn handle<F>(handler: impl FnOnce() -> F + Send + 'static)
where
    F: Future<Output = ()> + Send + 'static,
{
    handle_in(|app| app.layer(CorrelationIdLayer::new()), handler).await;
}

/// Runs a handler in a request that a rule made verbose. Calls to these hosts may carry that on.
pub(crate) async fn handle_selected<F>(
    hosts: &[String],
    handler: impl FnOnce() -> F + Send + 'static,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let key = TokenKey::generate_ed25519("caller").unwrap();
    let propagation = Propagation::new(key).unwrap();
    let propagation = hosts.iter().fold(propagation, |propagation, host| {
        propagation.to(host).unwrap()
    });
    let rule = Rule::new("all", SystemTime::now() + DEADLINE);
    let rules = Rules::new([rule.verbose("debug").unwrap()]);
    let dashcam =
        TestDashcam::with(|builder| builder.rules(rules).propagate_selection(propagation));
    handle_in(|app| app.layer(dashcam.layer()), handler).await;
}

async fn handle_in<F>(
    layer: impl FnOnce(Router) -> Router,
    handler: impl FnOnce() -> F + Send + 'static,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let handler = Arc::new(Mutex::new(Some(handler)));
    let run = move || async move {
        let handler = handler.lock().unwrap().take().unwrap();
        handler().await;
    };
    let app = layer(Router::new().fallback(run));
    let request = Request::get("/")
        .header("x-request-id", INBOUND.id)
        .header("traceparent", INBOUND.traceparent)
        .header("tracestate", INBOUND.tracestate)
        .header("baggage", INBOUND.baggage)
        .body(Body::empty())
        .unwrap();
    let response = timeout(DEADLINE, app.oneshot(request)).await.unwrap();
    assert_eq!(response.unwrap().status(), StatusCode::OK);
}

/// A server that records the headers of its requests.
pub(crate) struct Receiver {
    url: String,
    calls: mpsc::UnboundedReceiver<HeaderMap>,
}

#[derive(Clone)]
struct Notes {
    calls: mpsc::UnboundedSender<HeaderMap>,
    /// How many calls still get a 503.
    failures: Arc<AtomicUsize>,
}

async fn receive(State(notes): State<Notes>, uri: Uri, headers: HeaderMap) -> Response {
    notes.calls.send(headers).unwrap();
    let fails = |left: usize| left.checked_sub(1);
    let status = if uri.path() == "/moved" {
        StatusCode::TEMPORARY_REDIRECT
    } else if notes.failures.fetch_update(SeqCst, SeqCst, fails).is_ok() {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        StatusCode::OK
    };
    Response::builder()
        .status(status)
        .header("location", "/here")
        // For gRPC clients, which need a status.
        .header("content-type", "application/grpc")
        .header("grpc-status", "0")
        .body(Body::empty())
        .unwrap()
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        Self::failing(0).await
    }

    /// Starts a server whose first responses are 503.
    pub(crate) async fn failing(times: usize) -> Self {
        let (sender, calls) = mpsc::unbounded_channel();
        let notes = Notes {
            calls: sender,
            failures: Arc::new(AtomicUsize::new(times)),
        };
        let app = Router::new().fallback(any(receive)).with_state(notes);
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}/here", listener.local_addr().unwrap());
        tokio::spawn(axum::serve(listener, app).into_future());
        Self { url, calls }
    }

    pub(crate) fn host(&self) -> String {
        let uri: Uri = self.url.parse().unwrap();
        uri.authority().unwrap().to_string()
    }

    pub(crate) fn url(&self) -> String {
        self.url.clone()
    }

    /// Returns the recorded headers, oldest first.
    pub(crate) fn seen(&mut self) -> Vec<HeaderMap> {
        let mut seen = Vec::new();
        while let Ok(headers) = self.calls.try_recv() {
            seen.push(headers);
        }
        seen
    }

    pub(crate) fn only(&mut self) -> HeaderMap {
        let mut seen = self.seen();
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen.remove(0)
    }
}
