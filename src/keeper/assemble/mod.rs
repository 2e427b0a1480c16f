//! Builds the redacted exchange from a request's data in memory. Runs on the exporter
//! thread.

mod body;
mod events;

pub(super) use self::{body::is_stream, events::remember_fields};

use self::body::{Side, body, ending_text, fit, note_memory, set_error};
use super::{Backlog, Counters, Job, Kept, Settings, report::Report, waiting::Waiting};
use crate::{
    context::{MAX_KEEP_LEN, PanicNote, RequestContext, Shared, shown_of_fact},
    exchange::{
        Correlation, CorrelationSource, Depth, Direction, Environment, Exchange, KeepReason,
        Losses, Missing, Mode, Panic, Redaction, Request, Response, Timing,
    },
    export::{ExportError, Exporter, Health},
    foreign, grpc,
    recorder::{BodySnapshot, CaptureHeads, Ending, HeaderFields, Said},
    redact::{Recent, Redactor, Scrubber, Voice},
    render::{Shares, Sites, know, remember_one, says_what_failed, time_text},
    worker::Handler,
};
use http::{Method, Uri, Version};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    error::Error,
    iter,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

/// The cost limit for searching the texts of an exchange if others wait, in bytes of plain
/// text.
const LITTLE: u64 = 64 * 1024;

/// Response headers that are kept and may contain anything.
const SAYS: [&str; 8] = [
    "accept-ranges",
    "allow",
    "cache-control",
    "etag",
    "server",
    "trailer",
    "vary",
    "via",
];

/// The part of a keeper on the exporter thread.
pub(super) struct Assembler {
    settings: Settings,
    exporter: Box<dyn Exporter>,
    counters: Arc<Counters>,
    waiting: Arc<Waiting>,
    environment: Environment,
    report: Report,
    /// Why the last flush failed, if it did.
    not_flushed: Option<String>,
    /// How many exchanges the exporter had accepted at its last flush.
    flushed: u64,
    shares: Shares,
    recent: Recent,
    sites: Sites,
}

