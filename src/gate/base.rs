//! The filter of the service's own output.

#[cfg(feature = "env-filter")]
use super::excluded::most_let_through;
use super::excluded::most_of;
use crate::selection::{Directives, RulesError};
use std::{fmt, str::FromStr};
use tracing::{Level, Metadata, Subscriber, level_filters::LevelFilter};
#[cfg(feature = "env-filter")]
use tracing_subscriber::EnvFilter;
use tracing_subscriber::{
    Registry,
    filter::Targets,
    layer::{Context, Layer},
};

/// The filter that decides what a [`Gate`](super::Gate) shows outside of live requests: a
/// level, levels per target, or, with the feature `env-filter`, an `EnvFilter`.
///
/// ```
/// use dashcam::gate::{BaseFilter, Gate};
/// use tracing_subscriber::filter::{LevelFilter, Targets};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let gate = Gate::new(LevelFilter::INFO);
/// let gate = Gate::new(Targets::new().with_default(LevelFilter::INFO));
/// let gate = Gate::new("info,sqlx=warn".parse::<BaseFilter>()?);
/// # let _ = gate;
/// # Ok(())
/// # }
/// ```
///
/// # The feature `env-filter`
///
/// An `EnvFilter` can also match spans and their fields (`[checkout{tenant=acme}]=debug`).
/// The feature is not part of `full`, because it enables the feature of that name of
/// `tracing-subscriber` for *every* crate of the build. Without `RUST_LOG`,
/// `tracing_subscriber::fmt::init()` and `fmt::try_init()` of any program in it then show
/// only ERROR, instead of INFO and above.
pub struct BaseFilter(Kind);

#[allow(
    clippy::large_enum_variant,
    reason = "there is one in a process, and every event asks it"
)]
enum Kind {
    Targets(Targets),
    #[cfg(feature = "env-filter")]
    Env {
        filter: EnvFilter,
        /// Whether the filter has span directives, so that it needs to see spans.
        sees_spans: bool,
    },
}

impl BaseFilter {
    /// The most verbose level that the filter can enable.
    pub(super) fn max_level(&self) -> LevelFilter {
        let hint = match &self.0 {
            Kind::Targets(targets) => Layer::<Registry>::max_level_hint(targets),
            #[cfg(feature = "env-filter")]
            Kind::Env { filter, .. } => EnvFilter::max_level_hint(filter),
        };
        hint.unwrap_or(LevelFilter::TRACE)
    }

    /// The most verbose level that it can enable for excluded targets, or a more verbose
    /// one.
    pub(super) fn most_of_excluded(&self) -> LevelFilter {
        match &self.0 {
            Kind::Targets(targets) => most_of(targets),
            #[cfg(feature = "env-filter")]
            Kind::Env { filter, .. } => most_let_through(&filter.to_string(), self.max_level()),
        }
    }

    #[inline]
    pub(super) fn enabled<S: Subscriber>(
        &self,
        metadata: &Metadata<'_>,
        cx: Context<'_, S>,
    ) -> bool {
        match &self.0 {
            Kind::Targets(targets) => Layer::enabled(targets, metadata, cx),
            #[cfg(feature = "env-filter")]
            Kind::Env { filter, .. } => Layer::enabled(filter, metadata, cx),
        }
    }

    /// The filter as a layer, if it needs to see spans.
    #[inline]
    pub(super) fn of_spans<S: Subscriber>(&self) -> Option<&dyn Layer<S>> {
        match &self.0 {
            Kind::Targets(_) => None,
            #[cfg(feature = "env-filter")]
            Kind::Env { filter, sees_spans } => sees_spans.then_some(filter as &dyn Layer<S>),
        }
    }
}

impl From<Targets> for BaseFilter {
    fn from(targets: Targets) -> Self {
        Self(Kind::Targets(targets))
    }
}

impl From<LevelFilter> for BaseFilter {
    fn from(level: LevelFilter) -> Self {
        Targets::new().with_default(level).into()
    }
}

impl From<Level> for BaseFilter {
    fn from(level: Level) -> Self {
        LevelFilter::from(level).into()
    }
}

/// Reads a level, or levels per target (`info,my_service=trace,sqlx=debug`). A word that was
/// probably meant to be a level (`debgu`) is an error, and no target. So is a filter by span or
/// field (`[span]=debug`): enable the feature `env-filter` and pass an `EnvFilter`.
impl FromStr for BaseFilter {
    type Err = RulesError;

    fn from_str(text: &str) -> Result<Self, RulesError> {
        let directives: Directives = text.parse()?;
        Ok(directives.into_targets().into())
    }
}

#[cfg(feature = "env-filter")]
impl From<EnvFilter> for BaseFilter {
    fn from(filter: EnvFilter) -> Self {
        // Only the text form of the filter shows whether it has span directives: they have
        // brackets.
        let sees_spans = filter.to_string().contains('[');
        Self(Kind::Env { filter, sees_spans })
    }
}

impl fmt::Debug for BaseFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Targets(targets) => write!(f, "BaseFilter({targets})"),
            #[cfg(feature = "env-filter")]
            Kind::Env { filter, .. } => write!(f, "BaseFilter({filter})"),
        }
    }
}
