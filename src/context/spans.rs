//! Whose a span is: for threads that run code of a request without its context, such
//! as a driver's own, which enters the span of whoever asked it.

use super::RequestContext;
use std::{
    collections::HashMap,
    fmt,
    hash::{BuildHasherDefault, Hasher},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The requests that run, by the IDs of their spans in one subscriber.
///
/// Beside the registry's extensions, which another layer may have locked while the
/// service's code enters a span.
#[derive(Default)]
pub(crate) struct RequestSpans([Mutex<Part>; 16]);

type Part = HashMap<u64, RequestContext, BuildHasherDefault<Spread>>;

impl RequestSpans {
    fn part(&self, id: u64) -> Option<MutexGuard<'_, Part>> {
        // By other bits than those by which the part finds its entries.
        let part = self.0.get((spread(id) >> 32) as usize % 16)?;
        Some(part.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes what happens in this span the request's, until what is returned is gone:
    /// a span that outlives its request does not keep it.
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

    /// The request whose span this is, while it runs.
    pub(crate) fn get(&self, id: u64) -> Option<RequestContext> {
        self.part(id)?.get(&id).cloned()
    }

    pub(crate) fn has(&self, id: u64) -> bool {
        self.part(id).is_some_and(|part| part.contains_key(&id))
    }
}

/// Spreads the bits of an ID: its lowest ones are the place within a thread's part of
/// the registry, which all threads begin with. The registry gives IDs out, so nobody
/// chooses them to collide.
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

/// Holds a span bound to its request.
#[derive(Debug)]
pub(crate) struct Bound {
    spans: Arc<RequestSpans>,
    id: u64,
}

impl Drop for Bound {
    fn drop(&mut self) {
        let part = self.spans.part(self.id);
        let gone = part.and_then(|mut part| part.remove(&self.id));
        // Once nothing is locked: with it go bodies, which may be code of the service.
        drop(gone);
    }
}
