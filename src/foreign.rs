//! Code of others: run and dropped so that a panic in it stays there.
//!
//! Closures, layers, bodies, buffers and errors are the service's own, and so are what
//! their panics leave behind and its destructors. Wherever none of it decides about the
//! traffic, a panic in it is caught and counted, and what was caught is dropped here.
//!
//! What is caught where a thread already unwinds does no harm. A second panic that
//! leaves a destructor while a first one unwinds ends the process, by the rules of the
//! language: where that happens inside of a value of the service, such as a response
//! of which two fields panic as they are dropped, nobody outside of it can help.

use std::{
    any::Any,
    fmt, mem,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    thread,
};
use tracing::{Span, span};

/// What a panic leaves behind.
pub(crate) type Payload = Box<dyn Any + Send + 'static>;

/// What is left behind by dropping what was left behind is dropped so often.
const NESTED: usize = 16;

static CAUGHT: AtomicU64 = AtomicU64::new(0);
static FORGOTTEN: AtomicU64 = AtomicU64::new(0);

/// Panics that were caught and changed nothing, of the whole process.
#[cfg(feature = "kit")]
pub(crate) fn caught() -> u64 {
    CAUGHT.load(Relaxed)
}

/// Payloads of panics that could not be dropped, of the whole process.
#[cfg(feature = "kit")]
pub(crate) fn forgotten() -> u64 {
    FORGOTTEN.load(Relaxed)
}

/// Runs code of others; `None` where it panicked.
#[inline]
pub(crate) fn run<R>(f: impl FnOnce() -> R) -> Option<R> {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(result) => Some(result),
        Err(payload) => {
            swallow(payload);
            None
        }
    }
}

/// Drops something of others.
#[inline]
pub(crate) fn discard<T>(value: T) {
    run(|| drop(value));
}

/// Lets a panic go on that was caught, unless the thread unwinds already: a second one
/// would end the process.
pub(crate) fn go_on(payload: Payload) {
    if thread::panicking() {
        swallow(payload);
    } else {
        resume_unwind(payload);
    }
}

/// Drops what a panic left behind. That may panic, too, and leave something behind in
/// turn: after some times it is forgotten, and leaks.
#[cold]
#[inline(never)]
fn swallow(mut payload: Payload) {
    CAUGHT.fetch_add(1, Relaxed);
    for _ in 0..NESTED {
        match catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            Ok(()) => return,
            Err(next) => payload = next,
        }
    }
    FORGOTTEN.fetch_add(1, Relaxed);
    mem::forget(payload);
}

/// Enters a span, which is code of the layers, as is leaving it.
#[inline]
pub(crate) fn enter(span: &Span) -> Option<Foreign<span::Entered<'_>>> {
    // Most spans are none: then there is nothing to be caught.
    if span.is_none() {
        return None;
    }
    enter_some(span)
}

#[inline(never)]
fn enter_some(span: &Span) -> Option<Foreign<span::Entered<'_>>> {
    let entered = run(|| span.enter()).map(Foreign::new);
    if entered.is_none() {
        // Layers that came before the one that panicked are inside of it.
        run(|| span.with_subscriber(|(id, dispatch)| dispatch.exit(id)));
    }
    entered
}

/// A value whose destructor is code of others. Each is dropped by itself, so that many
/// in one collection may panic.
#[derive(Clone, Default)]
pub(crate) struct Foreign<T>(Option<T>);

impl<T> Foreign<T> {
    #[inline]
    pub(crate) fn new(value: T) -> Self {
        Self(Some(value))
    }

    /// The value; there is one until it is dropped.
    #[inline]
    pub(crate) fn get(&self) -> Option<&T> {
        self.0.as_ref()
    }
}

impl<T> Drop for Foreign<T> {
    #[inline]
    fn drop(&mut self) {
        if let Some(value) = self.0.take() {
            discard(value);
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Foreign<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{panic::panic_any, sync::Arc};

    /// Panics as it is dropped, and leaves another one behind, so often.
    struct Nest(
        u32,
        #[allow(dead_code, reason = "tells what leaks")] Arc<()>,
    );

    impl Drop for Nest {
        fn drop(&mut self) {
            if let Some(left) = self.0.checked_sub(1) {
                panic_any(Self(left, Arc::clone(&self.1)));
            }
        }
    }

    #[test]
    fn what_panics_as_it_is_dropped_is_dropped_all_the_same() {
        let held = Arc::new(());
        discard(Nest(5, Arc::clone(&held)));
        assert_eq!(Arc::strong_count(&held), 1);
        let many: Vec<_> = (0..4)
            .map(|n| Foreign::new(Nest(n, held.clone())))
            .collect();
        drop(many);
        assert_eq!(Arc::strong_count(&held), 1);
        assert_eq!(run(|| panic_any(Nest(3, held.clone()))), None::<()>);
        assert_eq!(Arc::strong_count(&held), 1);
    }

    #[test]
    fn what_never_ends_is_forgotten_and_counted() {
        let before = FORGOTTEN.load(Relaxed);
        discard(Nest(u32::MAX, Arc::new(())));
        assert!(FORGOTTEN.load(Relaxed) > before);
    }

    #[test]
    fn nothing_ends_the_process_while_a_thread_unwinds() {
        struct Unwinds(Arc<()>);
        impl Drop for Unwinds {
            fn drop(&mut self) {
                discard(Nest(2, Arc::clone(&self.0)));
                go_on(Box::new(Nest(2, Arc::clone(&self.0))));
            }
        }
        let held = Arc::new(());
        let unwinds = Unwinds(Arc::clone(&held));
        let first = run(move || {
            let _unwinds = unwinds;
            panic!("the first one");
        });
        assert_eq!((first, Arc::strong_count(&held)), (None::<()>, 1));
    }
}
