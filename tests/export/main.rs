//! Where exchanges go: files, HAR, and the recipes of the documentation.

mod har;
mod json_lines;
mod recipes;
#[path = "../support_net/mod.rs"]
mod support_net;
