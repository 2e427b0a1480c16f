use crate::{
    exchange::{Direction, Service},
    export::Exporter,
    keeper::{Dropped, Keeper, Settings},
    lifecycle::{Lifecycle, Observe, Plan, layer_service},
};
use http::HeaderName;
use std::{io, sync::Arc, time::Duration};
use tower_layer::Layer;

/// Layer that captures requests and responses, and keeps exchanges; see the [module
/// page](super).
#[derive(Clone, Debug)]
#[must_use]
pub struct CaptureLayer {
    plan: Arc<Plan>,
    keeper: Arc<Keeper>,
}

impl CaptureLayer {
    /// Starts a builder with the defaults, for a service with this name and version.
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

    /// Returns a layer for the service's clients. It shares settings, limits, counters and
    /// exporter with this one.
    ///
    /// It records outgoing calls as exchanges of direction `client`, with the correlation
    /// ID of the request in whose code they are made. A call is kept for a reason of its
    /// own (it failed, was slow, or [`keep_when`](CaptureLayerBuilder::keep_when) returned
    /// one), else together with its request: up to 16 calls wait for that request's end. A
    /// response that the caller does not read to its end is not a reason.
    ///
    /// Put it inside
    /// [`PropagateCorrelationIdLayer`](crate::correlation::PropagateCorrelationIdLayer), so
    /// that it captures the head as it is sent.
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

    /// Waits, at most this long, until the exporter has received and flushed every exchange
    /// kept so far. Returns whether it has, with nothing left to retry. Exchanges that the
    /// exporter refused or gave up are counted. Blocks: do not call it in async code.
    #[must_use]
    pub fn flush(&self, deadline: Duration) -> bool {
        self.keeper.flush(deadline)
    }

    /// Returns the number of exchanges that should have been kept and were not, by reason.
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

/// Builder of a [`CaptureLayer`].
#[derive(Clone, Debug)]
#[must_use]
pub struct CaptureLayerBuilder {
    settings: Settings,
}

impl CaptureLayerBuilder {
    crate::keeper::settings_setters!();

    /// Sets the header that carries the correlation ID; exchanges have its value. Default:
    /// `x-request-id`.
    pub fn correlation_header(mut self, name: HeaderName) -> Self {
        self.settings.correlation_header = name;
        self
    }

    /// Starts the exporter's thread and returns the layer.
    ///
    /// # Errors
    ///
    /// The operating system cannot start a thread.
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
