use crate::lifecycle::{Lifecycle, Observe, Plan, ProblemJson};
use std::sync::Arc;
use tower_layer::Layer;

/// Correlation, recording, capture and export in one layer; see
/// [`Dashcam`](super::Dashcam) and the [module page](super).
#[derive(Clone, Debug)]
#[must_use]
pub struct DashcamLayer<P = ProblemJson> {
    plan: Arc<Plan>,
    panics: P,
}

impl DashcamLayer {
    pub(super) fn new(plan: Arc<Plan>) -> Self {
        Self {
            plan,
            panics: ProblemJson,
        }
    }

    /// Notes panics of the service and lets them go on, for an outer layer
    /// that answers them or for a process that should end. Also for services
    /// whose response body cannot be made from bytes.
    pub fn propagate_panics(self) -> DashcamLayer<Observe> {
        DashcamLayer {
            plan: self.plan,
            panics: Observe,
        }
    }
}

impl<S, P: Clone> Layer<S> for DashcamLayer<P> {
    type Service = Lifecycle<S, P>;

    fn layer(&self, inner: S) -> Self::Service {
        Lifecycle::new(inner, Arc::clone(&self.plan), self.panics.clone())
    }
}
