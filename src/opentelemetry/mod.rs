//! Beside `tracing-opentelemetry`: the request's span by the semantic conventions,
//! one set of IDs everywhere, a sampler, and replayed events with their own times.
//!
//! Nothing has to be switched on for the span and the IDs: they are there as soon
//! as the subscriber has the layer of `tracing-opentelemetry` 0.34. Without it the
//! feature costs a look for that layer per request.
//!
//! # The span
//!
//! The request span of this crate has the attributes of a server span in the
//! [semantic conventions for HTTP](https://opentelemetry.io/docs/specs/semconv/http/http-spans/)
//! (1.42), in their types; the stable ones, but for the addresses of client and
//! peer:
//!
//! | attribute | value |
//! |---|---|
//! | name | `{method} {route}`, without a route `{method}`; kind `SERVER` |
//! | `http.request.method` | the method, `_OTHER` where it is not known; the list can be replaced by `OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS` |
//! | `http.request.method_original` | that of `_OTHER` |
//! | `http.route` | the template, where the router says it |
//! | `url.scheme` | the first of `x-forwarded-proto`, whoever sent it, else that of the target, else `http` |
//! | `server.address`, `server.port` | from the target or `host`, where the policy shows that header; `forwarded` and `x-forwarded-host` are not believed |
//! | `url.path`, `url.query` | redacted, as in the exchange |
//! | `network.protocol.version` | `1.1`, `2` |
//! | `user_agent.original` | only where the policy shows all of it |
//! | `http.response.status_code` | a number |
//! | `error.type` | the status code from 500 on, a gRPC code, the name that the classifier gave, or `panicked`, `body_error`, `abandoned`, `service_error` |
//! | `correlation_id` | that of the request |
//! | `dashcam.outcome`, `dashcam.kept` | as in the request's log line |
//! | `dashcam.selected` | the rule or header that made it verbose |
//!
//! The status is `Error` where there is an `error.type`, and otherwise unset, for
//! 4xx too. `tracing-opentelemetry` sets it as well where the service emits an
//! ERROR event in the span. A sampler sees what stands above `url.path`, as
//! redaction is not done for a span that is dropped.
//!
//! With [`bodies_on_spans`](crate::kit::DashcamBuilder::bodies_on_spans) kept
//! requests have their redacted bodies in `http.request.body.content` and
//! `http.response.body.content`, with `http.request.body.size`,
//! `http.response.body.size` (bytes that passed) and `dashcam.request.body.state`,
//! `dashcam.response.body.state` (`complete`, `truncated`, …, as in the exchange). The
//! conventions have no attribute for a body's content, and those for its size are in
//! development; the names are those of the Elastic Common Schema, which other
//! OpenTelemetry instrumentations use too.
//!
//! # The IDs
//!
//! The span continues the trace that this crate accepted; it is a child of a span
//! of an outer layer only where that is in the same trace, or none came in. What the
//! SDK then decides is what the request has: its trace ID, its span ID and whether
//! it is sampled are those of
//! [`trace_context`](crate::context::RequestContext::trace_context), of log lines,
//! the exchange, `Server-Timing` and outgoing calls. A call has the innermost
//! span that is current as its parent, so that two services are one tree. A trace
//! that begins here has the ID that the SDK's generator makes: with [`RequestIds`] that is
//! the correlation ID without its hyphens, where that was minted here, and by default
//! another one.
//!
//! # Examples
//!
//! The layer of `tracing-opentelemetry` stamps every event with the time at which
//! it sees it, which for a [replayed](crate::capture::Replay) one is late.
//! [`TrueTimes`] is a filter for that layer: it keeps replayed events from it, and
//! they are added to the request's span with the times at which they were emitted.
//! [`SampleSelected`] samples verbose requests, whatever the caller decided:
//!
//! ```
//! use dashcam::{
//!     Dashcam,
//!     capture::Replay,
//!     opentelemetry::{RequestIds, SampleSelected, TrueTimes},
//! };
//! use opentelemetry::trace::TracerProvider;
//! use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
//! use tracing_subscriber::{filter::LevelFilter, prelude::*};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let provider = SdkTracerProvider::builder()
//!     .with_id_generator(RequestIds::default())
//!     .with_sampler(SampleSelected::or(Sampler::TraceIdRatioBased(0.1)))
//!     .build(); // with an exporter
//! let dashcam = Dashcam::builder()
//!     .service("orders", "1.0.0")
//!     .replay(Replay::default())
//!     .in_memory(10)
//!     .build()?;
//! let spans = tracing_opentelemetry::layer().with_tracer(provider.tracer("orders"));
//! let subscriber = tracing_subscriber::registry()
//!     .with(dashcam.gate(LevelFilter::INFO))
//!     .with(spans.with_filter(TrueTimes::new()));
//! # let _ = subscriber;
//! # Ok(())
//! # }
//! ```
//!
//! Over a filter of the layer's own, which remains a ceiling for replayed events:
//!
//! ```
//! use dashcam::opentelemetry::TrueTimes;
//! use tracing::level_filters::LevelFilter;
//!
//! let filter = TrueTimes::over(LevelFilter::DEBUG);
//! # let _ = filter;
//! ```
//!
//! # Guarantees
//!
//! - A replayed event is on the request's span once, with its own time, its
//!   message as the name, and `level`, `target` and its fields as attributes; fields
//!   that are named as those two are `fields.level` and `fields.target`.
//! - The span's times are those of the request, though it is closed only after
//!   the replay, and with bodies on spans after the export.
//! - The span named `replay` is not exported.
//! - Attributes that this crate adds are redacted.
//!
//! # Limits
//!
//! - What a head sampler has dropped cannot come back: a request that fails in an
//!   unsampled trace has its log lines and its exchange, and no span. Sampling
//!   failures afterwards is what a tail sampler in the collector does.
//! - Replayed events are on the request's span, not on spans inside of it, which
//!   have been exported by then.
//! - Events of a request that is live reach the layer as any event does, with what
//!   is in them: only replayed ones are redacted.
//!
//! # Ordering
//!
//! Any position in the registry. On the side of HTTP: outside of layers that make
//! spans of their own, so that these are inside of the request's.

mod ids;
mod request;
mod sampler;
mod true_times;

pub use self::{ids::RequestIds, sampler::SampleSelected, true_times::TrueTimes};
pub(crate) use self::{
    request::{Arrival, start},
    true_times::add_event,
};
