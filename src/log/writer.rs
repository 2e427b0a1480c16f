use super::{
    batch::{Batch, Head, LIMIT, Request, SpanHead, TraceHead},
    format::LineFormat,
    line::Renderer,
};
use crate::{
    context::{self, OwnLine, RequestContext},
    foreign,
    recorder::find_literals,
    redact::{Policy, Scrubber},
};
use std::{
    fmt,
    io::{self, Write},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant, SystemTime},
};
use tracing::Metadata;

/// The most bytes of requests that waiting lines may keep alive.
const HELD_LIMIT: usize = 16 * 1024 * 1024;
/// The size of text at which it is written to the output.
const CHUNK: usize = 256 * 1024;
/// The default of the longest line. Container runtimes split longer ones.
pub(crate) const MAX_LINE: usize = 16 * 1024;
/// The constant parts of every line fit into this.
const LEAST_LINE: usize = 2 * 1024;
/// The longest route, in bytes, of a request line that the writer takes as a record.
const LONG_ROUTE: usize = 512;
/// The number of the next batch of any writer.
static NEXT: AtomicU64 = AtomicU64::new(1);
/// How long the writer lets lines gather if many come. Waking it for each would cost more than the
/// lines.
const GATHER: Duration = Duration::from_millis(5);
/// How long it does if few come. No line waits longer until the writer looks.
const MOST_GATHER: Duration = Duration::from_millis(40);
/// If fewer lines gathered, the writer lets the next ones gather longer.
const FEW: usize = 4;
/// If so many lines gathered, the writer looks sooner.
const MANY: usize = 16;

#[derive(Debug, Default)]
struct State {
    batch: Batch,
    /// The lines about the end of the process. They have room of their own, and are written
    /// before most others. The batch has the number of the one that they follow.
    last: Batch,
    sleeping: bool,
    closed: bool,
    hurry: bool,
    /// Batches taken, and batches written. They are equal when the writer is idle.
    taken: u64,
    written: u64,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Wakes the writer.
    work: Condvar,
    /// Wakes the callers of `flush`.
    done: Condvar,
    /// The number of the batch that receives lines.
    filling: AtomicU64,
    /// Whether there are lines about the end of the process.
    has_last: AtomicBool,
    dropped: AtomicU64,
    failed: AtomicU64,
    withheld: AtomicU64,
    flat: AtomicBool,
    /// The longest line; 0 is the default.
    max_line: AtomicUsize,
    format: OnceLock<LineFormat>,
}

impl State {
    fn has_lines(&self) -> bool {
        !self.batch.heads.is_empty() || !self.last.heads.is_empty()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes this batch receive the lines that come.
    fn begin(&self, batch: &mut Batch) {
        batch.id = NEXT.fetch_add(1, Relaxed);
        self.filling.store(batch.id, Relaxed);
    }
}

/// Passes lines to the writer, and flushes and counts them. When the last handle is
/// dropped, the writer writes the lines that wait and ends.
#[derive(Clone)]
pub(crate) struct JsonHandle(Arc<Owner>);

struct Owner(Arc<Shared>);

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.work.notify_one();
    }
}

