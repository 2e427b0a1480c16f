//! Rules from the flags of any [OpenFeature](https://openfeature.dev) provider.
//!
//! [`FlagRules`] asks the provider again and again, on the thread of its source of
//! rules: no request ever waits for a flag. A set of rules is one flag, an object or
//! a text, in the form that `docs/rules.md` describes:
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
//! A boolean flag turns one rule of the service on. It ends by itself though nobody
//! turns the flag off:
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
//! | what the provider does | what is used |
//! |---|---|
//! | it fails, takes too long, panics, or says what is no rules | what that flag said last, until its rules expire; the log, once, and the status say so |
//! | it does not know the flag | no rules of that flag; the log, once, and the status say so |
//! | it says `{}`, an empty text, or `false` | no rules of that flag |
//!
//! One flag does not hold back the others. A provider that never answers holds back
//! the thread of this source only, and that until the timeout.
//!
//! # Runtime
//!
//! Providers are async. They are asked on a small runtime of the source's own, which
//! stands still between two questions. Providers whose connections want the runtime
//! on which they were made get it by [`FlagRules::on`].
//!
//! # Ordering
//!
//! The rules of one `FlagRules` are those of its rule flags, then those of its
//! switches, each in the order in which they were added.

mod source;
mod value;

pub use self::source::FlagRules;
