//! Identifiers: the correlation ID, its generator and the inbound W3C parent.

mod correlation_id;
mod generate;
mod traceparent;

pub use self::{
    correlation_id::{CorrelationId, InvalidCorrelationId},
    generate::{MakeCorrelationId, UuidV7},
};
pub(crate) use self::{generate::now_v7_text, traceparent::TraceParent};
