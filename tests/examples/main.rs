//! The examples as people run them, and their client between services.

mod trace_context;
mod verbose;
