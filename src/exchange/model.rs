use super::{Body, KeepReason, Outcome};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The record of one request.
///
/// Times named `*_at` are RFC 3339 in UTC with microseconds. Times named `*_us` are
/// microseconds since [`started_at`](Self::started_at) on the monotonic clock.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Exchange {
    /// [`SCHEMA`](Self::SCHEMA).
    pub schema: String,
    /// The ID of this exchange, a UUIDv7. Exchanges with one correlation ID have different IDs.
    pub id: String,
    /// Whether the service answered the request, or made it.
    #[serde(default)]
    pub direction: Direction,
    /// The ID of the interim exchange that this one continues: one of the same request,
    /// written while the request still ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continues: Option<String>,
    /// The service that wrote the exchange.
    pub service: Service,
    /// The correlation ID and the trace, and where they came from.
    pub correlation: Correlation,
    /// The time at which the request reached the layer.
    pub started_at: String,
    /// When the parts of the request happened.
    pub timing: Timing,
    /// The number of requests in this layer when this one arrived, itself included.
    pub in_flight: u64,
    /// How the request ended.
    pub outcome: Outcome,
    /// Whether the response head took longer than the configured threshold.
    pub slow: bool,
    /// Why the exchange was kept; never empty.
    pub keep: Vec<KeepReason>,
    /// Whether the request's events were recorded or shown live.
    pub mode: Mode,
    /// How much of the exchange was kept.
    pub depth: Depth,
    /// Facts that the service set on the request, redacted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub facts: BTreeMap<String, Value>,
    /// The request.
    pub request: Request,
    /// The response; absent if the service produced none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<Response>,
    /// The panic, if the service panicked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub panic: Option<Panic>,
    /// The text of the error that the service returned instead of a response, redacted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The decision points of the service, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub decisions: Vec<Decision>,
    /// The events recorded in the request, in order, at every recorded level.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<Event>,
    /// Counts of what was lost.
    #[serde(default)]
    pub losses: Losses,
    /// The parts that are not in the exchange, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Missing>,
    /// How the values were redacted.
    pub redaction: Redaction,
    /// The process that wrote the exchange.
    pub environment: Environment,
}

impl Exchange {
    /// Name and version of the format, `dashcam.exchange/1`. The number changes when readers
    /// have to change.
    pub const SCHEMA: &str = "dashcam.exchange/1";
}

/// The side of the connection that the service was on.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Direction {
    /// The service answered the request.
    #[default]
    Server,
    /// The service sent the request with a client.
    Client,
}

/// A service and its version.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Service {
    /// The name, as in OpenTelemetry's `service.name`.
    pub name: String,
    /// The version, as in `service.version`.
    pub version: String,
}

/// The correlation ID, the trace, and their origin.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Correlation {
    /// The correlation ID.
    pub id: String,
    /// Where the correlation ID came from.
    pub source: CorrelationSource,
    /// The ID that an outside client sent, kept beside the service's own in edge mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Why an inbound ID was rejected; never the value itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected: Option<String>,
    /// The W3C trace ID, 32 hex digits, of the inbound `traceparent` or of a trace that
    /// starts here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// The W3C parent ID of the inbound `traceparent`, 16 hex digits; absent if the trace
    /// starts here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<String>,
    /// The ID of the request's own span in that trace, 16 hex digits, as in log lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span_id: Option<String>,
    /// The trace ID that an outside client sent, kept beside the service's own in edge mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_trace_id: Option<String>,
    /// The parent ID that came with `client_trace_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_parent_id: Option<String>,
}

/// The origin of a correlation ID.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CorrelationSource {
    /// The request's header for it.
    Header,
    /// The trace ID of a valid `traceparent`.
    Traceparent,
    /// The service made it.
    Minted,
}

/// When the parts of one request happened, in microseconds since the request started.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Timing {
    /// The end of the exchange.
    pub duration_us: u64,
    /// The read of the first data frame of the request body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_first_byte_us: Option<u64>,
    /// The end of the request body, or of reading it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_last_byte_us: Option<u64>,
    /// The response head.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers_us: Option<u64>,
    /// The first data frame of the response body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_byte_us: Option<u64>,
    /// The end of the response body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_byte_us: Option<u64>,
}

/// Whether a request's events were recorded or shown live.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Mode {
    /// No events were recorded: recording is switched off, or no gate is installed.
    Off,
    /// Events were recorded in memory.
    Recorded,
    /// Verbose events also reached the service's own output while the request ran.
    Live {
        /// The rule, token or header that selected the request.
        by: String,
    },
}

/// How much of an exchange was kept.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Depth {
    /// Heads, bodies, events.
    Full,
    /// Only heads, and events at INFO and above: the budget for full exchanges was used up.
    Heads,
}

