use super::{
    Account, KEEP_CAPACITY, Reservation, Task,
    span_tree::{NO_SPAN, SpanTree},
    thread::Threads,
};
use std::{collections::VecDeque, thread::Thread, time::Instant};
use tracing::Metadata;

/// Memory is reserved in steps, not per event.
const STEP: usize = 4 * 1024;
/// The overhead of one event, in bytes.
const HEAD: usize = size_of::<EventHead>();

/// The newest events of one request, in bounded memory.
#[derive(Debug, Default)]
pub(crate) struct Recording {
    limit: usize,
    heads: VecDeque<EventHead>,
    values: Vec<u8>,
    /// How many bytes at the start of `values` belong to dropped events.
    dead: usize,
    spans: SpanTree,
    threads: Threads,
    reserved: usize,
    memory: Reservation,
    dropped: u64,
    /// How many events were dropped that would follow the newest one here.
    lost: u32,
    cut: u64,
    /// Whether events were dropped because others held the memory.
    refused: bool,
}

#[derive(Clone, Debug)]
struct EventHead {
    metadata: &'static Metadata<'static>,
    at: Instant,
    length: u32,
    span: u32,
    /// How many events were dropped between this one and the one before.
    lost: u32,
    cut: u16,
    thread: u16,
    task: Task,
    /// Whether the service's own output has it.
    shown: bool,
}

/// One decoded event.
#[derive(Debug)]
pub(crate) struct EventRecord<'r> {
    pub(crate) metadata: &'static Metadata<'static>,
    pub(crate) at: Instant,
    pub(crate) values: &'r [u8],
    /// How many events were dropped right before this one.
    pub(crate) lost_before: u32,
    /// How many of its values were cut or left out.
    pub(crate) cut: u16,
    pub(crate) thread: Option<&'r Thread>,
    pub(crate) task: Task,
    /// Whether the service's own output has it.
    pub(crate) shown: bool,
    span: u32,
    tree: &'r SpanTree,
}

impl<'r> EventRecord<'r> {
    /// Returns metadata and encoded fields of the spans around it, outermost first.
    pub(crate) fn spans(&self) -> Vec<(&'static Metadata<'static>, &'r [u8])> {
        self.tree.path(self.span)
    }
}

/// An event to record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewEvent<'e> {
    pub(crate) metadata: &'static Metadata<'static>,
    pub(crate) values: &'e [u8],
    /// How many of its values were cut or left out.
    pub(crate) cut: u32,
    /// Whether the service's own output has it.
    pub(crate) shown: bool,
}

impl Recording {
    pub(crate) fn begin(&mut self, limit: usize, account: Option<Account>) {
        self.limit = limit;
        self.memory = Reservation::of(account);
        // Every request has this much, whatever the others hold.
        self.reserved = STEP;
    }

    /// Appends an event. It drops the oldest events if there is no room.
    pub(crate) fn push(&mut self, event: NewEvent<'_>, span: Option<u32>) {
        self.cut += u64::from(event.cut);
        let size = event.values.len() + HEAD;
        // An event that never fits should not drop all others first.
        let fits = size + self.spans.size() <= self.limit;
        let length = u32::try_from(event.values.len()).ok().filter(|_| fits);
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
        while !self.reserve(size) {
            if !self.drop_oldest() {
                return false;
            }
        }
        true
    }

    /// Reserves memory for this many more bytes.
    fn reserve(&mut self, more: usize) -> bool {
        while self.used() + more > self.reserved {
            if !self.memory.grow(STEP) {
                self.refused = true;
                return false;
            }
            self.reserved += STEP;
        }
        true
    }