impl Assembler {
    pub(super) fn new(
        settings: &Settings,
        exporter: Box<dyn Exporter>,
        (counters, waiting): (Arc<Counters>, Arc<Waiting>),
    ) -> Self {
        let this = Self {
            settings: settings.clone(),
            exporter,
            counters,
            waiting,
            environment: Environment {
                dashcam: env!("CARGO_PKG_VERSION").to_owned(),
                pid: std::process::id(),
                platform: format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH),
            },
            report: Report::default(),
            not_flushed: None,
            flushed: 0,
            shares: Shares::default(),
            recent: Recent::default(),
            sites: Sites::new(),
        };
        // Makes an unusable exporter visible in `status` from the start.
        let begin = || {
            this.counters.note_directory(this.exporter.directory());
            this.note_health();
        };
        if foreign::run(begin).is_none() {
            add(&this.counters.exporter_panics);
        }
        this
    }

    /// Calls the exporter, and records its result or its error.
    fn call(
        &mut self,
        call: impl FnOnce(&mut dyn Exporter) -> Result<(), ExportError>,
    ) -> Result<(), String> {
        let result = foreign::run(|| {
            // The `Display` and the drop of its error are foreign code.
            call(&mut *self.exporter).map_err(|error| text_of(&error))
        });
        let result = result.unwrap_or_else(|| {
            add(&self.counters.exporter_panics);
            Err("the exporter panicked".to_owned())
        });
        if let Err(why) = &result {
            self.counters.report().why = Some(why.clone());
        }
        result
    }

    /// Updates the exporter's health.
    fn note_health(&self) {
        let backlog = Backlog {
            held: self.exporter.held(),
            lost: self.exporter.lost(),
        };
        self.counters.note_backlog(backlog);
        let mut health = self.exporter.health();
        if let (Health::Ok, Some(why)) = (&health, &self.not_flushed) {
            health = Health::Degraded { why: why.clone() };
        }
        self.counters.note_health(health);
        self.counters.note_warnings(self.exporter.warnings());
        self.counters.tell();
    }

    fn exchange(&mut self, kept: &Kept) -> Exchange {
        let shared = kept.context.shared();
        // Redaction takes time, and other code of the request may still run: everything is
        // copied or taken first, so that no thread waits for a lock.
        let salt = shared.hiding.salt();
        let mut redactor = Redactor::new(&self.settings.policy)
            .of(salt)
            .named(kept.context.correlation_id().as_str());
        let mut missing = Vec::new();
        let request_body = shared.captured.request_body().snapshot();
        let response_body = shared.captured.response_body().snapshot();
        let heads = shared.captured.heads().clone();
        let (facts, panic, error, asked) = {
            let notes = shared.notes();
            (
                notes.facts.clone(),
                notes.panic.clone(),
                notes.error.clone(),
                notes.keep.clone(),
            )
        };
        // First, so that a fact has the same hash as the same value elsewhere.
        let mut facts: BTreeMap<String, Value> = facts
            .into_iter()
            .map(|(name, value)| {
                let value = redactor.fact(&name, &value);
                (name.into_owned(), Value::String(value))
            })
            .collect();
        let recording = &*kept.recording;
        let id = kept.context.correlation_id().as_str();
        let fields = |redactor: &mut Redactor<'_>, fields: &HeaderFields| {
            self.header_fields(redactor, fields, id)
        };

        let head = &heads.request;
        let route = shared.route();
        let called = grpc::method(&heads, &response_body, route);
        let mut request = Request {
            method: method(&mut redactor, &head.method),
            scheme: scheme(&head.uri),
            authority: authority(&mut redactor, &head.uri),
            path: redactor.path(head.uri.path(), called.as_deref().or(route)),
            route: route.map(str::to_owned),
            query: head.uri.query().map(|query| redactor.query(query)),
            version: version(head.version),
            headers: fields(&mut redactor, &head.fields),
            body: body(
                &mut redactor,
                &request_body,
                &head.fields,
                Side::Request,
                kept,
            ),
            trailers: fields(&mut redactor, &request_body.trailers),
        };
        fit(&mut request.headers, &request.body);
        note_memory(&mut missing, "request.body", &request_body);

        let head = &heads.response;
        // The service's messages about a failure come when all values are known.
        let answer = says_what_failed(kept.ended.direction, head, &response_body);
        let mut response = if let Some(answer) = answer {
            redactor.answering(Voice::Unheard(answer), |redactor| {
                redactor.quietly(|redactor| {
                    self.response(redactor, kept, &heads, &response_body);
                });
            });
            None
        } else {
            self.response(&mut redactor, kept, &heads, &response_body)
        };
        note_memory(&mut missing, "response.body", &response_body);
        if let Some(why) = response_body.status_unread {
            missing.push(Missing {
                what: "response.grpc_status".to_owned(),
                why: why.to_owned(),
            });
        }

        let started = shared.began.at;
        let timing = Timing {
            duration_us: micros(kept.ended.duration),
            request_first_byte_us: request_body.first_byte.map(|at| since(started, at)),
            request_last_byte_us: request_body
                .last_byte
                .filter(|_| request_body.polled)
                .map(|at| since(started, at)),
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
            suppressed_first_at: kept.suppressed_between.map(|(first, _)| time_text(first)),
            suppressed_last_at: kept.suppressed_between.map(|(_, last)| time_text(last)),
            kept_one_in: (kept.one_in > 1).then_some(kept.one_in),
            causes_unknown: [request_body.ending.as_ref(), response_body.ending.as_ref()]
                .into_iter()
                .filter_map(|ending| match ending? {
                    Ending::Error(said) => Some(said),
                    _ => None,
                })
                .chain(&error)
                .filter(|said| said.lacks_causes())
                .count() as u64,
            ..Losses::default()
        };
        let request_error = ending_text(&request_body);
        let response_error = ending_text(&response_body);

        events::remember_fields(&mut redactor, recording, &mut self.sites);
        // From here on all values to hide are known.
        let waited = started.elapsed().saturating_sub(kept.ended.duration);
        let mut scrubber = Self::scrubber(&mut self.recent, redactor, kept);
        if !self.shares.may_have(client(kept), waited) {
            scrubber = scrubber.with_work(LITTLE);
        }
        if let Some(answer) = answer {
            let policy = &self.settings.policy;
            let mut redactor = Redactor::hearing(policy, answer, &scrubber);
            response = self.response(&mut redactor, kept, &heads, &response_body);
        }
        let said = |said: &Said| {
            let (text, cut) = (said.text(), said.is_cut());
            scrubber.shown(text.as_str(), text.runtime(), cut)
        };
        // A name that is kept because of its place may be a value that is hidden elsewhere.
        if !is_known(&heads.request.method) {
            name_at(&scrubber, &mut request.method);
        }
        if called.is_some() {
            let parts = request.path.split('/').map(|part| {
                let mut part = part.to_owned();
                name_at(&scrubber, &mut part);
                part
            });
            request.path = parts.collect::<Vec<_>>().join("/");
        }
        // So may a fact that is kept.
        for fact in facts.values_mut() {
            if let Value::String(fact) = fact {
                let (text, cut) = shown_of_fact(fact);
                *fact = scrubber.shown(text, iter::once(0..text.len()), cut);
            }
        }

        let (events, decisions) =
            events::render(recording, &scrubber, started, kept.depth, &mut self.sites);
        losses.events_dropped = recording.dropped();
        losses.values_cut = recording.cut();
        if recording.refused() {
            missing.push(Missing {
                what: "events".to_owned(),
                why: "memory_budget".to_owned(),
            });
        }
        if let Some(shortage) = { shared.notes().chosen.shortage } {
            missing.push(Missing {
                what: shortage.what().to_owned(),
                why: "verbose_budget".to_owned(),
            });
        }
        if kept.bodiless && kept.depth == Depth::Full {
            missing.push(Missing {
                what: "bodies".to_owned(),
                why: "rule".to_owned(),
            });
        }
        if kept.calls_lost > 0 {
            missing.push(Missing {
                what: format!("{} calls that it made", kept.calls_lost),
                why: "limit".to_owned(),
            });
        }
        if kept.depth == Depth::Heads {
            missing.push(Missing {
                what: "bodies and events below INFO".to_owned(),
                why: "failure_storm".to_owned(),
            });
        }
        let mut exchange = Exchange {
            schema: Exchange::SCHEMA.to_owned(),
            id: kept.id.clone(),
            direction: kept.ended.direction,
            continues: kept.continues.clone(),
            service: self.settings.service.clone(),
            correlation: correlation(&kept.context),
            started_at: time_text(shared.began.time),
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
            panic: panic.map(|note| panic_of(note, &said)),
            error: error.as_ref().map(said),
            decisions,
            events,
            losses,
            missing,
            redaction: Redaction {
                policy: self.settings.policy.name().to_owned(),
                key_id: self.settings.policy.key_id().to_owned(),
                salt: Some(salt.to_string()),
            },
            environment: self.environment.clone(),
        };
        set_error(&mut exchange.request.body, request_error.as_ref().map(said));
        if let Some(response) = &mut exchange.response {
            set_error(&mut response.body, response_error.as_ref().map(said));
        }
        for reason in &mut exchange.keep {
            if let KeepReason::Asked { why } | KeepReason::Condition { why } = reason {
                let literal = asked.iter().find(|asked| *asked == why);
                let said = literal.map_or_else(|| Said::of(&*why), Said::of);
                let text = said.text();
                let cut = why.len() > MAX_KEEP_LEN;
                *why = scrubber.shown(text.as_str(), text.runtime(), cut);
            }
        }
        // The allow-list keeps `server`, whatever its value is.
        if let Some(response) = &mut exchange.response {
            for (name, value) in response.headers.iter_mut().chain(&mut response.trailers) {
                if SAYS.contains(&name.as_str()) {
                    *value = scrubber.shown(value, iter::once(0..value.len()), false);
                }
            }
        }
        exchange.losses.texts_withheld = scrubber.given_up();
        exchange
    }

    fn response(
        &self,
        redactor: &mut Redactor<'_>,
        kept: &Kept,
        heads: &CaptureHeads,
        tee: &BodySnapshot,
    ) -> Option<Response> {
        let id = kept.context.correlation_id().as_str();
        let head = &heads.response;
        head.at?;
        let mut response = Response {
            status: head.status.as_u16(),
            grpc_status: tee.status.or(head.fields.grpc_status()),
            version: version(head.version),
            headers: self.header_fields(redactor, &head.fields, id),
            body: body(
                redactor,
                tee,
                &head.fields,
                Side::Response {
                    status: head.status,
                    to: &heads.request.method,
                },
                kept,
            ),
            trailers: self.header_fields(redactor, &tee.trailers, id),
        };
        fit(&mut response.headers, &response.body);
        Some(response)
    }

    /// Returns the scrubber of the exchange's texts: a request and its calls hide the same
    /// values.
    fn scrubber(recent: &mut Recent, mut redactor: Redactor<'_>, kept: &Kept) -> Scrubber {
        match &kept.caller {
            Some(caller) => {
                let family = know(redactor.policy(), recent, caller);
                family.with(redactor.into_hidden())
            }
            None => {
                redactor.quietly(|redactor| {
                    for call in kept.context.shared().calls() {
                        remember_one(redactor, &call, Direction::Client);
                    }
                });
                redactor.into_scrubber()
            }
        }
    }

    fn header_fields(
        &self,
        redactor: &mut Redactor<'_>,
        fields: &HeaderFields,
        id: &str,
    ) -> Vec<(String, String)> {
        fields
            .iter()
            .map(|(name, value, sensitive)| {
                // Only the accepted ID is public; another value of its header is not.
                let ours =
                    name == self.settings.correlation_header.as_str() && value == id.as_bytes();
                let value = if ours {
                    id.to_owned()
                } else {
                    redactor.header(name, value, sensitive)
                };
                (name.to_owned(), value)
            })
            .collect()
    }
}

