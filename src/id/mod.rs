//! Identifiers: the correlation ID and its generator, and the request's position in a W3C
//! trace.

mod baggage;
#[cfg(test)]
mod cases;
mod correlation_id;
mod error;
mod generate;
mod hex;
mod identity;
mod put;
mod room;
#[cfg(test)]
mod tests;
mod trace_context;
mod trace_id;
mod traceparent;
mod tracestate;

#[cfg(test)]
use self::tracestate::TraceState;
pub use self::{
    correlation_id::CorrelationId,
    error::Error,
    trace_context::TraceContext,
    trace_id::{SpanId, TraceId},
    traceparent::TraceParent,
};
pub(crate) use self::{
    error::Kind,
    generate::{MakeId, now_v7_text},
    identity::{Identified, Identity},
    put::put_new,
    trace_context::Carried,
    trace_id::TraceFlags,
};
