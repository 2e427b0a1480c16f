use super::writer::{Head, SpanHead};
use crate::{
    REQUEST_TARGET,
    context::RequestContext,
    id::TraceParent,
    keeper::{Fields, hidden_fields, time_text},
    redact::{Policy, Redactor, Scrubber},
};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use std::{
    collections::HashMap,
    fmt,
    time::{SystemTime, UNIX_EPOCH},
};
use tracing::{Metadata, callsite::Identifier};

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
    /// Which fields of a callsite are hidden by their name.
    hidden: HashMap<Identifier, u64>,
    /// The values known from the request that was rendered last.
    known: Option<(RequestContext, u64, Scrubber)>,
    clock: Clock,
}

impl Renderer {
    pub(super) fn new(policy: Policy) -> Self {
        Self {
            plain: Redactor::new(&policy).into_scrubber(),
            policy,
            hidden: HashMap::new(),
            known: None,
            clock: Clock::default(),
        }
    }

    pub(super) fn line(&mut self, line: &Line<'_>, out: &mut Vec<u8>) {
        self.clock.tell(line.head.at);
        let metadata = line.head.metadata;
        let own = metadata.target() == REQUEST_TARGET;
        let known = self.known.take();
        let known = line
            .head
            .context
            .as_ref()
            .map(|context| know(&self.policy, context, known));
        let scrubber = known.as_ref().map_or(&self.plain, |(.., known)| known);
        let mut hidden = |metadata: &'static Metadata<'static>| {
            *self
                .hidden
                .entry(metadata.callsite())
                .or_insert_with(|| hidden_fields(metadata.fields(), &self.plain))
        };
        let event = Fields {
            metadata,
            values: line.values,
            scrubber: (!own).then_some(scrubber),
            hidden: if own { 0 } else { hidden(metadata) },
        };
        let spans: Vec<Fields<'_>> = line
            .spans
            .iter()
            .map(|span| Fields {
                metadata: span.metadata,
                values: line.bytes.get(span.start..span.end).unwrap_or_default(),
                scrubber: Some(scrubber),
                hidden: hidden(span.metadata),
            })
            .collect();
        let before = out.len();
        let rendered = Rendered {
            line,
            timestamp: &self.clock.text,
            event,
            spans: &spans,
        };
        if serde_json::to_writer(&mut *out, &rendered).is_err() {
            out.truncate(before);
        } else {
            out.push(b'\n');
        }
        self.known = known;
    }

    /// Says that lines were lost.
    pub(super) fn loss(&mut self, lines: u64, out: &mut Vec<u8>) {
        self.clock.tell(SystemTime::now());
        let _ = serde_json::to_writer(
            &mut *out,
            &serde_json::json!({
                "timestamp": self.clock.text,
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
    event: Fields<'b>,
    spans: &'b [Fields<'b>],
}

impl Serialize for Rendered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { line, event, .. } = self;
        let metadata = event.metadata;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("timestamp", self.timestamp)?;
        map.serialize_entry("level", metadata.level().as_str())?;
        let target = event.logged_target().unwrap_or(metadata.target());
        map.serialize_entry("target", target)?;
        if let Some(message) = event.message() {
            map.serialize_entry("message", &message)?;
        }
        if !line.id.is_empty() {
            map.serialize_entry("correlation_id", line.id)?;
        }
        if let Some(parent) = &line.head.parent {
            map.serialize_entry("trace_id", &Text(TraceParent::trace_id(parent)))?;
        }
        if !event.is_empty() {
            map.serialize_entry("fields", event)?;
        }
        if !self.spans.is_empty() {
            map.serialize_entry("spans", &Spans(self.spans))?;
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

struct Spans<'b>(&'b [Fields<'b>]);

impl Serialize for Spans<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut spans = serializer.serialize_seq(Some(self.0.len()))?;
        for fields in self.0 {
            spans.serialize_element(&Span(*fields))?;
        }
        spans.end()
    }
}

struct Span<'b>(Fields<'b>);

impl Serialize for Span<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", self.0.metadata.name())?;
        if !self.0.is_empty() {
            map.serialize_entry("fields", &self.0)?;
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
    fn tell(&mut self, at: SystemTime) {
        let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        if self.prefix.is_empty() || since.as_secs() != self.second {
            self.second = since.as_secs();
            let whole = UNIX_EPOCH + std::time::Duration::from_secs(self.second);
            let text = time_text(whole);
            // `2026-11-23T09:12:03` of `2026-11-23T09:12:03.000000Z`.
            self.prefix = text.split('.').next().unwrap_or_default().to_owned();
        }
        self.text.clear();
        self.text.push_str(&self.prefix);
        self.text.push('.');
        let mut rest = since.subsec_micros();
        let mut unit = 100_000;
        while unit > 0 {
            // One digit, so the cast loses nothing.
            self.text.push(char::from(b'0' + (rest / unit) as u8));
            rest %= unit;
            unit /= 10;
        }
        self.text.push('Z');
    }
}
