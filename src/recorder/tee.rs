use super::{
    Account, Clock, EndFrame, Envelope, Framing, HeaderFields, Reservation, Said, grpc_status,
    heads::worse,
    items::{Items, StreamLimits},
};
use crate::foreign::{self, Foreign};
use bytes::{Buf, Bytes};
use http::HeaderMap;
use std::{any::Any, io::IoSlice, time::Instant};

/// Chunks up to this size are copied, because a clone would keep the whole read buffer alive. The
/// first chunk is shared until a second one comes: most bodies have one chunk, and most are never
/// read.
const COPY_UP_TO: usize = 2 * 1024;

/// Memory for chunks after the first one is reserved in steps of this size.
const STEP: usize = 4 * 1024;

/// Chunks are copied into buffers of this size.
const SEGMENT: usize = super::KEEP_CAPACITY;

/// Room for this many pieces stays allocated between requests.
const KEEP_PIECES: usize = 64;

/// The reason for a body without content whose buffers panicked when they were read.
pub(crate) const PANICKED: &str = "panicked";

/// How a body ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Ending {
    /// The end was seen, or all announced bytes have passed.
    Complete,
    /// An error, with its text.
    Error(Said),
    /// Dropped before its end.
    Dropped,
}

/// The announced lengths of a body.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lengths {
    /// The length that the peer learns: `content-length`, or else that of the body.
    pub(crate) declared: Option<u64>,
    /// The length that will pass: that of the body, or else `content-length`.
    pub(crate) expected: Option<u64>,
}

impl Lengths {
    /// Combines the length in the head with that of the body.
    pub(crate) fn of(head: Option<u64>, body: Option<u64>) -> Self {
        Self {
            declared: head.or(body),
            expected: body.or(head),
        }
    }
}

/// A bounded prefix of one body, and facts about the rest.
#[derive(Debug, Default)]
pub(crate) struct Tee {
    limit: usize,
    trailers_limit: usize,
    /// The content before `copied`.
    pieces: Vec<Piece>,
    /// The first chunk, while it is shared: most bodies have one chunk, which needs no vector.
    first: Option<Foreign<Bytes>>,
    copied: Vec<u8>,
    kept: usize,
    full: bool,
    seen: u64,
    polled: bool,
    lengths: Lengths,
    memory: Reservation,
    out_of_memory: bool,
    /// How many captured bytes were given up for other requests.
    given_up: usize,
    ending: Option<Ending>,
    first_byte: Option<Instant>,
    last_byte: Option<Instant>,
    trailers: HeaderFields,
    skipped: Option<&'static str>,
    items: Option<Items>,
    /// For protocols that put the end of a call into the body.
    end_frame: Option<Box<EndFrame>>,
    /// Whether it belongs to a call that ends with a status.
    of_call: bool,
    /// The status of the call, if it has come.
    status: Option<u16>,
}

/// The facts about a body before its first frame.
#[derive(Debug, Default)]
pub(crate) struct TeePlan {
    pub(crate) limit: usize,
    pub(crate) trailers_limit: usize,
    pub(crate) lengths: Lengths,
    pub(crate) account: Option<Account>,
    pub(crate) stream: Option<(Framing, StreamLimits)>,
    pub(crate) end_frame: Option<Box<EndFrame>>,
    /// Whether it belongs to a call that ends with a status.
    pub(crate) of_call: bool,
    /// The status in the head.
    pub(crate) status: Option<u16>,
}

/// A copy of a body's state at one moment.
#[derive(Debug)]
pub(crate) struct BodySnapshot {
    pub(crate) prefix: Vec<u8>,
    pub(crate) kept: u64,
    pub(crate) seen: u64,
    pub(crate) polled: bool,
    pub(crate) declared: Option<u64>,
    pub(crate) out_of_memory: bool,
    pub(crate) ending: Option<Ending>,
    pub(crate) first_byte: Option<Instant>,
    pub(crate) last_byte: Option<Instant>,
    pub(crate) trailers: HeaderFields,
    /// Why the content must not be written.
    pub(crate) skipped: Option<&'static str>,
    pub(crate) items: Option<u64>,
    /// The status of a gRPC call.
    pub(crate) status: Option<u16>,
    /// Whether a message of the response has passed.
    pub(crate) has_message: bool,
    /// Why a status in the body was not read.
    pub(crate) status_unread: Option<&'static str>,
}

