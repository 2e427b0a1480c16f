//! From what a request left in memory to its redacted exchange. Runs on the
//! exporter thread.

use super::{Counters, Job, Kept, Settings};
use crate::{
    context::{PanicNote, RequestContext, Shared},
    exchange::{
        Body, BodyState, Correlation, CorrelationSource, Depth, Environment, Exchange, Header,
        Losses, Missing, Mode, Panic, Redaction, Request, Response, SCHEMA, Timing,
    },
    export::{Exporter, worker::Handler},
    id::now_v7_text,
    recorder::{BodySnapshot, Ending, HeaderFields},
    redact::Redactor,
};
use http::{Method, StatusCode, Version};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Instant, SystemTime},
};

/// The exporter thread's side of a keeper.
pub(super) struct Assembler {
    settings: Settings,
    exporter: Box<dyn Exporter>,
    counters: Arc<Counters>,
    environment: Environment,
}

impl Assembler {
    pub(super) fn new(
        settings: &Settings,
        exporter: Box<dyn Exporter>,
        counters: Arc<Counters>,
    ) -> Self {
        let this = Self {
            settings: settings.clone(),
            exporter,
            counters,
            environment: Environment {
                dashcam: env!("CARGO_PKG_VERSION").to_owned(),
                pid: std::process::id(),
                platform: format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH),
            },
        };
        // So that `status` knows of an unusable exporter from the start.
        this.note_health();
        this
    }

    /// Follows the exporter's health, and warns once each time it gets worse.
    fn note_health(&self) {
        self.counters.note_backlog(self.exporter.backlog());
        if let Some(why) = self.counters.note_health(self.exporter.health()) {
            tracing::warn!(target: "dashcam::status", "the exporter is degraded: {why}");
        }
    }

    fn exchange(&self, kept: &Kept) -> Exchange {
        let shared = kept.context.shared();
        // Redaction takes its time, and what is left of the request may still
        // run: all is copied or taken first, so that nobody waits for a lock.
        let mut redactor = Redactor::new(&self.settings.policy);
        let mut missing = Vec::new();
        let request_body = shared.request_body().snapshot();
        let response_body = shared.response_body().snapshot();
        let heads = shared.heads().clone();
        let (facts, panic, error) = {
            let notes = shared.notes();
            (
                notes.facts.clone(),
                notes.panic.clone(),
                notes.error.clone(),
            )
        };
        #[cfg(feature = "gate")]
        let recording = std::mem::take(&mut *shared.recording());
        let id = kept.context.correlation_id().as_str();
        let fields = |redactor: &mut Redactor<'_>, fields: &HeaderFields| {
            self.header_fields(redactor, fields, id)
        };

        let head = &heads.request;
        let route = shared.route.as_ref().map(crate::context::Route::as_str);
        let request = Request {
            method: method(&mut redactor, &head.method),
            path: redactor.path(head.uri.path(), route),
            route: route.map(str::to_owned),
            query: head.uri.query().map(|query| redactor.query(query)),
            version: version(head.version),
            headers: fields(&mut redactor, &head.fields),
            body: body(
                &mut redactor,
                &request_body,
                &head.fields,
                Side::Request,
                kept.depth,
            ),
            trailers: fields(&mut redactor, &request_body.trailers),
        };
        note_memory(&mut missing, "request.body", &request_body);

        let head = &heads.response;
        let response = head.at.map(|_| Response {
            status: head.status.as_u16(),
            version: version(head.version),
            headers: fields(&mut redactor, &head.fields),
            body: body(
                &mut redactor,
                &response_body,
                &head.fields,
                Side::Response {
                    status: head.status,
                    to: &heads.request.method,
                },
                kept.depth,
            ),
            trailers: fields(&mut redactor, &response_body.trailers),
        });
        note_memory(&mut missing, "response.body", &response_body);

        let started = shared.started;
        let timing = Timing {
            duration_us: micros(kept.ended.duration),
            headers_us: head.at.map(|at| since(started, at)),
            first_byte_us: response_body.first_byte.map(|at| since(started, at)),
            last_byte_us: response_body.last_byte.map(|at| since(started, at)),
        };
        let mut losses = Losses {
            events_late: shared.late_events().into(),
            headers_dropped: u64::from(heads.request.fields.dropped())
                + u64::from(heads.response.fields.dropped())
                + u64::from(request_body.trailers.dropped())
                + u64::from(response_body.trailers.dropped()),
            suppressed_before: kept.suppressed_before,
            ..Losses::default()
        };
        let request_error = ending_text(&request_body);
        let response_error = ending_text(&response_body);

        let facts: BTreeMap<String, Value> = facts
            .into_iter()
            .map(|(name, value)| {
                let value = redactor.fact(&name, &value);
                (name.into_owned(), Value::String(value))
            })
            .collect();
        #[cfg(feature = "gate")]
        events::remember_fields(&mut redactor, &recording);
        // From here on every value that has to be hidden is known.
        let scrubber = redactor.into_scrubber();
        let text = |text: &str| scrubber.text(text).into_owned();

        #[cfg(feature = "gate")]
        let (events, decisions) = events::render(&recording, &scrubber, started, kept.depth);
        #[cfg(not(feature = "gate"))]
        let (events, decisions) = (Vec::new(), Vec::new());
        #[cfg(feature = "gate")]
        {
            losses.events_dropped = recording.dropped();
            losses.values_cut = recording.cut();
            if recording.refused() {
                missing.push(Missing {
                    what: "events".to_owned(),
                    why: "memory_budget".to_owned(),
                });
            }
        }
        if kept.depth == Depth::Heads {
            missing.push(Missing {
                what: "bodies and events below INFO".to_owned(),
                why: "failure_storm".to_owned(),
            });
        }
        let mut exchange = Exchange {
            schema: SCHEMA.to_owned(),
            id: now_v7_text().to_string(),
            service: self.settings.service.clone(),
            correlation: correlation(&kept.context),
            started_at: time_text(shared.started_at),
            timing,
            in_flight: kept.ended.in_flight,
            outcome: kept.ended.outcome.clone(),
            slow: kept.slow,
            keep: kept.reasons.clone(),
            mode: mode(shared),
            depth: kept.depth,
            facts,
            request,
            response,
            panic: panic.map(|PanicNote { message, location }| Panic {
                message: text(message.as_deref().unwrap_or("(not a text)")),
                location,
            }),
            error: error.as_deref().map(text),
            decisions,
            events,
            losses,
            missing,
            redaction: Redaction {
                policy: self.settings.policy.name().to_owned(),
                key_id: self.settings.policy.key_id().to_owned(),
            },
            environment: self.environment.clone(),
        };
        set_error(
            &mut exchange.request.body,
            request_error.as_deref().map(text),
        );
        if let Some(response) = &mut exchange.response {
            set_error(&mut response.body, response_error.as_deref().map(text));
        }
        for reason in &mut exchange.keep {
            if let crate::exchange::KeepReason::Asked { why } = reason {
                *why = text(why);
            }
        }
        exchange
    }

    fn header_fields(
        &self,
        redactor: &mut Redactor<'_>,
        fields: &HeaderFields,
        id: &str,
    ) -> Vec<Header> {
        fields
            .iter()
            .map(|(name, value, sensitive)| {
                // The accepted ID is public; anything else under its name is not.
                let ours =
                    name == self.settings.correlation_header.as_str() && value == id.as_bytes();
                let value = if ours {
                    id.to_owned()
                } else {
                    redactor.header(name, value, sensitive)
                };
                Header(name.to_owned(), value)
            })
            .collect()
    }
}

