//! Rules: which requests are verbose, and what they show.
//!
//! A [`Rule`] has conditions on requests, the events to show, and an end; there is no rule
//! without an end. Rules are evaluated in order when a request arrives, and the first that
//! matches wins. They are evaluated again when the service states a
//! [fact](crate::context::RequestContext::fact) that a rule waits for, which can make the
//! request live from then on.
//!
//! # Examples
//!
//! Rules in code, and what they do with a request:
//!
//! ```
//! use dashcam::selection::{Described, Rule, Rules, When};
//! use http::Method;
//! use std::time::{Duration, SystemTime};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let one_hour = SystemTime::now() + Duration::from_secs(3600);
//! let orders = When::new().method(Method::POST).path("/orders/*")?;
//! let rules = Rules::new([
//!     Rule::new("acme-checkout", one_hour)
//!         .when(orders.fact("tenant", "acme"))
//!         .verbose("info,my_service=trace,sqlx=debug")?,
//! ]);
//! let request = Described::new(Method::POST, "/orders/7".parse()?);
//! let why = rules.why(&request);
//! assert!(!why[0].selects());
//! assert_eq!(why[0].waits, ["fact tenant = \"acme\""]);
//!
//! let why = rules.why(&request.fact("tenant", "acme"));
//! assert!(why[0].selects());
//! # Ok(())
//! # }
//! ```
//!
//! A rule as text, which `docs/rules.md` describes field by field, and an error in it:
//!
#![cfg_attr(feature = "config", doc = "```")]
#![cfg_attr(not(feature = "config"), doc = "```ignore")]
//! use dashcam::selection::{Rules, Steering};
//!
//! let text = r#"
//! [[rule]]
//! name    = "acme-checkout"
//! expires = 2100-01-01T12:00:00Z
//! when    = { method = "POST", path = "/orders/*", fact = { tenant = "acme" } }
//! sample  = { percent = 5, by = "fact:user" }
//! budget  = { per_second = 5, total = 500 }
//! "#;
//! let steering = Steering::new().rules(Rules::from_toml(text)?);
//! assert_eq!(steering.status().rules[0].name, "acme-checkout");
//!
//! let wrong = Rules::from_toml(&text.replace("method", "methd")).unwrap_err();
//! assert_eq!((wrong.line, wrong.field.as_str()), (Some(5), "rule[0].when.methd"));
//! # Ok::<(), dashcam::selection::RulesError>(())
//! ```
//!
//! Clients set headers, cookies, the query and the host: a rule that selects by these alone
//! lets clients select themselves, and [`Rules::check`] warns of it. Prefer facts.
//!
//! # Ordering
//!
//! Rules see the request as it reaches the layer. A route template exists only inside the
//! router (`Router::layer`), a fact only after the code that states it, and a [`Peer`] only if
//! the server or an outer layer adds it.

mod check;
mod chosen;
mod conflicts;
mod directives;
mod engine;
mod error;
#[cfg(feature = "config")]
mod file;
mod findings;
#[cfg(any(feature = "admin", feature = "token"))]
#[cfg_attr(
    not(all(feature = "admin", feature = "token")),
    allow(dead_code, reason = "one waits, the other gives back")
)]
mod guesses;
mod mistakes;
mod model;
#[cfg(feature = "config")]
mod parse;
mod peer;
mod polling;
mod recorded;
mod source;
mod status;
mod steering;
mod switch;
mod why;
mod work;

#[cfg(feature = "token")]
pub(crate) use self::engine::Scope;
#[cfg(feature = "config")]
pub use self::file::RulesFile;
#[cfg(feature = "token")]
pub(crate) use self::model::Capture;
pub use self::{
    check::Warning,
    error::RulesError,
    model::{Budget, Rule, Rules, Text, When},
    peer::Peer,
    source::RuleSource,
    status::{Counts, RuleStatus, VerboseStatus},
    steering::Steering,
    why::{Described, Why},
};
pub(crate) use self::{
    chosen::{Chosen, InForce},
    directives::Directives,
    engine::{Admission, Arrival, Hold, MAX_FACT_LEN, Pending, Seen, Selected, Shortage},
    model::{Address, Glob, Mode, Network, SampleKey},
    peer::{peer, site},
    recorded::Recorded,
};
#[cfg(any(feature = "admin", feature = "token"))]
pub(crate) use self::{engine::second, guesses::Guesses};
#[cfg(feature = "admin")]
pub(crate) use self::{
    steering::RuleSlot,
    switch::{OffBy, VERBOSE_OFF},
};

/// The header by which a request asks to be verbose.
pub(crate) const VERBOSE_HEADER: http::HeaderName =
    http::HeaderName::from_static("x-dashcam-verbose");

#[cfg(test)]
mod tests;
#[cfg(all(test, feature = "config"))]
mod tests_check;
#[cfg(test)]
mod tests_places;
#[cfg(all(test, feature = "config"))]
mod tests_props;
#[cfg(all(test, feature = "config"))]
mod tests_text;
