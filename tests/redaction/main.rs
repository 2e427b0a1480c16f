//! Values that must be hidden are hidden in every output, and values that need not be stay.

mod false_alarms;
mod guesses;
mod leaks;
mod own_words;
mod secrets;
#[path = "../support_gate/mod.rs"]
mod support_gate;
