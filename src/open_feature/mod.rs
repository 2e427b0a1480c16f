//! Rules from the flags of any [OpenFeature](https://openfeature.dev) provider.
//!
//! [`FlagRules`] polls the provider on a thread of its own, so no request waits for a flag.
//! One flag, an object or a text, holds a set of rules in the form that `docs/rules.md`
//! describes:
//!
//! ```no_run
//! use dashcam::{Dashcam, open_feature::FlagRules};
//!
//! # async fn main_() -> Result<(), Box<dyn std::error::Error>> {
//! // The provider is set as for the service's own flags.
//! let client = open_feature::OpenFeature::singleton().await.create_client();
//! let dashcam = Dashcam::builder()
//!     .service("orders", "1.0.0")
//!     .rule_source(FlagRules::new(client).rules("dashcam-rules"))
//!     .build()?;
//! # let _ = dashcam;
//! # Ok(())
//! # }
//! ```
//!
//! A boolean flag turns on one rule of the service. The rule expires even if nobody turns the
//! flag off:
//!
//! ```
//! use dashcam::{open_feature::FlagRules, selection::{Rule, Steering, When}};
//! use http::Method;
//! use std::time::Duration;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let client = open_feature::OpenFeature::singleton().await.create_client();
//! let half_an_hour = Duration::from_secs(30 * 60);
//! let flags = FlagRules::new(client)
//!     .switch("verbose-checkout", half_an_hour, |end| {
//!         Rule::new("checkout", end).when(When::new().method(Method::POST).route("/checkout"))
//!     })
//!     .every(Duration::from_secs(10))
//!     .timeout(Duration::from_secs(1));
//! let steering = Steering::new().source(flags)?;
//! # let _ = steering;
//! # Ok(())
//! # }
//! ```
//!
//! # When something is wrong
//!
//! | the provider | the rules of that flag | reported |
//! |---|---|---|
//! | fails, takes too long, panics, or returns a value that cannot be read as rules | its last rules, until they expire | once in the log, and in the status |
//! | does not know the flag | none | once in the log, and in the status |
//! | returns `{}`, an empty text, or `false` | none | no |
//!
//! Flags do not affect each other. A provider that never answers blocks only the thread of
//! this source, and only until the timeout.
//!
//! # Runtime
//!
//! Providers are async. The source polls them on a runtime of its own, which does not run
//! between two polls. If the connections of a provider need the runtime that they were made
//! on, pass its handle to [`FlagRules::on`].
//!
//! # Ordering
//!
//! The rules of one `FlagRules` are in the order in which its flags were added.

mod source;
mod value;

pub use self::source::FlagRules;