    fn used(&self) -> usize {
        self.values.len() - self.dead + self.heads.len() * HEAD + self.spans.size()
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

    /// Returns the open span of this ID and callsite, if it is stored and unchanged.
    pub(crate) fn span(&self, id: u64, metadata: &'static Metadata<'static>) -> Option<u32> {
        self.spans.find(id, metadata)
    }

    /// Notes that a span was opened in the request, and holds its fields. `cut` of them were cut
    /// or left out.
    pub(crate) fn open_span(
        &mut self,
        id: u64,
        metadata: &'static Metadata<'static>,
        (fields, cut): (&[u8], u32),
    ) {
        self.spans.close(id);
        self.spans.add_cut(cut);
        if fields.is_empty() {
            return;
        }
        if self.spans.fits(fields.len()) && self.reserve(fields.len()) {
            self.spans.begin(id, metadata, fields);
        } else {
            self.spans.add_cut(1);
        }
    }

    /// Adds to the fields of an open span, or holds those of a span that was opened elsewhere.
    pub(crate) fn record_span(&mut self, id: u64, (more, cut): (&[u8], u32)) {
        self.spans.add_cut(cut);
        if self.spans.fits(more.len()) && self.reserve(more.len()) {
            self.spans.record(id, more);
        } else {
            self.spans.add_cut(1);
        }
    }

    pub(crate) fn close_span(&mut self, id: u64) {
        self.spans.close(id);
    }

    /// Stores the spans of a path, outermost first. Returns the innermost one. Spans take at most
    /// half of the recording: beyond that, old events are dropped with their spans.
    pub(crate) fn note_span(&mut self, path: &[(u64, &'static Metadata<'static>)]) -> u32 {
        if self.spans.noted() > self.limit / 2 {
            loop {
                self.spans
                    .sweep(self.heads.iter_mut().map(|head| &mut head.span));
                if self.spans.noted() <= self.limit / 4 || self.heads.is_empty() {
                    break;
                }
                for _ in 0..self.heads.len().div_ceil(4) {
                    self.drop_oldest();
                }
            }
        }
        self.spans.note(path, self.limit / 4)
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
                tree: &self.spans,
            }
        })
    }

    /// Returns whether there are events that the service's own output does not have.
    pub(crate) fn has_unshown(&self) -> bool {
        self.heads.iter().any(|head| !head.shown)
    }

    /// Returns a copy and marks all events as shown. Returns `None` if all are shown already, or
    /// if there is no memory.
    pub(crate) fn copy_unshown(&mut self) -> Option<Self> {
        if !self.has_unshown() {
            return None;
        }
        let copy = self.try_copy()?;
        for head in &mut self.heads {
            head.shown = true;
        }
        Some(copy)
    }

    /// Returns a copy; an empty one if there is no memory for it.
    pub(crate) fn copy(&self) -> Self {
        self.try_copy().unwrap_or_else(|| Self {
            dropped: self.dropped + self.heads.len() as u64,
            refused: true,
            ..Self::default()
        })
    }

    fn try_copy(&self) -> Option<Self> {
        let mut memory = self.memory.another();
        if !memory.grow(self.used()) {
            return None;
        }
        Some(Self {
            limit: self.limit,
            heads: self.heads.clone(),
            values: self.values.get(self.dead..).unwrap_or_default().to_vec(),
            dead: 0,
            spans: self.spans.clone(),
            threads: self.threads.clone(),
            reserved: self.reserved,
            memory,
            dropped: self.dropped,
            lost: self.lost,
            cut: self.cut,
            refused: self.refused,
        })
    }

    /// Returns metadata and encoded fields of the spans that are open.
    pub(crate) fn open_spans(&self) -> impl Iterator<Item = (&'static Metadata<'static>, &[u8])> {
        self.spans.open()
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

    /// Returns the bytes that it holds, without spare capacity.
    pub(crate) fn bytes(&self) -> usize {
        self.heads.len() * HEAD + self.values.len()
    }

    /// Empties it for the next request. Small buffers stay allocated. It takes nothing until that
    /// request begins.
    pub(crate) fn reset(&mut self) {
        let Self {
            limit,
            heads,
            values,
            spans,
            threads,
            dead,
            dropped,
            lost,
            cut,
            reserved,
            refused,
            memory,
        } = self;
        heads.clear();
        heads.shrink_to(KEEP_CAPACITY / HEAD);
        values.clear();
        values.shrink_to(KEEP_CAPACITY);
        spans.reset();
        threads.reset();
        (*limit, *dead, *dropped, *lost, *cut, *reserved) = (0, 0, 0, 0, 0, 0);
        *refused = false;
        *memory = Reservation::default();
    }
}
