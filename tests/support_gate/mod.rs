//! Shared by the tests of the gate and of the log line.
#![allow(dead_code)] // every test binary uses a part of it

pub(crate) mod traffic;

use dashcam::{
    Dashcam,
    capture::StormLimits,
    exchange::{Event, Exchange},
    export::Memory,
    kit::DashcamBuilder,
};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use serde_json::Value;
use std::{
    convert::Infallible,
    fmt,
    future::Future,
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
    time::Duration,
};
use tower::{Layer as _, ServiceExt, service_fn};
use tracing::{Level, Subscriber, field::Field, span};
use tracing_subscriber::{
    fmt::MakeWriter,
    layer::{Context, Layer},
    registry::LookupSpan,
};

/// Reached only if something hangs, even on a busy machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(120);

pub(crate) type Body = Full<bytes::Bytes>;

/// Something that shows events, and how often it has shown one.
pub(crate) trait Output {
    fn count(&self, message: &str) -> usize;
}

/// Collects the output of a formatting layer, one JSON object per line.
#[derive(Clone, Debug, Default)]
pub(crate) struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Buffer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// The text since the last time.
    pub(crate) fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap()
    }

    /// dashcam's own lines.
    pub(crate) fn of_status(&self) -> Vec<Value> {
        let mut lines = self.lines();
        lines.retain(|line| line["target"] == "dashcam::status");
        lines
    }

    pub(crate) fn lines(&self) -> Vec<Value> {
        self.text()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
            .collect()
    }

    /// The lines with this message, in whichever member the format has it.
    pub(crate) fn with_message(&self, message: &str) -> Vec<Value> {
        let mut lines = self.lines();
        lines.retain(|l| l["message"] == message || l["fields"]["message"] == message);
        lines
    }
}

impl Output for Buffer {
    fn count(&self, message: &str) -> usize {
        self.with_message(message).len()
    }
}

impl io::Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Buffer {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// A formatting layer into a buffer, as services have one.
pub(crate) fn fmt_json<S>(buffer: &Buffer) -> impl Layer<S> + use<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    tracing_subscriber::fmt::layer()
        .json()
        .with_writer(buffer.clone())
}

/// A layer without a filter that notes what reaches it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen(Arc<Mutex<Vec<(Level, String)>>>, Arc<Mutex<Vec<String>>>);

impl Seen {
    pub(crate) fn messages(&self) -> Vec<String> {
        let seen = self.0.lock().unwrap();
        seen.iter().map(|(_, message)| message.clone()).collect()
    }

    pub(crate) fn at(&self, level: Level) -> usize {
        let seen = self.0.lock().unwrap();
        seen.iter().filter(|(l, _)| *l == level).count()
    }

    pub(crate) fn spans(&self, name: &str) -> usize {
        let spans = self.1.lock().unwrap();
        spans.iter().filter(|n| *n == name).count()
    }
}

impl Output for Seen {
    fn count(&self, message: &str) -> usize {
        self.messages().iter().filter(|m| *m == message).count()
    }
}

struct Message(String);

impl tracing::field::Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

impl<S> Layer<S> for Seen
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let mut message = Message(String::new());
        event.record(&mut message);
        let level = *event.metadata().level();
        self.0.lock().unwrap().push((level, message.0));
    }

    fn on_new_span(&self, attrs: &span::Attributes<'_>, _: &span::Id, _: Context<'_, S>) {
        let name = attrs.metadata().name().to_owned();
        self.1.lock().unwrap().push(name);
    }
}