impl Handler<Job> for Assembler {
    fn handle(&mut self, job: Job) {
        let kept = match job {
            Job::Keep(kept) => kept,
            Job::Run(f) => return f(),
        };
        let exchange = self.exchange(&kept);
        // What the request held is given back before the exporter may block.
        drop(kept);
        match self.exporter.export(&exchange) {
            Ok(()) => self.counters.exported.fetch_add(1, Relaxed),
            Err(_) => self.counters.export_failed.fetch_add(1, Relaxed),
        };
        self.note_health();
    }

    fn flush(&mut self) {
        let _ = self.exporter.flush();
        self.note_health();
    }

    fn tick(&mut self) {
        self.exporter.tick();
        self.note_health();
    }
}

/// What a log line knows of each body: lines are many, so their work is bounded.
#[cfg(feature = "kit")]
pub(crate) const LINE_KNOWS: usize = 16 * 1024;

/// Shows the redactor heads and bodies of a request that may still run: all is
/// copied first, so that the request never waits for a lock.
#[cfg(feature = "kit")]
pub(crate) fn remember_secrets(redactor: &mut Redactor<'_>, context: &RequestContext) {
    let shared = context.shared();
    let (uri, request_fields, response_fields) = {
        let heads = shared.heads();
        (
            heads.request.uri.clone(),
            heads.request.fields.clone(),
            heads.response.fields.clone(),
        )
    };
    let route = shared.route.as_ref().map(crate::context::Route::as_str);
    redactor.path(uri.path(), route);
    if let Some(query) = uri.query() {
        redactor.query(query);
    }
    let id = context.correlation_id().as_str().as_bytes();
    let request_body = shared.request_body().snapshot();
    let response_body = shared.response_body().snapshot();
    for (fields, body) in [
        (request_fields, request_body),
        (response_fields, response_body),
    ] {
        for (name, value, sensitive) in fields.iter().filter(|(_, value, _)| *value != id) {
            redactor.header(name, value, sensitive);
        }
        if body.kept > 0 {
            let content_type = fields.single("content-type");
            let encoding = fields.single("content-encoding");
            let known = body.prefix.get(..LINE_KNOWS).unwrap_or(&body.prefix);
            redactor.body(content_type, encoding, known, false);
        }
    }
}

