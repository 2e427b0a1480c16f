//! Who is verbose: rules, and what they ask for.
//!
//! A [`Rule`] names the traffic it is about, what to show of it, and when it
//! ends; there is no rule without an end. Rules are evaluated once when a
//! request arrives and again when the service states a
//! [fact](crate::context::RequestContext::fact) that a rule waits for.
//!
//! # Example
//!
//! ```
//! use dashcam::selection::{Rule, Rules};
//! use std::time::{Duration, SystemTime};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let one_hour = SystemTime::now() + Duration::from_secs(3600);
//! let rules = Rules::new([
//!     Rule::new("acme-checkout", one_hour)
//!         .method(http::Method::POST)
//!         .route("/orders/{id}")
//!         .fact("tenant", "acme")
//!         .verbose("info,my_service=trace,sqlx=debug")?,
//! ]);
//! # let _ = rules;
//! # Ok(())
//! # }
//! ```
//!
//! Headers are set by the client: a rule that selects by header lets clients
//! select themselves. Prefer facts.
//!
//! # Ordering
//!
//! Rules see the request as it reaches the layer. Route templates exist only
//! inside the router (`Router::layer`), facts only after the code that states
//! them.

mod check;
mod directives;
mod engine;
#[cfg(feature = "rules-file")]
mod file;
mod model;
#[cfg(feature = "rules-file")]
mod parse;
mod peer;
mod recorded;
mod source;
mod status;
mod steering;
mod switch;
mod why;

pub use self::{
    check::{Warning, WarningKind},
    directives::{Directives, InvalidDirectives},
    model::{Budget, Glob, InvalidRule, Mode, Network, Rule, Rules, Sample, SampleKey, Text, When},
    peer::Peer,
    source::{News, RuleSlot, RuleSource},
    status::{Counts, RuleStatus, SourceStatus, VerboseStatus},
    steering::Steering,
    switch::{OffBy, VERBOSE_OFF},
    why::{Described, RuleVerdict, Verdict, Why},
};
pub(crate) use self::{
    engine::{Admission, Arrival, Hold, Pending, Selected, Shortage},
    peer::peer,
    recorded::Recorded,
};
#[cfg(feature = "rules-file")]
pub use self::{file::RulesFile, parse::RulesError};

#[cfg(test)]
mod tests;
#[cfg(all(test, feature = "rules-file", feature = "rules-regex"))]
mod tests_text;
