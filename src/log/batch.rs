//! Lines on their way to the writer thread.

use crate::{
    context::{OwnLine, RequestContext},
    id::{SpanId, TraceId},
    redact::Scrubber,
};
use std::{sync::Arc, time::SystemTime};
use tracing::Metadata;

/// What may wait for the writer, in bytes.
pub(super) const LIMIT: usize = 8 * 1024 * 1024;

/// Lines on their way to the writer thread.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) heads: Vec<Head>,
    pub(super) spans: Vec<SpanHead>,
    /// The records of requests' own lines.
    pub(super) own: Vec<OwnLine>,
    pub(super) bytes: Vec<u8>,
    /// What the requests weigh that its lines keep alive.
    pub(super) held: usize,
    /// No other batch has it.
    pub(super) id: u64,
}

/// One line: the ID, then the values, from `start` in the bytes on.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) metadata: &'static Metadata<'static>,
    pub(super) at: SystemTime,
    pub(super) start: usize,
    pub(super) id: usize,
    pub(super) values: usize,
    /// Values of it and of its spans that were cut or left out.
    pub(super) cut: u32,
    /// The first of its spans; they go on until the next head's first.
    pub(super) spans: usize,
    pub(super) trace: Option<TraceHead>,
    pub(super) request: Request,
}

/// Where in which trace a line's request is.
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

/// Where a line's hidden values may be known from.
#[derive(Debug)]
pub(super) enum Request {
    /// It needs none: it is outside of requests, or our own.
    None,
    /// It is our own, with this record; its values are the route.
    Own(usize),
    Known(RequestContext),
    /// It is replayed: the event is redacted already, its spans are by this.
    Replayed(Arc<Scrubber>),
    /// Waiting lines hold too much already, so all its text has to be hidden.
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
        // A peak should not stay in memory for good.
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

/// One event on its way out.
pub(super) struct Line<'b> {
    pub(super) head: &'b Head,
    /// Of printable ASCII only.
    pub(super) id: &'b [u8],
    pub(super) values: &'b [u8],
    /// The line of a request, of which the values are the route.
    pub(super) own: Option<&'b OwnLine>,
    /// Innermost first.
    pub(super) spans: &'b [SpanHead],
    pub(super) bytes: &'b [u8],
}
