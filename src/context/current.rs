use super::{Mode, RequestContext, RequestSpans};
use std::{
    cell::{Cell, RefCell},
    marker::PhantomData,
    mem,
    sync::Arc,
};

thread_local! {
    /// What the gate has to know of the current request, readable at the cost
    /// of one load: it is asked for every event of the process.
    static MODE: Cell<Mode> = const { Cell::new(Mode::NONE) };
    static HERE: Here = const {
        Here {
            current: RefCell::new(None),
            spans: RefCell::new(Vec::new()),
        }
    };
}

/// Whose code this thread runs.
struct Here {
    current: RefCell<Option<RequestContext>>,
    /// Spans of requests that it has entered without their contexts.
    spans: RefCell<Vec<InSpan>>,
}

impl Here {
    /// The request whose span this thread is in, where that runs.
    #[inline]
    fn of_span(&self) -> Option<RequestContext> {
        let spans = self.spans.try_borrow().ok()?;
        let (requests, id) = spans.last()?.of.as_ref()?;
        requests.get(*id)
    }

    /// Tells the gate of a thread that has no current context.
    #[inline]
    fn set_mode_of_span(&self) {
        let context = self.of_span();
        set_mode(context.map_or(Mode::NONE, |context| context.mode()));
    }
}

/// A span that is entered, and in which request's it is, if in any.
struct InSpan {
    id: u64,
    of: Option<(Arc<RequestSpans>, u64)>,
}

/// Returns the context of the request whose code runs on this thread.
#[must_use]
pub fn current() -> Option<RequestContext> {
    with_current(Clone::clone)
}

/// Runs `f` on the current context. `f` must not run code of the service: the
/// slot is borrowed meanwhile.
pub(crate) fn with_current<R>(f: impl FnOnce(&RequestContext) -> R) -> Option<R> {
    HERE.try_with(|here| {
        let slot = here.current.try_borrow().ok()?;
        let of_span;
        let context = match &*slot {
            Some(context) => context,
            None => {
                of_span = here.of_span()?;
                &of_span
            }
        };
        Some(f(context))
    })
    .ok()
    .flatten()
}

/// Whether a context is current, and no span has to say whose this thread's code is.
#[inline]
pub(crate) fn has_current() -> bool {
    // Where it cannot be read, nothing is to be changed.
    HERE.try_with(|here| {
        let slot = here.current.try_borrow();
        slot.map_or(true, |slot| slot.is_some())
    })
    .unwrap_or(true)
}

/// Notes that this thread, which has no current context, enters a span.
pub(crate) fn enter_span(id: u64, of: Option<(Arc<RequestSpans>, u64)>) {
    let _ = HERE.try_with(|here| {
        let Ok(mut spans) = here.spans.try_borrow_mut() else {
            return;
        };
        // One that is nobody's matters inside of one that is somebody's only.
        if of.is_some() || !spans.is_empty() {
            spans.push(InSpan { id, of });
            drop(spans);
            here.set_mode_of_span();
        }
    });
}

/// Notes that this thread, which has no current context, leaves a span.
pub(crate) fn exit_span(id: u64) {
    let left = HERE.try_with(|here| {
        let left = {
            let mut spans = here.spans.try_borrow_mut().ok()?;
            let at = spans.iter().rposition(|span| span.id == id)?;
            spans.remove(at)
        };
        here.set_mode_of_span();
        Some(left)
    });
    drop(left);
}

/// Forgets whose span this thread is in, where that request has gone.
pub(crate) fn forget_span() {
    let _ = HERE.try_with(|here| {
        if here.current.try_borrow().is_ok_and(|slot| slot.is_none()) {
            here.set_mode_of_span();
        }
    });
}

#[inline]
pub(crate) fn mode() -> Mode {
    MODE.try_with(Cell::get).unwrap_or(Mode::NONE)
}

/// Tells this thread that the mode of `context` has changed, where it is current.
pub(super) fn refresh(context: &RequestContext) {
    if with_current(|current| current.is(context)) == Some(true) {
        set_mode(context.mode());
    }
}

pub(super) fn enter(context: &RequestContext) -> Entered {
    let previous = HERE.try_with(|here| {
        let Ok(mut slot) = here.current.try_borrow_mut() else {
            return Previous::Other(None);
        };
        // Layers nest, and most enter what is current already.
        match &*slot {
            Some(current) if current.is(context) => Previous::Same,
            _ => Previous::Other(slot.replace(context.clone())),
        }
    });
    let previous = previous.unwrap_or(Previous::Other(None));
    set_mode(context.mode());
    Entered {
        previous,
        not_send: PhantomData,
    }
}

/// From now on this thread replays, whatever context it enters meanwhile.
pub(super) fn enter_replay() {
    let _ = MODE.try_with(|m| m.set(Mode::REPLAY));
}

pub(super) fn leave_replay() {
    let _ = MODE.try_with(|m| m.set(Mode::NONE));
}

#[inline]
fn set_mode(mode: Mode) {
    let _ = MODE.try_with(|m| {
        if m.get() == Mode::REPLAY {
            return;
        }
        m.set(mode);
    });
}

/// Makes current what was before.
#[inline(never)] // most guards change nothing, and have no registers to save
fn leave(previous: Option<RequestContext>) {
    let left = HERE.try_with(|here| {
        // As it is now: it may have been raised meanwhile.
        match &previous {
            Some(previous) => set_mode(previous.mode()),
            None => here.set_mode_of_span(),
        }
        // Only the swap happens under the borrow: dropping a context runs code.
        match here.current.try_borrow_mut() {
            Ok(mut slot) => mem::replace(&mut *slot, previous),
            Err(_) => None,
        }
    });
    if left.is_err() {
        set_mode(Mode::NONE);
    }
    drop(left);
}

/// Keeps a context current on this thread until dropped.
///
/// Guards nest; drop them in reverse order, and hold none across `.await`.
#[must_use = "the context is current only while the guard lives"]
#[derive(Debug)]
pub(crate) struct Entered {
    previous: Previous,
    not_send: PhantomData<*const ()>,
}

#[derive(Debug)]
enum Previous {
    /// The same context was current.
    Same,
    Other(Option<RequestContext>),
}

impl Drop for Entered {
    #[inline]
    fn drop(&mut self) {
        if let Previous::Other(previous) = &mut self.previous {
            leave(previous.take());
        }
    }
}
