use super::Shared;
use std::{
    cell::RefCell,
    sync::{Arc, Mutex},
};

/// Contexts a thread keeps for its next requests.
const CAPACITY: usize = 64;

/// Contexts that ended elsewhere: the log writer lets those of some milliseconds go at
/// once.
const ELSEWHERE_CAPACITY: usize = 512;

/// Contexts that a thread takes of those at once.
const SHARE: usize = 8;

thread_local! {
    /// None on a thread that begins no requests.
    static POOL: RefCell<Option<Vec<Arc<Shared>>>> = const { RefCell::new(None) };
}

/// What ended on threads that begin no requests, such as the log writer's. Nobody
/// waits for it.
static ELSEWHERE: Mutex<Vec<Arc<Shared>>> = Mutex::new(Vec::new());

/// An empty context, reused where there is one.
pub(super) fn take() -> Arc<Shared> {
    POOL.try_with(|pool| {
        let mut pool = pool.try_borrow_mut().ok()?;
        let pool = pool.get_or_insert_default();
        if pool.is_empty()
            && let Ok(mut elsewhere) = ELSEWHERE.try_lock()
        {
            let left = elsewhere.len().saturating_sub(SHARE);
            pool.extend(elsewhere.drain(left..));
        }
        pool.pop()
    })
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
        let Ok(mut pool) = pool.try_borrow_mut() else {
            return;
        };
        if let Some(pool) = &mut *pool {
            if pool.len() < CAPACITY {
                pool.push(Arc::clone(shared));
            }
        } else if let Ok(mut elsewhere) = ELSEWHERE.try_lock()
            && elsewhere.len() < ELSEWHERE_CAPACITY
        {
            elsewhere.push(Arc::clone(shared));
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
        let before = pooled();
        assert!(before >= Some(1));
        std::thread::spawn(move || {
            put(&mut shared[1]);
            assert_eq!(pooled(), None);
        })
        .join()
        .unwrap();
        assert_eq!(pooled(), before);
    }
}