impl Handler<Job> for Assembler {
    fn handle(&mut self, job: Job) {
        let kept = match job {
            Job::Keep(kept) => kept,
            // Not a panic of the exporter.
            Job::Run(f) => return foreign::run(f).unwrap_or_default(),
        };
        let began = Instant::now();
        let client = client(&kept);
        let exchange = self.exchange(&kept);
        self.shares.spend(client, began.elapsed());
        if let (Some(span), Some(limit)) = (&kept.span, self.settings.span_bodies) {
            span.add_bodies(&exchange, limit);
        }
        // The request's memory is released before the exporter may block.
        drop(kept);
        add(match self.call(|exporter| exporter.export(&exchange)) {
            Ok(()) => &self.counters.exported,
            Err(_) => &self.counters.export_failed,
        });
        self.note_health();
    }

    fn flush(&mut self) -> bool {
        self.not_flushed = self.call(Exporter::flush).err();
        let taken = self.counters.exported.load(Relaxed);
        let unflushed = if self.not_flushed.is_some() {
            add(&self.counters.flushes_failed);
            taken.saturating_sub(self.flushed)
        } else {
            self.flushed = taken;
            0
        };
        self.counters.unflushed.store(unflushed, Relaxed);
        self.note_health();
        #[cfg(feature = "metrics")]
        self.report.measure(&self.counters);
        self.not_flushed.is_none() && self.counters.backlog().held == 0
    }

