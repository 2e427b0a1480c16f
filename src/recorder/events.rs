use super::{
    Account, KEEP_CAPACITY, Reservation, Task,
    span_tree::{NO_SPAN, SpanTree},
    thread::Threads,
};
use std::{collections::VecDeque, thread::Thread, time::Instant};
use tracing::Metadata;

/// Memory is asked for in steps, not per event.
const STEP: usize = 4 * 1024;
/// What one event costs beside its values.
const HEAD: usize = size_of::<EventHead>();

/// The events of one request, the newest of them, in bounded memory.
#[derive(Debug, Default)]
pub(crate) struct Recording {
    limit: usize,
    heads: VecDeque<EventHead>,
    values: Vec<u8>,
    /// Bytes at the start of `values` whose events are gone.
    dead: usize,
    spans: SpanTree,
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
    tree: &'r SpanTree,
}

impl<'r> EventRecord<'r> {
    /// Metadata and encoded fields of the spans around it, outermost first.
    pub(crate) fn spans(&self) -> Vec<(&'static Metadata<'static>, &'r [u8])> {
        self.tree.path(self.span)
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
    pub(crate) fn begin(&mut self, limit: usize, account: Option<Account>) {
        self.limit = limit;
        self.memory = Reservation::of(account);
        // Every request has this much, whatever the others hold.
        self.reserved = STEP;
    }

    /// Appends an event; drops the oldest ones where there is no room.
    pub(crate) fn push(&mut self, event: NewEvent<'_>, span: Option<u32>) {
        self.cut += u64::from(event.cut);
        let size = event.values.len() + HEAD;
        // One that never fits should not drive out all others first.
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

    /// Asks for memory for so much more.
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

    /// The open span of this ID and callsite, where it is noted as it is now.
    pub(crate) fn span(&self, id: u64, metadata: &'static Metadata<'static>) -> Option<u32> {
        self.spans.find(id, metadata)
    }

    /// Notes that a span was opened in the request, and keeps its fields; `cut` of
    /// them were cut or left out.
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

    /// Adds to the fields of an open span, or keeps those of one that was opened
    /// elsewhere.
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

    /// Notes the spans of a path, outermost first; the innermost one. Spans take
    /// no more than half of the recording: then old events go with theirs.
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

    /// Whether there are events that the service's own output has not shown.
    pub(crate) fn has_unshown(&self) -> bool {
        self.heads.iter().any(|head| !head.shown)
    }

    /// A copy, and from now on all its events count as shown. `None` where all are
    /// shown already, or there is no memory.
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

    /// A copy, empty where there is no memory for it.
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

    /// Metadata and encoded fields of the spans that are open.
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

    /// Bytes that it holds, without what is between its vectors' ends.
    pub(crate) fn bytes(&self) -> usize {
        self.heads.len() * HEAD + self.values.len()
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
