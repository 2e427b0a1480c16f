//! What a request asks of a tracing library that has a span of it.

use crate::exchange::{Exchange, Outcome};
use http::StatusCode;
use std::fmt;

/// A hold on a request's span in the traces of a library, which an adapter of that library
/// implements. To drop it may close the span, which is code of the service's layers.
pub(crate) trait TracedSpan: fmt::Debug + Send + Sync {
    /// Another hold on the same span.
    fn again(&self) -> Box<dyn TracedSpan>;

    /// Notes the status code; where the request is not `judged` later, that is whether
    /// it failed by the conventions.
    fn answered(&self, status: StatusCode, judged: bool);

    /// Notes how the request ended: `left` says that its client left a stream,
    /// which is no error, and `selected` what made it verbose.
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