/// The request.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Request {
    /// The method. A placeholder replaces one that no standard is likely to name.
    pub method: String,
    /// `http` or `https`, if the request's target has it, as in HTTP/2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheme: Option<String>,
    /// Host and port, if the request's target has them, as in HTTP/2. In HTTP/1.1 they are in
    /// the header `host`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
    /// The path without the query, redacted.
    pub path: String,
    /// The route template, if the router set it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// The query string, redacted, without `?`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// `HTTP/1.1`, `HTTP/2.0`, …
    pub version: String,
    /// The names, in lower case, and redacted values of the header fields, in the order
    /// received.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Body,
    /// The names, in lower case, and redacted values of the trailer fields.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trailers: Vec<(String, String)>,
}

/// The response.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The gRPC status code: from the trailers, for gRPC-Web and streams of Connect from the
    /// last frame of the body, or else from the head.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grpc_status: Option<u16>,
    /// `HTTP/1.1`, `HTTP/2.0`, …
    pub version: String,
    /// The names, in lower case, and redacted values of the header fields.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Body,
    /// The names, in lower case, and redacted values of the trailer fields.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trailers: Vec<(String, String)>,
}

/// A panic of the service.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Panic {
    /// The panic message, redacted.
    pub message: String,
    /// File, line and column, if the panic hook of `init_tracing` is installed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// A second panic, in a destructor while this one unwound, which ended the process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second: Option<Box<Self>>,
}

/// A decision point of the service.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Decision {
    /// When it happened, in microseconds since the request started.
    pub at_us: u64,
    /// The name of the decision.
    pub name: String,
    /// The fields of the decision, redacted.
    pub fields: Map<String, Value>,
}

/// One recorded tracing event.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Event {
    /// When it happened, in microseconds since the request started.
    pub at_us: u64,
    /// The level, `TRACE` to `ERROR`.
    pub level: String,
    /// The target.
    pub target: String,
    /// The message, redacted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The other fields, redacted.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub fields: Map<String, Value>,
    /// Source file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Source line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The spans around the event, outermost first, without the request span.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spans: Vec<Span>,
    /// The thread that emitted the event, for the first 64 threads of a request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<Thread>,
    /// The ID of the tokio task that emitted the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<u64>,
    /// The number of events that were dropped between the one before and this one.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lost_before: u32,
    /// The number of values that were cut at the limit for one value, or left out.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub values_cut: u32,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // the signature that serde requires
fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// A thread of the service.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Thread {
    /// The number of the thread that formatting layers show.
    pub id: u64,
    /// The name, if the thread has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A span around an event.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Span {
    /// The name.
    pub name: String,
    /// The fields, redacted.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub fields: Map<String, Value>,
}

fn none(n: &u64) -> bool {
    *n == 0
}

/// Counts of what was lost on the way into the exchange.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Losses {
    /// Events dropped, oldest first, because the recording was full.
    pub events_dropped: u64,
    /// Events of tasks that outlived the request, counted until the exchange was written.
    pub events_late: u64,
    /// Values in events that were cut at the limit for one value.
    pub values_cut: u64,
    /// Header fields left out because the heads exceeded their limit.
    pub headers_dropped: u64,
    /// Texts that lost all parts that came at run time, because there were more values to
    /// look for in them than the limits allow.
    #[serde(default, skip_serializing_if = "none")]
    pub texts_withheld: u64,
    /// Errors whose causes could not be read because of their type. Only their own text is in
    /// the exchange.
    #[serde(default, skip_serializing_if = "none")]
    pub causes_unknown: u64,
    /// Exchanges with the same failure signature that were counted, and not written, since the
    /// last one that was written.
    pub suppressed_before: u64,
    /// When the first of those ended, RFC 3339 in UTC; absent if there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suppressed_first_at: Option<String>,
    /// When the last of those ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suppressed_last_at: Option<String>,
    /// The sample rate at that moment, if the exchange was sampled from the failures of its
    /// signature: one in so many was kept. Absent if it was kept in any case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept_one_in: Option<u64>,
}

/// A part that is not in the exchange.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Missing {
    /// The part (`request.body`, …).
    pub what: String,
    /// Why the part is missing.
    pub why: String,
}

/// How an exchange was redacted.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Redaction {
    /// The policy's name.
    pub policy: String,
    /// The ID of the key of the pseudonyms. Equal values have equal pseudonyms only under one
    /// key.
    pub key_id: String,
    /// The salt of the hashes of guessable values, 16 hex digits. A request and its calls
    /// share one. Equal guessable values have equal pseudonyms only under one salt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt: Option<String>,
}

/// The process that wrote an exchange.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Environment {
    /// The version of dashcam.
    pub dashcam: String,
    /// The process ID.
    pub pid: u32,
    /// The operating system and the architecture.
    pub platform: String,
}