impl JsonHandle {
    /// Queues a line. The first `values` of the bytes are the event's own; `cut` is the
    /// number that were cut or left out. The spans have the places of theirs.
    pub(super) fn push(
        &self,
        metadata: &'static Metadata<'static>,
        bytes: &[u8],
        (values, cut): (usize, u32),
        spans: &[SpanHead],
        context: Option<(&RequestContext, bool)>,
        replayed: Option<(SystemTime, Arc<Scrubber>)>,
    ) {
        let shared = &self.0.0;
        let (at, scrubber) = match replayed {
            Some((at, scrubber)) => (at, Some(scrubber)),
            None => (SystemTime::now(), None),
        };
        let id = context.map_or(&[][..], |(context, _)| {
            context.correlation_id().as_header_value().as_bytes()
        });
        let holds = context
            .filter(|(_, own)| !own && scrubber.is_none())
            .map(|(context, _)| {
                let request = context.shared();
                let weighed = request.is_weighed_in(shared.filling.load(Relaxed));
                (context, if weighed { 0 } else { request.weight() })
            });
        let is_last = context.is_some_and(|(_, own)| own) && context::helps();
        self.add(is_last, bytes.len() + id.len(), |batch| {
            let request = match holds {
                None => scrubber.map_or(Request::None, Request::Replayed),
                Some((context, weight)) => {
                    let weighed = context.shared().is_weighed_in(batch.id);
                    let more = if weighed { 0 } else { weight };
                    if batch.held + more > HELD_LIMIT {
                        Request::TooMuch
                    } else {
                        batch.held += more;
                        // If the writer just took another batch, the request is counted with
                        // the next line.
                        if more > 0 {
                            context.shared().note_weighed_in(batch.id);
                        }
                        Request::Known(context.clone())
                    }
                }
            };
            let start = batch.bytes.len();
            batch.bytes.extend_from_slice(id);
            let before = batch.bytes.len();
            batch.bytes.extend_from_slice(bytes);
            let first_span = batch.spans.len();
            batch.spans.extend(spans.iter().map(|span| SpanHead {
                metadata: span.metadata,
                start: before + span.start,
                end: before + span.end,
            }));
            batch.heads.push(Head {
                metadata,
                at,
                start,
                id: id.len(),
                values,
                cut,
                spans: first_span,
                trace: context.map(|(context, _)| TraceHead::of(context)),
                // Our own line has no free text; holding its request would keep
                // the buffers from the next one.
                request,
            });
        });
    }

    /// Takes the line of a request, unless its route is long. Returns whether it did.
    pub(super) fn push_own(
        &self,
        metadata: &'static Metadata<'static>,
        line: OwnLine,
        context: &RequestContext,
    ) -> bool {
        let route = context.shared().route();
        let values = route.map_or(0, str::len);
        if values > LONG_ROUTE {
            return false;
        }
        let at = SystemTime::now();
        let id = context.correlation_id().as_header_value().as_bytes();
        self.add(context::helps(), id.len() + values, |batch| {
            let start = batch.bytes.len();
            batch.bytes.extend_from_slice(id);
            batch
                .bytes
                .extend_from_slice(route.unwrap_or_default().as_bytes());
            batch.heads.push(Head {
                metadata,
                at,
                start,
                id: id.len(),
                values,
                cut: 0,
                spans: batch.spans.len(),
                trace: Some(TraceHead::of(context)),
                request: Request::Own(batch.own.len()),
            });
            batch.own.push(line);
        });
        true
    }

    /// Adds a line with this many bytes of its own, or counts it as dropped. `is_last`: the line
    /// is about the end of the process.
    fn add(&self, is_last: bool, bytes: usize, add: impl FnOnce(&mut Batch)) {
        let shared = &self.0.0;
        let mut guard = shared.lock();
        let State { batch, last, .. } = &mut *guard;
        let batch = if is_last {
            last.id = batch.id;
            last
        } else {
            batch
        };
        if batch.size() + bytes > LIMIT {
            drop(guard);
            shared.dropped.fetch_add(1, Relaxed);
            return;
        }
        add(batch);
        // A burst must not fill the batch while the writer lets lines gather.
        let fills = batch.size() > LIMIT / 8 || batch.held > HELD_LIMIT / 8;
        let hurry = fills && !std::mem::replace(&mut guard.hurry, fills);
        let wake = std::mem::take(&mut guard.sleeping);
        if is_last {
            shared.has_last.store(true, Relaxed);
        }
        drop(guard);
        if wake || hurry {
            shared.work.notify_one();
        }
    }

    pub(super) fn flatten_fields(&self, on: bool) {
        self.0.0.flat.store(on, Relaxed);
    }

    pub(super) fn max_line(&self, bytes: usize) {
        self.0.0.max_line.store(bytes.max(LEAST_LINE), Relaxed);
    }

