//! The span of a request in a tracing library.

use crate::exchange::{Exchange, Outcome};
use http::StatusCode;
use std::fmt;

/// A hold on a request's span in the traces of a library. An adapter of that library implements
/// it. Dropping it may close the span, which runs code of the service's layers.
pub(crate) trait TracedSpan: fmt::Debug + Send + Sync {
    /// Returns another hold on the same span.
    fn again(&self) -> Box<dyn TracedSpan>;

    /// Records the status code. Unless the request is `judged` later, it also records whether the
    /// status is a failure by the conventions.
    fn answered(&self, status: StatusCode, judged: bool);

    /// Records how the request ended. `left`: its client left a stream, which is no error.
    /// `selected`: why it is verbose.
    fn ended(
        &self,
        ended: (&Outcome, Option<StatusCode>),
        left: bool,
        kept: bool,
        selected: Option<String>,
    );

    /// Adds the redacted bodies of a kept request, each cut at `limit` bytes.
    fn add_bodies(&self, exchange: &Exchange, limit: usize);
}
