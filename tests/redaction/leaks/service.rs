//! The service with the whole stack around it.

use crate::leaks::{
    case::{Call, Case, Content, End, Fields, Plan},
    composed,
    outputs::{Buffer, Outputs, Replays, Scratch},
    say::{failure, say},
    telemetry::Spans,
};
use axum::{Router, body::Body, extract::Request, response::Response, routing::any};
use bytes::Bytes;
use dashcam::{
    Dashcam,
    admin::Admin,
    capture::{CaptureLayer, Limits, Replay, StormLimits},
    export::{JsonLines, Memory},
    lifecycle::RequestBody,
    redact::Policy,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use std::{
    convert::Infallible,
    io,
    sync::{Arc, Once},
    time::Duration,
};
use tower::{Layer, ServiceExt, service_fn};
use tracing_subscriber::{EnvFilter, prelude::*};

/// Limit of a captured body, in bytes.
pub(crate) const BODY: usize = 4096;

pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

const TOKEN: &str = "a token of the administrator's own, 1";

pub(crate) struct Stack {
    dashcam: Dashcam,
    outputs: Outputs,
    dispatch: tracing::Dispatch,
}

/// Panics of the service are part of the cases. Those of the tests are not.
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
    /// Captures bodies up to this many bytes.
    pub(crate) fn new(policy: Policy, flat: bool, body: usize) -> Self {
        quiet_panics();
        let mut limits = Limits::default();
        limits.body = body;
        limits.recording = 1 << 20;
        limits.head = 64 * 1024;
        limits.queue = 100_000;
        limits.queue_bytes = 1 << 30;
        limits.memory = 1 << 30;
        let mut storm = StormLimits::default();
        storm.full = u64::MAX;
        storm.per_second = u64::MAX;
        let mut replay = Replay::default();
        replay.live = false;
        replay.per_signature = u64::MAX;
        replay.per_second = u64::MAX;
        replay.queue = 100_000;
        let kept = Memory::new(100_000);
        let scratch = Scratch::new();
        let files = JsonLines::builder(scratch.path())
            .max_file_bytes(4 << 20)
            .max_total_bytes(8 << 30)
            .compress(true)
            .build();
        let dashcam = Dashcam::builder()
            .service("orders", "1")
            .exporter((kept.clone(), files))
            .policy(policy)
            .limits(limits)
            .storm(storm)
            .replay(replay)
            .baseline(1.0)
            .build()
            .unwrap();
        let admin = Admin::new(dashcam.handle())
            .bearer_token("us", TOKEN.replace(' ', "-"))
            .exchanges(kept.clone())
            .router()
            .unwrap();
        let (lines, replays, spans) = (Buffer::default(), Replays::default(), Spans::default());
        let json = dashcam.json_log_to(lines.clone()).unwrap();
        let json = if flat {
            json.flatten_fields(true)
        } else {
            json
        };
        let subscriber = tracing_subscriber::registry()
            .with(dashcam.gate(EnvFilter::new("info")))
            .with(spans.layer())
            .with(replays.clone())
            .with(json);
        Self {
            dispatch: subscriber.into(),
            dashcam,
            outputs: Outputs {
                kept,
                lines,
                replays,
                spans,
                admin,
                token: TOKEN.replace(' ', "-"),
                scratch,
            },
        }
    }

    /// Sends requests, and waits for all of their output.
    pub(crate) fn run<'c>(&self, cases: impl Iterator<Item = (u64, &'c Case)>) {
        tracing::dispatcher::with_default(&self.dispatch, || {
            tokio_test::block_on(async {
                let client = self.dashcam.client_layer();
                let for_handler = client.clone();
                let handler = any(move |request| handler(request, for_handler.clone()));
                let routes = Router::new()
                    .route("/orders/{id}/{note}", handler.clone())
                    .route("/reset/{token}", handler.clone())
                    .route("/files/{*rest}", handler.clone())
                    .fallback_service(handler)
                    .layer(self.dashcam.layer());
                let failing = self.dashcam.layer().layer(service_fn(
                    move |request: http::Request<RequestBody<Body>>| fails(request, client.clone()),
                ));
                for (seed, case) in cases {
                    let mut request = request(case);
                    let id = HeaderValue::from_str(&format!("case-{seed}")).unwrap();
                    request.headers_mut().insert("x-request-id", id);
                    if case.plan.end == End::Error {
                        let _ = failing.clone().oneshot(request).await;
                    } else {
                        let response = routes.clone().oneshot(request).await.unwrap();
                        let _ = response.into_body().collect().await;
                    }
                }
            });
        });
        assert!(self.dashcam.flush(DEADLINE));
    }

    pub(crate) fn outputs(&self) -> &Outputs {
        &self.outputs
    }

    /// Its own reports.
    pub(crate) fn status(&self) -> String {
        format!("{:?}", self.dashcam.status())
    }

    /// Ends, and leaves the files on the disk.
    pub(crate) fn end(self) -> Scratch {
        drop(self.dispatch);
        drop(self.dashcam);
        self.outputs.scratch
    }
}

