//! Rare notes on a request, behind one lock.

use super::{Ticket, TracedSpan, calls::Calls};
use crate::{recorder::Said, selection::Chosen};
use std::{borrow::Cow, thread::ThreadId};

/// A panic that was noted.
#[derive(Clone, Debug, Default)]
pub(crate) struct PanicNote {
    pub(crate) message: Option<Said>,
    pub(crate) location: Option<String>,
    pub(crate) thread: Option<ThreadId>,
    /// The panic that came while this one unwound.
    pub(crate) second: Option<Box<Self>>,
}

#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) keep: Vec<Cow<'static, str>>,
    pub(crate) facts: Vec<(Cow<'static, str>, String)>,
    /// How often a fact was stated.
    pub(crate) stated: u32,
    pub(crate) panic: Option<PanicNote>,
    /// The last panic, until it is known to be one of the request: code may catch its own panics.
    pub(crate) panicked: Option<PanicNote>,
    /// The panic before that.
    pub(crate) panicked_before: Option<PanicNote>,
    pub(crate) error: Option<Said>,
    /// The location of the first ERROR event.
    pub(crate) error_site: Option<(&'static str, u32)>,
    pub(crate) chosen: Chosen,
    /// The destination for a replay of its events, while it runs.
    pub(crate) ticket: Option<Ticket>,
    /// Its span in a tracing library that records it, until the request has ended.
    pub(crate) span: Option<Box<dyn TracedSpan>>,
    /// Calls that it made. They are kept if it is.
    pub(crate) calls: Calls,
    /// The text of the last interim exchange that was written.
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
