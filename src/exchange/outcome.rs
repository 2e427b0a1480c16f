use serde::{Deserialize, Serialize};
use std::fmt;

/// How a request ended.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// The response was produced and its body ended.
    Completed,
    /// The classifier calls the response, or the service's error, a failure.
    Failed {
        /// What the classifier saw.
        failure: Failure,
    },
    /// The service panicked, in `call`, while polled, or while a body was polled.
    Panicked,
    /// The response body ended with an error.
    BodyError,
    /// The response future or the response body was dropped before its end:
    /// the client went away, an outer timeout fired, or the server shut down.
    /// From inside the service these look the same.
    Abandoned,
    /// It still ran: an interim exchange. Another one continues it.
    Open,
}

impl Outcome {
    /// The stable name that log lines and exchanges use.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed { .. } => "failed",
            Self::Panicked => "panicked",
            Self::BodyError => "body_error",
            Self::Abandoned => "abandoned",
            Self::Open => "open",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a response counts as failed.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Failure {
    /// The HTTP status code.
    Status(u16),
    /// The gRPC status code, from the response head or the trailers; of gRPC-Web and of
    /// streams of Connect, from the last frame of the body.
    Grpc(u16),
    /// A gRPC call, or a stream of Connect, ended without a status, whatever it was
    /// answered with: clients take that for a failure.
    NoStatus,
    /// The response body was shorter or longer than its `content-length`: clients get no
    /// whole answer.
    BodyLength,
    /// The service returned an error instead of a response.
    ServiceError,
    /// A name given by the service's own classifier.
    Custom(String),
}

impl fmt::Display for KeepReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outcome => f.write_str("outcome"),
            Self::Slow => f.write_str("slow"),
            Self::ErrorEvent => f.write_str("error event"),
            Self::Asked { why } => write!(f, "asked: {why}"),
            Self::Selected { by } => write!(f, "selected by {by}"),
            Self::Baseline => f.write_str("baseline"),
            Self::Condition { why } => write!(f, "condition: {why}"),
            Self::Caller => f.write_str("caller"),
            Self::Interim => f.write_str("interim"),
            Self::RequestBody => f.write_str("request body"),
        }
    }
}

/// Why an exchange was kept.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum KeepReason {
    /// The [`Outcome`] was not `completed`; an event stream that the client left
    /// does not count.
    Outcome,
    /// The response head took longer than the configured threshold.
    Slow,
    /// An event at level ERROR was emitted in the request.
    ErrorEvent,
    /// The service called `dashcam::keep`.
    Asked {
        /// The reason the service gave.
        why: String,
    },
    /// The request was selected for verbose tracing, so it was kept from the start.
    Selected {
        /// The rule or header that selected it.
        by: String,
    },
    /// The baseline sample of healthy requests.
    Baseline,
    /// The service's own condition, asked at the end of the request.
    Condition {
        /// What it answered.
        why: String,
    },
    /// The request in whose code this call was made was kept.
    Caller,
    /// An interim exchange of it was kept, and nothing else would keep its end.
    Interim,
    /// The request body ended with an error while the service read it: an upload that
    /// the client broke off, most likely. What the service made of it is in the response.
    RequestBody,
}