    /// Works only before the first line, which fixes the constant parts of callsites.
    pub(super) fn format(&self, format: LineFormat) {
        let _ = self.0.0.format.set(format);
    }

    /// Waits until every line so far was written to the output, at most until the deadline.
    /// Returns whether it was. Lines that the output refused count in
    /// [`failed`](Self::failed).
    pub(crate) fn flush(&self, deadline: Duration) -> bool {
        let shared = &self.0.0;
        let mut state = shared.lock();
        let goal = state.taken + u64::from(state.has_lines());
        state.hurry = true;
        state.sleeping = false;
        shared.work.notify_one();
        let (state, _) = shared
            .done
            .wait_timeout_while(state, deadline, |state| state.written < goal)
            .unwrap_or_else(PoisonError::into_inner);
        state.written >= goal
    }

    /// The number of lines dropped because the writer was behind.
    pub(crate) fn dropped(&self) -> u64 {
        self.0.0.dropped.load(Relaxed)
    }

    /// The number of lines that lost all run-time parts of a text, because their request
    /// has more values to look for than the limits allow.
    pub(crate) fn withheld(&self) -> u64 {
        self.0.0.withheld.load(Relaxed)
    }

    /// The number of lines that the output refused. They are lost.
    pub(crate) fn failed(&self) -> u64 {
        self.0.0.failed.load(Relaxed)
    }
}

impl fmt::Debug for JsonHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonHandle")
            .field("dropped", &self.dropped())
            .finish_non_exhaustive()
    }
}

/// The writer thread.
pub(super) struct Writer {
    shared: Arc<Shared>,
    output: Box<dyn Write + Send>,
    renderer: Renderer,
    told: u64,
    /// Whether there were lines when it last looked.
    awake: bool,
    /// After how long it looks again.
    pace: Duration,
}

impl Writer {
    pub(super) fn spawn(output: Box<dyn Write + Send>, policy: Policy) -> io::Result<JsonHandle> {
        find_literals();
        let shared = Arc::<Shared>::default();
        shared.begin(&mut shared.lock().batch);
        let writer = Self {
            shared: Arc::clone(&shared),
            output,
            renderer: Renderer::new(policy),
            told: 0,
            awake: false,
            pace: GATHER,
        };
        thread::Builder::new()
            .name("dashcam-log".to_owned())
            .spawn(move || writer.run())?;
        Ok(JsonHandle(Arc::new(Owner(shared))))
    }

    fn run(mut self) {
        let mut batch = Batch::default();
        let mut text = Vec::new();
        loop {
            let closed = self.take(&mut batch);
            if closed && batch.heads.is_empty() && !self.shared.has_last.load(Relaxed) {
                foreign::discard(self.output);
                return;
            }
            // A panicking output must not end the thread.
            let written = foreign::run(|| self.write(&batch, &mut text));
            if written.is_none() {
                // It is unknown which lines were written.
                let lines = batch.heads.len() as u64;
                self.shared.failed.fetch_add(lines, Relaxed);
            }
            batch.clear();
            text.clear();
            text.shrink_to(LIMIT / 8);
            self.shared.lock().written += 1;
            self.shared.done.notify_all();
        }
    }

    /// Waits for lines, lets some gather, and takes them.
    fn take(&mut self, batch: &mut Batch) -> bool {
        let mut state = self.shared.lock();
        loop {
            // While it looks at times, no line has to wake it.
            if !self.awake {
                while !state.has_lines() && !state.closed {
                    state.sleeping = true;
                    state = self
                        .shared
                        .work
                        .wait(state)
                        .unwrap_or_else(PoisonError::into_inner);
                }
                state.sleeping = false;
            }
            let until = Instant::now() + self.pace;
            while !state.closed && !state.hurry {
                let Some(left) = until.checked_duration_since(Instant::now()) else {
                    break;
                };
                state = self
                    .shared
                    .work
                    .wait_timeout(state, left)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0;
            }
            state.hurry = false;
            self.awake = state.has_lines();
            if self.awake || state.closed {
                break;
            }
        }
        state.taken += 1;
        std::mem::swap(&mut state.batch, batch);
        self.shared.begin(&mut state.batch);
        self.pace = match batch.heads.len() {
            0..FEW => (2 * self.pace).min(MOST_GATHER),
            FEW..MANY => self.pace,
            _ => (self.pace / 2).max(GATHER),
        };
        state.closed
    }

