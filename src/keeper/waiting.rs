//! Bodies of finished calls that wait for the decision on their request. If memory is
//! short, they are dropped before those of running requests.

use crate::{
    context::RequestContext,
    recorder::{Holder, MemoryBudget},
};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// How many calls with bodies may wait; beyond it the oldest bodies are dropped.
const MOST: usize = 4096;

/// How long bodies wait if a quarter of the memory is in use.
const LONG: Duration = Duration::from_secs(10);

/// How many of the oldest are checked to find one of a peer that holds much.
const LOOKED_AT: usize = 64;

#[derive(Debug)]
pub(super) struct Waiting {
    bodies: Arc<MemoryBudget>,
    /// The number of waiting calls.
    length: AtomicUsize,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    next: u64,
    /// By number, the oldest first. A call that no longer waits leaves no entry, however
    /// long the ones before it wait.
    calls: BTreeMap<u64, Call>,
}

#[derive(Debug)]
struct Call {
    since: Instant,
    holder: Holder,
    context: RequestContext,
}

/// A call whose bodies may be dropped while this exists.
#[derive(Debug)]
pub(super) struct Held {
    waiting: Arc<Waiting>,
    number: u64,
}

impl Drop for Held {
    fn drop(&mut self) {
        let call = {
            let mut queue = self.waiting.queue();
            let call = queue.calls.remove(&self.number);
            self.waiting.length.store(queue.calls.len(), Relaxed);
            call
        };
        drop(call);
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

    /// Registers a call that has ended, if it has bodies.
    pub(super) fn hold(self: &Arc<Self>, call: &RequestContext, now: Instant) -> Option<Held> {
        let shared = call.shared();
        let none = shared.captured.request_body().kept() == 0;
        if none && shared.captured.response_body().kept() == 0 {
            return None;
        }
        let call = Call {
            since: now,
            holder: Holder::of(shared.captured.heads().client),
            context: call.clone(),
        };
        let number = {
            let mut queue = self.queue();
            let number = queue.next;
            queue.next += 1;
            queue.calls.insert(number, call);
            self.length.store(queue.calls.len(), Relaxed);
            number
        };
        Some(Held {
            waiting: Arc::clone(self),
            number,
        })
    }

    /// Drops the oldest bodies if memory is short, they have waited long, or there are too
    /// many. Call it with nothing locked: it drops buffers of the service.
    pub(super) fn relieve(&self) {
        let length = self.length.load(Relaxed);
        if length == 0 || length <= MOST && !self.bodies.is_filled(2) {
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

    /// Bodies of peers that hold much are dropped before a peer is refused its share;
    /// others only if almost no memory is left.
    fn next_to_go(&self, now: Instant) -> Option<RequestContext> {
        let mut queue = self.queue();
        let any = queue.calls.len() > MOST || self.bodies.is_filled(7);
        let goes = |call: &Call| {
            let long = || now.saturating_duration_since(call.since) >= LONG;
            let short = || self.bodies.is_filled(3) || self.bodies.is_filled(2) && long();
            any || short() && self.bodies.has_much(call.holder)
        };
        let mut oldest = queue.calls.iter().take(LOOKED_AT);
        let number = oldest.find(|(_, call)| goes(call)).map(|(n, _)| *n)?;
        let call = queue.calls.remove(&number);
        self.length.store(queue.calls.len(), Relaxed);
        call.map(|call| call.context)
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        id::Identity,
        recorder::{Clock, TeePlan},
    };
    use bytes::Bytes;
    use std::time::SystemTime;

    /// A call with a body of one byte.
    fn call() -> RequestContext {
        let identity = Identity::default();
        let call = RequestContext::new(identity, Instant::now(), SystemTime::UNIX_EPOCH, None);
        {
            let mut body = call.shared().captured.response_body();
            body.begin(TeePlan {
                limit: 1,
                ..TeePlan::default()
            });
            drop(body.data(&Bytes::from_static(b"1"), &mut Clock::default()));
        }
        call
    }

    fn waiting() -> Arc<Waiting> {
        Arc::new(Waiting::new(Arc::new(MemoryBudget::new(usize::MAX, 1))))
    }

    #[test]
    fn those_that_wait_no_more_leave_nothing_behind_one_that_does() {
        let waiting = waiting();
        let now = Instant::now();
        let first = waiting.hold(&call(), now);
        for _ in 0..100 {
            drop(waiting.hold(&call(), now));
        }
        assert_eq!(waiting.queue().calls.len(), 1);
        drop(first);
        assert_eq!(waiting.length.load(Relaxed), 0);
    }

    #[test]
    fn they_are_bounded_however_much_memory_there_is() {
        let waiting = waiting();
        let now = Instant::now();
        let calls: Vec<_> = (0..MOST + 3).map(|_| call()).collect();
        let held: Vec<_> = calls.iter().map(|call| waiting.hold(call, now)).collect();
        waiting.relieve();
        let kept = |call: &RequestContext| call.shared().captured.response_body().kept();
        let left: Vec<_> = calls.iter().take(4).map(kept).collect();
        assert_eq!(left, [0, 0, 0, 1], "the oldest go first");
        drop(held);
        assert_eq!(waiting.length.load(Relaxed), 0);
    }
}