#[derive(Debug)]
enum Piece {
    Shared(Foreign<Bytes>),
    Copied(Vec<u8>),
}

/// Foreign buffers that are no longer needed. Their destructors are the service's code, so they
/// are dropped while nothing is locked.
#[derive(Debug, Default)]
#[must_use = "is to be dropped when nothing is locked"]
pub(crate) struct LetGo {
    _first: Option<Foreign<Bytes>>,
    _pieces: Vec<Piece>,
}

fn shown(bytes: &Foreign<Bytes>) -> &[u8] {
    bytes.get().map_or(&[], |bytes| bytes)
}

impl Tee {
    /// Starts with the facts that are known before the first frame.
    pub(crate) fn begin(&mut self, plan: TeePlan) {
        self.limit = plan.limit;
        self.trailers_limit = plan.trailers_limit;
        self.lengths = plan.lengths;
        self.memory = Reservation::of(plan.account);
        self.end_frame = plan.end_frame;
        (self.of_call, self.status) = (plan.of_call, plan.status);
        self.items = plan
            .stream
            .map(|(framing, limits)| Items::new(framing, limits));
    }

    /// From now on captures at most this much. If more is captured already, all of it is freed.
    pub(crate) fn restrict(&mut self, limit: usize, trailers_limit: usize) -> LetGo {
        self.trailers_limit = trailers_limit;
        self.limit = limit;
        if limit == 0 {
            self.skipped = Some("options");
        } else if self.skipped == Some("options") && self.kept == 0 && self.seen == 0 {
            self.skipped = None;
        }
        if self.kept > limit {
            self.skipped = Some("options");
            self.full = true;
            self.kept = 0;
            self.copied.clear();
            self.memory.give_back();
            return self.let_go();
        }
        LetGo::default()
    }

    /// Frees the captured content, because others need the memory.
    pub(crate) fn give_up(&mut self) -> LetGo {
        if self.kept == 0 {
            return LetGo::default();
        }
        (self.full, self.out_of_memory) = (true, true);
        self.given_up += std::mem::take(&mut self.kept);
        self.copied = Vec::new();
        self.memory.give_back();
        self.let_go()
    }

    fn let_go(&mut self) -> LetGo {
        LetGo {
            _first: self.first.take(),
            _pieces: std::mem::take(&mut self.pieces),
        }
    }

    /// Sets why the content must not be written.
    pub(crate) fn skip(&mut self, why: &'static str) {
        self.skipped = Some(why);
    }

    /// Notes that the body was polled.
    pub(crate) fn polled(&mut self) {
        self.polled = true;
    }

