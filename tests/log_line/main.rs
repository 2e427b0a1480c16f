//! The JSON log line: its shape, its limits, and its cost.

#[macro_use]
#[path = "../support_alone/mod.rs"]
mod support_alone;

mod allocations;
mod bounds;
mod field_names;
mod lines;
mod output;
mod repeats;
mod shape;
#[path = "../support_gate/mod.rs"]
mod support_gate;
