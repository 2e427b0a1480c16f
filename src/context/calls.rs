//! Calls that a request made with a client, which wait for its end.

use super::RequestContext;
use crate::exchange::Depth;
use std::fmt;

/// Keeps one call's exchange at this depth, as one of this request; whether that is
/// of the sample of healthy ones comes between.
pub(crate) type KeepCall = Box<dyn FnOnce(Depth, bool, &RequestContext) + Send>;

/// Finished calls of a request, the first of them, and how many more there were.
#[derive(Default)]
pub(crate) struct Calls {
    /// Those that have begun, the first of them: what they hide, the request hides.
    begun: Vec<RequestContext>,
    waiting: Vec<KeepCall>,
    pub(crate) lost: u32,
}

impl Calls {
    const MOST: usize = 16;
    const LAST: usize = 2;

    /// Notes one that begins. After the request's end, when a task goes on in it for as
    /// long as it likes, the last ones take the place of those before: these come back.
    pub(super) fn begin(&mut self, call: &RequestContext, ended: bool) -> Vec<RequestContext> {
        let mut gone = Vec::new();
        if ended {
            let over = (self.begun.len() + 1).saturating_sub(Self::LAST);
            gone.extend(self.begun.drain(..over));
        }
        if self.begun.len() < Self::MOST {
            self.begun.push(call.clone());
        }
        gone
    }

    pub(super) fn begun(&self) -> &[RequestContext] {
        &self.begun
    }

    /// One that there is no room for comes back: to drop it drops bodies, which may
    /// be code of the service.
    pub(super) fn push(&mut self, call: KeepCall) -> Option<KeepCall> {
        if self.waiting.len() < Self::MOST {
            self.waiting.push(call);
            None
        } else {
            self.lost += 1;
            Some(call)
        }
    }

    /// Takes those that wait; what they hide is known as long as the request is.
    pub(crate) fn take(&mut self) -> Self {
        Self {
            begun: Vec::new(),
            waiting: std::mem::take(&mut self.waiting),
            lost: std::mem::take(&mut self.lost),
        }
    }

    pub(super) fn reset(&mut self) {
        let Self {
            begun,
            waiting,
            lost,
        } = self;
        begun.clear();
        waiting.clear();
        *lost = 0;
    }

    /// Keeps them as the request was kept, or drops them.
    pub(crate) fn decide(self, kept: Option<(Depth, bool)>, request: &RequestContext) {
        if let Some((depth, sampled)) = kept {
            for keep in self.waiting {
                keep(depth, sampled, request);
            }
        }
    }
}

impl fmt::Debug for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Calls")
            .field("waiting", &self.waiting.len())
            .field("lost", &self.lost)
            .finish()
    }
}
