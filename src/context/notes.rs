//! What is noted of a request, rarely and behind one lock.

use super::{Ticket, TracedSpan, calls::Calls};
use crate::{recorder::Said, selection::Chosen};
use std::{borrow::Cow, thread::ThreadId};

/// A panic that was seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct PanicNote {
    pub(crate) message: Option<Said>,
    pub(crate) location: Option<String>,
    pub(crate) thread: Option<ThreadId>,
    /// The one that came while this one unwound.
    pub(crate) second: Option<Box<Self>>,
}

#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) keep: Vec<Cow<'static, str>>,
    pub(crate) facts: Vec<(Cow<'static, str>, String)>,
    /// How often one was stated.
    pub(crate) stated: u32,
    pub(crate) panic: Option<PanicNote>,
    /// The last panic, until somebody sees that it was one of the request: code may
    /// catch its own.
    pub(crate) panicked: Option<PanicNote>,
    /// The one before that.
    pub(crate) panicked_before: Option<PanicNote>,
    pub(crate) error: Option<Said>,
    /// Where the first ERROR event was emitted.
    pub(crate) error_site: Option<(&'static str, u32)>,
    pub(crate) chosen: Chosen,
    /// Where its events can be replayed to, while it runs.
    pub(crate) ticket: Option<Ticket>,
    /// Its span, where a tracing library records it, until the request has ended.
    pub(crate) span: Option<Box<dyn TracedSpan>>,
    /// Calls that it made, and that are kept if it is.
    pub(crate) calls: Calls,
    /// The last interim exchange that was written of it.
    pub(crate) interim: Option<String>,
}

impl Notes {
    pub(super) fn reset(&mut self) {
        let Self {
            keep,
            facts,
            stated,
            panic,
            panicked,
            panicked_before,
            error,
            error_site,
            chosen,
            ticket,
            span,
            calls,
            interim,
        } = self;
        keep.clear();
        facts.clear();
        *stated = 0;
        (*panic, *panicked, *panicked_before) = (None, None, None);
        (*error, *error_site) = (None, None);
        chosen.reset();
        *ticket = None;
        *span = None;
        calls.reset();
        *interim = None;
    }
}
