use super::Directives;
use arc_swap::ArcSwapOption;
use std::sync::Arc;
use tracing::level_filters::LevelFilter;

/// What is recorded, `None` for nothing. Read by every event of a recording
/// request without a lock, and exchanged while requests run; what it was before
/// is freed with its last reader.
#[derive(Debug)]
pub(crate) struct Recorded(ArcSwapOption<Directives>);

impl Recorded {
    pub(crate) fn new(directives: Option<Directives>) -> Self {
        Self(ArcSwapOption::new(directives.map(Arc::new)))
    }

    pub(crate) fn set(&self, directives: Option<Directives>) {
        self.0.store(directives.map(Arc::new));
    }

    pub(crate) fn is_on(&self) -> bool {
        self.0.load().is_some()
    }

    /// `OFF` where nothing is recorded.
    pub(crate) fn max_level(&self) -> LevelFilter {
        self.0
            .load()
            .as_ref()
            .map_or(LevelFilter::OFF, |directives| directives.max_level())
    }

    /// Whether something is recorded and the directives are such.
    #[inline]
    pub(crate) fn is_on_and(&self, f: impl FnOnce(&Directives) -> bool) -> bool {
        self.0
            .load()
            .as_ref()
            .is_some_and(|directives| f(directives))
    }
}
