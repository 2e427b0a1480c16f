//! Records the debug-level events of every request, and shows them at once for
//! chosen ones.
//!
//! [`VerboseLayer`] needs a [`Gate`](crate::gate::Gate) in the subscriber.
//!
//! # Example
//!
//! ```
//! use dashcam::{
//!     selection::{Rule, Rules, When},
//!     verbose::VerboseLayer,
//! };
//! use std::time::{Duration, SystemTime};
//!
//! let soon = SystemTime::now() + Duration::from_secs(600);
//! let beta = Rule::new("beta", soon).when(When::new().path_prefix("/beta"));
//! let layer = VerboseLayer::new().rules(Rules::new([beta]));
//! # let _ = layer;
//! ```
//!
//! On a developer's machine, where whoever can connect may switch it on:
//!
//! ```
//! use dashcam::verbose::VerboseLayer;
//!
//! // curl -H 'x-dashcam-verbose: debug' …
//! let layer = VerboseLayer::new().insecure_plain_header(true);
//! # let _ = layer;
//! ```
//!
//! # Ordering
//!
//! Outside of everything whose events matter, such as `TraceLayer`: spans that
//! were refused before a request became live are not made up for. Inside the
//! router where rules name routes.

mod layer;

pub use self::layer::{VerboseLayer, VerboseService};
