//! Identifiers: the correlation ID, its generator and the inbound W3C parent.

mod correlation_id;
mod generate;
mod traceparent;

#[cfg(feature = "capture")]
pub(crate) use self::generate::now_v7_text;
pub(crate) use self::traceparent::TraceParent;
pub use self::{
    correlation_id::{CorrelationId, InvalidCorrelationId},
    generate::{MakeCorrelationId, UuidV7},
};