fn headers(fields: &Fields) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value, sensitive) in fields {
        let mut value = HeaderValue::from_bytes(value).unwrap();
        value.set_sensitive(*sensitive);
        map.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value);
    }
    map
}

fn body(content: &Content) -> Body {
    let mut frames: Vec<Result<Frame<Bytes>, io::Error>> = content
        .bytes
        .chunks(content.chunk.max(1))
        .map(|chunk| Ok(Frame::data(Bytes::copy_from_slice(chunk))))
        .collect();
    if let Some(error) = &content.error {
        frames.push(Err(io::Error::other(error.clone())));
    } else if !content.trailers.is_empty() {
        frames.push(Ok(Frame::trailers(headers(&content.trailers))));
    }
    Body::new(StreamBody::new(futures_util::stream::iter(frames)))
}

fn request(case: &Case) -> Request {
    let mut request = axum::http::Request::builder()
        .method(case.method.as_str())
        .uri(&case.uri)
        .body(body(&case.content))
        .unwrap();
    *request.headers_mut() = headers(&case.headers);
    request.extensions_mut().insert(Arc::new(case.plan.clone()));
    request
}

fn plan<B>(request: &http::Request<B>) -> Arc<Plan> {
    request.extensions().get::<Arc<Plan>>().unwrap().clone()
}

async fn read<B: http_body::Body + Unpin>(mut body: B) {
    while let Some(Ok(frame)) = body.frame().await {
        drop(frame);
    }
}

async fn fails<B: http_body::Body + Unpin>(
    request: http::Request<B>,
    client: CaptureLayer,
) -> Result<Response, io::Error> {
    let plan = plan(&request);
    read(request.into_body()).await;
    work(&plan, client).await;
    Err(io::Error::other(why(&plan)))
}

async fn handler(request: Request, client: CaptureLayer) -> Result<Response, Infallible> {
    let plan = plan(&request);
    read(request.into_body()).await;
    work(&plan, client).await;
    if plan.end == End::Panic {
        panic!("{}", why(&plan));
    }
    let mut response = Response::new(body(&plan.content));
    *response.status_mut() = match plan.end {
        End::Failed => StatusCode::BAD_GATEWAY,
        End::Upgrade => StatusCode::SWITCHING_PROTOCOLS,
        _ => StatusCode::OK,
    };
    *response.headers_mut() = headers(&plan.headers);
    Ok(response)
}

async fn work(plan: &Plan, client: CaptureLayer) {
    say(plan);
    composed::state(plan);
    composed::say(plan, composed::Step::Before);
    make(plan, client).await;
    composed::say(plan, composed::Step::AfterCall);
}

/// The text of the error or the panic that ends it.
fn why(plan: &Plan) -> String {
    composed::failure(plan).unwrap_or_else(|| failure(plan))
}

/// Makes the call, through the client's side of the layer.
async fn make(plan: &Plan, client: CaptureLayer) {
    let Some(call) = &plan.call else { return };
    let request = http::Request::builder()
        .method("POST")
        .uri(&call.uri)
        .body(body(&call.content));
    let mut request = request.unwrap();
    *request.headers_mut() = headers(&call.headers);
    let service = client.layer(service_fn(|request: http::Request<RequestBody<Body>>| {
        answer(request, call)
    }));
    if let Ok(response) = service.oneshot(request).await {
        read(response.into_body()).await;
    }
}

async fn answer(
    request: http::Request<RequestBody<Body>>,
    call: &Call,
) -> Result<Response, io::Error> {
    read(request.into_body()).await;
    if let Some(error) = &call.error {
        return Err(io::Error::other(error.clone()));
    }
    let mut response = Response::new(body(&call.answer));
    *response.headers_mut() = headers(&call.answer_headers);
    Ok(response)
}
