use super::{Encoder, merge};
use tracing::{Metadata, Subscriber, span};
use tracing_subscriber::{
    layer::Context,
    registry::{LookupSpan, SpanRef},
};

/// The encoded fields of an open span, kept in its extensions for log lines.
#[derive(Debug)]
pub(crate) struct SpanFields(Vec<u8>);

impl SpanFields {
    pub(crate) fn record_new<S>(attrs: &span::Attributes<'_>, id: &span::Id, cx: &Context<'_, S>)
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let Some(span) = cx.span(id) else { return };
        if span.extensions().get::<Self>().is_some() {
            return;
        }
        // The service's formatting code runs here, so nothing is locked yet.
        let mut values = Vec::new();
        attrs.record(&mut Encoder::new(&mut values));
        span.extensions_mut().replace(Self(values));
    }

    pub(crate) fn record_more<S>(id: &span::Id, more: &span::Record<'_>, cx: &Context<'_, S>)
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let Some(span) = cx.span(id) else { return };
        if span.metadata().target() == crate::REQUEST_TARGET {
            return;
        }
        let mut values = Vec::new();
        more.record(&mut Encoder::new(&mut values));
        let mut extensions = span.extensions_mut();
        if let Some(fields) = extensions.get_mut::<Self>() {
            // Two layers may report the same record.
            if !fields.0.ends_with(&values) {
                merge(&mut fields.0, &values);
            }
        } else {
            extensions.insert(Self(values));
        }
    }
}

/// Calls `f` with the metadata and the encoded fields of each span around an
/// event, innermost first; the request span, which the record itself stands
/// for, is left out.
pub(crate) fn for_each_span<S>(
    leaf: SpanRef<'_, S>,
    mut f: impl FnMut(&'static Metadata<'static>, &[u8]),
) where
    S: for<'a> LookupSpan<'a>,
{
    let mut next = Some(leaf);
    while let Some(span) = next {
        let metadata = span.metadata();
        if metadata.target() != crate::REQUEST_TARGET {
            let extensions = span.extensions();
            let fields = extensions.get::<SpanFields>();
            f(metadata, fields.map_or(&[], |fields| fields.0.as_slice()));
        }
        next = span.parent();
    }
}
