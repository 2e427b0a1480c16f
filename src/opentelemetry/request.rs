//! The request's own span: its parent, its IDs, and its attributes by the semantic
//! conventions for HTTP servers.

use super::ids::starting;
use crate::{
    context::{RequestContext, TracedSpan},
    exchange::{Body, BodyState, Content, Exchange, Failure, Outcome, scheme},
    foreign, id as ours,
    redact::{Policy, Redactor, Salt},
};
use ::opentelemetry::{
    Context, KeyValue,
    trace::{SpanContext, SpanId, Status, TraceContextExt, TraceFlags, TraceId, TraceState},
};
use http::{HeaderName, StatusCode, Uri, Version, header, request::Parts};
use std::{borrow::Cow, sync::LazyLock};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// Without a capturing layer there is no policy.
static STRICT: LazyLock<Policy> = LazyLock::new(Policy::strict);

/// The parts of a request that its span has.
pub(crate) struct Arrival<'r> {
    /// As the conventions define it.
    pub(crate) method: &'r str,
    pub(crate) parts: &'r Parts,
    pub(crate) uri: &'r Uri,
    pub(crate) policy: Option<&'r Policy>,
}

/// The span of a request, if it is recorded.
#[derive(Debug)]
pub(crate) struct RequestSpan {
    /// Held, so that the span does not close.
    span: Span,
    context: Context,
}

/// Starts a request's span if OpenTelemetry is in use, and takes its IDs.
pub(crate) fn start(span: &Span, request: &RequestContext, arrival: &Arrival<'_>) {
    // Without the layer, nothing else happens.
    if span.set_parent(Context::new()).is_err() {
        return;
    }
    let trace = request.trace_context();
    let state = trace.trace_state().and_then(|state| state.to_str().ok());
    let state = state.and_then(|state| state.parse::<TraceState>().ok());
    let sent = state.as_ref().map(TraceState::header);
    let _ = span.set_parent(parent(trace, state));

    let route = request.shared().route();
    span.record("otel.kind", "server");
    span.record("otel.name", &*name(arrival.method, route));
    for attribute in arrival.for_samplers(route) {
        span.set_attribute(attribute.key, attribute.value);
    }
    let context = {
        // A sampler checks whether the request is selected.
        let _entered = request.enter();
        let trace_id = TraceId::from_bytes(trace.trace_id().to_bytes());
        starting(trace_id, || span.context())
    };
    take_ids(request, context.span().span_context(), sent);
    if !context.span().is_recording() {
        return;
    }
    let redacted = arrival.redacted(route, request.shared().hiding.salt());
    context.span().set_attributes(redacted);
    request.shared().notes().span = Some(Box::new(RequestSpan {
        span: span.clone(),
        context,
    }));
}

impl Drop for RequestSpan {
    fn drop(&mut self) {
        // Dropping them may end the span, which runs code of layers and processors.
        foreign::discard(std::mem::replace(&mut self.span, Span::none()));
        foreign::discard(std::mem::take(&mut self.context));
    }
}

impl TracedSpan for RequestSpan {
    fn again(&self) -> Box<dyn TracedSpan> {
        Box::new(Self {
            span: self.span.clone(),
            context: self.context.clone(),
        })
    }

    fn answered(&self, status: StatusCode, judged: bool) {
        let code = i64::from(status.as_u16());
        let code = KeyValue::new("http.response.status_code", code);
        self.context.span().set_attribute(code);
        if !judged && status.is_server_error() {
            self.fail(Cow::Owned(status.as_u16().to_string()));
        }
    }

    fn ended(
        &self,
        (outcome, status): (&Outcome, Option<StatusCode>),
        left: bool,
        kept: bool,
        selected: Option<String>,
    ) {
        let span = self.context.span();
        span.set_attribute(KeyValue::new("dashcam.outcome", outcome.as_str()));
        span.set_attribute(KeyValue::new("dashcam.kept", kept));
        if let Some(by) = selected {
            span.set_attribute(KeyValue::new("dashcam.selected", by));
        }
        let server_error = status.filter(StatusCode::is_server_error);
        let error: Option<Cow<'static, str>> = match outcome {
            Outcome::Completed => server_error.map(|s| s.as_u16().to_string().into()),
            Outcome::Failed { failure } => match failure {
                // The conventions leave the status unset for errors of the client.
                Failure::Status(code) if *code < 500 => None,
                Failure::Status(code) | Failure::Grpc(code) => Some(code.to_string().into()),
                Failure::NoStatus => Some("no_status".into()),
                Failure::BodyLength => Some("body_length".into()),
                Failure::ServiceError => Some("service_error".into()),
                Failure::Custom(name) => Some(name.clone().into()),
            },
            Outcome::Open => None,
            Outcome::Abandoned if left => None,
            Outcome::Panicked | Outcome::BodyError | Outcome::Abandoned => {
                Some(outcome.as_str().into())
            }
        };
        if let Some(error) = error {
            self.fail(error);
        }
    }

    fn add_bodies(&self, exchange: &Exchange, limit: usize) {
        let span = self.context.span();
        let response = exchange.response.as_ref().map(|response| &response.body);
        let request = BodyNames {
            content: "http.request.body.content",
            size: "http.request.body.size",
            state: "dashcam.request.body.state",
        };
        span.set_attributes(request.attributes(&exchange.request.body, limit));
        if let Some(body) = response {
            let response = BodyNames {
                content: "http.response.body.content",
                size: "http.response.body.size",
                state: "dashcam.response.body.state",
            };
            span.set_attributes(response.attributes(body, limit));
        }
    }
}