/// A [`Dashcam`] that keeps in memory, and its exchanges.
pub(crate) struct Fixture {
    pub(crate) dashcam: Dashcam,
    pub(crate) kept: Memory,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Self::with(|builder| builder)
    }

    pub(crate) fn with(change: impl FnOnce(DashcamBuilder) -> DashcamBuilder) -> Self {
        let kept = Memory::new(10_000);
        let mut storm = StormLimits::default();
        storm.full = u64::MAX;
        storm.per_second = u64::MAX;
        let builder = Dashcam::builder().service("test", "0").storm(storm);
        let dashcam = change(builder).exporter(kept.clone()).build().unwrap();
        Self { dashcam, kept }
    }

    /// Runs a request with this future as its handler, to the end of its body.
    pub(crate) async fn serve<F>(&self, request: Request<Body>, handler: F) -> StatusCode
    where
        F: Future<Output = StatusCode> + Send,
    {
        let mut handler = Some(handler);
        let service = self.dashcam.layer().layer(service_fn(move |_: Request<_>| {
            let handler = handler.take().unwrap();
            async move {
                let mut response = Response::new(Body::default());
                *response.status_mut() = handler.await;
                Ok::<_, Infallible>(response)
            }
        }));
        let (head, body) = service.oneshot(request).await.unwrap().into_parts();
        body.collect().await.unwrap();
        head.status
    }

    /// Runs a request with this closure as its handler and this response.
    pub(crate) fn call(
        &self,
        request: Request<Body>,
        status: StatusCode,
        handler: impl FnOnce() + Send,
    ) {
        let mut returned = false;
        let handler = async {
            handler();
            returned = true;
            status
        };
        tokio_test::block_on(self.serve(request, handler));
        // The panic of an assertion becomes a response like any other.
        assert!(returned, "the handler returned");
    }

    /// A healthy request.
    pub(crate) fn healthy(&self, handler: impl FnOnce() + Send) {
        self.call(request(), StatusCode::OK, handler);
    }

    /// A failing request, and its exchange.
    pub(crate) fn failing(&self, handler: impl FnOnce() + Send) -> Exchange {
        self.call(request(), StatusCode::INTERNAL_SERVER_ERROR, handler);
        self.only()
    }

    /// Takes everything that was kept.
    pub(crate) fn take(&self) -> Vec<Exchange> {
        assert!(self.dashcam.flush(DEADLINE), "flushed");
        self.kept.take()
    }

    /// Takes the one exchange that was kept.
    pub(crate) fn only(&self) -> Exchange {
        let mut kept = self.take();
        assert_eq!(kept.len(), 1, "{kept:#?}");
        kept.remove(0)
    }
}

pub(crate) fn request() -> Request<Body> {
    Request::new(Body::default())
}

pub(crate) fn messages(exchange: &Exchange) -> Vec<&str> {
    let message = |event: &'_ Event| event.message.is_some();
    assert!(exchange.events.iter().all(message), "{exchange:#?}");
    let messages = exchange.events.iter();
    messages.filter_map(|e| e.message.as_deref()).collect()
}

/// Counts how often a field's expression was evaluated.
pub(crate) fn bump(counter: &AtomicU32) -> u32 {
    counter.fetch_add(1, SeqCst) + 1
}

