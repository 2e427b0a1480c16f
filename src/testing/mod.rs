//! Support for tests of services that use this crate: keeps exchanges in memory.
//!
//! Every [`TestDashcam`] has its own exchanges, so tests can run in parallel. The first one
//! installs a global subscriber with a [`Gate`] for the whole test process. If your tests
//! install their own global subscriber, it needs a [`Gate`].
//!
//! ```
//! use axum::{Router, http::{Request, StatusCode}, routing::get};
//! use dashcam::testing::TestDashcam;
//! use tower::ServiceExt;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let dashcam = TestDashcam::new();
//! let app = Router::new()
//!     .route("/", get(|| async {
//!         tracing::debug!(step = 1, "on the way");
//!         StatusCode::BAD_GATEWAY
//!     }))
//!     .layer(dashcam.layer());
//!
//! let request = Request::new(axum::body::Body::empty());
//! drop(app.oneshot(request).await);
//!
//! let kept = dashcam.only();
//! assert_eq!(kept.response.unwrap().status, 502);
//! assert_eq!(kept.events[0].message.as_deref(), Some("on the way"));
//! # }
//! ```
//!
//! With settings:
//!
//! ```
//! use dashcam::testing::TestDashcam;
//!
//! let dashcam = TestDashcam::with(|builder| builder.baseline(1.0));
//! assert!(dashcam.kept().is_empty());
//! ```

use crate::{
    exchange::Exchange,
    export::Memory,
    gate::Gate,
    kit::{Dashcam, DashcamBuilder},
    levels::installed,
};
use std::{ops::Deref, sync::Once, time::Duration};
use tracing_subscriber::{filter::LevelFilter, layer::SubscriberExt, util::SubscriberInitExt};

const DEADLINE: Duration = Duration::from_secs(10);

/// A [`Dashcam`] that keeps exchanges in memory; see the [module page](self).
#[derive(Debug)]
pub struct TestDashcam {
    dashcam: Dashcam,
    kept: Memory,
}

impl TestDashcam {
    /// Makes one with the defaults.
    ///
    /// # Panics
    ///
    /// Panics if the operating system cannot start a thread.
    #[must_use]
    pub fn new() -> Self {
        Self::with(|builder| builder)
    }

    /// Makes one with changed settings. The exporter is set afterwards.
    ///
    /// # Panics
    ///
    /// Panics if [`build`](DashcamBuilder::build) returns an error.
    #[must_use]
    pub fn with(change: impl FnOnce(DashcamBuilder) -> DashcamBuilder) -> Self {
        install_gate();
        let kept = Memory::new(10_000);
        let builder = Dashcam::builder().service("test", "0.0.0");
        let dashcam = match change(builder).exporter(kept.clone()).build() {
            Ok(dashcam) => dashcam,
            Err(error) => panic!("cannot build the settings of the test: {error}"),
        };
        Self { dashcam, kept }
    }

    /// Returns the exchanges kept so far, oldest first.
    ///
    /// # Panics
    ///
    /// Panics if the exporter does not finish within ten seconds.
    #[must_use]
    pub fn kept(&self) -> Vec<Exchange> {
        assert!(self.dashcam.flush(DEADLINE), "the exporter is stuck");
        self.kept.exchanges()
    }

    /// Returns the only exchange that was kept.
    ///
    /// # Panics
    ///
    /// Panics if none or several were kept.
    #[must_use]
    pub fn only(&self) -> Exchange {
        let mut kept = self.kept();
        assert_eq!(kept.len(), 1, "exchanges kept: {kept:#?}");
        kept.remove(0)
    }
}

impl Default for TestDashcam {
    fn default() -> Self {
        Self::new()
    }
}

impl Deref for TestDashcam {
    type Target = Dashcam;

    fn deref(&self) -> &Dashcam {
        &self.dashcam
    }
}

/// One gate for the process: a gate is not tied to a [`Dashcam`].
fn install_gate() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if !installed() {
            let gate = Gate::new(LevelFilter::INFO);
            // A global subscriber of the tests stays.
            let _ = tracing_subscriber::registry().with(gate).try_init();
        }
    });
}
