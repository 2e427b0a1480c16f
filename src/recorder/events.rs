use super::{KEEP_CAPACITY, MemoryBudget, Reservation, merge};
use std::{collections::VecDeque, sync::Arc, time::Instant};
use tracing::Metadata;

/// Memory is asked for in steps, not per event.
const STEP: usize = 4 * 1024;
/// What one event costs beside its values.
const HEAD: usize = size_of::<EventHead>();
const NO_SPAN: u32 = u32::MAX;
/// Snapshots of spans one recording may hold before old ones go, in bytes. A
/// path may take as much again, so that they are half of a recording at most.
const SPANS_LIMIT: usize = 16 * 1024;

/// The events of one request, the newest of them, in bounded memory.
#[derive(Debug, Default)]
pub(crate) struct Recording {
    limit: usize,
    heads: VecDeque<EventHead>,
    values: Vec<u8>,
    /// Bytes at the start of `values` whose events are gone.
    dead: usize,
    /// Fields of spans that are open, by ID. Not in the registry's extensions:
    /// another layer may have locked those when an event is recorded.
    open: Vec<(u64, Vec<u8>)>,
    spans: Vec<SpanPath>,
    span_parts: Vec<SpanPart>,
    span_values: Vec<u8>,
    reserved: usize,
    memory: Reservation,
    dropped: u64,
    cut: u64,
    /// Whether events went because others held the memory.
    refused: bool,
}

#[derive(Debug)]
struct EventHead {
    metadata: &'static Metadata<'static>,
    at: Instant,
    length: u32,
    span: u32,
}

#[derive(Debug)]
struct SpanPath {
    /// The innermost span's ID while it may still be open, else 0: the
    /// registry gives IDs out again.
    id: u64,
    /// Range in `span_parts`.
    start: usize,
    end: usize,
}

#[derive(Debug)]
struct SpanPart {
    metadata: &'static Metadata<'static>,
    /// Range in `span_values`.
    start: usize,
    end: usize,
}

/// One event, read back.
#[derive(Debug)]
pub(crate) struct EventRecord<'r> {
    pub(crate) metadata: &'static Metadata<'static>,
    pub(crate) at: Instant,
    pub(crate) values: &'r [u8],
    spans: &'r [SpanPart],
    span_values: &'r [u8],
}

impl<'r> EventRecord<'r> {
    /// Metadata and encoded fields of the spans around it, outermost first.
    pub(crate) fn spans(
        &self,
    ) -> impl Iterator<Item = (&'static Metadata<'static>, &'r [u8])> + use<'r> {
        let values = self.span_values;
        self.spans.iter().map(move |part| {
            let fields = values.get(part.start..part.end).unwrap_or_default();
            (part.metadata, fields)
        })
    }
}

impl Recording {
    pub(crate) fn begin(&mut self, limit: usize, budget: Option<Arc<MemoryBudget>>) {
        self.limit = limit;
        self.memory = Reservation::of(budget);
        // Every request has this much, whatever the others hold.
        self.reserved = STEP;
    }

    /// Appends an event; drops the oldest ones where there is no room.
    pub(crate) fn push(
        &mut self,
        metadata: &'static Metadata<'static>,
        values: &[u8],
        cut: u32,
        span: Option<u32>,
    ) {
        self.cut += u64::from(cut);
        let size = values.len() + HEAD;
        let Ok(length) = u32::try_from(values.len()) else {
            self.dropped += 1;
            return;
        };
        while self.used() + size > self.limit {
            if !self.drop_oldest() {
                self.dropped += 1;
                return;
            }
        }
        while self.used() + size > self.reserved {
            if self.memory.grow(STEP) {
                self.reserved += STEP;
                continue;
            }
            self.refused = true;
            if !self.drop_oldest() {
                self.dropped += 1;
                return;
            }
        }
        self.values.extend_from_slice(values);
        self.heads.push_back(EventHead {
            metadata,
            at: Instant::now(),
            length,
            span: span.unwrap_or(NO_SPAN),
        });
    }

    fn used(&self) -> usize {
        self.values.len() - self.dead + self.heads.len() * HEAD + self.span_values.len()
    }

    fn drop_oldest(&mut self) -> bool {
        let Some(head) = self.heads.pop_front() else {
            return false;
        };
        self.dropped += 1;
        self.dead += head.length as usize;
        // Moving the rest only when half is dead keeps the cost per event constant.
        if self.dead > self.values.len() / 2 {
            self.values.drain(..self.dead);
            self.dead = 0;
        }
        true
    }

    /// The index of a span path that was noted under this ID and is still good.
    pub(crate) fn span(&self, id: u64) -> Option<u32> {
        let at = self.spans.iter().rposition(|span| span.id == id)?;
        u32::try_from(at).ok()
    }

    /// Keeps the fields of a span that was opened in the request.
    pub(crate) fn open_span(&mut self, id: u64, fields: &[u8]) {
        let held: usize = self.open.iter().map(|(_, fields)| fields.len()).sum();
        if held + fields.len() + (self.open.len() + 1) * HEAD > 4 * SPANS_LIMIT {
            self.cut += 1;
            return;
        }
        self.open.push((id, fields.to_vec()));
    }

