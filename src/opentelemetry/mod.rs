//! Works with `tracing-opentelemetry`: the request's span has the attributes of the semantic
//! conventions, all outputs have the same IDs, a sampler selects verbose requests, and replayed
//! events keep their times.
//!
//! The span and the IDs need no setting. They work if the subscriber has the layer of
//! `tracing-opentelemetry` 0.34. Without that layer the feature costs one look-up per request.
//!
//! # The span
//!
//! The request span has the stable attributes of a server span in the
//! [semantic conventions for HTTP](https://opentelemetry.io/docs/specs/semconv/http/http-spans/)
//! (1.42), in their types, except the addresses of client and peer:
//!
//! | attribute | value |
//! |---|---|
//! | name | `{method} {route}`, without a route `{method}`; kind `SERVER` |
//! | `http.request.method` | the method, or `_OTHER` if it is unknown; `OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS` replaces the list of known ones |
//! | `http.request.method_original` | the method, if `http.request.method` is `_OTHER` |
//! | `http.route` | the route template, if the router set it |
//! | `url.scheme` | the first in `x-forwarded-proto`, whoever sent it, else that of the target, else `http` |
//! | `server.address`, `server.port` | from the target or `host`, if the policy shows that header; `forwarded` and `x-forwarded-host` are not trusted |
//! | `url.path`, `url.query` | redacted, as in the exchange |
//! | `network.protocol.version` | `1.1`, `2` |
//! | `user_agent.original` | only if the policy shows all of it |
//! | `http.response.status_code` | a number |
//! | `error.type` | the status code from 500 on, a gRPC code, the name that the classifier returned, or `panicked`, `body_error`, `abandoned`, `service_error` |
//! | `correlation_id` | the request's correlation ID |
//! | `dashcam.outcome`, `dashcam.kept` | as in the request's log line |
//! | `dashcam.selected` | the rule, token or header that made it verbose |
//!
//! The status is `Error` if there is an `error.type`, and otherwise unset, also for 4xx.
//! `tracing-opentelemetry` also sets it if the service emits an ERROR event in the span. A
//! sampler sees the attributes above `url.path`, because the others need redaction, which a
//! dropped span is spared.
//!
//! With [`bodies_on_spans`](crate::kit::DashcamBuilder::bodies_on_spans) the spans of kept
//! requests have the redacted bodies in `http.request.body.content` and
//! `http.response.body.content`, with `http.request.body.size`,
//! `http.response.body.size` (bytes that passed) and `dashcam.request.body.state`,
//! `dashcam.response.body.state` (`complete`, `truncated`, …, as in the exchange). The
//! conventions have no attribute for a body's content, and those for its size are in
//! development; the names are those of the Elastic Common Schema, which other
//! OpenTelemetry instrumentations use too.
//!
//! # The IDs
//!
//! The span continues the accepted inbound trace. It is a child of an outer layer's span only
//! if that is in the same trace, or if no trace came in. The SDK then decides the trace ID, the
//! span ID and whether the trace is sampled.
//! [`trace_context`](crate::context::RequestContext::trace_context), log lines, the exchange,
//! `Server-Timing` and outgoing calls have the same. The parent of a call is the innermost
//! current span, so that two services form one tree. The SDK's generator makes the ID of a
//! trace that begins here. With [`RequestIds`] that is the correlation ID without its hyphens,
//! if dashcam made the correlation ID.
//!
//! # Examples
//!
//! The layer of `tracing-opentelemetry` gives every event the time at which it sees it, which is
//! too late for a [replayed](crate::capture::Replay) one. [`TrueTimes`] is a filter for that
//! layer. It keeps replayed events from the layer, and dashcam adds them to the request's span
//! with their own times. [`SampleSelected`] samples verbose requests, whatever the caller
//! decided:
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
//! With an inner filter, which also filters replayed events:
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
//! - A replayed event is on the request's span once, with its own time. Its name is the
//!   message; its attributes are `level`, `target` and its fields. Fields with these two names
//!   are `fields.level` and `fields.target`.
//! - The span's times are those of the request, although it is closed after the replay, and
//!   with bodies on spans after the export.
//! - The span named `replay` is not exported.
//! - Attributes that dashcam adds are redacted.
//!
//! # Limits
//!
//! - A head sampler's decision is final: a request that fails in an unsampled trace has its log
//!   lines and its exchange, but no span. A tail sampler in the collector can sample failures.
//! - Replayed events are on the request's span, not on spans inside of it, which have been
//!   exported by then.
//! - Events of a live request reach the layer unredacted, like any event. Only replayed events
//!   are redacted.
//!
//! # Ordering
//!
//! The layer of `tracing-opentelemetry` works in any position in the registry. Place the HTTP
//! layer outside of layers that create spans, so that their spans are inside of the request's.

mod ids;
mod request;
mod sampler;
mod true_times;

pub use self::{ids::RequestIds, sampler::SampleSelected, true_times::TrueTimes};
pub(crate) use self::{
    request::{Arrival, start},
    true_times::add_event,
};
