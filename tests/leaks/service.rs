//! The service with the whole stack around it, and what it has written.

use crate::generate::{Case, End};
use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode},
    response::Response,
    routing::any,
};
use bytes::Bytes;
use dashcam::{
    Dashcam,
    capture::{Limits, StormLimits},
    export::Memory,
    redact::Policy,
};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use std::{
    collections::HashMap,
    convert::Infallible,
    io,
    sync::{Arc, Mutex, Once},
    time::Duration,
};
use tower::{Layer, ServiceExt, service_fn};
use tracing_subscriber::{EnvFilter, prelude::*};

/// Limit of a captured body, in bytes.
pub(crate) const BODY: usize = 4096;

const DEADLINE: Duration = Duration::from_secs(60);

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(crate) struct Stack {
    dashcam: Dashcam,
    kept: Memory,
    lines: Lines,
    dispatch: tracing::Dispatch,
}

/// What was written, by the request it belongs to.
pub(crate) struct Written(HashMap<u64, (Vec<String>, Vec<String>)>, String);

impl Written {
    pub(crate) fn of(&self, seed: u64) -> (Vec<String>, Vec<String>) {
        self.0.get(&seed).cloned().unwrap_or_default()
    }

    pub(crate) fn rest(&self) -> &str {
        &self.1
    }
}

/// Panics of the service are part of the cases, those of the tests are not.
fn quiet_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let planned = info.payload().downcast_ref::<String>();
            if !planned.is_some_and(|text| text.starts_with("planned")) {
                before(info);
            }
        }));
    });
}

impl Stack {
    pub(crate) fn new(policy: Policy) -> Self {
        quiet_panics();
        let mut limits = Limits::default();
        limits.body = BODY;
        limits.head = 64 * 1024;
        let mut storm = StormLimits::default();
        storm.full = u64::MAX;
        storm.per_second = u64::MAX;
        let kept = Memory::new(100_000);
        let dashcam = Dashcam::builder()
            .service("orders", "1")
            .exporter(kept.clone())
            .policy(policy)
            .limits(limits)
            .storm(storm)
            .baseline(1.0)
            .build()
            .unwrap();
        let lines = Lines::default();
        let subscriber = tracing_subscriber::registry()
            .with(dashcam.gate(EnvFilter::new("info")))
            .with(dashcam.json_lines_to(lines.clone()).unwrap());
        Self {
            dispatch: subscriber.into(),
            dashcam,
            kept,
            lines,
        }
    }

    pub(crate) fn run<'c>(&self, cases: impl Iterator<Item = (u64, &'c Case)>) -> Written {
        tracing::dispatcher::with_default(&self.dispatch, || {
            tokio_test::block_on(async {
                let routes = Router::new()
                    .route("/orders/{id}/{note}", any(handler))
                    .route("/reset/{token}", any(handler))
                    .fallback(handler)
                    .layer(self.dashcam.layer());
                let failing = self.dashcam.layer().layer(service_fn(
                    |request: http::Request<dashcam::lifecycle::RequestBody<Body>>| fails(request),
                ));
                for (seed, case) in cases {
                    let mut request = request(case);
                    let id = HeaderValue::from_str(&format!("case-{seed}")).unwrap();
                    request.headers_mut().insert("x-request-id", id);
                    if case.end == End::Error {
                        let _ = failing.clone().oneshot(request).await;
                    } else {
                        let response = routes.clone().oneshot(request).await.unwrap();
                        let _ = response.into_body().collect().await;
                    }
                }
            });
        });
        assert!(self.dashcam.flush(DEADLINE));
        let mut all: HashMap<u64, (Vec<String>, Vec<String>)> = HashMap::new();
        let mut rest = String::new();
        for exchange in self.kept.take() {
            let seed = exchange
                .correlation
                .id
                .strip_prefix("case-")
                .unwrap()
                .parse()
                .unwrap();
            let text = serde_json::to_string(&exchange).unwrap();
            all.entry(seed).or_default().0.push(text);
        }
        let lines = std::mem::take(&mut *self.lines.0.lock().unwrap());
        for line in String::from_utf8(lines).unwrap().lines() {
            let seed = line
                .split_once("case-")
                .map(|(_, id)| {
                    id.chars()
                        .take_while(char::is_ascii_digit)
                        .collect::<String>()
                })
                .and_then(|id| id.parse().ok());
            match seed {
                Some(seed) => all.entry(seed).or_default().1.push(line.to_owned()),
                None => rest.push_str(line),
            }
        }
        Written(all, rest)
    }
}

