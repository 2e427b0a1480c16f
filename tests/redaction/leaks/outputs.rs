//! All outputs: files, exports, log lines, replays, and responses of the admin router.

use crate::leaks::telemetry::{Spans, metrics};
use axum::{Router, body::Body};
use dashcam::export::{Memory, har};
use http_body_util::BodyExt;
use std::{
    fs, io,
    io::Read,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};
use tower::ServiceExt;
use tracing::{Event, Subscriber, field::Field, span};
use tracing_subscriber::{
    layer::{Context, Layer},
    registry::LookupSpan,
};

/// A piece of an output, and the name of the output.
pub(crate) type Piece = (&'static str, String);

pub(crate) struct Outputs {
    pub(crate) kept: Memory,
    pub(crate) lines: Buffer,
    pub(crate) replays: Replays,
    pub(crate) spans: Spans,
    pub(crate) admin: Router,
    pub(crate) token: String,
    pub(crate) scratch: Scratch,
}

impl Outputs {
    /// The output since the last time, without files.
    pub(crate) fn take(&self) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let exchanges = self.kept.exchanges();
        for exchange in &exchanges {
            let id = &exchange.correlation.id;
            pieces.push(("exchange", serde_json::to_string(exchange).unwrap()));
            pieces.push(("har", har::from_exchanges([exchange]).to_string()));
            pieces.push(("curl", format!("{id}\n{}", exchange.to_curl(None))));
        }
        let one = exchanges.first().map(|e| e.id.clone());
        let mut paths = vec!["/status".to_owned(), "/exchanges?limit=1000".to_owned()];
        paths.push("/rules".to_owned());
        if let Some(id) = one {
            let forms = ["", "/har", "/curl"];
            paths.extend(forms.map(|form| format!("/exchanges/{id}{form}")));
        }
        for path in paths {
            let answer = tokio_test::block_on(self.ask(&path));
            // One row of the list each.
            let answer = answer.replace("},{", "},\n{");
            pieces.extend(answer.lines().map(|l| ("admin", l.to_owned())));
        }
        drop(self.kept.take());
        let lines = std::mem::take(&mut *self.lines.0.lock().unwrap());
        let lines = String::from_utf8(lines).unwrap();
        pieces.extend(lines.lines().map(|line| ("log", line.to_owned())));
        let replays = std::mem::take(&mut *self.replays.0.lock().unwrap());
        pieces.extend(replays.into_iter().map(|text| ("replay", text)));
        pieces.extend(self.spans.take().into_iter().map(|text| ("span", text)));
        pieces.push(("metrics", metrics()));
        pieces
    }

    async fn ask(&self, path: &str) -> String {
        let request = http::Request::get(path)
            .header("host", "localhost")
            .header("authorization", format!("Bearer {}", self.token))
            .body(Body::empty())
            .unwrap();
        let answer = self.admin.clone().oneshot(request).await.unwrap();
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        let text = String::from_utf8(body.to_vec()).unwrap();
        assert!(status.is_success(), "{path}: {status} {text}");
        text
    }
}

/// Collects log lines.
#[derive(Clone, Default)]
pub(crate) struct Buffer(Arc<Mutex<Vec<u8>>>);

impl io::Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A layer of the service that collects replayed events.
#[derive(Clone, Default)]
pub(crate) struct Replays(Arc<Mutex<Vec<String>>>);

struct Fields(serde_json::Map<String, serde_json::Value>);

impl tracing::field::Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl<S> Layer<S> for Replays
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let scope = context.event_scope(event);
        let mut spans = scope.into_iter().flatten();
        if !spans.any(|span| span.name() == "replay") {
            return;
        }
        let id = dashcam::current().map(|c| c.correlation_id().as_str().to_owned());
        let mut fields = Fields(serde_json::Map::new());
        fields
            .0
            .insert("id".to_owned(), id.unwrap_or_default().into());
        event.record(&mut fields);
        let text = serde_json::Value::Object(fields.0).to_string();
        self.0.lock().unwrap().push(text);
    }

    fn on_new_span(&self, _: &span::Attributes<'_>, _: &span::Id, _: Context<'_, S>) {}
}

/// A directory that is deleted when this is dropped.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let n = NEXT.fetch_add(1, Relaxed);
        let name = format!("dashcam-leaks-{}-{n}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Calls a function with each line of each file, decompressed if needed.
    pub(crate) fn lines(&self, mut f: impl FnMut(&str)) -> (usize, u64) {
        let (mut files, mut compressed) = (0, 0);
        for entry in fs::read_dir(&self.0).unwrap() {
            let path = entry.unwrap().path();
            let bytes = fs::read(&path).unwrap();
            let mut text = String::new();
            if path.extension().is_some_and(|end| end == "gz") {
                compressed += 1;
                let mut decoder = flate2::read::MultiGzDecoder::new(&*bytes);
                decoder.read_to_string(&mut text).unwrap();
            } else {
                text = String::from_utf8(bytes).unwrap();
            }
            files += 1;
            text.lines().for_each(&mut f);
        }
        (files, compressed)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