#[derive(Clone, Copy)]
enum Side<'a> {
    Request,
    Response { status: StatusCode, to: &'a Method },
}

fn body(
    redactor: &mut Redactor<'_>,
    tee: &BodySnapshot,
    head: &HeaderFields,
    side: Side<'_>,
    depth: Depth,
) -> Body {
    let content_type = head.single("content-type");
    let state = match (&side, &tee.ending) {
        (Side::Response { status, .. }, _) if *status == StatusCode::SWITCHING_PROTOCOLS => {
            BodyState::Stream
        }
        (Side::Response { status, to }, _)
            if *to == Method::HEAD
                || status.is_informational()
                || matches!(status.as_u16(), 204 | 304) =>
        {
            BodyState::None
        }
        (_, Some(Ending::Error(_))) => BodyState::Error {
            message: String::new(),
        },
        _ if is_stream(content_type) => BodyState::Stream,
        (_, Some(Ending::Complete)) => {
            if tee.out_of_memory && tee.kept == 0 {
                BodyState::Skipped {
                    why: "memory_budget".to_owned(),
                }
            } else if tee.kept == tee.seen {
                if tee.seen == 0 && !tee.polled && head.text("content-length").is_none() {
                    BodyState::None
                } else {
                    BodyState::Complete
                }
            } else {
                BodyState::Truncated
            }
        }
        (Side::Request, _) if !tee.polled => BodyState::Unread,
        (Side::Request, _) => BodyState::PartlyRead,
        (Side::Response { .. }, _) => BodyState::Aborted,
    };
    let mut body = Body::new(state);
    body.seen = tee.seen;
    body.kept = tee.kept;
    body.declared = tee.declared;
    body.content_type = content_type.map(|value| {
        // Clients choose it, so it passes the policy like the header itself.
        media_type(&redactor.header("content-type", value.as_bytes(), false))
    });
    let content_encoding = head.single("content-encoding");
    body.content_encoding = content_encoding.map(coding);
    if tee.kept > 0 {
        let ended = body.state == BodyState::Complete;
        // Always, so that the redactor sees the values to hide elsewhere.
        let content = redactor.body(content_type, content_encoding, &tee.prefix, ended);
        let skipped = match depth {
            Depth::Heads => Some("failure_storm"),
            Depth::Full => tee.skipped,
        };
        match skipped {
            None => body.content = Some(content),
            Some(why) => {
                body.kept = 0;
                body.state = BodyState::Skipped {
                    why: why.to_owned(),
                };
            }
        }
    }
    body
}

