use serde::{Deserialize, Serialize};
use std::fmt;

/// How a request ended.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// The service produced a response, and its body ended.
    Completed,
    /// The classifier classified the response, or the service's error, as a failure.
    Failed {
        /// Why it is a failure.
        failure: Failure,
    },
    /// The service panicked: in `call`, or while its future or a body was polled.
    Panicked,
    /// The response body ended with an error.
    BodyError,
    /// The response future or the response body was dropped before its end: the client
    /// disconnected, an outer timeout fired, or the server shut down. The layer cannot
    /// distinguish these.
    Abandoned,
    /// The request was still running: this is an interim exchange, which another one
    /// continues.
    Open,
}

impl Outcome {
    /// Returns the stable name that log lines and exchanges use.
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

/// Why a request counts as failed.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Failure {
    /// The HTTP status code.
    Status(u16),
    /// The gRPC status code: from the response head or the trailers, for gRPC-Web and streams
    /// of Connect from the last frame of the body.
    Grpc(u16),
    /// A gRPC call, or a stream of Connect, ended without a status. Clients treat that as a
    /// failure.
    NoStatus,
    /// The response body was shorter or longer than its `content-length`, so that clients do
    /// not receive a complete response.
    BodyLength,
    /// The service returned an error instead of a response.
    ServiceError,
    /// The name that the service's own classifier returned.
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
    /// The [`Outcome`] was not `completed`. An event stream that the client left does not
    /// count.
    Outcome,
    /// The response head took longer than the configured threshold.
    Slow,
    /// The request emitted an event at level ERROR.
    ErrorEvent,
    /// The service called `dashcam::keep`.
    Asked {
        /// The reason that the service gave.
        why: String,
    },
    /// A rule, a token or a header selected the request.
    Selected {
        /// The rule, token or header.
        by: String,
    },
    /// The request is in the baseline sample of healthy requests.
    Baseline,
    /// The service's own condition held at the end of the request.
    Condition {
        /// The text that the condition returned.
        why: String,
    },
    /// The request that made this call was kept.
    Caller,
    /// An interim exchange of the request was kept, and nothing else keeps its end.
    Interim,
    /// The request body ended with an error while the service read it, most likely because
    /// the client aborted an upload. The response shows how the service handled it.
    RequestBody,
}
