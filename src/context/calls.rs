//! Calls that a request made with a client. Their exchanges wait for the end of the request.

use super::RequestContext;
use crate::exchange::Depth;
use std::fmt;

/// Keeps the exchange of one call of this request at this depth. The `bool` is whether the request
/// is one of the sample of healthy ones.
pub(crate) type KeepCall = Box<dyn FnOnce(Depth, bool, &RequestContext) + Send>;

/// The first finished calls of a request, and how many more there were.
#[derive(Default)]
pub(crate) struct Calls {
    /// The first calls that began: the request also hides the values that they hide.
    begun: Vec<RequestContext>,
    waiting: Vec<KeepCall>,
    pub(crate) lost: u32,
}

impl Calls {
    const MOST: usize = 16;
    const LAST: usize = 2;

    /// Adds a call that begins. After the request's end a task may continue in it for long: the
    /// newest calls then replace older ones, which are returned.
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

    /// Returns the call if there is no room for it: dropping it drops bodies, which may be code of
    /// the service.
    pub(super) fn push(&mut self, call: KeepCall) -> Option<KeepCall> {
        if self.waiting.len() < Self::MOST {
            self.waiting.push(call);
            None
        } else {
            self.lost += 1;
            Some(call)
        }
    }

    /// Takes the waiting calls. The calls that began stay until the request is reset.
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

    /// Keeps the calls as the request was kept, or drops them.
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
