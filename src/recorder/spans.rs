use super::{Encoder, merge};
use tracing::{Metadata, Subscriber, span};
use tracing_subscriber::{
    layer::Context,
    registry::{LookupSpan, SpanRef},
};

/// The encoded fields of an open span, held in its extensions for log lines.
#[derive(Debug)]
pub(crate) struct SpanFields {
    values: Vec<u8>,
    /// How many were cut or left out.
    cut: u32,
}

impl SpanFields {
    pub(crate) fn record_new<S>(attrs: &span::Attributes<'_>, id: &span::Id, cx: &Context<'_, S>)
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let Some(span) = cx.span(id) else { return };
        if span.extensions().get::<Self>().is_some() {
            return;
        }
        // The service's formatting code runs here, so nothing is locked.
        let mut values = Vec::new();
        let mut encoder = Encoder::new(&mut values);
        attrs.record(&mut encoder);
        let cut = encoder.cut();
        span.extensions_mut().replace(Self { values, cut });
    }

    pub(crate) fn record_more<S>(id: &span::Id, more: &span::Record<'_>, cx: &Context<'_, S>)
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let Some(span) = cx.span(id) else { return };
        if crate::targets::is_own_request(span.metadata()) {
            return;
        }
        let mut values = Vec::new();
        let mut encoder = Encoder::new(&mut values);
        more.record(&mut encoder);
        let cut = encoder.cut();
        let mut extensions = span.extensions_mut();
        if let Some(fields) = extensions.get_mut::<Self>() {
            // Two layers may report the same record.
            if !fields.values.ends_with(&values) {
                fields.cut += cut + merge(&mut fields.values, &values);
            }
        } else {
            extensions.insert(Self { values, cut });
        }
    }
}

/// Calls `f` for each span around an event, innermost first, with its metadata, its encoded fields
/// and the number of cut ones. It leaves out the request span, which the record itself stands for.
pub(crate) fn for_each_span<S>(
    leaf: SpanRef<'_, S>,
    mut f: impl FnMut(&'static Metadata<'static>, &[u8], u32),
) where
    S: for<'a> LookupSpan<'a>,
{
    let mut next = Some(leaf);
    while let Some(span) = next {
        let metadata = span.metadata();
        if !crate::targets::is_own_request(metadata) {
            let extensions = span.extensions();
            let fields = extensions.get::<SpanFields>();
            let (values, cut) = fields.map_or((&[][..], 0), |f| (f.values.as_slice(), f.cut));
            f(metadata, values, cut);
        }
        next = span.parent();
    }
}
