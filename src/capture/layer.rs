use crate::{
    exchange::{Direction, Service},
    export::Exporter,
    keeper::{Dropped, Keeper, Settings},
    lifecycle::{Lifecycle, Observe, Plan, layer_service},
};
use http::HeaderName;
use std::{io, sync::Arc, time::Duration};
use tower_layer::Layer;

/// Captures and keeps; see the [module page](super).
#[derive(Clone, Debug)]
#[must_use]
pub struct CaptureLayer {
    plan: Arc<Plan>,
    keeper: Arc<Keeper>,
}

impl CaptureLayer {
    /// Starts with the defaults, for a service of this name and version.
    pub fn builder(service: impl Into<String>, version: impl Into<String>) -> CaptureLayerBuilder {
        CaptureLayerBuilder {
            settings: Settings {
                service: Service {
                    name: service.into(),
                    version: version.into(),
                },
                ..Settings::default()
            },
        }
    }

    /// The layer for a client, beside this one for the server: the same settings,
    /// limits, counters and exporter.
    ///
    /// It records the calls that a service makes, as exchanges of direction
    /// `client` with the correlation ID of the request in whose code they are
    /// made. A call is kept for a reason of its own (it failed, was slow, or
    /// [`keep_when`](CaptureLayerBuilder::keep_when) has one), and together with
    /// its request otherwise: up to 16 calls wait for that request's end. An
    /// answer that the caller does not read to its end is no reason.
    ///
    /// Put it inside of
    /// [`PropagateCorrelationIdLayer`](crate::correlation::PropagateCorrelationIdLayer),
    /// so that the head is seen as it is sent.
    pub fn client(&self) -> Self {
        Self::client_of(&self.keeper)
    }

    pub(crate) fn client_of(keeper: &Arc<Keeper>) -> Self {
        Self {
            plan: Arc::new(Plan {
                keeper: Some(Arc::clone(keeper)),
                direction: Direction::Client,
                ..Plan::default()
            }),
            keeper: Arc::clone(keeper),
        }
    }

    /// Waits until everything kept so far has reached the exporter and it has flushed,
    /// at most until the deadline; whether it has, and holds nothing back. What it
    /// refused or gave up is counted. Blocks: not for use in async code.
    #[must_use]
    pub fn flush(&self, deadline: Duration) -> bool {
        self.keeper.flush(deadline)
    }

    /// What should have been kept and was not.
    #[must_use]
    pub fn dropped(&self) -> Dropped {
        self.keeper.counters().dropped()
    }
}

impl<S> Layer<S> for CaptureLayer {
    type Service = CaptureService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        CaptureService(Lifecycle::new(inner, Arc::clone(&self.plan), Observe))
    }
}

layer_service! {
    /// The service of [`CaptureLayer`].
    CaptureService<S>
}

/// Settings of a [`CaptureLayer`].
#[derive(Clone, Debug)]
#[must_use]
pub struct CaptureLayerBuilder {
    settings: Settings,
}

impl CaptureLayerBuilder {
    crate::keeper::settings_setters!();

    /// The header whose value is the correlation ID, and so may be written;
    /// default `x-request-id`.
    pub fn correlation_header(mut self, name: HeaderName) -> Self {
        self.settings.correlation_header = name;
        self
    }

    /// Starts the exporter's thread and makes the layer.
    ///
    /// # Errors
    ///
    /// The operating system gave no thread.
    pub fn build(self, exporter: impl Exporter) -> io::Result<CaptureLayer> {
        let keeper = Arc::new(Keeper::new(self.settings, Box::new(exporter))?);
        Ok(CaptureLayer {
            plan: Arc::new(Plan {
                keeper: Some(Arc::clone(&keeper)),
                ..Plan::default()
            }),
            keeper,
        })
    }
}
