//! The record of one request. An exporter receives it when the request is kept.
//!
//! The types here are plain data. They serialise to one JSON object (schema
//! [`Exchange::SCHEMA`]) and deserialise without loss. An older reader ignores fields that a
//! newer version adds.
//!
//! Every value in an [`Exchange`] that dashcam writes has passed the
//! [redaction policy](crate::redact::Policy).

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
