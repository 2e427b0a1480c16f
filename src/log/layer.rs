use super::{
    batch::SpanHead,
    format::LineFormat,
    writer::{JsonHandle, Writer},
};
use crate::{
    context::{Mode, OwnLine, mode, with_current, with_replayed},
    gate::{is_asked_by, key_of, request_of},
    recorder::{Encoder, SpanFields, for_each_span, with_fields},
    redact::Policy,
    targets::is_own_request,
};
use std::{
    cell::Cell,
    io::{self, Write},
    sync::{Arc, OnceLock},
    time::Duration,
};
use tracing::{Dispatch, Event, Metadata, Subscriber, dispatcher::WeakDispatch, span};
use tracing_subscriber::{
    layer::{Context, Layer},
    registry::LookupSpan,
};

/// Writes a JSON line for every event; see the [module page](super).
///
/// Cheap to clone. Clones share the writer thread, the settings and the counters: give one to
/// the subscriber, and keep one to [`flush`](Self::flush). When the last clone is gone, the
/// thread writes the lines that wait and ends.
#[derive(Clone, Debug)]
pub struct JsonLayer {
    writer: JsonHandle,
    dispatch: OnceLock<WeakDispatch>,
    /// The key of the gate that hands over encoded events.
    gate: OnceLock<usize>,
}

impl JsonLayer {
    /// Creates a layer that writes to `output` on a thread of its own, and redacts by this
    /// policy.
    ///
    /// # Errors
    ///
    /// The operating system cannot start a thread.
    pub fn new(output: impl Write + Send + 'static, policy: Policy) -> io::Result<Self> {
        Ok(Self {
            writer: Writer::spawn(Box::new(output), policy)?,
            dispatch: OnceLock::new(),
            gate: OnceLock::new(),
        })
    }

    /// Sets whether the fields of events are members of the line instead of `fields`. Default:
    /// `false`. A field with the name of a member stays in `fields`.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use dashcam::{log::JsonLayer, redact::Policy};
    /// let lines = JsonLayer::new(std::io::stdout(), Policy::strict())?.flatten_fields(true);
    /// # let _ = lines;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn flatten_fields(self, on: bool) -> Self {
        self.writer.flatten_fields(on);
        self
    }

    /// Sets the longest line in bytes, as written and with its newline. Default: 16 KiB; at
    /// least 2 KiB. A longer line is cut, and has the member `cut`.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use dashcam::{log::JsonLayer, redact::Policy};
    /// let lines = JsonLayer::new(std::io::stdout(), Policy::strict())?.max_line(256 * 1024);
    /// # let _ = lines;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn max_line(self, bytes: usize) -> Self {
        self.writer.max_line(bytes);
        self
    }

    /// Writes lines for Datadog, as its own libraries do: with its
    /// [names](super#formats), the trace ID in hexadecimal and the span ID in decimal digits.
    /// Default: OpenTelemetry's names. Of several formats the first counts.
    #[must_use]
    pub fn datadog(self) -> Self {
        self.writer.format(LineFormat::datadog());
        self
    }

    /// Writes lines for Google Cloud Logging, with the [special
    /// fields](super#formats) of its structured logging. Traces belong to the project with
    /// this ID. Default: OpenTelemetry's names. Of several formats the first counts.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use dashcam::{log::JsonLayer, redact::Policy};
    /// let lines = JsonLayer::new(std::io::stdout(), Policy::strict())?.google_cloud("my-project");
    /// # let _ = lines;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn google_cloud(self, project_id: &str) -> Self {
        self.writer.format(LineFormat::google_cloud(project_id));
        self
    }

    /// Writes lines with the [names](super#formats) of the Elastic Common Schema. Default:
    /// OpenTelemetry's names. Of several formats the first counts.
    #[must_use]
    pub fn elastic(self) -> Self {
        self.writer.format(LineFormat::elastic());
        self
    }

    /// Runs code of the service that formats values of an event or a span. If a value logs,
    /// per-layer filters have last decided on that event, and are asked again about the one
    /// around it.
    fn formatting(&self, metadata: &Metadata<'_>, f: impl FnOnce()) {
        if is_asked_by(f)
            && let Some(dispatch) = self.dispatch.get().and_then(WeakDispatch::upgrade)
        {
            dispatch.enabled(metadata);
        }
    }

    /// Takes the line of a request as a record, unless spans are around the request.
    fn own_line<S>(&self, event: &Event<'_>, cx: &Context<'_, S>) -> Option<bool>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        with_current(|context| {
            let line = OwnLine::in_hand(context)?;
            let span = cx.event_span(event);
            if span.is_some_and(|span| !is_own_request(span.metadata()) || span.parent().is_some())
            {
                return None;
            }
            Some(self.writer.push_own(event.metadata(), line, context))
        })
        .flatten()
    }

    /// Waits until every line so far was written to the output, at most for this time;
    /// returns whether it was. Lines that the output refused count as written here, and in
    /// [`failed`](Self::failed).
    #[must_use]
    pub fn flush(&self, timeout: Duration) -> bool {
        self.writer.flush(timeout)
    }

    /// Returns how many lines were dropped because the writer was behind.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.writer.dropped()
    }

    /// Returns how many lines lost the run-time parts of a text, because their request has
    /// more values to look for than the limits allow. Such a line has the member `withheld`.
    #[must_use]
    pub fn withheld(&self) -> u64 {
        self.writer.withheld()
    }

    /// Returns how many lines the output refused. They are lost.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.writer.failed()
    }

    pub(crate) fn handle(&self) -> JsonHandle {
        self.writer.clone()
    }
}

