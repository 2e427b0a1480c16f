use crate::recorder::{Ending, Said};

/// How a request can end, before anybody judges it.
#[derive(Debug)]
pub(super) enum End {
    Response,
    BodyError(Said),
    ServiceError(Said),
    Panic,
    Abandoned,
}

impl End {
    /// What that is for the body of the response.
    pub(super) fn of_body(&self) -> Ending {
        match self {
            Self::BodyError(text) => Ending::Error(text.clone()),
            Self::Response => Ending::Complete,
            Self::ServiceError(_) | Self::Panic | Self::Abandoned => Ending::Dropped,
        }
    }
}
