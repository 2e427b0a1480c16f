use std::{fmt, str::FromStr};
use tracing::{Level, Metadata, level_filters::LevelFilter};
use tracing_subscriber::filter::Targets;

/// Which events of a request are shown or recorded: a level, and levels per
/// target (`info,my_service=trace,sqlx=debug`), as
/// [`Targets`] reads them. Compiled once.
#[derive(Clone, Debug)]
pub struct Directives {
    targets: Targets,
    max: LevelFilter,
    /// The level, where it holds for every target: the usual case is one comparison.
    uniform: Option<LevelFilter>,
}

impl Directives {
    /// One level for every target.
    #[must_use]
    pub fn level(level: LevelFilter) -> Self {
        Self {
            targets: Targets::new().with_default(level),
            max: level,
            uniform: Some(level),
        }
    }

    /// The most verbose level that is asked for anywhere.
    #[must_use]
    pub fn max_level(&self) -> LevelFilter {
        self.max
    }

    /// The level, where it holds for every target.
    pub(super) fn uniform(&self) -> Option<LevelFilter> {
        self.uniform
    }

    /// Whether events or spans like this one are wanted.
    #[inline]
    pub(crate) fn wants(&self, metadata: &Metadata<'_>) -> bool {
        match self.uniform {
            Some(level) => *metadata.level() <= level,
            None => {
                *metadata.level() <= self.max
                    && self
                        .targets
                        .would_enable(metadata.target(), metadata.level())
            }
        }
    }
}

impl FromStr for Directives {
    type Err = InvalidDirectives;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(level) = text.trim().parse::<Level>() {
            return Ok(Self::level(level.into()));
        }
        // A text without any directive parses too, and would show nothing.
        if text.trim().is_empty() {
            return Err(InvalidDirectives);
        }
        let targets: Targets = text.parse().map_err(|_| InvalidDirectives)?;
        let max = targets.iter().map(|(_, level)| level).max();
        let max = max.max(targets.default_level()).ok_or(InvalidDirectives)?;
        Ok(Self {
            targets,
            max,
            uniform: None,
        })
    }
}

/// A text is not a list of directives.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct InvalidDirectives;

impl fmt::Display for InvalidDirectives {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected a level or a list such as `info,my_service=trace`")
    }
}

impl std::error::Error for InvalidDirectives {}
