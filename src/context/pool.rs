use super::Shared;
use std::{cell::RefCell, sync::Arc};

/// Contexts a thread keeps for its next requests.
const CAPACITY: usize = 64;

thread_local! {
    static POOL: RefCell<Vec<Arc<Shared>>> = const { RefCell::new(Vec::new()) };
}

/// An empty context, reused where this thread has one.
pub(super) fn take() -> Arc<Shared> {
    POOL.try_with(|pool| pool.try_borrow_mut().ok()?.pop())
        .ok()
        .flatten()
        .unwrap_or_default()
}

/// Takes back a context that nobody else holds.
pub(super) fn put(shared: &mut Arc<Shared>) {
    let Some(unique) = Arc::get_mut(shared) else {
        return;
    };
    unique.reset();
    let _ = POOL.try_with(|pool| {
        if let Ok(mut pool) = pool.try_borrow_mut()
            && pool.len() < CAPACITY
        {
            pool.push(Arc::clone(shared));
        }
    });
}
