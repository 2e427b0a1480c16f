//! What has to be hidden is hidden, in all that is written; and what nobody has to hide
//! is not.

mod false_alarms;
mod guesses;
mod leaks;
mod own_words;
mod secrets;
#[path = "../support_gate/mod.rs"]
mod support_gate;
