use crate::lifecycle::{Guarded, Lifecycle, Observe, Plan, ProblemJson, layer_service};
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

    /// Records panics of the service and lets them propagate, for an outer layer that
    /// handles them or for a process that should end. Also for services whose response body
    /// does not implement `From<Bytes>`.
    pub fn propagate_panics(self) -> DashcamLayer<Observe> {
        DashcamLayer {
            plan: self.plan,
            panics: Observe,
        }
    }
}

impl<P> DashcamLayer<P> {
    /// Sets the response to a panic of the service, such as your own error format; see
    /// [`PanicResponse`](crate::lifecycle::PanicResponse). Default: [`ProblemJson`], which
    /// is also the response if this code panics itself.
    ///
    /// ```
    /// use axum::{Json, body::Body, http::{Response, StatusCode}, response::IntoResponse};
    /// use dashcam::{correlation::CorrelationId, lifecycle::PanicResponse};
    ///
    /// /// `{"error":{"code":"internal","request":"…"}}`
    /// struct Envelope;
    ///
    /// impl PanicResponse<Body> for Envelope {
    ///     fn respond(&self, id: &CorrelationId) -> Option<Response<Body>> {
    ///         let error = serde_json::json!({ "code": "internal", "request": id.as_str() });
    ///         let body = Json(serde_json::json!({ "error": error }));
    ///         Some((StatusCode::INTERNAL_SERVER_ERROR, body).into_response())
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use axum::{Router, routing::get};
    /// # async fn order() {}
    /// let dashcam = dashcam::Dashcam::builder().service("orders", "1.0.0").in_memory(10).build()?;
    /// let app = Router::<()>::new()
    ///     .route("/orders/{id}", get(order))
    ///     .layer(dashcam.layer().panic_response(Envelope));
    /// # let _ = app;
    /// # Ok(())
    /// # }
    /// ```
    pub fn panic_response<R>(self, panics: R) -> DashcamLayer<Guarded<R>> {
        DashcamLayer {
            plan: self.plan,
            panics: Guarded::new(panics),
        }
    }
}

impl<S, P: Clone> Layer<S> for DashcamLayer<P> {
    type Service = DashcamService<S, P>;

    fn layer(&self, inner: S) -> Self::Service {
        DashcamService(Lifecycle::new(
            inner,
            Arc::clone(&self.plan),
            self.panics.clone(),
        ))
    }
}

layer_service! {
    /// The service of [`DashcamLayer`]. `P` handles a panic of the inner service:
    /// [`ProblemJson`] responds with status 500, [`Observe`] lets the panic propagate.
    DashcamService<S, P>
}
