//! Every request that goes wrong leaves its record.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(not(test), warn(clippy::print_stdout, clippy::print_stderr))]

#[cfg(feature = "capture")]
pub mod exchange;
#[cfg(feature = "capture")]
#[cfg_attr(not(test), allow(dead_code))] // nothing records exchanges yet
pub mod redact;