impl RequestSpan {
    fn fail(&self, error: Cow<'static, str>) {
        let span = self.context.span();
        span.set_attribute(KeyValue::new("error.type", error));
        // The attributes have the reason.
        span.set_status(Status::error(""));
    }
}

/// The attributes of one body, with the names of its side.
struct BodyNames {
    content: &'static str,
    size: &'static str,
    state: &'static str,
}

impl BodyNames {
    fn attributes(&self, body: &Body, limit: usize) -> Vec<KeyValue> {
        let size = i64::try_from(body.seen).unwrap_or(i64::MAX);
        let mut attributes = vec![KeyValue::new(self.size, size)];
        let mut state = match &body.state {
            BodyState::Complete => "complete",
            BodyState::Truncated => "truncated",
            BodyState::Unread => "unread",
            BodyState::PartlyRead => "partly_read",
            BodyState::Aborted => "aborted",
            BodyState::Error { .. } => "error",
            BodyState::Skipped { .. } => "skipped",
            BodyState::None => "none",
            BodyState::Stream => "stream",
            BodyState::Open => "open",
        };
        if let Some(Content::Text { text, unparsed }) = &body.content {
            let mut end = limit.min(text.len());
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            if end < text.len() || *unparsed > 0 {
                state = "truncated";
            }
            let text = text.get(..end).unwrap_or_default().to_owned();
            attributes.push(KeyValue::new(self.content, text));
        }
        attributes.push(KeyValue::new(self.state, state));
        attributes
    }
}

/// The parent of the request's span. A span of an outer layer in the same trace stays the
/// parent. No span overrides an inbound trace, and no untrusted trace is continued.
fn parent(trace: &ours::TraceContext, state: Option<TraceState>) -> Context {
    let current = Context::current();
    let current = if current.has_active_span() {
        current
    } else {
        Span::current().context()
    };
    let outer = {
        let span = current.span();
        let outer = span.span_context();
        (outer.is_valid() && !outer.is_remote()).then(|| outer.trace_id().to_bytes())
    };
    let stranger = trace.client_parent().map(|p| p.trace_id.to_bytes());
    match (trace.parent_id(), outer) {
        (Some(_), Some(outer)) if outer == trace.trace_id().to_bytes() => current,
        (Some(parent_id), _) => current.with_remote_span_context(SpanContext::new(
            TraceId::from_bytes(trace.trace_id().to_bytes()),
            SpanId::from_bytes(parent_id.to_bytes()),
            TraceFlags::new(trace.flags().bits()),
            true,
            state.unwrap_or_default(),
        )),
        (None, Some(outer)) if Some(outer) != stranger => current,
        (None, _) => Context::new(),
    }
}

/// Gives the request the IDs of its span.
fn take_ids(request: &RequestContext, own: &SpanContext, sent: Option<String>) {
    let (Some(trace_id), Some(span_id)) = (
        ours::TraceId::from_bytes(own.trace_id().to_bytes()),
        ours::SpanId::from_bytes(own.span_id().to_bytes()),
    ) else {
        return;
    };
    let trace = request.trace_context();
    let mut flags = own.trace_flags().to_u8() & ours::TraceFlags::SAMPLED.bits();
    let known = if trace_id == trace.trace_id() {
        trace.flags().bits()
    } else {
        own.trace_flags().to_u8()
    };
    flags |= known & ours::TraceFlags::RANDOM.bits();
    let state = own.trace_state().header();
    let changed = (sent.unwrap_or_default() != state).then_some(&*state);
    let flags = ours::TraceFlags::from_bits(flags);
    let trace = trace.with_span(trace_id, span_id, flags, changed, innermost);
    request.shared().identified.note_traced(trace);
}