    fn write(&mut self, batch: &Batch, text: &mut Vec<u8>) -> io::Result<()> {
        let mut result = Ok(());
        let mut waiting = 0;
        let shared = Arc::clone(&self.shared);
        let format = shared.format.get_or_init(LineFormat::otel);
        let form = (format, shared.flat.load(Relaxed));
        let max = match shared.max_line.load(Relaxed) {
            0 => MAX_LINE,
            max => max,
        };
        for line in batch.lines() {
            if self.renderer.line(&line, form, max, text) {
                self.shared.withheld.fetch_add(1, Relaxed);
            }
            waiting += 1;
            if text.len() >= CHUNK {
                result = result.and(self.give(text, &mut waiting));
                result = result.and(self.write_last(None, form, max, text));
            }
        }
        let dropped = self.shared.dropped.load(Relaxed);
        if dropped > self.told {
            self.renderer.loss(dropped - self.told, form, text);
            self.told = dropped;
        }
        result = result.and(self.give(text, &mut waiting));
        result.and(self.write_last(Some(batch.id), form, max, text))
    }

    /// Writes the lines about the end of the process when they are due: after the batch
    /// that they follow, or before the rest of it. If many lines precede them, they are
    /// written first, because there may be no time for all.
    fn write_last(
        &mut self,
        written: Option<u64>,
        form: (&LineFormat, bool),
        max: usize,
        text: &mut Vec<u8>,
    ) -> io::Result<()> {
        if !self.shared.has_last.load(Relaxed) {
            return Ok(());
        }
        let batch = {
            let mut state = self.shared.lock();
            let is_next = written.is_none_or(|written| written >= state.last.id);
            if !is_next && state.batch.size() <= CHUNK {
                return Ok(());
            }
            self.shared.has_last.store(false, Relaxed);
            std::mem::take(&mut state.last)
        };
        let mut waiting = 0;
        for line in batch.lines() {
            self.renderer.line(&line, form, max, text);
            waiting += 1;
        }
        self.give(text, &mut waiting)
    }

    /// Writes lines to the output, and counts those that it refuses.
    fn give(&mut self, text: &mut Vec<u8>, lines: &mut u64) -> io::Result<()> {
        let written = self
            .output
            .write_all(text)
            .and_then(|()| self.output.flush());
        if written.is_err() {
            self.shared.failed.fetch_add(*lines, Relaxed);
        }
        *lines = 0;
        text.clear();
        written
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::JsonLayer;
    use tracing_subscriber::layer::SubscriberExt;

    #[test]
    fn a_burst_hurries_the_writer() {
        let lines = JsonLayer::new(io::sink(), Policy::strict()).unwrap();
        let handle = lines.handle();
        let subscriber = tracing_subscriber::registry().with(lines);
        tracing::subscriber::with_default(subscriber, || {
            // Few lines: it lets the next ones gather for longer.
            for _ in 0..4 {
                tracing::info!("quiet");
                assert!(handle.flush(Duration::from_secs(60)));
            }
            let text = "word ".repeat(1_600);
            let burst = LIMIT / 8 / text.len() + 2;
            for _ in 0..burst {
                tracing::info!(text, "burst");
            }
            let state = handle.0.0.lock();
            let gathers = state.batch.heads.len() == burst && !state.hurry;
            assert!(!gathers, "the batch is full to an eighth, and waits");
        });
        assert_eq!(handle.dropped(), 0);
    }
}
