use super::RequestSpans;
use super::{Mode, RequestContext};
use std::sync::Arc;
use std::{
    cell::{Cell, RefCell},
    marker::PhantomData,
    mem,
};

thread_local! {
    /// What the gate has to know of the current request, readable at the cost
    /// of one load: it is asked for every event of the process.
    static MODE: Cell<Mode> = const { Cell::new(Mode::NONE) };
    static CURRENT: RefCell<Option<RequestContext>> = const { RefCell::new(None) };
    /// Spans of requests that this thread has entered without their contexts.
    static SPANS: RefCell<Vec<InSpan>> = const { RefCell::new(Vec::new()) };
}

/// A span that is entered, and in which request's it is, if in any.
struct InSpan {
    id: u64,
    of: Option<(Arc<RequestSpans>, u64)>,
}

/// The context of the request whose code runs on this thread.
#[must_use]
pub fn current() -> Option<RequestContext> {
    with_current(Clone::clone)
}

/// Runs `f` on the current context. `f` must not run code of the service: the
/// slot is borrowed meanwhile.
pub(crate) fn with_current<R>(f: impl FnOnce(&RequestContext) -> R) -> Option<R> {
    CURRENT
        .try_with(|slot| {
            let slot = slot.try_borrow().ok()?;
            match &*slot {
                Some(context) => Some(f(context)),
                None => of_span().as_ref().map(f),
            }
        })
        .ok()
        .flatten()
}

/// The request whose span this thread is in, where that runs.
fn of_span() -> Option<RequestContext> {
    SPANS
        .try_with(|spans| {
            let spans = spans.try_borrow().ok()?;
            let (requests, id) = spans.last()?.of.as_ref()?;
            requests.get(*id)
        })
        .ok()
        .flatten()
}

/// Whether a context is current, and no span has to say whose this thread's code is.
#[inline]
pub(crate) fn has_current() -> bool {
    // Where it cannot be read, nothing is to be changed.
    CURRENT
        .try_with(|slot| slot.try_borrow().map_or(true, |slot| slot.is_some()))
        .unwrap_or(true)
}

/// Notes that this thread, which has no current context, enters a span.
pub(crate) fn enter_span(id: u64, of: Option<(Arc<RequestSpans>, u64)>) {
    let entered = SPANS.try_with(|spans| {
        let mut spans = spans.try_borrow_mut().ok()?;
        // One that is nobody's matters inside of one that is somebody's only.
        (of.is_some() || !spans.is_empty()).then(|| spans.push(InSpan { id, of }))
    });
    if let Ok(Some(())) = entered {
        set_mode(None);
    }
}

/// Notes that this thread, which has no current context, leaves a span.
pub(crate) fn exit_span(id: u64) {
    let left = SPANS.try_with(|spans| {
        let mut spans = spans.try_borrow_mut().ok()?;
        let at = spans.iter().rposition(|span| span.id == id)?;
        Some(spans.remove(at))
    });
    if let Ok(Some(left)) = left {
        set_mode(None);
        drop(left);
    }
}

/// Forgets whose span this thread is in, where that request has gone.
pub(crate) fn forget_span() {
    if !has_current() {
        set_mode(None);
    }
}

#[inline]
pub(crate) fn mode() -> Mode {
    MODE.try_with(Cell::get).unwrap_or(Mode::NONE)
}

/// Tells this thread that the mode of `context` has changed, where it is current.
pub(super) fn refresh(context: &RequestContext) {
    if with_current(|current| current.is(context)) == Some(true) {
        set_mode(Some(context));
    }
}

pub(super) fn enter(context: &RequestContext) -> Entered {
    let previous = CURRENT.try_with(|slot| {
        let Ok(mut slot) = slot.try_borrow_mut() else {
            return Previous::Other(None);
        };
        // Layers nest, and most enter what is current already.
        match &*slot {
            Some(current) if current.is(context) => Previous::Same,
            _ => Previous::Other(slot.replace(context.clone())),
        }
    });
    let previous = previous.unwrap_or(Previous::Other(None));
    set_mode(Some(context));
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

fn set_mode(context: Option<&RequestContext>) {
    let mode = match context {
        Some(context) => context.mode(),
        None => of_span().map_or(Mode::NONE, |context| context.mode()),
    };
    let _ = MODE.try_with(|m| {
        if m.get() == Mode::REPLAY {
            return;
        }
        m.set(mode);
    });
}

fn swap(context: Option<RequestContext>) -> Option<RequestContext> {
    // Only the swap happens under the borrow: dropping a context runs code.
    CURRENT
        .try_with(|slot| match slot.try_borrow_mut() {
            Ok(mut slot) => mem::replace(&mut *slot, context),
            Err(_) => None,
        })
        .unwrap_or(None)
}

/// Keeps a context current on this thread until dropped.
///
/// Guards nest; drop them in reverse order. Do not hold one across `.await`:
/// use [`InRequestExt::in_request`](super::InRequestExt::in_request) there.
#[must_use = "the context is current only while the guard lives"]
#[derive(Debug)]
pub struct Entered {
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
    fn drop(&mut self) {
        if let Previous::Other(previous) = &mut self.previous {
            // As it is now: it may have been raised meanwhile.
            set_mode(previous.as_ref());
            drop(swap(previous.take()));
        }
    }
}
