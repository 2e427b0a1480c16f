//! Maps spans to requests, for threads that run code of a request without its context. An example
//! is a driver's own thread, which enters the span of its caller.

use super::RequestContext;
use std::{
    collections::HashMap,
    fmt,
    hash::{BuildHasherDefault, Hasher},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The running requests, by the IDs of their spans in one subscriber.
///
/// Not in the registry's extensions, which another layer may have locked while the service's code
/// enters a span.
#[derive(Default)]
pub(crate) struct RequestSpans([Mutex<Part>; 16]);

type Part = HashMap<u64, RequestContext, BuildHasherDefault<Spread>>;

impl RequestSpans {
    fn part(&self, id: u64) -> Option<MutexGuard<'_, Part>> {
        // The part finds its entries by other bits than these.
        let part = self.0.get((spread(id) >> 32) as usize % 16)?;
        Some(part.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Binds a span to the request until the result is dropped: events in the span belong to the
    /// request. A span that outlives its request does not hold it.
    pub(crate) fn bind(self: &Arc<Self>, id: u64, context: &RequestContext) -> Bound {
        let before = self
            .part(id)
            .and_then(|mut part| part.insert(id, context.clone()));
        drop(before);
        Bound {
            spans: Arc::clone(self),
            id,
        }
    }

    /// Returns the request of this span, while it runs.
    pub(crate) fn get(&self, id: u64) -> Option<RequestContext> {
        self.part(id)?.get(&id).cloned()
    }

    pub(crate) fn has(&self, id: u64) -> bool {
        self.part(id).is_some_and(|part| part.contains_key(&id))
    }
}

/// Spreads the bits of an ID: its lowest bits are the place within a thread's part of the
/// registry, and all threads start with the same ones. The registry assigns IDs, so that no one
/// can choose them to collide.
fn spread(id: u64) -> u64 {
    let wide = u128::from(id) * 0x9e37_79b9_7f4a_7c15;
    wide as u64 ^ (wide >> 64) as u64
}

/// Hashes one ID.
#[derive(Default)]
struct Spread(u64);

impl Hasher for Spread {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, id: u64) {
        self.0 = spread(self.0 ^ id);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl fmt::Debug for RequestSpans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RequestSpans")
    }
}

/// Binds a span to its request until dropped.
#[derive(Debug)]
pub(crate) struct Bound {
    spans: Arc<RequestSpans>,
    id: u64,
}

impl Drop for Bound {
    fn drop(&mut self) {
        let part = self.spans.part(self.id);
        let gone = part.and_then(|mut part| part.remove(&self.id));
        // Dropped without a lock, because that drops bodies, which may be code of the service.
        drop(gone);
    }
}
