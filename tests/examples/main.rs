//! The examples as users run them, and their client between services.

#[allow(dead_code, reason = "the example uses more of it")]
#[path = "../../examples/orders/client.rs"]
mod client;
mod orders;
mod trace_context;
mod verbose;