/// The innermost current span in this trace, and its flags.
fn innermost(trace_id: ours::TraceId) -> Option<(ours::SpanId, ours::TraceFlags)> {
    Context::map_current(|context| {
        let span = context.span();
        let innermost = span.span_context();
        if innermost.trace_id().to_bytes() != trace_id.to_bytes() || innermost.is_remote() {
            return None;
        }
        let span_id = ours::SpanId::from_bytes(innermost.span_id().to_bytes())?;
        let flags = ours::TraceFlags::from_bits(innermost.trace_flags().to_u8());
        Some((span_id, flags))
    })
}

/// `{method} {route}`, with `HTTP` for an unknown method.
fn name(method: &str, route: Option<&str>) -> String {
    let method = if method == "_OTHER" { "HTTP" } else { method };
    match route {
        Some(route) => format!("{method} {route}"),
        None => method.to_owned(),
    }
}

impl Arrival<'_> {
    fn policy(&self) -> &Policy {
        self.policy.unwrap_or(&STRICT)
    }

    /// The attributes that are known before the span starts.
    fn for_samplers(&self, route: Option<&str>) -> Vec<KeyValue> {
        let mut attributes = vec![
            KeyValue::new("http.request.method", self.method.to_owned()),
            KeyValue::new("url.scheme", self.scheme().to_owned()),
        ];
        if let Some(route) = route {
            attributes.push(KeyValue::new("http.route", route.to_owned()));
        }
        if let Some((host, port)) = self.host() {
            attributes.push(KeyValue::new("server.address", host));
            if let Some(port) = port {
                attributes.push(KeyValue::new("server.port", i64::from(port)));
            }
        }
        attributes
    }

    /// The attributes that need redaction, which a dropped span is spared.
    fn redacted(&self, route: Option<&str>, salt: Salt) -> Vec<KeyValue> {
        let mut redactor = Redactor::new(self.policy()).of(salt);
        let mut attributes = vec![KeyValue::new(
            "url.path",
            redactor.path(self.uri.path(), route),
        )];
        let mut add = |name, value: String| attributes.push(KeyValue::new(name, value));
        if let Some(query) = self.uri.query() {
            add("url.query", redactor.query(query));
        }
        let method = self.parts.method.as_str();
        if method != self.method {
            let plain =
                method.len() <= 20 && method.bytes().all(|b| b.is_ascii_uppercase() || b == b'-');
            let text = if plain {
                method.to_owned()
            } else {
                redactor.header("method", method.as_bytes(), true)
            };
            add("http.request.method_original", text);
        }
        if let Some(version) = version(self.parts.version) {
            add("network.protocol.version", version.to_owned());
        }
        if let Some(agent) = self.allowed(&mut redactor, &header::USER_AGENT) {
            add("user_agent.original", agent);
        }
        attributes
    }

    /// The only value of a header, if the policy shows all of it.
    fn allowed(&self, redactor: &mut Redactor<'_>, name: &HeaderName) -> Option<String> {
        let mut values = self.parts.headers.get_all(name).iter();
        let value = values.next().filter(|_| values.next().is_none())?;
        let text = std::str::from_utf8(value.as_bytes()).ok()?;
        let shown = redactor.header(name.as_str(), value.as_bytes(), value.is_sensitive());
        (shown == text).then_some(shown)
    }

    /// A service that terminates TLS itself with HTTP/1.1 cannot be distinguished from one
    /// without TLS.
    fn scheme(&self) -> &'static str {
        let forwarded = self.parts.headers.get("x-forwarded-proto");
        let forwarded = forwarded.and_then(|value| value.to_str().ok());
        scheme(forwarded, self.uri.scheme_str())
    }

    /// The host that the client addressed, if the policy shows it.
    fn host(&self) -> Option<(String, Option<u16>)> {
        let mut redactor = Redactor::new(self.policy());
        let authority = match self.uri.authority() {
            Some(authority) => {
                let text = authority.as_str();
                let shown = redactor.header("host", text.as_bytes(), false);
                (shown == text).then(|| authority.clone())
            }
            None => self
                .allowed(&mut redactor, &header::HOST)
                .and_then(|host| host.parse().ok()),
        }?;
        let host = authority.host();
        let plain = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        Some((plain.unwrap_or(host).to_owned(), authority.port_u16()))
    }
}

fn version(version: Version) -> Option<&'static str> {
    Some(match version {
        Version::HTTP_09 => "0.9",
        Version::HTTP_10 => "1.0",
        Version::HTTP_11 => "1.1",
        Version::HTTP_2 => "2",
        Version::HTTP_3 => "3",
        _ => return None,
    })
}
