use super::writer::{JsonLineHandle, Writer};
use crate::{
    context::with_current,
    recorder::{Encoder, SpanFields, for_each_span, with_scratch},
    redact::Policy,
};
use std::io::{self, Write};
use tracing::{Event, Subscriber, span};
use tracing_subscriber::{
    layer::{Context, Layer},
    registry::LookupSpan,
};

/// The layer; see the [module page](super).
#[derive(Debug)]
pub struct JsonLine {
    writer: JsonLineHandle,
}

impl JsonLine {
    /// Writes to `output` from a thread of its own.
    ///
    /// # Errors
    ///
    /// The operating system gave no thread.
    pub fn new(output: impl Write + Send + 'static, policy: Policy) -> io::Result<Self> {
        Ok(Self {
            writer: Writer::spawn(Box::new(output), policy)?,
        })
    }

    /// Flushes and counts, after the layer has gone into a subscriber.
    #[must_use]
    pub fn handle(&self) -> JsonLineHandle {
        self.writer.clone()
    }
}

impl<S> Layer<S> for JsonLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_event(&self, event: &Event<'_>, cx: Context<'_, S>) {
        let metadata = event.metadata();
        // The service's own formatting code runs here, so nothing is locked yet.
        with_scratch(|values| {
            event.record(&mut Encoder::new(values));
            let own = metadata.target() == crate::REQUEST_TARGET;
            with_current(|context| {
                self.push(event, &cx, values, Some((context, own)));
            })
            .unwrap_or_else(|| self.push(event, &cx, values, None));
        });
    }

    fn on_new_span(&self, attrs: &span::Attributes<'_>, id: &span::Id, cx: Context<'_, S>) {
        if !attrs.is_empty() && attrs.metadata().target() != crate::REQUEST_TARGET {
            SpanFields::record_new(attrs, id, &cx);
        }
    }

    fn on_record(&self, id: &span::Id, values: &span::Record<'_>, cx: Context<'_, S>) {
        SpanFields::record_more(id, values, &cx);
    }
}

impl JsonLine {
    fn push<S>(
        &self,
        event: &Event<'_>,
        cx: &Context<'_, S>,
        values: &[u8],
        context: Option<(&crate::context::RequestContext, bool)>,
    ) where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        self.writer.push(event.metadata(), values, context, |add| {
            if let Some(leaf) = cx.event_span(event) {
                for_each_span(&leaf, add);
            }
        });
    }
}
