//! A service whose texts are known before redaction.

use crate::{false_alarms::texts::Text, leaks::random::Random};
use axum::{Router, body::Body, extract::Request, routing::post};
use dashcam::{Dashcam, capture::StormLimits, exchange::Exchange, export::Memory};
use http::StatusCode;
use http_body_util::BodyExt;
use serde_json::{Map, Value};
use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};
use tower::ServiceExt;
use tracing::{Event, Subscriber, field::Field};
use tracing_subscriber::{
    EnvFilter,
    layer::{Context, Layer},
    prelude::*,
};

pub(crate) struct World {
    pub(crate) dashcam: Dashcam,
    kept: Memory,
    lines: Lines,
    said: Said,
    dispatch: tracing::Dispatch,
}

/// The texts of one request, each with the values of its fields after it.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) said: Vec<String>,
    pub(crate) recorded: Vec<String>,
    pub(crate) lines: Vec<String>,
}

/// The response, the exchange and the log lines.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    pub(crate) body: String,
    pub(crate) exchange: Exchange,
    /// Those of the service.
    pub(crate) lines: Vec<Value>,
}

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

/// Collects events of the service unchanged.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<String>>>);

#[derive(Default)]
struct Fields(Map<String, Value>);

impl tracing::field::Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl<S: Subscriber> Layer<S> for Said {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if is_own(event.metadata().target()) {
            let mut fields = Fields::default();
            event.record(&mut fields);
            let message = fields.0.remove("message").unwrap_or_default();
            self.0.lock().unwrap().push(text(&message, &fields.0));
        }
    }
}

/// dashcam itself emits others.
fn is_own(target: &str) -> bool {
    !target.starts_with("dashcam")
}

/// Message and fields, in the same order for all.
fn text(message: &Value, fields: &Map<String, Value>) -> String {
    let plain = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut parts = vec![plain(message)];
    let mut fields: Vec<_> = fields.iter().collect();
    fields.sort_by_key(|(name, _)| *name);
    parts.extend(
        fields
            .iter()
            .map(|(name, value)| format!("{name}={}", plain(value))),
    );
    parts.join("; ")
}

impl World {
    pub(crate) fn new() -> Self {
        let kept = Memory::new(10_000);
        let mut storm = StormLimits::default();
        storm.full = u64::MAX;
        storm.per_second = u64::MAX;
        let dashcam = Dashcam::builder()
            .service("shop", "1")
            .storm(storm)
            .baseline(1.0)
            .request_line(false)
            .exporter(kept.clone())
            .build()
            .unwrap();
        let (lines, said) = (Lines::default(), Said::default());
        let json = dashcam.json_log_to(lines.clone()).unwrap();
        let subscriber = tracing_subscriber::registry()
            .with(dashcam.gate(EnvFilter::new("info")))
            .with(said.clone())
            .with(json);
        Self {
            dispatch: subscriber.into(),
            dashcam,
            kept,
            lines,
            said,
        }
    }

    /// Sends a request with this body, whose handler logs these texts.
    pub(crate) fn request(&self, body: &Value, texts: Vec<Text>, seed: u64) -> Seen {
        let handler = move |_: String| async move {
            let random = &mut Random::new(seed);
            texts.iter().for_each(|text| text(random));
            StatusCode::BAD_GATEWAY
        };
        let request = http::Request::post("/hooks")
            .header("content-type", "application/json")
            .body(Body::from(body.to_string()))
            .unwrap();
        let service = Router::new().route("/hooks", post(handler));
        let service = service.layer(self.dashcam.layer());
        self.run(async {
            let answer = service.oneshot(request).await.unwrap();
            drop(answer.into_body().collect().await);
        });
        let exchange = self.kept.take().pop().unwrap();
        let own = exchange.events.iter().filter(|event| is_own(&event.target));
        let recorded = own.map(|event| {
            let message = event.message.clone().unwrap_or_default().into();
            text(&message, &event.fields)
        });
        let lines = self.lines();
        let lines = lines.iter().map(|line| {
            let fields = line["fields"].as_object().cloned().unwrap_or_default();
            text(&line["message"], &fields)
        });
        Seen {
            recorded: recorded.collect(),
            lines: lines.collect(),
            said: std::mem::take(&mut *self.said.0.lock().unwrap()),
        }
    }

    /// Returns the results of a request to these routes.
    pub(crate) fn ask(&self, routes: Router, request: Request) -> Answered {
        let service = routes.layer(self.dashcam.layer());
        let (mut status, mut body) = (StatusCode::OK, Vec::new());
        self.run(async {
            let answer = service.oneshot(request).await.unwrap();
            status = answer.status();
            body = answer
                .into_body()
                .collect()
                .await
                .unwrap()
                .to_bytes()
                .to_vec();
        });
        Answered {
            status,
            body: String::from_utf8(body).unwrap(),
            exchange: self.kept.take().pop().unwrap(),
            lines: self.lines(),
        }
    }

    fn run(&self, work: impl Future<Output = ()>) {
        tracing::dispatcher::with_default(&self.dispatch, || tokio_test::block_on(work));
        assert!(self.dashcam.flush(Duration::from_secs(60)));
    }

    fn lines(&self) -> Vec<Value> {
        let text = std::mem::take(&mut *self.lines.0.lock().unwrap());
        let lines = text.split(|b| *b == b'\n').filter(|line| !line.is_empty());
        let mut lines: Vec<Value> = lines
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect();
        lines.retain(|line| is_own(line["target"].as_str().unwrap()));
        lines
    }
}
