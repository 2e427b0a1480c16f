use crate::recorder::{Ending, Said};

/// How a request can end, before it is classified.
#[derive(Debug)]
pub(super) enum End {
    Response,
    BodyError(Said),
    ServiceError(Said),
    Panic,
    Abandoned,
}

impl End {
    /// Returns the matching end of the response body.
    pub(super) fn of_body(&self) -> Ending {
        match self {
            Self::BodyError(text) => Ending::Error(text.clone()),
            Self::Response => Ending::Complete,
            Self::ServiceError(_) | Self::Panic | Self::Abandoned => Ending::Dropped,
        }
    }
}