    fn end(&mut self) {
        if let Some(farewell) = self.counters.farewell() {
            farewell.say();
        }
    }

    fn tick(&mut self) {
        self.waiting.relieve();
        let tick = || {
            self.exporter.tick();
            self.note_health();
        };
        // Losses are reported whatever the exporter does.
        if foreign::run(tick).is_none() {
            add(&self.counters.exporter_panics);
        }
        self.report.tick(&self.counters);
    }

    fn idle(&mut self) -> bool {
        self.exporter.idle()
    }
}

fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}

/// Returns the failure and its sources, for a log line.
fn text_of(error: &ExportError) -> String {
    /// An error may be its own source.
    const CAUSES: usize = 8;

    let mut text = error.to_string();
    let causes = iter::successors(error.source(), |cause| (*cause).source());
    for cause in causes.take(CAUSES) {
        text.push_str(": ");
        text.push_str(&cause.to_string());
    }
    text
}

/// The peer of the request, or of the request that made the call.
fn client(kept: &Kept) -> u128 {
    let context = kept.caller.as_ref().unwrap_or(&kept.context);
    context.shared().captured.heads().client
}

fn correlation(context: &RequestContext) -> Correlation {
    let identity = context.shared().identified.get();
    let trace = context.trace_context();
    let source = if identity.from_header {
        CorrelationSource::Header
    } else if trace.parent_id().is_some()
        && trace.trace_id().to_hex() == context.correlation_id().as_str().as_bytes()
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
        trace_id: Some(trace.trace_id().to_string()),
        parent_id: trace.parent_id().map(|id| id.to_string()),
        span_id: Some(trace.span_id().to_string()),
        client_trace_id: trace.client_parent().map(|p| p.trace_id.to_string()),
        client_parent_id: trace.client_parent().map(|p| p.parent_id.to_string()),
    }
}