    /// Notes a data frame that passed. The caller drops the returned buffers when nothing is
    /// locked.
    #[inline]
    pub(crate) fn data<D: Buf + 'static>(
        &mut self,
        data: &D,
        clock: &mut Clock,
    ) -> Option<Foreign<Bytes>> {
        if (data as &dyn Any).is::<Bytes>() {
            return self.take_in(data, clock);
        }
        // Buffers of other types are foreign code.
        foreign::run(|| self.take_in(data, clock)).unwrap_or_else(|| {
            // How much of it was read is unknown, and so is the content after it.
            self.full = true;
            self.skip(PANICKED);
            // Where the next message begins is unknown, too.
            self.items = None;
            if let Some(end_frame) = &mut self.end_frame {
                end_frame.give_up(PANICKED);
            }
            None
        })
    }

    #[inline]
    fn take_in<D: Buf + 'static>(&mut self, data: &D, clock: &mut Clock) -> Option<Foreign<Bytes>> {
        let length = data.remaining();
        // Frames that are read after the request has ended do not belong to it.
        if length == 0 || self.ending.is_some() {
            return None;
        }
        if self.full && self.seen > 0 && self.end_frame.is_none() && self.items.is_none() {
            self.seen += length as u64;
            return None;
        }
        if self.seen == 0 {
            self.first_byte = Some(clock.now());
        }
        self.seen += length as u64;
        if self.end_frame.is_some() {
            self.look_for_end(data);
        }
        let of_items = if self.items.is_some() {
            self.count_items(data, clock)
        } else {
            length
        };
        if self.full {
            return None;
        }
        let room = self.limit.saturating_sub(self.kept);
        let wanted = length.min(room).min(of_items);
        if wanted == 0 {
            self.full = true;
            return None;
        }
        // Most bodies come in one chunk, so the first one reserves no more.
        let step = if self.kept == 0 { 0 } else { STEP.min(room) };
        if !self.memory.grow_to(self.kept + wanted, self.kept + step) {
            // A later chunk might fit, but the captured bytes must be a prefix.
            self.full = true;
            self.out_of_memory = true;
            self.memory.shrink_to(self.kept);
            return None;
        }
        let mut settled = None;
        let kept = match (data as &dyn Any).downcast_ref::<Bytes>() {
            Some(bytes) => {
                // A part would keep the whole chunk alive.
                let whole = wanted == length;
                if self.kept == 0 && whole {
                    self.first = Some(Foreign::new(bytes.clone()));
                    wanted
                } else {
                    if self.first.is_some() {
                        settled = self.settle();
                    }
                    self.share_or_copy(bytes, wanted)
                }
            }
            None => self.copy_buf(data, wanted),
        };
        self.kept += kept;
        self.full = kept < length;
        if self.full {
            self.memory.shrink_to(self.kept);
        }
        settled
    }

    /// Captures the start of a chunk. A large chunk that is captured whole is shared.
    #[inline]
    fn share_or_copy(&mut self, bytes: &Bytes, wanted: usize) -> usize {
        if wanted > COPY_UP_TO && wanted == bytes.len() {
            self.close_segment();
            self.pieces.push(Piece::Shared(Foreign::new(bytes.clone())));
            return wanted;
        }
        let bytes = bytes.get(..wanted).unwrap_or_default();
        if self.copied.len() + wanted <= self.copied.capacity().min(SEGMENT) {
            self.copied.extend_from_slice(bytes);
            return wanted;
        }
        self.copy(bytes)
    }

    /// Copies a small first chunk when a second one comes.
    fn settle(&mut self) -> Option<Foreign<Bytes>> {
        let first = self
            .first
            .take_if(|first| shown(first).len() <= COPY_UP_TO)?;
        self.append(shown(&first));
        Some(first)
    }

    /// Looks for the end of the call in this chunk.
    #[inline(never)] // few bodies have one
    fn look_for_end<D: Buf>(&mut self, data: &D) {
        let Some(end_frame) = &mut self.end_frame else {
            return;
        };
        let mut slices = [IoSlice::new(&[]); 16];
        let filled = data.chunks_vectored(&mut slices);
        let mut seen = 0;
        for slice in slices.iter().take(filled) {
            end_frame.feed(slice);
            seen += slice.len();
        }
        if seen < data.remaining() {
            end_frame.give_up("buffer");
        }
        if let Some(end) = end_frame.end() {
            self.status = self
                .status
                .into_iter()
                .chain(grpc_status(&end.fields))
                .reduce(worse);
        }
    }

    /// Takes the trailers from the end of the call in the body, for the classification. They count
    /// as trailers of the exchange unless they are those of Connect.
    pub(crate) fn take_call_end(&mut self) -> Option<HeaderMap> {
        let end_frame = self.end_frame.as_mut()?;
        let end = end_frame.take_end()?;
        if end_frame.envelope() != Envelope::Connect {
            self.trailers.copy(&end.fields, self.trailers_limit);
            self.trailers.lose(end.dropped);
        }
        Some(end.fields)
    }

    /// Returns how many bytes of this chunk belong to captured items.
    #[inline(never)] // few bodies are streams
    fn count_items<D: Buf + 'static>(&mut self, data: &D, clock: &mut Clock) -> usize {
        let Some(items) = &mut self.items else {
            return 0;
        };
        let late = self
            .first_byte
            .is_some_and(|first| items.is_late(clock.now().duration_since(first)));
        let mut slices = [IoSlice::new(&[]); 16];
        let filled = data.chunks_vectored(&mut slices);
        let (mut seen, mut captured) = (0, 0);
        for slice in slices.iter().take(filled) {
            let part = items.feed(slice);
            if captured == seen {
                captured += part;
            }
            seen += slice.len();
        }
        if seen < data.remaining() {
            // The rest of the buffer cannot be read without moving it, so its items are unknown.
            self.items = None;
        }
        if late { 0 } else { captured }
    }

    /// Copies into the last buffer, and into a new one when that is full: a growing buffer would
    /// take twice the memory.
    fn copy(&mut self, slice: &[u8]) -> usize {
        let room = SEGMENT - self.copied.len().min(SEGMENT);
        let (now, then) = slice.split_at_checked(room).unwrap_or((slice, &[]));
        self.append(now);
        if !then.is_empty() {
            self.close_segment();
            let still = self.limit.saturating_sub(self.kept + now.len());
            self.copied.reserve_exact(still.min(SEGMENT));
            self.append(then);
        }
        slice.len()
    }

    #[inline]
    fn append(&mut self, slice: &[u8]) {
        let needed = self.copied.len() + slice.len();
        if needed > self.copied.capacity() {
            self.grow(needed);
        }
        self.copied.extend_from_slice(slice);
    }

    /// Doubles the buffer as a vector does, but at most to a segment.
    #[cold]
    fn grow(&mut self, needed: usize) {
        let most = SEGMENT.min(self.limit);
        let wanted = (2 * self.copied.capacity()).min(most).max(needed);
        self.copied.reserve_exact(wanted - self.copied.len());
    }

    fn close_segment(&mut self) {
        if !self.copied.is_empty() {
            let copied = std::mem::take(&mut self.copied);
            self.pieces.push(Piece::Copied(copied));
        }
    }

    /// Copies as much of a foreign buffer as can be read without moving it.
    #[inline(never)] // most buffers are `Bytes`
    fn copy_buf<D: Buf>(&mut self, data: &D, wanted: usize) -> usize {
        let mut slices = [IoSlice::new(&[]); 16];
        let filled = data.chunks_vectored(&mut slices);
        let mut left = wanted;
        let mut copied = 0;
        for slice in slices.iter().take(filled) {
            let part = slice.get(..slice.len().min(left)).unwrap_or_default();
            left -= part.len();
            copied += self.copy(part);
        }
        copied
    }

    /// Notes the trailers.
    pub(crate) fn trailers(&mut self, trailers: &HeaderMap) {
        self.trailers.copy(trailers, self.trailers_limit);
        self.status = self
            .status
            .into_iter()
            .chain(grpc_status(trailers))
            .reduce(worse);
    }

    /// Notes the end. Only the first end counts.
    pub(crate) fn end(&mut self, ending: Ending, clock: &mut Clock) {
        if self.ending.is_some() {
            return;
        }
        let expected = self.lengths.expected;
        let all_passed = expected.is_some_and(|expected| expected <= self.seen);
        self.ending = Some(if ending == Ending::Dropped && all_passed {
            Ending::Complete
        } else {
            ending
        });
        self.last_byte = Some(clock.now());
        self.memory.shrink_to(self.kept);
    }

    /// Returns how many bytes have passed.
    pub(crate) fn seen(&self) -> u64 {
        self.seen
    }

    pub(crate) fn seen_trailers(&self) -> &HeaderFields {
        &self.trailers
    }

    /// Returns the status of a gRPC call, if it has come.
    pub(crate) fn status(&self) -> Option<u16> {
        self.status
    }

    /// Returns whether a message of the response has passed.
    pub(crate) fn has_message(&self) -> bool {
        match &self.end_frame {
            Some(end_frame) => end_frame.answered(),
            None => self.seen > 0,
        }
    }

    /// Returns whether it belongs to a call that ends with a status.
    pub(crate) fn is_of_call(&self) -> bool {
        self.of_call
    }

    /// Returns whether a status is due and none came.
    pub(crate) fn lacks_status(&self) -> bool {
        let unread = self.end_frame.as_ref().and_then(|frame| frame.unread());
        self.of_call && self.status.is_none() && unread.is_none()
    }

    /// Returns how many bytes are captured.
    pub(crate) fn kept(&self) -> usize {
        self.kept
    }

    /// Returns how many bytes are or were captured. The number only grows.
    pub(crate) fn read(&self) -> usize {
        self.kept + self.given_up
    }

    pub(crate) fn ending(&self) -> Option<&Ending> {
        self.ending.as_ref()
    }

    /// Returns whether it ended with an error.
    pub(crate) fn is_broken(&self) -> bool {
        matches!(self.ending, Some(Ending::Error(_)))
    }

    /// Returns a copy of the state, so that the caller need not hold the lock.
    pub(crate) fn snapshot(&self) -> BodySnapshot {
        BodySnapshot {
            prefix: self.content(),
            kept: self.kept as u64,
            seen: self.seen,
            polled: self.polled,
            declared: self.lengths.declared,
            out_of_memory: self.out_of_memory,
            ending: self.ending.clone(),
            first_byte: self.first_byte,
            last_byte: self.last_byte,
            trailers: self.trailers.clone(),
            skipped: self.skipped,
            items: self
                .items
                .map(|items| items.count(self.ending == Some(Ending::Complete))),
            status: self.status,
            has_message: self.has_message(),
            status_unread: self.end_frame.as_ref().and_then(|frame| frame.unread()),
        }
    }

    /// Returns the captured prefix in one buffer.
    pub(crate) fn content(&self) -> Vec<u8> {
        let mut prefix = Vec::with_capacity(self.kept);
        prefix.extend_from_slice(self.first.as_ref().map_or(&[], shown));
        for piece in &self.pieces {
            prefix.extend_from_slice(match piece {
                Piece::Shared(bytes) => shown(bytes),
                Piece::Copied(bytes) => bytes,
            });
        }
        prefix.extend_from_slice(&self.copied);
        prefix
    }

    /// Copies shared chunks: each keeps the whole buffer alive that it was cut from, and the
    /// exchange may have to wait.
    pub(crate) fn own_content(&mut self) -> LetGo {
        let shared = |piece: &Piece| matches!(piece, Piece::Shared(_));
        if self.first.is_some() || self.pieces.iter().any(shared) {
            self.copied = self.content();
            return self.let_go();
        }
        LetGo::default()
    }

    /// Empties it for the next request. Small buffers stay allocated.
    pub(crate) fn reset(&mut self) {
        // All fields are named, so that none is forgotten.
        let Self {
            limit,
            trailers_limit,
            pieces,
            first,
            copied,
            kept,
            full,
            seen,
            polled,
            lengths,
            memory,
            out_of_memory,
            given_up,
            ending,
            first_byte,
            last_byte,
            trailers,
            skipped,
            items,
            end_frame,
            of_call,
            status,
        } = self;
        pieces.clear();
        pieces.shrink_to(KEEP_PIECES);
        copied.clear();
        copied.shrink_to(super::KEEP_CAPACITY);
        trailers.reset();
        *memory = Reservation::default();
        (*first, *ending, *skipped, *items) = (None, None, None, None);
        (*first_byte, *last_byte, *end_frame, *status) = (None, None, None, None);
        *lengths = Lengths::default();
        (*full, *polled, *out_of_memory, *of_call) = (false, false, false, false);
        (*limit, *trailers_limit, *kept, *given_up, *seen) = (0, 0, 0, 0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::{Holder, MemoryBudget};
    use proptest::prelude::*;
    use std::sync::Arc;

    fn tee(limit: usize) -> Tee {
        let mut tee = Tee::default();
        tee.begin(TeePlan {
            limit,
            trailers_limit: 100,
            ..TeePlan::default()
        });
        tee
    }

    fn now() -> Clock {
        Clock::default()
    }

    proptest! {
        #[test]
        fn keeps_the_prefix_for_any_cut(
            sizes in prop::collection::vec(0_usize..5_000, 0..20),
            limit in 0_usize..20_000,
            foreign in any::<bool>(),
        ) {
            let mut tee = tee(limit);
            let mut all = Vec::new();
            for (n, size) in sizes.into_iter().enumerate() {
                let chunk: Vec<u8> = (0..size).map(|i| (i * 31 + n) as u8).collect();
                all.extend_from_slice(&chunk);
                if foreign {
                    tee.data(&std::io::Cursor::new(chunk), &mut now());
                } else {
                    tee.data(&Bytes::from(chunk), &mut now());
                }
            }
            prop_assert_eq!(tee.seen(), all.len() as u64);
            prop_assert_eq!(tee.kept, all.len().min(limit));
            prop_assert_eq!(tee.content(), &all[..tee.kept]);
            drop(tee.own_content());
            prop_assert_eq!(tee.content(), &all[..tee.kept]);
            let shared = |piece: &Piece| matches!(piece, Piece::Shared(_));
            prop_assert!(tee.first.is_none() && !tee.pieces.iter().any(shared));
        }
    }

    /// A foreign buffer that may panic when it is read.
    struct Odd(Bytes, bool);

    impl Buf for Odd {
        fn remaining(&self) -> usize {
            self.0.len()
        }

        fn chunk(&self) -> &[u8] {
            assert!(!self.1, "odd");
            &self.0
        }

        fn advance(&mut self, bytes: usize) {
            self.0.advance(bytes);
        }
    }

    #[test]
    fn behind_a_buffer_that_panics_no_status_is_made_up() {
        let message = b"\x80\0\0\0\x0egrpc-status:13";
        let mut tee = Tee::default();
        tee.begin(TeePlan {
            limit: 100,
            of_call: true,
            end_frame: Some(Box::new(EndFrame::new(Envelope::GrpcWeb))),
            ..TeePlan::default()
        });
        let head = Bytes::from_static(b"\0\0\0\0\x13");
        tee.data(&Odd(head, true), &mut now());
        tee.data(&Odd(Bytes::from_static(message), false), &mut now());
        assert_eq!(tee.status(), None);
        assert_eq!(tee.snapshot().status_unread, Some(PANICKED));
        assert!(!tee.lacks_status(), "nobody knows");
    }

    #[test]
    fn a_buffer_it_cannot_see_through_leaves_a_true_prefix() {
        let chain = || Bytes::from_static(b"ab").chain(Bytes::from_static(b"cd"));
        let deep = Buf::chain(chain(), chain());
        let mut tee = tee(100);
        tee.data(&deep, &mut now());
        tee.data(&Bytes::from_static(b"ef"), &mut now());
        assert_eq!(tee.seen(), 10);
        assert!(b"abcdabcdef".starts_with(&tee.content()[..]));
    }

    #[test]
    fn refused_memory_stops_the_capture_and_is_given_back() {
        let budget = Arc::new(MemoryBudget::new(10, 10));
        let mut tee = Tee::default();
        tee.begin(TeePlan {
            limit: 100,
            account: Some(budget.account(Holder::of(0))),
            ..TeePlan::default()
        });
        for chunk in ["12345678", "12345678", "1"] {
            tee.data(&Bytes::from(chunk), &mut now());
        }
        assert_eq!(tee.content(), b"12345678");
        assert_eq!(tee.seen(), 17);
        assert!(tee.out_of_memory);
        tee.reset();
        assert_eq!(budget.held(), 0);
    }

    #[test]
    fn dropped_after_all_that_was_announced_is_complete() {
        let mut tee = Tee::default();
        tee.begin(TeePlan {
            limit: 100,
            lengths: Lengths {
                declared: Some(3),
                expected: Some(3),
            },
            ..TeePlan::default()
        });
        tee.polled();
        tee.data(&Bytes::from_static(b"abc"), &mut now());
        tee.end(Ending::Dropped, &mut now());
        assert_eq!(tee.ending(), Some(&Ending::Complete));
        tee.end(Ending::Dropped, &mut now());
        assert_eq!(tee.ending(), Some(&Ending::Complete));
    }

    #[test]
    fn of_a_stream_the_first_items_only_and_all_are_counted() {
        let limits = StreamLimits {
            items: 2,
            time: std::time::Duration::MAX,
        };
        let mut tee = Tee::default();
        tee.begin(TeePlan {
            limit: 100,
            stream: Some((Framing::Lines, limits)),
            ..TeePlan::default()
        });
        for chunk in ["{}\n{", "}\n{}", "\n{}"] {
            tee.data(&Bytes::from(chunk), &mut now());
        }
        assert_eq!(tee.snapshot().items, Some(3));
        tee.end(Ending::Complete, &mut now());
        assert_eq!(tee.snapshot().items, Some(4));
        assert_eq!(tee.content(), b"{}\n{}\n");
        assert_eq!((tee.seen(), tee.kept()), (11, 6));
    }

    #[test]
    fn what_may_not_be_captured_is_given_back() {
        let budget = Arc::new(MemoryBudget::new(100, 100));
        let mut tee = Tee::default();
        tee.begin(TeePlan {
            limit: 100,
            account: Some(budget.account(Holder::of(0))),
            ..TeePlan::default()
        });
        tee.data(&Bytes::from_static(b"12345678"), &mut now());
        drop(tee.restrict(4, 0));
        tee.data(&Bytes::from_static(b"9"), &mut now());
        assert_eq!((tee.kept(), tee.seen(), budget.held()), (0, 9, 0));
        assert_eq!(tee.snapshot().skipped, Some("options"));
    }

    fn tee_of(budget: &Arc<MemoryBudget>) -> Tee {
        let mut tee = Tee::default();
        tee.begin(TeePlan {
            limit: 65_536,
            account: Some(budget.account(Holder::of(0))),
            ..TeePlan::default()
        });
        tee
    }

    #[test]
    fn a_body_that_ended_holds_what_it_has() {
        let budget = Arc::new(MemoryBudget::new(1 << 20, 1 << 20));
        let mut tee = tee_of(&budget);
        for _ in 0..2 {
            drop(tee.data(&Bytes::from_static(b"0123456789"), &mut now()));
        }
        tee.end(Ending::Complete, &mut now());
        assert_eq!((tee.kept(), budget.held()), (20, 20));
    }

    #[test]
    fn a_body_never_holds_more_than_its_limit() {
        let budget = Arc::new(MemoryBudget::new(1 << 20, 1 << 20));
        for sizes in [
            vec![1, 1, 4_090],
            vec![4_090],
            vec![1_000, 3_001],
            vec![60_000, 1_535, 1],
        ] {
            let mut tee = tee_of(&budget);
            for size in sizes.iter().cycle().take(100) {
                drop(tee.data(&Bytes::from(vec![0; *size]), &mut now()));
                assert!(budget.held() <= 65_536, "{} by {sizes:?}", budget.held());
            }
            assert_eq!((tee.kept(), budget.held()), (65_536, 65_536));
        }
    }
}
