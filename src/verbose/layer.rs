use crate::{
    levels::raise_live,
    lifecycle::{Lifecycle, Observe, Plan, VerbosePlan, layer_service},
    selection::{Recorded, Rules, Steering, VERBOSE_HEADER},
};
use std::sync::Arc;
use tower_layer::Layer;
use tracing::level_filters::LevelFilter;

/// Makes requests recorded or verbose; see the [module page](super).
#[derive(Clone, Debug)]
#[must_use]
pub struct VerboseLayer {
    plan: Arc<Plan>,
}

impl VerboseLayer {
    /// Starts with the defaults: every request is recorded, none is verbose.
    pub fn new() -> Self {
        Self {
            plan: Arc::new(Plan {
                verbose: Some(VerbosePlan::default()),
                ..Plan::default()
            }),
        }
    }

    /// Records no request. Default: events at DEBUG and above of every request.
    pub fn record_off(self) -> Self {
        self.with(|plan| plan.recorded = Arc::new(Recorded::new(None)))
    }

    /// Sets the rules, at most 100. Default: none.
    pub fn rules(self, rules: Rules) -> Self {
        self.steering(Steering::new().rules(rules))
    }

    /// Sets the rules, which can change while the service runs, and their budget. It replaces
    /// those of [`rules`](Self::rules). Default: none.
    pub fn steering(self, steering: Steering) -> Self {
        self.with(|plan| plan.steering = steering)
    }

    /// Sets which tokens in the header `x-dashcam-verbose` make a request verbose. Default:
    /// none.
    #[cfg(feature = "token")]
    pub fn tokens(self, tokens: crate::token::Tokens) -> Self {
        raise_live(LevelFilter::DEBUG);
        self.with(|plan| plan.tokens = Some(tokens))
    }

    /// Sets which outgoing calls carry a token, so that the called service treats them as
    /// their request is treated here. Default: none.
    #[cfg(feature = "token")]
    pub fn propagate_selection(self, propagation: crate::token::Propagation) -> Self {
        self.with(|plan| plan.propagation = Some(Arc::new(propagation)))
    }

    /// Sets whether *everybody who can send a request* can make it verbose by the header
    /// `x-dashcam-verbose: <directives>` (`debug`, `info,my_service=trace`; `1` is
    /// `debug`), and so use up the overall budget. Default: `false`. For development only.
    pub fn insecure_plain_header(self, on: bool) -> Self {
        if on {
            raise_live(LevelFilter::TRACE);
        }
        self.with(|plan| plan.plain_header = on.then_some(VERBOSE_HEADER))
    }

    fn with(mut self, change: impl FnOnce(&mut VerbosePlan)) -> Self {
        if let Some(verbose) = &mut Arc::make_mut(&mut self.plan).verbose {
            change(verbose);
        }
        self
    }
}

impl Default for VerboseLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for VerboseLayer {
    type Service = VerboseService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        if let Some(verbose) = &self.plan.verbose {
            verbose.steering.tell();
            #[cfg(feature = "token")]
            if verbose.tokens.is_some() {
                verbose.steering.tell_off();
            }
        }
        VerboseService(Lifecycle::new(inner, Arc::clone(&self.plan), Observe))
    }
}

layer_service! {
    /// The service of [`VerboseLayer`].
    VerboseService<S>
}
