use super::{
    json::{self, Object},
    writer::{Head, SpanHead},
};
use crate::{
    REQUEST_TARGET,
    context::RequestContext,
    keeper::{Fields, Shown, Sites, time_text},
    redact::{Policy, Redactor, Scrubber},
};
use std::time::{SystemTime, UNIX_EPOCH};

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
    sites: Sites,
    /// The values known from the request that was rendered last.
    known: Option<(RequestContext, u64, Scrubber)>,
    clock: Clock,
}

impl Renderer {
    pub(super) fn new(policy: Policy) -> Self {
        Self {
            plain: Redactor::new(&policy).into_scrubber(),
            policy,
            sites: Sites::new(),
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
        let site = self.sites.of(metadata, &self.plain);
        let event = Fields {
            site: &site,
            values: line.values,
            scrubber: (!own).then_some(scrubber),
        };
        let mut object = Object::open(out);
        object.text("timestamp", &self.clock.text);
        object.text("level", metadata.level().as_str());
        object.text("target", event.logged_target().unwrap_or(metadata.target()));
        if let Some(message) = event.message() {
            object.text("message", &message);
        }
        if !line.id.is_empty() {
            object.text("correlation_id", line.id);
        }
        if let Some(parent) = &line.head.parent {
            json::display(object.name("trace_id"), parent.trace_id());
        }
        if !event.is_empty() {
            fields(object.name("fields"), &event);
        }
        if !line.spans.is_empty() {
            let out = object.name("spans");
            out.push(b'[');
            for (n, span) in line.spans.iter().enumerate() {
                if n > 0 {
                    out.push(b',');
                }
                let site = self.sites.of(span.metadata, &self.plain);
                let values = line.bytes.get(span.start..span.end).unwrap_or_default();
                span_object(
                    out,
                    &Fields {
                        site: &site,
                        values,
                        scrubber: Some(scrubber),
                    },
                );
            }
            out.push(b']');
        }
        object.close();
        out.push(b'\n');
        self.known = known;
    }

    /// Says that lines were lost.
    pub(super) fn loss(&mut self, lines: u64, out: &mut Vec<u8>) {
        self.clock.tell(SystemTime::now());
        let mut object = Object::open(out);
        object.text("timestamp", &self.clock.text);
        object.text("level", "WARN");
        object.text("target", "dashcam::log_line");
        object.text("message", "log lines were dropped: the output is too slow");
        let fields = object.name("fields");
        let mut inner = Object::open(fields);
        inner
            .name("dropped")
            .extend_from_slice(itoa::Buffer::new().format(lines).as_bytes());
        inner.close();
        object.close();
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

fn span_object(out: &mut Vec<u8>, span: &Fields<'_>) {
    let mut object = Object::open(out);
    object.text("name", span.site.metadata.name());
    if !span.is_empty() {
        fields(object.name("fields"), span);
    }
    object.close();
}

fn fields(out: &mut Vec<u8>, fields: &Fields<'_>) {
    let mut object = Object::open(out);
    fields.each(|quoted, _, value| {
        let out = object.quoted_name(quoted);
        match value {
            Shown::Text { text, cut: false } => json::string(out, &text),
            Shown::Text { text, cut: true } => json::display(out, format_args!("{text}…")),
            Shown::Bool(value) => out.extend_from_slice(if value { b"true" } else { b"false" }),
            Shown::I64(n) => out.extend_from_slice(itoa::Buffer::new().format(n).as_bytes()),
            Shown::U64(n) => out.extend_from_slice(itoa::Buffer::new().format(n).as_bytes()),
            Shown::F64(n) => out.extend_from_slice(zmij::Buffer::new().format(n).as_bytes()),
        }
    });
    object.close();
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
