use super::writer::{Head, SpanHead};
use crate::{
    context::RequestContext,
    id::TraceParent,
    keeper::{Fields, time_text},
    redact::{Policy, Redactor, Scrubber},
};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use std::{
    fmt::{self, Write as _},
    time::{SystemTime, UNIX_EPOCH},
};

/// One event on its way out.
pub(super) struct Line<'b> {
    pub(super) head: &'b Head,
    pub(super) id: &'b str,
    pub(super) values: &'b [u8],
    pub(super) spans: &'b [SpanHead],
    pub(super) bytes: &'b [u8],
}

/// Formats lines.
pub(super) struct Renderer {
    policy: Policy,
    /// Detectors only, for events outside of requests and our own.
    plain: Scrubber,
    /// The values known from the request that was rendered last.
    known: Option<(RequestContext, u64, Scrubber)>,
    clock: Clock,
}

impl Renderer {
    pub(super) fn new(policy: Policy) -> Self {
        Self {
            plain: Redactor::new(&policy).into_scrubber(),
            policy,
            known: None,
            clock: Clock::default(),
        }
    }

    pub(super) fn line(&mut self, line: &Line<'_>, out: &mut Vec<u8>) {
        let timestamp = self.clock.text(line.head.at);
        let known = self.known.take();
        let known = line
            .head
            .context
            .as_ref()
            .map(|context| know(&self.policy, context, known));
        let scrubber = known.as_ref().map_or(&self.plain, |(.., known)| known);
        let before = out.len();
        let written = serde_json::to_writer(
            &mut *out,
            &Rendered {
                line,
                timestamp: &timestamp,
                scrubber,
            },
        );
        if written.is_err() {
            out.truncate(before);
            return;
        }
        out.push(b'\n');
        self.known = known;
    }

    /// Says that lines were lost.
    pub(super) fn loss(&mut self, lines: u64, out: &mut Vec<u8>) {
        let timestamp = self.clock.text(SystemTime::now());
        let _ = serde_json::to_writer(
            &mut *out,
            &serde_json::json!({
                "timestamp": timestamp,
                "level": "WARN",
                "target": "dashcam::log_line",
                "message": "log lines were dropped because the output is too slow",
                "fields": { "dropped": lines },
            }),
        );
        out.push(b'\n');
    }
}

/// Collects the values that are hidden in a request as far as it has come.
fn know(
    policy: &Policy,
    context: &RequestContext,
    known: Option<(RequestContext, u64, Scrubber)>,
) -> (RequestContext, u64, Scrubber) {
    let shared = context.shared();
    let progress = {
        let heads = shared.heads();
        let fields = heads.request.fields.len() + heads.response.fields.len();
        fields as u64 + shared.request_body().seen() + shared.response_body().seen()
    };
    if let Some(known) = known.filter(|(c, p, _)| c.is(context) && *p == progress) {
        return known;
    }
    let mut redactor = Redactor::new(policy);
    crate::keeper::remember_secrets(&mut redactor, context);
    (context.clone(), progress, redactor.into_scrubber())
}

struct Rendered<'b> {
    line: &'b Line<'b>,
    timestamp: &'b str,
    scrubber: &'b Scrubber,
}

impl Serialize for Rendered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { line, scrubber, .. } = self;
        let metadata = line.head.metadata;
        let fields = Fields {
            metadata,
            values: line.values,
            scrubber,
        };
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("timestamp", self.timestamp)?;
        map.serialize_entry("level", metadata.level().as_str())?;
        map.serialize_entry(
            "target",
            fields.logged_target().unwrap_or(metadata.target()),
        )?;
        if let Some(message) = fields.message() {
            map.serialize_entry("message", &message)?;
        }
        if !line.id.is_empty() {
            map.serialize_entry("correlation_id", line.id)?;
        }
        if let Some(parent) = &line.head.parent {
            map.serialize_entry("trace_id", &Text(TraceParent::trace_id(parent)))?;
        }
        if !fields.is_empty() {
            map.serialize_entry("fields", &fields)?;
        }
        if !line.spans.is_empty() {
            map.serialize_entry("spans", &Spans(self))?;
        }
        map.end()
    }
}

struct Text<D>(D);

impl<D: fmt::Display> Serialize for Text<D> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

struct Spans<'b>(&'b Rendered<'b>);

impl Serialize for Spans<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Rendered { line, scrubber, .. } = self.0;
        let mut spans = serializer.serialize_seq(Some(line.spans.len()))?;
        for span in line.spans {
            spans.serialize_element(&SpanLine {
                name: span.metadata.name(),
                fields: Fields {
                    metadata: span.metadata,
                    values: line.bytes.get(span.start..span.end).unwrap_or_default(),
                    scrubber,
                },
            })?;
        }
        spans.end()
    }
}

struct SpanLine<'b> {
    name: &'static str,
    fields: Fields<'b>,
}

impl Serialize for SpanLine<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", self.name)?;
        if !self.fields.is_empty() {
            map.serialize_entry("fields", &self.fields)?;
        }
        map.end()
    }
}

/// Formats times; the text up to the second is made once a second.
#[derive(Debug, Default)]
struct Clock {
    second: u64,
    prefix: String,
    text: String,
}

impl Clock {
    fn text(&mut self, at: SystemTime) -> String {
        let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        if self.prefix.is_empty() || since.as_secs() != self.second {
            self.second = since.as_secs();
            let whole = UNIX_EPOCH + std::time::Duration::from_secs(self.second);
            let text = time_text(whole);
            // `2026-11-23T09:12:03` of `2026-11-23T09:12:03.000000Z`.
            self.prefix = text.split('.').next().unwrap_or_default().to_owned();
        }
        self.text.clear();
        let _ = write!(self.text, "{}.{:06}Z", self.prefix, since.subsec_micros());
        self.text.clone()
    }
}