fn headers(fields: &[(String, Vec<u8>, bool)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value, sensitive) in fields {
        let mut value = HeaderValue::from_bytes(value).unwrap();
        value.set_sensitive(*sensitive);
        map.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value);
    }
    map
}

fn body(
    bytes: &[u8],
    chunk: usize,
    trailers: &[(String, Vec<u8>, bool)],
    error: Option<String>,
) -> Body {
    let mut frames: Vec<Result<Frame<Bytes>, io::Error>> = bytes
        .chunks(chunk.max(1))
        .map(|chunk| Ok(Frame::data(Bytes::copy_from_slice(chunk))))
        .collect();
    if let Some(error) = error {
        frames.push(Err(io::Error::other(error)));
    } else if !trailers.is_empty() {
        frames.push(Ok(Frame::trailers(headers(trailers))));
    }
    Body::new(StreamBody::new(futures_util::stream::iter(frames)))
}

fn request(case: &Case) -> Request {
    let mut request = axum::http::Request::builder()
        .method(case.method.as_str())
        .uri(&case.uri)
        .body(body(&case.body, case.chunk, &case.trailers, None))
        .unwrap();
    *request.headers_mut() = headers(&case.headers);
    request.extensions_mut().insert(Arc::new(case.plan.clone()));
    request
}

/// What the service says and answers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    /// Values that the request had.
    pub(crate) says: Vec<String>,
    /// Values that only the response has: log lines come before them.
    pub(crate) says_in_debug: Vec<String>,
    pub(crate) headers: Vec<(String, Vec<u8>, bool)>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Vec<(String, Vec<u8>, bool)>,
    pub(crate) end: End,
}

async fn fails<B: http_body::Body>(request: http::Request<B>) -> Result<Response, io::Error> {
    let plan = plan(&request);
    let _ = request.into_body().collect().await;
    say(&plan);
    Err(io::Error::other(format!(
        "planned: {}",
        plan.says.join(" and ")
    )))
}

fn plan<B>(request: &http::Request<B>) -> Arc<Plan> {
    request.extensions().get::<Arc<Plan>>().unwrap().clone()
}

async fn handler(request: Request) -> Result<Response, Infallible> {
    let plan = plan(&request);
    let mut incoming = request.into_body();
    while let Some(frame) = incoming.frame().await {
        let _ = frame;
    }
    say(&plan);
    if plan.end == End::Panic {
        panic!("planned: {}", plan.says.join(" and "));
    }
    let error = (plan.end == End::BodyError).then(|| format!("broke at {}", plan.says.join(", ")));
    let mut response = Response::new(body(&plan.body, 97, &plan.trailers, error));
    if plan.end == End::Failed {
        *response.status_mut() = StatusCode::BAD_GATEWAY;
    }
    *response.headers_mut() = headers(&plan.headers);
    Ok(response)
}

/// Repeats values in everything that is recorded, in the ways text does that.
fn say(plan: &Plan) {
    tracing::info!("all is recorded");
    let span = tracing::info_span!("work", note = tracing::field::Empty);
    let _entered = span.enter();
    for (n, said) in plan.says.iter().enumerate() {
        let json = serde_json::json!({ "a": said }).to_string();
        match n % 4 {
            0 => tracing::info!("got {said}, went on"),
            1 => tracing::info!(note = %said, wrapped = ?Some(said), "with fields"),
            2 => tracing::info!("body was {json}"),
            _ => {
                let error = io::Error::other(format!("refused {said:?}"));
                tracing::warn!(error = &error as &dyn std::error::Error, "an error");
            }
        }
        tracing::debug!(text = said.as_str(), "debug <{said}>");
        match n % 5 {
            0 => {
                span.record("note", said.as_str());
            }
            1 => dashcam::decision!("chosen", by = %said),
            2 => dashcam::current().unwrap().fact(format!("fact{n}"), said),
            3 => dashcam::keep(format!("because {said}")),
            _ => tracing::debug!(list = ?[said.as_str(), "other"], "GET /x?a={}", urlencode(said)),
        }
    }
    for said in &plan.says_in_debug {
        tracing::debug!(text = said.as_str(), "answering {said}");
    }
}

fn urlencode(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, b| {
        if b.is_ascii_alphanumeric() || b"-._~".contains(&b) {
            out.push(char::from(b));
        } else {
            out.push_str(&format!("%{b:02X}"));
        }
        out
    })
}
