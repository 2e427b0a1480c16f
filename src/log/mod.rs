//! The layer that logs one JSON object per line, which `init_tracing` installs.
//!
//! Request threads only copy an event's fields into a bounded buffer. A writer thread redacts,
//! formats and writes them. A slow or stuck output never blocks a request: lines are then
//! dropped and counted, and the log reports the loss.
//!
//! ```text
//! {"timestamp":"2026-11-23T09:12:03.123456Z","level":"INFO","target":"orders::pricing",
//!  "message":"priced","correlation_id":"0193…","fields":{"total":15},"spans":[{"name":"price"}]}
//! ```
//!
//! # Members
//!
//! A line has these members in this order. Members without a value are left out.
//!
//! | name | value |
//! |---|---|
//! | `timestamp` | RFC 3339 in UTC, with microseconds |
//! | `level` | `ERROR`, `WARN`, `INFO`, `DEBUG`, `TRACE` |
//! | `target` | the target of the event, or of the record of the `log` crate |
//! | `message` | the event's message |
//! | `source` | `file:line`, if the message was redacted or cut |
//! | `correlation_id` | the request's correlation ID |
//! | `trace_id`, `span_id` | the request's W3C trace, continued or started here, and its own span in it |
//! | `replayed` | `true` if the event was recorded, and is shown now because its request [failed](crate::capture::Replay); it has its original time and spans |
//! | the event's fields | only with [`JsonLayer::flatten_fields`], in the order recorded |
//! | `fields` | an object of the event's fields, in the order recorded |
//! | `spans` | the spans around the event, outermost first: `name` and `fields` of each |
//! | `withheld` | `limits`, if a text lost all parts that came at run time, because there were too many values to look for |
//! | `cut` | how many texts were cut, and fields and spans left out, because they or the line were too long |
//!
//! With flattened fields, `fields` has only those that have the name of a member. No object
//! has a name twice: later fields of one name are `name#2`, `name#3`. The first `message` of an
//! event is its message, and another one is a field of that name.
//!
//! A text that was too long ends in `…`. If it was cut only because the line was too long, at
//! least 64 bytes of it, as written, stay. Integers beyond 64 bits, `NaN` and infinities are
//! texts.
//!
//! # Formats
//!
//! By default a line has the names that the OpenTelemetry Collector, Loki and most other
//! systems read without configuration. For other systems the layer changes the names, and the
//! forms of level and IDs:
//!
//! | | default | [`datadog`](JsonLayer::datadog) | [`google_cloud`](JsonLayer::google_cloud) | [`elastic`](JsonLayer::elastic) |
//! |---|---|---|---|---|
//! | time | `timestamp` | `timestamp` | `time` | `@timestamp` |
//! | level | `level`: `INFO` | `status`: `info` | `severity`: `INFO` | `log.level`: `info` |
//! | target | `target` | `logger.name` | `target` | `log.logger` |
//! | trace | `trace_id` | `dd.trace_id` | `logging.googleapis.com/trace`: `projects/…/traces/…` | `trace.id` |
//! | span | `span_id` | `dd.span_id`, decimal | `logging.googleapis.com/spanId` | `span.id` |
//! | | | | `logging.googleapis.com/trace_sampled` | `ecs.version` |
//!
//! All other members have the same names in every format.
//!
//! # The line of a request
//!
//! Every request leaves one line of target `dashcam::request`, unless
//! [`request_line(false)`](crate::kit::DashcamBuilder::request_line) is set:
//! `INFO` if it completed or was abandoned, else `ERROR`. Its fields:
//!
//! | name | value |
//! |---|---|
//! | `http.request.method`, `http.route`, `http.response.status_code` | as in the conventions of OpenTelemetry; left out if not known |
//! | `outcome` | the [`Outcome`](crate::exchange::Outcome) in one word |
//! | `duration_ms` | the time from its arrival to its end |
//! | `http.request.body.size`, `http.response.body.size` | bytes that passed |
//! | `kept` | whether its exchange was handed to the exporter |
//! | `not_kept` | why it was not kept, only if there was a reason to keep it |
//!
//! | `not_kept` | meaning |
//! |---|---|
//! | `failure_storm` | it exceeded the budget of its failure signature, or of the second ([`StormLimits`](crate::capture::StormLimits)). The next exchange of the signature has the number of those that were only counted, and when the first and the last of them ended |
//! | `per_second` | a rule, a token, a header or the service asked for it, and more were kept in this second than [`StormLimits`](crate::capture::StormLimits) allows |
//! | `queue_full` | too many exchanges wait for the exporter ([`Limits::queue`](crate::capture::Limits::queue)) |
//! | `options` | the service set such requests not to be kept ([`CaptureOptions::off`](crate::capture::CaptureOptions::off)) |
//! | `sample_budget` | it is healthy and in the baseline sample, and exceeded the sample's budget ([`Limits::baseline_per_second`](crate::capture::Limits)) |
//! | `forked` | the process was forked from the one in which `Dashcam` was built, and has none of its threads |
//!
//! A reason that only cuts what is kept, such as the memory limit, is in the exchange.
//!
//! [`JsonLayer`] writes the request line from the request, not from the fields of the event. A
//! layer around it can drop the line, but cannot change its fields.
//!
//! # Examples
//!
//! Beside other layers, without `init_tracing`:
//!
//! ```
//! use dashcam::Dashcam;
//! use tracing_subscriber::{filter::LevelFilter, prelude::*};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let dashcam = Dashcam::builder().service("orders", "1.0.0").in_memory(10).build()?;
//! let subscriber = tracing_subscriber::registry()
//!     .with(dashcam.gate(LevelFilter::INFO))
//!     .with(dashcam.json_log_to(std::io::stderr())?);
//! # let _ = subscriber;
//! # Ok(())
//! # }
//! ```
//!
//! Without a `Dashcam`, with a redaction policy of its own, and with flattened fields:
//!
//! ```
//! use dashcam::{log::JsonLayer, redact::Policy};
//! use tracing_subscriber::prelude::*;
//!
//! # fn main() -> std::io::Result<()> {
//! let lines = JsonLayer::new(std::io::sink(), Policy::strict())?.flatten_fields(true);
//! let subscriber = tracing_subscriber::registry().with(lines);
//! # let _ = subscriber;
//! # Ok(())
//! # }
//! ```
//!
//! # Guarantees
//!
//! - Each event is one line with one valid JSON object, whatever the event holds.
//! - No line is longer than 16 KiB as written, with escapes and the newline, because container
//!   runtimes split longer lines. [`JsonLayer::max_line`] sets another limit. The longest texts
//!   are cut first, then fields and spans are left out from the end; `cut` counts both. Time,
//!   level, target and IDs are always there; a target of more than 256 bytes may be cut.
//! - Lines of one thread stay in order. The writer looks for lines every 5 to
//!   40 ms, less often if few come; [`JsonLayer::flush`] makes it look at once.
//! - At most 8 MiB of events wait for the writer. Events that do not fit are dropped and
//!   counted, and a line has their number.
//! - Texts are redacted as described at [`crate::redact`]: by detectors, and by looking for the
//!   values that are hidden elsewhere in the same request and its calls: in heads, captured
//!   bodies, facts, and hidden fields of its lines. A value that only occurs *later*, such as
//!   in the response, is not known yet. The program's own words stay. A message that lost words
//!   has its place in the source code (`source`).
//! - Waiting lines keep requests of at most 16 MiB alive. A line beyond that loses all
//!   run-time parts of its texts. So does a line of a request that has too many values to look
//!   for, and one of a client that used more than a quarter of a second while others waited.
//!   Such a line has the member `withheld`, and [`JsonLayer::withheld`] counts it.
//!
//! # Ordering
//!
//! The layer works in any position in the registry.

mod batch;
mod fit;
mod format;
mod json;
mod layer;
mod line;
mod places;
mod writer;

pub use self::layer::JsonLayer;
pub(crate) use self::writer::{JsonHandle, MAX_LINE};
