//! Renders recorded values, redacted, so that an exchange, a replay and a log line show a
//! value alike: fields, times, the values that a request hides, and shares of a thread's
//! time.

mod fields;
mod secrets;
mod shares;
mod time;

pub(crate) use self::{
    fields::{Fields, Shown, Site, Sites, raw},
    secrets::{know, know_asked, remember, remember_one, says_what_failed, size},
    shares::Shares,
    time::time_text,
};