pub(super) fn is_stream(content_type: Option<&str>) -> bool {
    content_type.is_some_and(|value| {
        let value = value.trim_start();
        ["text/event-stream", "application/grpc"]
            .iter()
            .any(|stream| {
                value
                    .get(..stream.len())
                    .is_some_and(|start| start.eq_ignore_ascii_case(stream))
            })
    })
}

/// The content coding, where it is one that is registered.
fn coding(value: &str) -> String {
    const REGISTERED: [&str; 7] = [
        "br", "compress", "deflate", "dcb", "gzip", "identity", "zstd",
    ];
    let known = REGISTERED
        .iter()
        .find(|name| name.eq_ignore_ascii_case(value.trim()));
    (*known.unwrap_or(&"other")).to_owned()
}

/// The media type without parameters but `charset`: others are free text.
fn media_type(value: &str) -> String {
    let mut parts = value.split(';').map(str::trim);
    let mut kept = parts.next().unwrap_or_default().to_ascii_lowercase();
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/+-._*=".contains(&b);
    for part in parts {
        if part.len() <= 32
            && part
                .get(..8)
                .is_some_and(|name| name.eq_ignore_ascii_case("charset="))
        {
            kept.push_str("; ");
            kept.push_str(part);
        }
    }
    kept.retain(|c| c.is_ascii() && (plain(c as u8) || c == ';' || c == ' '));
    kept.truncate(128);
    kept
}

fn ending_text(tee: &BodySnapshot) -> Option<String> {
    match &tee.ending {
        Some(Ending::Error(text)) => Some(text.clone()),
        _ => None,
    }
}

fn set_error(body: &mut Body, text: Option<String>) {
    if let (BodyState::Error { message }, Some(text)) = (&mut body.state, text) {
        *message = text;
    }
}

fn note_memory(missing: &mut Vec<Missing>, what: &str, tee: &BodySnapshot) {
    if tee.out_of_memory {
        missing.push(Missing {
            what: what.to_owned(),
            why: "memory_budget".to_owned(),
        });
    }
}

fn correlation(context: &RequestContext) -> Correlation {
    let identity = context.shared().identity();
    let source = if identity.from_header {
        CorrelationSource::Header
    } else if identity
        .parent
        .is_some_and(|parent| parent.trace_id().to_string() == context.correlation_id().as_str())
    {
        CorrelationSource::Traceparent
    } else {
        CorrelationSource::Minted
    };
    Correlation {
        id: context.correlation_id().as_str().to_owned(),
        source,
        client_id: identity.client_id.as_ref().map(ToString::to_string),
        rejected: identity.rejected.map(|why| why.as_str().to_owned()),
        trace_id: identity.parent.map(|parent| parent.trace_id().to_string()),
        parent_id: identity.parent.map(|parent| parent.parent_id().to_string()),
    }
}

fn mode(shared: &Shared) -> Mode {
    #[cfg(feature = "gate")]
    {
        if let Some(selected) = shared.live.get() {
            return Mode::Live {
                by: selected.by.clone(),
            };
        }
        if shared.mode().has(crate::context::Mode::RECORD) {
            return Mode::Recorded;
        }
    }
    let _ = shared;
    Mode::Off
}

/// The method; one that no standard is likely to name is a client's own text.
fn method(redactor: &mut Redactor<'_>, method: &Method) -> String {
    let text = method.as_str();
    if text.len() <= 20 && text.bytes().all(|b| b.is_ascii_uppercase() || b == b'-') {
        text.to_owned()
    } else {
        redactor.header("method", text.as_bytes(), true)
    }
}

fn version(version: Version) -> String {
    format!("{version:?}")
}