fn mode(shared: &Shared) -> Mode {
    {
        if let Some(selected) = shared.in_force.live.get() {
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

/// Registered methods (RFC 9110, section 16.1), and those of caches and devices.
const METHODS: [&str; 46] = [
    "ACL",
    "BASELINE-CONTROL",
    "BIND",
    "CHECKIN",
    "CHECKOUT",
    "CONNECT",
    "COPY",
    "DELETE",
    "GET",
    "HEAD",
    "LABEL",
    "LINK",
    "LOCK",
    "M-SEARCH",
    "MERGE",
    "MKACTIVITY",
    "MKCALENDAR",
    "MKCOL",
    "MKREDIRECTREF",
    "MKWORKSPACE",
    "MOVE",
    "NOTIFY",
    "OPTIONS",
    "ORDERPATCH",
    "PATCH",
    "POST",
    "PRI",
    "PROPFIND",
    "PROPPATCH",
    "PURGE",
    "PUT",
    "QUERY",
    "REBIND",
    "REPORT",
    "SEARCH",
    "SOURCE",
    "SUBSCRIBE",
    "TRACE",
    "UNBIND",
    "UNCHECKOUT",
    "UNLINK",
    "UNLOCK",
    "UNSUBSCRIBE",
    "UPDATE",
    "UPDATEREDIRECTREF",
    "VERSION-CONTROL",
];

/// Returns the method as received; one that no standard is likely to name is text of the
/// client. A router treats registered names in lower case as other methods, but they are
/// not secret.
fn method(redactor: &mut Redactor<'_>, method: &Method) -> String {
    let text = method.as_str();
    let likely = text.len() <= 20 && text.bytes().all(|b| b.is_ascii_uppercase() || b == b'-');
    if likely || is_known(method) {
        text.to_owned()
    } else {
        redactor.header("method", text.as_bytes(), true)
    }
}

fn is_known(method: &Method) -> bool {
    let text = method.as_str();
    METHODS.iter().any(|known| known.eq_ignore_ascii_case(text))
}

/// Returns the placeholder of a name that is a value hidden elsewhere.
fn name_at(scrubber: &Scrubber, name: &mut String) {
    if !name.is_empty() && !name.starts_with("[~") {
        *name = scrubber.shown(name, iter::once(0..name.len()), false);
    }
}

fn scheme(uri: &Uri) -> Option<String> {
    let scheme = uri.scheme_str()?;
    matches!(scheme, "http" | "https").then(|| scheme.to_owned())
}

/// Returns host and port by the rules for the header `host`, without user information.
fn authority(redactor: &mut Redactor<'_>, uri: &Uri) -> Option<String> {
    redactor.user_of(uri);
    let host = uri.host()?;
    let authority = match uri.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    };
    Some(redactor.header("host", authority.as_bytes(), false))
}

fn version(version: Version) -> String {
    format!("{version:?}")
}

/// Builds the record of a panic, and of the one during its unwinding.
fn panic_of(note: PanicNote, said: &impl Fn(&Said) -> String) -> Panic {
    Panic {
        message: note
            .message
            .as_ref()
            .map_or_else(|| "(not a text)".to_owned(), said),
        location: note.location,
        second: note.second.map(|second| Box::new(panic_of(*second, said))),
    }
}

fn micros(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn since(start: Instant, at: Instant) -> u64 {
    micros(at.saturating_duration_since(start))
}
