//! Records the debug events of every request, and shows those of chosen requests at once.
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
//! On a developer's machine, everybody who can connect may make a request verbose:
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
//! Put the layer outside of every layer whose events matter, such as `TraceLayer`: a span
//! that was disabled before its request became live stays missing. If rules name routes, put
//! it inside the router.

mod layer;

pub use self::layer::{VerboseLayer, VerboseService};
