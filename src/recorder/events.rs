use super::{KEEP_CAPACITY, MemoryBudget, Reservation, Task, paths::SpanPaths, thread::Threads};
use std::{collections::VecDeque, sync::Arc, thread::Thread, time::Instant};
use tracing::Metadata;

/// Memory is asked for in steps, not per event.
const STEP: usize = 4 * 1024;
/// What one event costs beside its values.
const HEAD: usize = size_of::<EventHead>();
const NO_SPAN: u32 = u32::MAX;

/// The events of one request, the newest of them, in bounded memory.
#[derive(Debug, Default)]
pub(crate) struct Recording {
    limit: usize,
    heads: VecDeque<EventHead>,
    values: Vec<u8>,
    /// Bytes at the start of `values` whose events are gone.
    dead: usize,
    spans: SpanPaths,
    threads: Threads,
    reserved: usize,
    memory: Reservation,
    dropped: u64,
    /// Those of the dropped that were to come after the newest one here.
    lost: u32,
    cut: u64,
    /// Whether events went because others held the memory.
    refused: bool,
}

#[derive(Clone, Debug)]
struct EventHead {
    metadata: &'static Metadata<'static>,
    at: Instant,
    length: u32,
    span: u32,
    /// Events that were dropped between the one before and this.
    lost: u32,
    cut: u16,
    thread: u16,
    task: Task,
    /// Whether the service's own output has it.
    shown: bool,
}

/// One event, read back.
#[derive(Debug)]
pub(crate) struct EventRecord<'r> {
    pub(crate) metadata: &'static Metadata<'static>,
    pub(crate) at: Instant,
    pub(crate) values: &'r [u8],
    /// Events that were dropped right before this one.
    pub(crate) lost_before: u32,
    /// Values of it that were cut or left out.
    pub(crate) cut: u16,
    pub(crate) thread: Option<&'r Thread>,
    pub(crate) task: Task,
    /// Whether the service's own output has it.
    pub(crate) shown: bool,
    span: u32,
    paths: &'r SpanPaths,
}

impl<'r> EventRecord<'r> {
    /// Metadata and encoded fields of the spans around it, outermost first.
    pub(crate) fn spans(
        &self,
    ) -> impl Iterator<Item = (&'static Metadata<'static>, &'r [u8])> + use<'r> {
        self.paths.spans(self.span)
    }
}

/// What is put into a recording.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewEvent<'e> {
    pub(crate) metadata: &'static Metadata<'static>,
    pub(crate) values: &'e [u8],
    /// Values of it that were cut or left out.
    pub(crate) cut: u32,
    /// Whether the service's own output has it.
    pub(crate) shown: bool,
}

impl Recording {
    pub(crate) fn begin(&mut self, limit: usize, budget: Option<Arc<MemoryBudget>>) {
        self.limit = limit;
        self.memory = Reservation::of(budget);
        // Every request has this much, whatever the others hold.
        self.reserved = STEP;
    }

    /// Appends an event; drops the oldest ones where there is no room.
    pub(crate) fn push(&mut self, event: NewEvent<'_>, span: Option<u32>) {
        self.cut += u64::from(event.cut);
        let size = event.values.len() + HEAD;
        let length = u32::try_from(event.values.len()).ok();
        let Some(length) = length.filter(|_| self.make_room(size)) else {
            self.dropped += 1;
            self.lost = self.lost.saturating_add(1);
            return;
        };
        self.values.extend_from_slice(event.values);
        self.heads.push_back(EventHead {
            metadata: event.metadata,
            at: Instant::now(),
            length,
            span: span.unwrap_or(NO_SPAN),
            lost: std::mem::take(&mut self.lost),
            cut: u16::try_from(event.cut).unwrap_or(u16::MAX),
            thread: self.threads.current(),
            task: Task::current(),
            shown: event.shown,
        });
    }

    fn make_room(&mut self, size: usize) -> bool {
        while self.used() + size > self.limit {
            if !self.drop_oldest() {
                return false;
            }
        }
        while self.used() + size > self.reserved {
            if self.memory.grow(STEP) {
                self.reserved += STEP;
                continue;
            }
            self.refused = true;
            if !self.drop_oldest() {
                return false;
            }
        }
        true
    }

    fn used(&self) -> usize {
        self.values.len() - self.dead + self.heads.len() * HEAD + self.spans.values_len()
    }

    fn drop_oldest(&mut self) -> bool {
        let Some(head) = self.heads.pop_front() else {
            return false;
        };
        self.dropped += 1;
        let next = self.heads.front_mut();
        let lost = next.map_or(&mut self.lost, |next| &mut next.lost);
        *lost = lost.saturating_add(head.lost).saturating_add(1);
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
        self.spans.of(id)
    }

    /// Keeps the fields of a span that was opened in the request.
    pub(crate) fn open_span(&mut self, id: u64, fields: &[u8]) {
        self.spans.open(id, fields);
    }

    /// Adds to the fields of an open span.
    pub(crate) fn record_span(&mut self, id: u64, more: &[u8]) {
        self.spans.record(id, more);
    }

    pub(crate) fn close_span(&mut self, id: u64) {
        self.spans.close(id);
    }

    /// Notes the path of spans that ends in `leaf`: IDs and metadata, outermost
    /// first. Events whose spans had to go for it have none any more, and say so.
    pub(crate) fn note_span(
        &mut self,
        leaf: u64,
        path: &[(u64, &'static Metadata<'static>)],
    ) -> Option<u32> {
        let (index, gone) = self.spans.note(leaf, path, self.limit);
        if gone > 0 {
            for head in &mut self.heads {
                if head.span == NO_SPAN {
                    continue;
                }
                head.span = head.span.checked_sub(gone).unwrap_or_else(|| {
                    head.cut = head.cut.saturating_add(1);
                    self.cut += 1;
                    NO_SPAN
                });
            }
        }
        index
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
                lost_before: head.lost,
                cut: head.cut,
                thread: self.threads.get(head.thread),
                task: head.task,
                shown: head.shown,
                span: head.span,
                paths: &self.spans,
            }
        })
    }

    /// Whether there are events that the service's own output has not shown.
    pub(crate) fn has_unshown(&self) -> bool {
        self.heads.iter().any(|head| !head.shown)
    }

    /// A copy of the events that the service's own output has not shown, which
    /// from now on count as shown. `None` where there are none, or no memory.
    pub(crate) fn take_unshown(&mut self) -> Option<Self> {
        let mut copy = Self {
            limit: self.limit,
            spans: self.spans.copy(),
            threads: self.threads.clone(),
            memory: self.memory.another(),
            dropped: self.dropped,
            cut: self.cut(),
            ..Self::default()
        };
        if !self.has_unshown() || !copy.memory.grow(self.used()) {
            return None;
        }
        let mut at = self.dead;
        for head in &mut self.heads {
            let start = at;
            at += head.length as usize;
            if !head.shown {
                copy.values
                    .extend_from_slice(self.values.get(start..at).unwrap_or_default());
                copy.heads.push_back(head.clone());
                head.shown = true;
            }
        }
        Some(copy)
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }

    pub(crate) fn refused(&self) -> bool {
        self.refused
    }

    pub(crate) fn cut(&self) -> u64 {
        self.cut + self.spans.cut()
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
        self.spans.reset();
        self.threads.reset();
        self.dead = 0;
        self.dropped = 0;
        self.lost = 0;
        self.cut = 0;
        self.reserved = 0;
        self.refused = false;
        self.memory = Reservation::default();
    }
}
