use super::Directives;
use arc_swap::ArcSwapOption;
use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering::SeqCst},
};
use tracing::{Level, Metadata, level_filters::LevelFilter};

/// Which events are recorded. Every event of a recording request reads it without a lock, and
/// it is replaced while requests run.
#[derive(Debug)]
pub(crate) struct Recorded {
    /// The rank of the level if all targets have the same one, which is the usual case and costs
    /// one load; otherwise [`BY_TARGET`].
    rank: AtomicU8,
    directives: ArcSwapOption<Directives>,
}

const BY_TARGET: u8 = u8::MAX;

impl Default for Recorded {
    fn default() -> Self {
        Self::new(Some(Directives::level(LevelFilter::DEBUG)))
    }
}

impl Recorded {
    pub(crate) fn new(directives: Option<Directives>) -> Self {
        let directives = directives.filter(names_something);
        Self {
            rank: AtomicU8::new(rank(directives.as_ref())),
            directives: ArcSwapOption::new(directives.map(Arc::new)),
        }
    }

    /// Replaces the directives; `None` records nothing. Returns whether the most verbose level
    /// changes. Callers must not overlap, or level and directives would differ.
    pub(crate) fn set(&self, directives: Option<Directives>) -> bool {
        let directives = directives.filter(names_something);
        let before = self.max_level();
        let rank = rank(directives.as_ref());
        self.directives.store(directives.map(Arc::new));
        self.rank.store(rank, SeqCst);
        self.max_level() != before
    }

    pub(crate) fn is_on(&self) -> bool {
        self.rank.load(SeqCst) != 0
    }

    /// Returns which events are recorded.
    pub(crate) fn directives(&self) -> Option<Directives> {
        let directives = self.directives.load();
        directives
            .as_ref()
            .map(|directives| Directives::clone(directives))
    }

    /// Returns the most verbose level; `OFF` if nothing is recorded.
    pub(crate) fn max_level(&self) -> LevelFilter {
        self.directives
            .load()
            .as_ref()
            .map_or(LevelFilter::OFF, |directives| directives.max_level())
    }

    /// Whether events like this one are recorded.
    #[inline]
    pub(crate) fn wants(&self, metadata: &Metadata<'_>) -> bool {
        match self.rank.load(SeqCst) {
            BY_TARGET => self.wants_target(metadata),
            rank => of(metadata.level()) <= rank,
        }
    }

    #[inline(never)]
    fn wants_target(&self, metadata: &Metadata<'_>) -> bool {
        let directives = self.directives.load();
        directives
            .as_ref()
            .is_some_and(|directives| directives.wants(metadata))
    }
}

/// Whether they are more than `off`.
fn names_something(directives: &Directives) -> bool {
    directives.max_level() != LevelFilter::OFF
}

fn rank(directives: Option<&Directives>) -> u8 {
    match directives.map(Directives::uniform) {
        None => 0,
        Some(Some(level)) => level.into_level().map_or(0, |level| of(&level)),
        Some(None) => BY_TARGET,
    }
}

#[inline]
fn of(level: &Level) -> u8 {
    match *level {
        Level::ERROR => 1,
        Level::WARN => 2,
        Level::INFO => 3,
        Level::DEBUG => 4,
        Level::TRACE => 5,
    }
}
