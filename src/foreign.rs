//! Foreign code, run and dropped so that its panics do not propagate.
//!
//! Closures, layers, bodies, buffers, errors, their destructors and the payloads of their
//! panics are code of the service. Where such code does not decide about the traffic, this
//! module catches and counts its panics, and drops their payloads.
//!
//! Catching a panic is also safe while the thread already unwinds. By the rules of the
//! language, a second panic that leaves a destructor during unwinding aborts the process.
//! If that happens inside a value of the service, such as a response with two fields that
//! panic on drop, no code outside of it can prevent the abort.

use std::{
    any::Any,
    fmt, mem,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    thread,
};
use tracing::{Span, span};

/// The payload of a panic.
pub(crate) type Payload = Box<dyn Any + Send + 'static>;

/// How often a payload of a payload's drop is dropped in turn.
const NESTED: usize = 16;

static CAUGHT: AtomicU64 = AtomicU64::new(0);
static FORGOTTEN: AtomicU64 = AtomicU64::new(0);

/// Returns the number of caught panics that changed nothing, of the whole process.
pub(crate) fn caught() -> u64 {
    CAUGHT.load(Relaxed)
}

/// Returns the number of panic payloads that could not be dropped, of the whole process.
pub(crate) fn forgotten() -> u64 {
    FORGOTTEN.load(Relaxed)
}

/// Runs foreign code. Returns `None` if it panics.
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

/// Drops a foreign value.
#[inline]
pub(crate) fn discard<T>(value: T) {
    run(|| drop(value));
}

/// Resumes a caught panic, unless the thread already unwinds: a second panic would abort
/// the process.
pub(crate) fn go_on(payload: Payload) {
    if thread::panicking() {
        swallow(payload);
    } else {
        resume_unwind(payload);
    }
}

/// Drops the payload of a panic. The drop may panic in turn, with another payload: after
/// some attempts the payload is leaked.
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

/// Enters a span. Entering and leaving run code of the tracing layers.
#[inline]
pub(crate) fn enter(span: &Span) -> Option<Foreign<span::Entered<'_>>> {
    // Most spans are disabled: then no foreign code runs.
    if span.is_none() {
        return None;
    }
    enter_some(span)
}

#[inline(never)]
fn enter_some(span: &Span) -> Option<Foreign<span::Entered<'_>>> {
    let entered = run(|| span.enter()).map(Foreign::new);
    if entered.is_none() {
        // Layers before the one that panicked have entered the span.
        run(|| span.with_subscriber(|(id, dispatch)| dispatch.exit(id)));
    }
    entered
}

/// A value with a foreign destructor. Each is dropped separately, so that many in one
/// collection may panic.
#[derive(Clone, Default)]
pub(crate) struct Foreign<T>(Option<T>);

impl<T> Foreign<T> {
    #[inline]
    pub(crate) fn new(value: T) -> Self {
        Self(Some(value))
    }

    /// Returns the value; `Some` until it is dropped.
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

    /// Panics on drop this many times, each time with another such payload.
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
