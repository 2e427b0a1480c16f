use super::{Body, KeepReason, Outcome};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The record of one request.
///
/// Times named `*_at` are RFC 3339 in UTC with microseconds; times named
/// `*_us` are microseconds since [`started_at`](Self::started_at), measured by
/// the monotonic clock.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Exchange {
    /// [`SCHEMA`](Self::SCHEMA).
    pub schema: String,
    /// Unique to this exchange (a UUIDv7); one correlation ID may have many.
    pub id: String,
    /// Whether the service answered the request, or made it.
    #[serde(default)]
    pub direction: Direction,
    /// The ID of the interim exchange that this one continues: that of the same
    /// request, written while it still ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continues: Option<String>,
    /// The service that wrote it.
    pub service: Service,
    /// The ID of the request's whole journey, and where it came from.
    pub correlation: Correlation,
    /// When the request reached the layer.
    pub started_at: String,
    /// Points in time of the request.
    pub timing: Timing,
    /// Requests in this layer when it arrived, itself included.
    pub in_flight: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether the response head took longer than the configured threshold.
    pub slow: bool,
    /// Why it was kept; never empty.
    pub keep: Vec<KeepReason>,
    /// What the tracing side did for this request.
    pub mode: Mode,
    /// How much of the exchange is here.
    pub depth: Depth,
    /// Facts that the service stated about the request, redacted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub facts: BTreeMap<String, Value>,
    /// The request.
    pub request: Request,
    /// The response; absent where none was produced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<Response>,
    /// The panic, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub panic: Option<Panic>,
    /// The service's error text, redacted, where it returned an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Decision points, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub decisions: Vec<Decision>,
    /// Events recorded in the request, in order, at every recorded level.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<Event>,
    /// What was lost.
    #[serde(default)]
    pub losses: Losses,
    /// What is not here and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Missing>,
    /// How values were redacted.
    pub redaction: Redaction,
    /// Where it happened.
    pub environment: Environment,
}

impl Exchange {
    /// Name and version of the format. The number changes when readers have to change.
    pub const SCHEMA: &str = "dashcam.exchange/1";
}

/// Which side of the connection the service was on.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Direction {
    /// It answered the request.
    #[default]
    Server,
    /// It made the request, with a client.
    Client,
}

/// A service and its version.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Service {
    /// Name, as in OpenTelemetry's `service.name`.
    pub name: String,
    /// Version, as in `service.version`.
    pub version: String,
}

/// The correlation ID and its origin.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Correlation {
    /// The ID.
    pub id: String,
    /// Where it came from.
    pub source: CorrelationSource,
    /// The ID a client outside sent, kept beside ours in edge mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Why an inbound ID was not accepted; never the value itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected: Option<String>,
    /// The W3C trace ID, 32 hex digits: that of the inbound `traceparent`, or of
    /// a trace started here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// The W3C parent ID of the inbound `traceparent`, 16 hex digits; none where
    /// the trace was started here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<String>,
    /// The ID of the request's own span in that trace, 16 hex digits, as log
    /// lines have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span_id: Option<String>,
    /// The trace ID that a client outside sent, kept beside ours in edge mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_trace_id: Option<String>,
    /// The parent ID that came with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_parent_id: Option<String>,
}

/// Where a correlation ID came from.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CorrelationSource {
    /// The request's own header.
    Header,
    /// The trace ID of a valid `traceparent`.
    Traceparent,
    /// Made here.
    Minted,
}

/// Points in time of one request, in microseconds since it started.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Timing {
    /// Until the exchange ended.
    pub duration_us: u64,
    /// Until the first data frame of the request body was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_first_byte_us: Option<u64>,
    /// Until the request body ended, or was not read any further.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_last_byte_us: Option<u64>,
    /// Until the response head was produced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers_us: Option<u64>,
    /// Until the first data frame of the response body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_byte_us: Option<u64>,
    /// Until the response body ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_byte_us: Option<u64>,
}

