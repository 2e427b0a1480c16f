//! A thread behind a bounded queue.

use crate::foreign;
use std::{
    collections::VecDeque,
    fmt, io,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

#[cfg(test)]
mod tests;

const TICK: Duration = Duration::from_secs(1);

/// Items for which memory is allocated at the start. A larger queue grows when needed.
const PREALLOCATED: usize = 1024;

/// Runs on the worker's thread. Any method may block or panic. A panic is counted, and the
/// handler is called again.
pub(crate) trait Handler<T>: Send + 'static {
    /// Handles one item.
    fn handle(&mut self, item: T);

    /// Runs for [`Worker::flush`], and once before the thread ends. Returns whether
    /// everything handled was delivered.
    fn flush(&mut self) -> bool {
        true
    }

    /// Runs once, last, before the thread ends.
    fn end(&mut self) {}

    /// Runs about once a second, also between items.
    fn tick(&mut self) {}

    /// Runs while there is nothing else to do: after each tick, and again as long as it
    /// returns `true`.
    fn idle(&mut self) -> bool {
        false
    }
}

/// A thread that handles items in the order in which they were offered. Clones share it.
///
/// When the last clone is dropped, the thread handles what is queued, flushes its handler
/// and ends. The drop does not wait for that; call [`flush`](Self::flush) before it to
/// wait.
pub(crate) struct Worker<T: Send + 'static> {
    closer: Arc<Closer<T>>,
}

/// Closes the queue when the last clone is dropped. The thread holds none.
struct Closer<T>(Arc<Shared<T>>);

struct Shared<T> {
    capacity: usize,
    capacity_bytes: usize,
    state: Mutex<State<T>>,
    /// Wakes the thread.
    wake: Condvar,
    /// Wakes the callers of `flush`.
    flushed: Condvar,
    panics: AtomicU64,
}

struct State<T> {
    /// Items, and the bytes that each holds.
    queue: VecDeque<(T, usize)>,
    bytes: usize,
    closed: bool,
    /// The thread waits and was not woken yet.
    sleeping: bool,
    /// Items accepted so far.
    offered: u64,
    /// Items handled so far.
    handled: u64,
    /// Flushes to run, in order: once `handled` reaches the first number, the flush serves
    /// all requests up to the second. Requests for the same number share an entry, so that
    /// there is at most one entry more than queued items.
    flushes: VecDeque<(u64, u64)>,
    flushes_requested: u64,
    flushes_done: u64,
    /// The last request whose flush did not deliver everything.
    flush_failed: u64,
}

impl<T: Send + 'static> Worker<T> {
    /// Starts a thread of this name. The queue holds `capacity_items`, at least 1, without
    /// the item that is being handled.
    ///
    /// # Errors
    ///
    /// The operating system cannot start a thread.
    pub(crate) fn spawn(
        name: &str,
        capacity_items: usize,
        handler: impl Handler<T>,
    ) -> io::Result<Self> {
        Self::spawn_within(name, (capacity_items, usize::MAX), handler)
    }

    /// Starts a thread whose queue holds this many items and bytes. A larger item is accepted if
    /// no other waits.
    ///
    /// # Errors
    ///
    /// The operating system cannot start a thread.
    pub(crate) fn spawn_within(
        name: &str,
        capacity: (usize, usize),
        handler: impl Handler<T>,
    ) -> io::Result<Self> {
        Self::spawn_ticking(name, capacity, TICK, handler)
    }

    fn spawn_ticking(
        name: &str,
        (capacity_items, capacity_bytes): (usize, usize),
        tick_every: Duration,
        mut handler: impl Handler<T>,
    ) -> io::Result<Self> {
        let capacity = capacity_items.max(1);
        let shared = Arc::new(Shared {
            capacity,
            capacity_bytes,
            state: Mutex::new(State {
                queue: VecDeque::with_capacity(capacity.min(PREALLOCATED)),
                bytes: 0,
                closed: false,
                sleeping: false,
                offered: 0,
                handled: 0,
                flushes: VecDeque::new(),
                flushes_requested: 0,
                flushes_done: 0,
                flush_failed: 0,
            }),
            wake: Condvar::new(),
            flushed: Condvar::new(),
            panics: AtomicU64::new(0),
        });
        let threads = Arc::clone(&shared);
        thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                run(&threads, &mut handler, tick_every);
                foreign::discard(handler);
            })?;
        Ok(Self {
            closer: Arc::new(Closer(shared)),
        })
    }

    /// Queues the item. It never waits for the handler and does not panic, so that `Drop`
    /// may call it while a panic unwinds.
    ///
    /// # Errors
    ///
    /// The queue is full. The item is returned.
    pub(crate) fn offer(&self, item: T) -> Result<(), T> {
        self.offer_holding(item, 0)
    }

    /// Queues an item that holds this many bytes.
    ///
    /// # Errors
    ///
    /// The queue is full. The item is returned.
    pub(crate) fn offer_holding(&self, item: T, bytes: usize) -> Result<(), T> {
        let shared = self.shared();
        self.offer_up_to((shared.capacity, shared.capacity_bytes), item, bytes)
    }

    /// Queues an item that leaves half of the queue to others.
    ///
    /// # Errors
    ///
    /// The queue is half full. The item is returned.
    pub(crate) fn offer_modestly(&self, item: T, bytes: usize) -> Result<(), T> {
        let shared = self.shared();
        let half = (shared.capacity.div_ceil(2), shared.capacity_bytes / 2);
        self.offer_up_to(half, item, bytes)
    }

    fn offer_up_to(
        &self,
        (items, most_bytes): (usize, usize),
        item: T,
        bytes: usize,
    ) -> Result<(), T> {
        let shared = self.shared();
        let mut state = shared.lock();
        let all = state.bytes.saturating_add(bytes);
        let heavy = all > most_bytes && !state.queue.is_empty();
        if state.closed || heavy || state.queue.len() >= items {
            drop(state);
            return Err(item);
        }
        state.queue.push_back((item, bytes));
        state.bytes = all;
        state.offered += 1;
        let wake = std::mem::take(&mut state.sleeping);
        drop(state);
        if wake {
            shared.wake.notify_one();
        }
        Ok(())
    }

    /// Waits until everything offered before was handled and the handler's `flush` ran
    /// after that, at most for `deadline`. Returns whether that happened, and whether
    /// everything was delivered. If the handler itself calls it, it can only time out.
    pub(crate) fn flush(&self, deadline: Duration) -> bool {
        let shared = self.shared();
        let mut state = shared.lock();
        state.flushes_requested += 1;
        let (ticket, offered) = (state.flushes_requested, state.offered);
        match state.flushes.back_mut() {
            Some((upto, requests)) if *upto == offered => *requests += 1,
            _ => state.flushes.push_back((offered, 1)),
        }
        if std::mem::take(&mut state.sleeping) {
            shared.wake.notify_one();
        }
        let (state, _) = shared
            .flushed
            .wait_timeout_while(state, deadline, |state| state.flushes_done < ticket)
            .unwrap_or_else(PoisonError::into_inner);
        // A flush that ran right after this one and failed counts, too.
        state.flushes_done >= ticket && state.flush_failed < ticket
    }

    /// The number of queued items, without the one that is being handled.
    pub(crate) fn len(&self) -> usize {
        self.shared().lock().queue.len()
    }

    /// The number of panics of the handler.
    pub(crate) fn panics(&self) -> u64 {
        self.shared().panics.load(Ordering::Relaxed)
    }

    fn shared(&self) -> &Shared<T> {
        &self.closer.0
    }
}

