//! The record of one request: what is written when a request is kept.
//!
//! The types here are plain data. They serialise to one JSON object (schema
//! [`Exchange::SCHEMA`]) and read back into the same types without loss; fields that a
//! newer version adds are ignored by an older reader.
//!
//! Everything in an [`Exchange`] has passed the
//! [redaction policy](crate::redact::Policy); nothing else is ever written.

mod body;
mod model;
mod outcome;
mod scheme;
mod summary;

pub use self::{
    body::{Body, BodyState, Content},
    model::{
        Correlation, CorrelationSource, Decision, Depth, Direction, Environment, Event, Exchange,
        Losses, Missing, Mode, Panic, Redaction, Request, Response, Service, Span, Thread, Timing,
    },
    outcome::{Failure, KeepReason, Outcome},
};

pub(crate) use self::scheme::scheme;

#[cfg(test)]
mod tests;
