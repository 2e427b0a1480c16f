use super::Shared;
use std::{cell::RefCell, sync::Arc};

/// Contexts a thread keeps for its next requests.
const CAPACITY: usize = 64;

thread_local! {
    /// None on a thread that begins no requests: what ends there, such as on the
    /// exporter's thread, would wait for nobody.
    static POOL: RefCell<Option<Vec<Arc<Shared>>>> = const { RefCell::new(None) };
}

/// An empty context, reused where this thread has one.
pub(super) fn take() -> Arc<Shared> {
    POOL.try_with(|pool| pool.try_borrow_mut().ok()?.get_or_insert_default().pop())
        .ok()
        .flatten()
        .unwrap_or_default()
}

/// Takes back a context that nobody else holds. A function of its own, so that the
/// drop of one that somebody holds, which is most of them, has no registers to save.
#[inline(never)]
pub(super) fn put(shared: &mut Arc<Shared>) {
    let Some(unique) = Arc::get_mut(shared) else {
        return;
    };
    unique.reset();
    let _ = POOL.try_with(|pool| {
        if let Ok(mut pool) = pool.try_borrow_mut()
            && let Some(pool) = &mut *pool
            && pool.len() < CAPACITY
        {
            pool.push(Arc::clone(shared));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pooled() -> Option<usize> {
        POOL.with(|pool| pool.borrow().as_ref().map(Vec::len))
    }

    #[test]
    fn a_thread_that_begins_no_requests_keeps_no_contexts() {
        let mut shared = [take(), take()];
        put(&mut shared[0]);
        assert_eq!(pooled(), Some(1));
        std::thread::spawn(move || {
            put(&mut shared[1]);
            assert_eq!(pooled(), None);
        })
        .join()
        .unwrap();
    }
}
