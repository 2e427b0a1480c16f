use super::Shared;
use std::{
    cell::RefCell,
    sync::{Arc, Mutex},
};

/// How many contexts a thread keeps for its next requests.
const CAPACITY: usize = 64;

/// How many contexts are kept that ended on other threads: the log writer releases those of
/// several milliseconds at once.
const ELSEWHERE_CAPACITY: usize = 512;

/// How many of those a thread takes at once.
const SHARE: usize = 8;

thread_local! {
    /// `None` on a thread that begins no requests.
    static POOL: RefCell<Option<Vec<Arc<Shared>>>> = const { RefCell::new(None) };
}

/// Contexts that ended on threads that begin no requests, such as the log writer's. No thread
/// waits for the lock.
static ELSEWHERE: Mutex<Vec<Arc<Shared>>> = Mutex::new(Vec::new());

/// Returns an empty context, reused if possible.
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

/// Takes a context back unless others hold it. Others hold most contexts that are dropped: a
/// function of its own keeps that drop free of registers to save.
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
