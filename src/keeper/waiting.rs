//! Bodies of finished calls that wait until it is known whether their request is kept:
//! where memory is short, they are given up before those of what runs.

use crate::{context::RequestContext, recorder::MemoryBudget};
use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// Calls whose bodies wait at the same time; the oldest are given up for more.
const MOST: usize = 4096;

/// For so long bodies wait where a quarter of the memory is in use.
const LONG: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) struct Waiting {
    bodies: Arc<MemoryBudget>,
    /// Of the queue, also where a call has gone.
    length: AtomicUsize,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    next: u64,
    /// In the order of their numbers; `None` where one waits no more.
    calls: VecDeque<(u64, Instant, Option<RequestContext>)>,
}

/// A call whose bodies may be given up until this is dropped.
#[derive(Debug)]
pub(super) struct Held {
    waiting: Arc<Waiting>,
    number: u64,
}

impl Drop for Held {
    fn drop(&mut self) {
        let call = {
            let mut queue = self.waiting.queue();
            let at = queue
                .calls
                .binary_search_by_key(&self.number, |call| call.0);
            let call = at.ok().and_then(|at| queue.calls.get_mut(at)?.2.take());
            queue.forget_gone();
            self.waiting.length.store(queue.calls.len(), Relaxed);
            call
        };
        drop(call);
    }
}

impl Queue {
    fn forget_gone(&mut self) {
        while let Some((.., None)) = self.calls.front() {
            self.calls.pop_front();
        }
    }
}

impl Waiting {
    pub(super) fn new(bodies: Arc<MemoryBudget>) -> Self {
        Self {
            bodies,
            length: AtomicUsize::new(0),
            queue: Mutex::default(),
        }
    }

    /// Notes a call that has ended, where it has bodies.
    pub(super) fn hold(self: &Arc<Self>, call: &RequestContext, now: Instant) -> Option<Held> {
        let shared = call.shared();
        let none = shared.captured.request_body().kept() == 0;
        if none && shared.captured.response_body().kept() == 0 {
            return None;
        }
        let number = {
            let mut queue = self.queue();
            let number = queue.next;
            queue.next += 1;
            queue.calls.push_back((number, now, Some(call.clone())));
            self.length.store(queue.calls.len(), Relaxed);
            number
        };
        Some(Held {
            waiting: Arc::clone(self),
            number,
        })
    }

    /// Gives up the oldest bodies where memory is short, or they have waited for long.
    /// Nothing may be locked: buffers of the service are dropped.
    pub(super) fn relieve(&self) {
        if self.length.load(Relaxed) == 0 || !self.bodies.is_filled(1) {
            return;
        }
        let now = Instant::now();
        while let Some(call) = self.next_to_go(now) {
            self.bodies.note_refused();
            let shared = call.shared();
            let request = shared.captured.request_body().give_up();
            let response = shared.captured.response_body().give_up();
            drop((request, response));
        }
    }

    fn next_to_go(&self, now: Instant) -> Option<RequestContext> {
        let mut queue = self.queue();
        queue.forget_gone();
        let (_, since, _) = queue.calls.front()?;
        let long = now.duration_since(*since) >= LONG && self.bodies.is_filled(1);
        let goes = long || queue.calls.len() > MOST || self.bodies.is_filled(3);
        let call = goes.then(|| queue.calls.pop_front()).flatten();
        self.length.store(queue.calls.len(), Relaxed);
        call?.2
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
