//! Lines that wait for the writer thread.

use crate::{
    context::{OwnLine, RequestContext},
    id::{SpanId, TraceId},
    redact::Scrubber,
};
use std::{sync::Arc, time::SystemTime};
use tracing::Metadata;

/// The most bytes that may wait for the writer.
pub(super) const LIMIT: usize = 8 * 1024 * 1024;

/// Lines that wait for the writer thread.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) heads: Vec<Head>,
    pub(super) spans: Vec<SpanHead>,
    /// The records of requests' own lines.
    pub(super) own: Vec<OwnLine>,
    pub(super) bytes: Vec<u8>,
    /// The size of the requests that its lines keep alive.
    pub(super) held: usize,
    /// The number of the batch, which no other batch has.
    pub(super) id: u64,
}

/// One line. Its bytes begin at `start`: the ID, then the values.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) metadata: &'static Metadata<'static>,
    pub(super) at: SystemTime,
    pub(super) start: usize,
    pub(super) id: usize,
    pub(super) values: usize,
    /// The number of values of the event and its spans that were cut or left out.
    pub(super) cut: u32,
    /// The index of the first of its spans. They end at the first span of the next head.
    pub(super) spans: usize,
    pub(super) trace: Option<TraceHead>,
    pub(super) request: Request,
}

/// The trace of a line's request, and its place in it.
#[derive(Debug)]
pub(super) struct TraceHead {
    pub(super) trace_id: TraceId,
    pub(super) span_id: SpanId,
    pub(super) sampled: bool,
}

impl TraceHead {
    pub(super) fn of(context: &RequestContext) -> Self {
        let trace = context.trace_context();
        Self {
            trace_id: trace.trace_id(),
            span_id: trace.span_id(),
            sampled: trace.flags().is_sampled(),
        }
    }
}

/// The source of the hidden values for a line.
#[derive(Debug)]
pub(super) enum Request {
    /// None is needed: the line is outside of requests, or dashcam's own.
    None,
    /// It is our own, with this record; its values are the route.
    Own(usize),
    Known(RequestContext),
    /// The line is replayed: its event is redacted already, and this redacts its spans.
    Replayed(Arc<Scrubber>),
    /// Waiting lines hold too much already, so that all its text must be hidden.
    TooMuch,
}

impl Request {
    pub(super) fn context(&self) -> Option<&RequestContext> {
        match self {
            Self::Known(context) => Some(context),
            Self::None | Self::Own(_) | Self::Replayed(_) | Self::TooMuch => None,
        }
    }
}

#[derive(Debug)]
pub(super) struct SpanHead {
    pub(super) metadata: &'static Metadata<'static>,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Batch {
    pub(super) fn clear(&mut self) {
        self.heads.clear();
        self.spans.clear();
        self.own.clear();
        self.bytes.clear();
        self.held = 0;
        // A peak must not keep its memory for ever.
        self.bytes.shrink_to(LIMIT / 8);
        self.heads.shrink_to(16 * 1024);
        self.own.shrink_to(16 * 1024);
    }

    pub(super) fn size(&self) -> usize {
        let heads = self.heads.len() + self.spans.len() + self.own.len();
        self.bytes.len() + heads * size_of::<Head>()
    }

    pub(super) fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        self.heads.iter().enumerate().map(|(n, head)| {
            let values = head.start + head.id;
            let spans_end = self.heads.get(n + 1).map_or(self.spans.len(), |h| h.spans);
            Line {
                head,
                id: self.bytes.get(head.start..values).unwrap_or_default(),
                values: self
                    .bytes
                    .get(values..values + head.values)
                    .unwrap_or_default(),
                own: match head.request {
                    Request::Own(at) => self.own.get(at),
                    _ => None,
                },
                spans: self.spans.get(head.spans..spans_end).unwrap_or_default(),
                bytes: &self.bytes,
            }
        })
    }
}

/// One event that is being written.
pub(super) struct Line<'b> {
    pub(super) head: &'b Head,
    /// Printable ASCII only.
    pub(super) id: &'b [u8],
    pub(super) values: &'b [u8],
    /// The line of a request. Its values are the route.
    pub(super) own: Option<&'b OwnLine>,
    /// The spans, innermost first.
    pub(super) spans: &'b [SpanHead],
    pub(super) bytes: &'b [u8],
}