impl<S> Layer<S> for JsonLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_register_dispatch(&self, dispatch: &Dispatch) {
        let _ = self.dispatch.set(dispatch.downgrade());
        if let Some(gate) = key_of(dispatch) {
            let _ = self.gate.set(gate);
        }
    }

    fn on_event(&self, event: &Event<'_>, cx: Context<'_, S>) {
        let metadata = event.metadata();
        let own = is_own_request(metadata);
        if own && self.own_line(event, &cx) == Some(true) {
            return;
        }
        // The service's own formatting code runs here, and locks spans that other layers lock,
        // too. Therefore dashcam holds no lock yet.
        let encode = |bytes: &mut Vec<u8>| {
            let mut cut = 0;
            self.formatting(metadata, || {
                let mut encoder = Encoder::new(bytes);
                event.record(&mut encoder);
                cut = encoder.cut();
            });
            cut
        };
        with_fields(event, self.gate.get().copied(), encode, |bytes, mut cut| {
            let values = bytes.len();
            with_spans(|spans| {
                let mut add = |metadata, fields: &[u8]| {
                    let start = bytes.len();
                    bytes.extend_from_slice(fields);
                    let end = bytes.len();
                    spans.push(SpanHead {
                        metadata,
                        start,
                        end,
                    });
                };
                // A replayed event has its original spans.
                let mut replayed = if mode().has(Mode::REPLAY) {
                    with_replayed(metadata, |replayed| {
                        for (metadata, fields) in replayed.spans.iter().rev() {
                            let fields = replayed.values.get(fields.clone());
                            add(metadata, fields.unwrap_or_default());
                        }
                        (replayed.at, Arc::clone(&replayed.scrubber))
                    })
                } else {
                    None
                };
                if replayed.is_none()
                    && let Some(leaf) = cx.event_span(event)
                {
                    for_each_span(leaf, |metadata, fields, of_span| {
                        cut += of_span;
                        add(metadata, fields);
                    });
                }
                let mut push = |context: Option<(&_, _)>| {
                    let values = (values, cut);
                    self.writer
                        .push(metadata, bytes, values, spans, context, replayed.take());
                };
                if with_current(|context| push(Some((context, own)))).is_none() {
                    let named = event.parent().and(self.dispatch.get());
                    let of = named.and_then(WeakDispatch::upgrade);
                    let of = of.and_then(|dispatch| request_of(event, &cx, &dispatch));
                    push(of.as_ref().map(|context| (context, own)));
                }
            });
        });
    }

    fn on_new_span(&self, attrs: &span::Attributes<'_>, id: &span::Id, cx: Context<'_, S>) {
        if !attrs.is_empty() && !is_own_request(attrs.metadata()) {
            self.formatting(attrs.metadata(), || {
                SpanFields::record_new(attrs, id, &cx);
            });
        }
    }

    fn on_record(&self, id: &span::Id, values: &span::Record<'_>, cx: Context<'_, S>) {
        SpanFields::record_more(id, values, &cx);
    }
}

thread_local! {
    static SPANS: Cell<Vec<SpanHead>> = const { Cell::new(Vec::new()) };
}

/// Lends a list of this thread. Nested calls get a new one, as with the scratch buffer.
fn with_spans(f: impl FnOnce(&mut Vec<SpanHead>)) {
    let mut spans = SPANS.try_with(Cell::take).unwrap_or_default();
    f(&mut spans);
    spans.clear();
    spans.shrink_to(64);
    let _ = SPANS.try_with(|lent| lent.set(spans));
}