fn micros(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn since(start: Instant, at: Instant) -> u64 {
    micros(at.saturating_duration_since(start))
}

/// RFC 3339 in UTC with microseconds.
pub(crate) fn time_text(at: SystemTime) -> String {
    jiff::Timestamp::try_from(at).map_or_else(|_| String::new(), |at| format!("{at:.6}"))
}

#[cfg(feature = "gate")]
mod events {
    use super::{Depth, Redactor, since};
    use crate::keeper::fields::{Fields, Sites, raw};
    use crate::{
        DECISION_TARGET,
        exchange::{Decision, Event, Span},
        recorder::{EventRecord, Recording, Visited},
        redact::Scrubber,
    };
    use serde_json::{Map, Value};
    use std::time::Instant;
    use tracing::{Level, Metadata};

    /// Shows the redactor every field first: a value that one event names as a
    /// secret may stand in the text of another.
    pub(super) fn remember_fields(redactor: &mut Redactor<'_>, recording: &Recording) {
        let mut remember = |metadata, values| {
            for (name, value) in raw(metadata, values) {
                match value {
                    Visited::Text { text, .. } => drop(redactor.field(name, text)),
                    Visited::I64(n) => drop(redactor.field(name, &n.to_string())),
                    Visited::U64(n) => drop(redactor.field(name, &n.to_string())),
                    _ => {}
                }
            }
        };
        for event in recording.events() {
            remember(event.metadata, event.values);
            for (metadata, values) in event.spans() {
                remember(metadata, values);
            }
        }
    }

    pub(super) fn render(
        recording: &Recording,
        scrubber: &Scrubber,
        started: Instant,
        depth: Depth,
    ) -> (Vec<Event>, Vec<Decision>) {
        let mut events = Vec::new();
        let mut decisions = Vec::new();
        let mut sites = Sites::new();
        for record in recording.events() {
            if record.metadata.target() == DECISION_TARGET {
                decisions.push(decision(&record, scrubber, started, &mut sites));
            } else if depth == Depth::Full || *record.metadata.level() <= Level::INFO {
                events.push(event(&record, scrubber, started, &mut sites));
            }
        }
        (events, decisions)
    }

    fn event(
        record: &EventRecord<'_>,
        scrubber: &Scrubber,
        started: Instant,
        sites: &mut Sites,
    ) -> Event {
        let metadata = record.metadata;
        let site = sites.of(metadata, scrubber);
        let fields = Fields {
            site: &site,
            values: record.values,
            scrubber: Some(scrubber),
        };
        let mut map = fields.to_map();
        // Records of the `log` crate carry where they came from as fields.
        let mut logged = |name: &str| match map.remove(name) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        };
        let target = logged("log.target");
        let file = logged("log.file");
        let _ = logged("log.module_path");
        let line = map.remove("log.line").and_then(|line| line.as_u64());
        Event {
            at_us: since(started, record.at),
            level: metadata.level().as_str().to_owned(),
            target: target.unwrap_or_else(|| metadata.target().to_owned()),
            message: fields.message().map(std::borrow::Cow::into_owned),
            fields: map,
            file: file.or_else(|| metadata.file().map(str::to_owned)),
            line: line
                .and_then(|line| u32::try_from(line).ok())
                .or_else(|| metadata.line()),
            spans: record
                .spans()
                .map(|(metadata, values)| Span {
                    name: metadata.name().to_owned(),
                    fields: object(metadata, values, scrubber, sites),
                })
                .collect(),
        }
    }

    fn decision(
        record: &EventRecord<'_>,
        scrubber: &Scrubber,
        started: Instant,
        sites: &mut Sites,
    ) -> Decision {
        // A literal of the service's source, so it needs no redaction, and no
        // client can make it unreadable.
        let name = raw(record.metadata, record.values)
            .find_map(|(name, value)| match value {
                Visited::Text { text, .. } if name == "decision" => Some(text.to_owned()),
                _ => None,
            })
            .unwrap_or_default();
        let mut fields = object(record.metadata, record.values, scrubber, sites);
        fields.remove("decision");
        Decision {
            at_us: since(started, record.at),
            name,
            fields,
        }
    }

    fn object(
        metadata: &'static Metadata<'static>,
        values: &[u8],
        scrubber: &Scrubber,
        sites: &mut Sites,
    ) -> Map<String, Value> {
        let site = sites.of(metadata, scrubber);
        let fields = Fields {
            site: &site,
            values,
            scrubber: Some(scrubber),
        };
        fields.to_map()
    }
}
