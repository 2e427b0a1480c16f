use crate::context::{Entered, RequestContext};

/// The context that is current while code of a request runs.
#[derive(Clone, Debug)]
pub(super) enum Carried {
    /// The request itself.
    Own,
    /// For a call that a client makes: the request that makes it, if any. The call's own code,
    /// such as that of a body, belongs to that request.
    Caller(Option<RequestContext>),
}

impl Carried {
    /// Returns the context to make current.
    pub(super) fn context<'a>(&'a self, own: &'a RequestContext) -> Option<&'a RequestContext> {
        match self {
            Self::Own => Some(own),
            Self::Caller(caller) => caller.as_ref(),
        }
    }

    /// Returns the request that makes this call.
    pub(super) fn caller(&self) -> Option<&RequestContext> {
        match self {
            Self::Own => None,
            Self::Caller(caller) => caller.as_ref(),
        }
    }

    pub(super) fn enter(&self, own: &RequestContext) -> Option<Entered> {
        self.context(own).map(RequestContext::enter)
    }
}
