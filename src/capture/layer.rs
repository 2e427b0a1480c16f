use crate::{
    exchange::Service,
    export::Exporter,
    keeper::{Dropped, Keeper, Settings},
    lifecycle::{Lifecycle, Observe, Plan},
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

    /// Waits until everything kept so far has reached the exporter, at most
    /// until the deadline; whether it has. Blocks: not for use in async code.
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
    type Service = Lifecycle<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Lifecycle::new(inner, Arc::clone(&self.plan), Observe)
    }
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
