//! What makes requests verbose, live and kept: rules from files, flags and the admin port.

#[macro_use]
#[path = "../support_alone/mod.rs"]
mod support_alone;

mod admin;
mod admin_serve;
mod open_feature;
mod record_by_rule;
mod rules_budget;
mod rules_file;
mod rules_sockets;
mod rules_that_cannot_work;
mod rules_work;
#[path = "../support_gate/mod.rs"]
mod support_gate;