/// What the tracing side did for a request.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Mode {
    /// Nothing was recorded: switched off, or no gate is installed.
    Off,
    /// Events were recorded in memory.
    Recorded,
    /// Verbose events also reached the service's own output while it ran.
    Live {
        /// What selected the request.
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
    /// Heads and events at INFO or above only: the budget for full exchanges was used up.
    Heads,
}

/// The request.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Request {
    /// The method as it came; one that no standard is likely to name has a placeholder.
    pub method: String,
    /// `http` or `https`, where the request's target says it: HTTP/2 does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheme: Option<String>,
    /// Host and port, where the request's target names them: HTTP/2 does, in
    /// HTTP/1.1 they are in the header `host`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
    /// The path, redacted; no query.
    pub path: String,
    /// The route template, where the router told it.
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
    /// The gRPC status code, from the trailers, of gRPC-Web and of streams of Connect from
    /// the last frame of the body, or, where there were none, the head.
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
    /// File, line and column, where the panic hook of `init_tracing` saw them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// Another one, out of a destructor while this one unwound, which ended the process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second: Option<Box<Self>>,
}

/// A decision point of the service.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Decision {
    /// Microseconds since the request started.
    pub at_us: u64,
    /// The decision's name.
    pub name: String,
    /// Its fields, redacted.
    pub fields: Map<String, Value>,
}

/// One recorded tracing event.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Event {
    /// Microseconds since the request started.
    pub at_us: u64,
    /// `TRACE` to `ERROR`.
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
    /// The spans around it, outermost first, the request span left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spans: Vec<Span>,
    /// The thread that emitted it, for the first 64 threads of a request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<Thread>,
    /// The ID of the tokio task that emitted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<u64>,
    /// Events that were dropped between the one before and this one.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lost_before: u32,
    /// Values of it that were cut at the limit for one value, or left out.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub values_cut: u32,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // what serde asks for
fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// A thread of the service.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Thread {
    /// The number that formatting layers show for it.
    pub id: u64,
    /// Its name, where it has one.
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

/// What was lost on the way into the exchange; all zero where nothing was.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Losses {
    /// Oldest events dropped because the recording was full.
    pub events_dropped: u64,
    /// Events of stray tasks that came after the request had finished, as far
    /// as they were seen before the exchange was written.
    pub events_late: u64,
    /// Values in events that were cut at the limit for one value.
    pub values_cut: u64,
    /// Header fields left out because the heads were over their limit.
    pub headers_dropped: u64,
    /// Texts that lost all that came at run time: there was more to be looked for in
    /// them than the limits allow.
    #[serde(default, skip_serializing_if = "none")]
    pub texts_withheld: u64,
    /// Errors of a type whose causes nobody could be asked for: what is said of them is
    /// their own text alone.
    #[serde(default, skip_serializing_if = "none")]
    pub causes_unknown: u64,
    /// Exchanges with the same failure signature that were counted but not
    /// written since the last one that was.
    pub suppressed_before: u64,
    /// When the first of those ended, RFC 3339 in UTC; only where there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suppressed_first_at: Option<String>,
    /// When the last of them ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suppressed_last_at: Option<String>,
    /// Where it was drawn at random from the failures of its signature: one in so many
    /// was, at that moment. None where it was certain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept_one_in: Option<u64>,
}

/// Something that is not in the exchange.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Missing {
    /// Which part (`request.body`, …).
    pub what: String,
    /// Why it is not there.
    pub why: String,
}

/// How an exchange was redacted.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Redaction {
    /// The policy's name.
    pub policy: String,
    /// Names the key of the pseudonyms; equal values have equal pseudonyms
    /// under one key only.
    pub key_id: String,
    /// What the hashes of values that could be guessed were made with, 16 hex
    /// digits: equal ones have equal pseudonyms under one salt only, that of a
    /// request and its calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt: Option<String>,
}

/// Where an exchange was made.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Environment {
    /// The version of this crate.
    pub dashcam: String,
    /// Process ID.
    pub pid: u32,
    /// Operating system and architecture.
    pub platform: String,
}
