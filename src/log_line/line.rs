use super::{
    json::{self, Object},
    writer::{Head, Request, SpanHead},
};
use crate::{
    REQUEST_TARGET,
    context::RequestContext,
    keeper::{Fields, LINE_KNOWS, Shown, Sites, remember_secrets, time_text},
    redact::{Policy, Redactor, Scrubber},
};
use std::{
    borrow::Cow,
    sync::Arc,
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
    sites: Sites,
    /// For lines that had to go without their request.
    blind: Scrubber,
    clock: Clock,
}

impl Renderer {
    pub(super) fn new(policy: Policy) -> Self {
        Self {
            plain: Redactor::new(&policy).into_scrubber(),
            blind: Scrubber::hiding_all(policy.clone()),
            policy,
            sites: Sites::new(),
            clock: Clock::default(),
        }
    }

    pub(super) fn line(&mut self, line: &Line<'_>, out: &mut Vec<u8>) {
        self.clock.tell(line.head.at);
        let metadata = line.head.metadata;
        let own = metadata.target() == REQUEST_TARGET;
        let known = line.head.request.context().map(|c| know(&self.policy, c));
        let scrubber = match (&known, &line.head.request) {
            (Some(known), _) => known,
            (None, Request::TooMuch) => &self.blind,
            (None, _) => &self.plain,
        };
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
            // Whose words went out of it still says where it comes from.
            if matches!(message, Cow::Owned(_))
                && let (Some(file), Some(line)) = (metadata.file(), metadata.line())
            {
                json::display(object.name("source"), format_args!("{file}:{line}"));
            }
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

/// What has to be hidden in a request as far as it has come; collected once
/// for as long as nothing more passes.
fn know(policy: &Policy, context: &RequestContext) -> Arc<Scrubber> {
    let shared = context.shared();
    let progress = {
        let heads = shared.heads();
        let fields = heads.request.fields.len() + heads.response.fields.len();
        drop(heads);
        let request = shared.request_body().kept().min(LINE_KNOWS);
        let response = shared.response_body().kept().min(LINE_KNOWS);
        (fields + request + response) as u64
    };
    if let Some((known, scrubber)) = &*shared.known()
        && *known == progress
    {
        return Arc::clone(scrubber);
    }
    let mut redactor = Redactor::only_to_remember(policy);
    remember_secrets(&mut redactor, context, LINE_KNOWS);
    let scrubber = Arc::new(redactor.into_scrubber());
    *shared.known() = Some((progress, Arc::clone(&scrubber)));
    scrubber
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
