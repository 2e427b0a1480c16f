//! Identifiers: the correlation ID and its generator, and the request's place in
//! a W3C trace.

mod baggage;
#[cfg(test)]
mod cases;
mod correlation_id;
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

pub(crate) use self::generate::now_v7_text;
pub use self::{
    correlation_id::{CorrelationId, InvalidCorrelationId},
    generate::{MakeCorrelationId, UuidV7},
    trace_context::TraceContext,
    trace_id::{InvalidTraceContext, SpanId, TraceFlags, TraceId},
    traceparent::TraceParent,
    tracestate::TraceState,
};
pub(crate) use self::{
    identity::{Identified, Identity},
    put::put_new,
    trace_context::Carried,
};