/// What must hold at any place of the gate. `outputs` show INFO and above.
pub(crate) fn check_contract(fixture: &Fixture, outputs: &[&dyn Output]) {
    let shown =
        |message: &str| -> Vec<usize> { outputs.iter().map(|o| o.count(message)).collect() };
    let once = vec![1; outputs.len()];
    let never = vec![0; outputs.len()];

    check_outside("before", outputs);

    let mut enabled = false;
    let exchange = fixture.failing(|| {
        enabled = tracing::enabled!(Level::DEBUG);
        tracing::debug!(
            int = -7,
            unsigned = 7_u64,
            float = 1.5,
            flag = true,
            text = "word",
            debug = ?[1, 2],
            "debug one"
        );
        tracing::info!("info one");
        tracing::debug!("debug two");
        tracing::debug!("debug three");
        tracing::info!(n = 2, "info two");
        tracing::debug!("debug four");
        // The check for a span is the same as for an event.
        tracing::info_span!("after refused").in_scope(|| tracing::info!("info three"));
        tracing::trace!("trace one");
        tracing::debug!("debug five");
    });
    // Right after a refused event, and outside of the request again.
    tracing::info!("info outside");

    assert!(enabled, "debug is enabled while recording");
    assert_eq!(
        messages(&exchange),
        [
            "debug one",
            "info one",
            "debug two",
            "debug three",
            "info two",
            "debug four",
            "info three",
            "debug five",
        ]
    );
    let levels: Vec<_> = exchange.events.iter().map(|e| e.level.as_str()).collect();
    assert_eq!(levels[..3], ["DEBUG", "INFO", "DEBUG"]);
    assert_eq!(
        Value::Object(exchange.events[0].fields.clone()),
        serde_json::json!({
            "int": -7, "unsigned": 7, "float": 1.5, "flag": true,
            "text": "word", "debug": "[1, 2]",
        })
    );
    assert_eq!(exchange.events[4].fields["n"], 2);
    assert_eq!(exchange.events[6].spans[0].name, "after refused");
    let times: Vec<_> = exchange.events.iter().map(|e| e.at_us).collect();
    assert!(times.is_sorted(), "{times:?}");
    assert!(times[7] <= exchange.timing.duration_us, "{exchange:#?}");

    for message in [
        "debug one",
        "debug two",
        "debug three",
        "debug four",
        "debug five",
    ] {
        assert_eq!(shown(message), never, "{message} is in no output");
    }
    assert_eq!(shown("trace one"), never);
    for message in [
        "info one",
        "info two",
        "info three",
        "info outside",
        "request",
    ] {
        assert_eq!(shown(message), once, "{message} is in every output");
    }

    fixture.healthy(|| tracing::debug!("debug of a healthy request"));
    assert!(fixture.take().is_empty(), "a healthy request is not kept");
    assert_eq!(shown("debug of a healthy request"), never);
    assert_eq!(shown("request"), vec![2; outputs.len()]);

    check_outside("after", outputs);
    assert_eq!(
        fixture.dashcam.status().recording,
        dashcam::kit::Recording::On
    );
}

/// Outside of requests everything is as in a service without a gate.
fn check_outside(when: &str, outputs: &[&dyn Output]) {
    static EVALUATED: AtomicU32 = AtomicU32::new(0);
    let before = EVALUATED.load(SeqCst);
    assert!(!tracing::enabled!(Level::DEBUG), "{when}");
    tracing::debug!(n = bump(&EVALUATED), "debug outside of requests");
    assert_eq!(EVALUATED.load(SeqCst), before, "{when}");
    let message = format!("info {when} requests");
    tracing::info!(n = bump(&EVALUATED), "{message}");
    assert!(EVALUATED.load(SeqCst) > before, "{when}");
    for output in outputs {
        assert_eq!(output.count("debug outside of requests"), 0, "{when}");
        assert_eq!(output.count(&message), 1, "{when}");
    }
}

/// Replays every failure, however many there are.
pub(crate) fn replay_all(live: bool) -> dashcam::capture::Replay {
    let mut replay = dashcam::capture::Replay::default();
    replay.live = live;
    replay.per_signature = u64::MAX;
    replay.per_second = u64::MAX;
    replay.queue = usize::MAX;
    replay
}

/// Waits until a condition holds.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + DEADLINE;
    while !holds() {
        assert!(std::time::Instant::now() < deadline, "waited for: {what}");
        std::thread::yield_now();
    }
}

/// The response of a failing request.
pub(crate) const FAILED: StatusCode = StatusCode::INTERNAL_SERVER_ERROR;

/// Sends a request to a service and reads the response to its end.
pub(crate) async fn send<S, B>(service: S, request: Request<axum::body::Body>) -> StatusCode
where
    S: tower::Service<Request<axum::body::Body>, Response = Response<B>>,
    S::Error: fmt::Debug,
    B: http_body::Body,
    B::Error: fmt::Debug,
{
    let (head, body) = service.oneshot(request).await.unwrap().into_parts();
    body.collect().await.unwrap();
    head.status
}

/// A request for this path without a body.
pub(crate) fn get(path: &str) -> Request<axum::body::Body> {
    Request::get(path).body(axum::body::Body::empty()).unwrap()
}

/// A formatting layer into a buffer, in the format that has no name.
pub(crate) fn fmt_text<S>(
    output: &Buffer,
) -> tracing_subscriber::fmt::Layer<
    S,
    tracing_subscriber::fmt::format::DefaultFields,
    tracing_subscriber::fmt::format::Format,
    Buffer,
>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(output.clone())
}