impl<T: Send + 'static> Clone for Worker<T> {
    fn clone(&self) -> Self {
        Self {
            closer: Arc::clone(&self.closer),
        }
    }
}

impl<T: Send + 'static> fmt::Debug for Worker<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker")
            .field("capacity", &self.shared().capacity)
            .field("len", &self.len())
            .field("panics", &self.panics())
            .finish_non_exhaustive()
    }
}

impl<T> Drop for Closer<T> {
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.wake.notify_one();
    }
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn guarded<R>(&self, work: impl FnOnce() -> R) -> Option<R> {
        let done = foreign::run(work);
        if done.is_none() {
            self.panics.fetch_add(1, Ordering::Relaxed);
        }
        done
    }

    /// The next thing to do, or `None` at the end. With `more` it does not wait.
    fn next(&self, until_tick: impl Fn() -> Duration, more: bool) -> Option<Step<T>> {
        let mut state = self.lock();
        loop {
            let mut requests = 0;
            while let Some(&(upto, more)) = state.flushes.front()
                && upto <= state.handled
            {
                state.flushes.pop_front();
                requests += more;
            }
            if requests > 0 {
                return Some(Step::Flush(requests));
            }
            let wait = until_tick();
            if wait.is_zero() && !state.closed {
                return Some(Step::Tick);
            }
            if let Some((item, bytes)) = state.queue.pop_front() {
                state.bytes = state.bytes.saturating_sub(bytes);
                return Some(Step::Item(item));
            }
            if state.closed {
                return None;
            }
            if more {
                return Some(Step::Idle);
            }
            state.sleeping = true;
            (state, _) = self
                .wake
                .wait_timeout(state, wait)
                .unwrap_or_else(PoisonError::into_inner);
            state.sleeping = false;
        }
    }
}

enum Step<T> {
    Item(T),
    Flush(u64),
    Tick,
    Idle,
}

fn run<T>(shared: &Shared<T>, handler: &mut impl Handler<T>, tick_every: Duration) {
    let mut ticked = Instant::now();
    let mut more = true;
    while let Some(step) = shared.next(|| tick_every.saturating_sub(ticked.elapsed()), more) {
        match step {
            Step::Item(item) => {
                shared.guarded(|| handler.handle(item));
                shared.lock().handled += 1;
            }
            Step::Flush(requests) => {
                let flushed = shared.guarded(|| handler.flush());
                let mut state = shared.lock();
                state.flushes_done += requests;
                if flushed != Some(true) {
                    state.flush_failed = state.flushes_done;
                }
                drop(state);
                shared.flushed.notify_all();
            }
            Step::Tick => {
                shared.guarded(|| handler.tick());
                ticked = Instant::now();
                more = true;
            }
            Step::Idle => more = shared.guarded(|| handler.idle()) == Some(true),
        }
    }
    shared.guarded(|| handler.flush());
    shared.guarded(|| handler.end());
}