    /// Adds to the fields of an open span.
    pub(crate) fn record_span(&mut self, id: u64, more: &[u8]) {
        match self.open.iter_mut().find(|(open, _)| *open == id) {
            Some((_, fields)) => merge(fields, more),
            None => self.open_span(id, more),
        }
        self.forget_spans();
    }

    pub(crate) fn close_span(&mut self, id: u64) {
        self.open.retain(|(open, _)| *open != id);
        self.forget_spans();
    }

    /// Notes the path of spans that ends in `leaf`: IDs and metadata, outermost
    /// first.
    pub(crate) fn note_span(
        &mut self,
        leaf: u64,
        path: &[(u64, &'static Metadata<'static>)],
    ) -> Option<u32> {
        let room = SPANS_LIMIT.min(self.limit / 4);
        while self.spans_size() > room && !self.spans.is_empty() {
            self.drop_old_spans();
        }
        let index = u32::try_from(self.spans.len()).ok()?;
        let start = self.span_parts.len();
        for &(id, metadata) in path {
            let left = (2 * room).saturating_sub(self.spans_size());
            if left < HEAD {
                self.cut += 1;
                continue;
            }
            let start = self.span_values.len();
            let fields = self.open.iter().find(|(open, _)| *open == id);
            let fields = fields.map_or(&[][..], |(_, fields)| fields);
            // The names of all spans are worth more than the fields of one.
            if fields.len() <= left / 2 {
                self.span_values.extend_from_slice(fields);
            } else {
                self.cut += 1;
            }
            self.span_parts.push(SpanPart {
                metadata,
                start,
                end: self.span_values.len(),
            });
        }
        self.spans.push(SpanPath {
            id: leaf,
            start,
            end: self.span_parts.len(),
        });
        Some(index)
    }

    fn spans_size(&self) -> usize {
        self.span_values.len() + (self.spans.len() + self.span_parts.len()) * HEAD
    }

    /// Makes room for new paths: the older half goes, and with it the spans of
    /// the events that it belongs to, where they are still there.
    fn drop_old_spans(&mut self) {
        let paths = self.spans.len().div_ceil(2);
        let parts = self
            .spans
            .get(paths)
            .map_or(self.span_parts.len(), |path| path.start);
        let values = self
            .span_parts
            .get(parts)
            .map_or(self.span_values.len(), |part| part.start);
        self.spans.drain(..paths);
        self.span_parts.drain(..parts);
        self.span_values.drain(..values);
        for path in &mut self.spans {
            path.start -= parts;
            path.end -= parts;
        }
        for part in &mut self.span_parts {
            part.start -= values;
            part.end -= values;
        }
        let paths = u32::try_from(paths).unwrap_or(NO_SPAN);
        for head in &mut self.heads {
            if head.span != NO_SPAN {
                head.span = head.span.checked_sub(paths).unwrap_or(NO_SPAN);
            }
        }
    }

    /// Forgets which IDs stand for which path: a span was closed, so its ID may
    /// come again, or its fields changed, and with them its descendants' paths.
    fn forget_spans(&mut self) {
        for span in &mut self.spans {
            span.id = 0;
        }
    }

    pub(crate) fn events(&self) -> impl Iterator<Item = EventRecord<'_>> {
        let mut at = self.dead;
        self.heads.iter().map(move |head| {
            let start = at;
            at += head.length as usize;
            EventRecord {
                metadata: head.metadata,
                at: head.at,
                values: self.values.get(start..at).unwrap_or_default(),
                spans: self
                    .spans
                    .get(head.span as usize)
                    .and_then(|span| self.span_parts.get(span.start..span.end))
                    .unwrap_or_default(),
                span_values: &self.span_values,
            }
        })
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }

    pub(crate) fn refused(&self) -> bool {
        self.refused
    }

    pub(crate) fn cut(&self) -> u64 {
        self.cut
    }

    pub(crate) fn len(&self) -> usize {
        self.heads.len()
    }

    /// Empties it for the next request; small buffers stay allocated. Until
    /// that one begins it takes nothing.
    pub(crate) fn reset(&mut self) {
        self.limit = 0;
        self.heads.clear();
        self.heads.shrink_to(KEEP_CAPACITY / HEAD);
        self.values.clear();
        self.values.shrink_to(KEEP_CAPACITY);
        self.open.clear();
        self.open.shrink_to(64);
        self.spans.clear();
        self.spans.shrink_to(KEEP_CAPACITY / HEAD);
        self.span_parts.clear();
        self.span_parts.shrink_to(KEEP_CAPACITY / HEAD);
        self.span_values.clear();
        self.span_values.shrink_to(KEEP_CAPACITY);
        self.dead = 0;
        self.dropped = 0;
        self.cut = 0;
        self.reserved = 0;
        self.refused = false;
        self.memory = Reservation::default();
    }
}
