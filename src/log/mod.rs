//! One JSON object a line: the log output that `init_tracing` installs.
//!
//! Request threads only copy an event's fields into a bounded buffer; a writer
//! thread redacts, formats and writes. A slow or stuck output never blocks a
//! worker: lines are dropped then, counted, and the loss is told in the log.
//!
//! ```text
//! {"timestamp":"2026-11-23T09:12:03.123456Z","level":"INFO","target":"orders::pricing",
//!  "message":"priced","correlation_id":"0193…","fields":{"total":15},"spans":[{"name":"price"}]}
//! ```
//!
//! # Members
//!
//! In this order; what there is nothing for is left out:
//!
//! | name | value |
//! |---|---|
//! | `timestamp` | RFC 3339 in UTC, with microseconds |
//! | `level` | `ERROR`, `WARN`, `INFO`, `DEBUG`, `TRACE` |
//! | `target` | the event's target; of a record of the `log` crate that record's |
//! | `message` | its text |
//! | `source` | `file:line`, where the message was redacted or cut |
//! | `correlation_id` | that of the request |
//! | `trace_id`, `span_id` | the request's W3C trace, continued or started here, and its own operation in it |
//! | `replayed` | `true`, where the event was recorded and is shown now because its request [went wrong](crate::capture::Replay); times and spans are those it had |
//! | the event's fields | with [`JsonLayer::flatten_fields`], as they were recorded |
//! | `fields` | an object of the event's fields, as they were recorded |
//! | `spans` | the spans around the event, outermost first: `name` and `fields` of each |
//! | `withheld` | `limits`, where a text lost all that came at run time because there was too much to be looked for |
//! | `cut` | how many texts were cut, and fields and spans left out, because they or the line were too long |
//!
//! [`LineFormat`] has other names for the systems of some vendors.
//! With flattened fields, `fields` has only those that are named as one of
//! these members. No object has a name twice: of fields of one name the later ones are
//! `name#2`, `name#3`, but that the first `message` of an event is its text and another
//! one a field of that name.
//! A text that was too long ends in `…`; of one that only the line was too long for there
//! are 64 bytes or more, as they are written. Integers beyond 64 bits, `NaN` and
//! infinities are texts.
//!
//! # The line of a request
//!
//! Every request leaves one line of target `dashcam::request`, unless
//! [`request_line(false)`](crate::kit::DashcamBuilder::request_line) is set:
//! `INFO` where it completed or was abandoned, else `ERROR`. Its fields:
//!
//! | name | value |
//! |---|---|
//! | `http.request.method`, `http.route`, `http.response.status_code` | as the conventions of OpenTelemetry have them; what is not known is left out |
//! | `outcome` | the [`Outcome`](crate::exchange::Outcome) in one word |
//! | `duration_ms` | from its arrival to its end |
//! | `http.request.body.size`, `http.response.body.size` | bytes that passed by |
//! | `kept` | whether its exchange was handed to the exporter |
//! | `not_kept` | only where there was a reason to keep it and it was not: why |
//!
//! | `not_kept` | meaning |
//! |---|---|
//! | `failure_storm` | over the budget of its failure signature, or of the second ([`StormLimits`](crate::capture::StormLimits)): the next exchange of the signature says how many like it were only counted, and when the first and the last of them ended |
//! | `per_second` | a rule, a token, a header or the service asked for it, and more were kept in this second than [`StormLimits`](crate::capture::StormLimits) allows |
//! | `queue_full` | too many exchanges wait for the exporter ([`Limits::queue`](crate::capture::Limits::queue)) |
//! | `options` | the service wants nothing kept of such requests ([`CaptureOptions::off`](crate::capture::CaptureOptions::off)) |
//! | `sample_budget` | it is healthy, of the baseline sample, and over its budget ([`Limits::baseline_per_second`](crate::capture::Limits)) |
//! | `forked` | the process is a child of the one in which `Dashcam` was built, and has none of its threads |
//!
//! A reason that only cuts what is kept, such as the limit of memory, is in the exchange.
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
//! Alone, with a redaction policy of its own, and fields at the top:
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
//! - One event, one line, one valid JSON object, whatever the event holds.
//! - No line is longer than 16 KiB as it is written, escapes and the newline included,
//!   at which container runtimes split lines; [`JsonLayer::max_line`] is the setting. The
//!   longest texts are cut first, then fields and spans are left out from the end, and
//!   `cut` says how many. Time, level, target and IDs are always there, a target of more
//!   than 256 bytes perhaps cut.
//! - Lines of one thread stay in order. A line is written within some
//!   milliseconds; [`JsonHandle::flush`] waits for it.
//! - At most 8 MiB of events wait for the writer. What does not fit is dropped
//!   and counted, and a line says how many.
//! - Texts are redacted as described at [`crate::redact`]: detectors, and the
//!   values known so far that are hidden elsewhere in the same request and its
//!   calls: heads, what is captured of bodies, facts, and hidden fields of its lines.
//!   A value that only occurs *later*, such as in the response, is not known yet.
//!   The program's own words stay. A message that lost words says where in the
//!   source it comes from (`source`).
//! - Waiting lines keep requests of at most 16 MiB alive; beyond that a line
//!   goes without its request. Such a line loses all that came at run time in its
//!   texts, and so does one of a request about which there is too much to be looked
//!   for, or of a client that took more than a quarter of a second that has others
//!   waiting. It says so (`withheld`), and [`JsonHandle::withheld`] counts it.
//!
//! # Ordering
//!
//! Any position in the registry.

mod batch;
mod fit;
mod format;
mod json;
mod layer;
mod line;
mod places;
mod writer;

pub(crate) use self::writer::MAX_LINE;
pub use self::{format::LineFormat, layer::JsonLayer, writer::JsonHandle};
