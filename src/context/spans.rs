//! Whose a span is: for threads that run code of a request without its context, such
//! as a driver's own, which enters the span of whoever asked it.

use super::RequestContext;
use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The requests that run, by the IDs of their spans in one subscriber.
///
/// Beside the registry's extensions, which another layer may have locked while the
/// service's code enters a span.
#[derive(Default)]
pub(crate) struct RequestSpans([Mutex<HashMap<u64, RequestContext>>; 16]);

impl RequestSpans {
    fn part(&self, id: u64) -> Option<MutexGuard<'_, HashMap<u64, RequestContext>>> {
        let part = self.0.get(usize::try_from(id % 16).ok()?)?;
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
