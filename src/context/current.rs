use super::{Mode, RequestContext, RequestSpans};
use std::{
    cell::{Cell, RefCell},
    marker::PhantomData,
    mem,
    sync::Arc,
};

thread_local! {
    /// The mode of the current request, in a thread-local cell: the gate reads it for every event
    /// of the process.
    static MODE: Cell<Mode> = const { Cell::new(Mode::NONE) };
    static HERE: Here = const {
        Here {
            current: RefCell::new(None),
            spans: RefCell::new(Vec::new()),
        }
    };
}

/// The request whose code this thread runs.
struct Here {
    current: RefCell<Option<RequestContext>>,
    /// Spans that this thread entered without the context of their requests.
    spans: RefCell<Vec<InSpan>>,
}

impl Here {
    /// Returns the request whose span this thread is in, if that request runs.
    #[inline]
    fn of_span(&self) -> Option<RequestContext> {
        let spans = self.spans.try_borrow().ok()?;
        let (requests, id) = spans.last()?.of.as_ref()?;
        requests.get(*id)
    }

    /// Sets the mode of a thread that has no current context.
    #[inline]
    fn set_mode_of_span(&self) {
        let context = self.of_span();
        set_mode(context.map_or(Mode::NONE, |context| context.mode()));
    }
}

/// An entered span, and the request's span around it, if any.
struct InSpan {
    id: u64,
    of: Option<(Arc<RequestSpans>, u64)>,
}

/// Returns the context of the request whose code runs on this thread.
#[must_use]
pub fn current() -> Option<RequestContext> {
    with_current(Clone::clone)
}

/// Runs `f` on the current context. `f` must not run code of the service, because the slot is
/// borrowed meanwhile.
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

/// Returns whether a context is current, so that spans need not determine the request.
#[inline]
pub(crate) fn has_current() -> bool {
    // If the slot cannot be read, spans must change nothing.
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
        // A span outside of requests matters only inside a span of a request.
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

/// Resets the mode of a thread whose span belongs to a request that has ended.
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

/// Sets this thread's mode to that of `context`, if that is current.
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
        // Layers nest, and most enter the context that is current already.
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

/// Makes this thread replay from now on, whatever context it enters meanwhile.
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

/// Makes the previous context current.
#[inline(never)] // most guards change nothing, and have no registers to save
fn leave(previous: Option<RequestContext>) {
    let left = HERE.try_with(|here| {
        // Read anew, because the mode may have been raised meanwhile.
        match &previous {
            Some(previous) => set_mode(previous.mode()),
            None => here.set_mode_of_span(),
        }
        // Only the swap happens under the borrow: dropping a context runs foreign code.
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
