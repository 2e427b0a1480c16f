use std::{fmt, str::FromStr};
use tracing::{Metadata, level_filters::LevelFilter};
use tracing_subscriber::filter::Targets;

/// Which events of a request are shown or recorded: a level, and levels per
/// target (`info,my_service=trace,sqlx=debug`), separated by commas. A target
/// stands for everything below it, and for every level where none is given; of two
/// that fit the longer one wins. Compiled once.
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

    pub(crate) fn into_targets(self) -> Targets {
        self.targets
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
        if let Some(level) = level(text.trim()) {
            return Ok(Self::level(level));
        }
        let invalid = |text: &str| InvalidDirectives(text.chars().take(64).collect());
        if text.len() > LONGEST {
            return Err(invalid(text));
        }
        let mut targets = Targets::new();
        // The most that is asked for: a target without a level wants all.
        for part in text.split(',') {
            let directive = part.trim();
            let (target, wanted) = match directive.split_once('=') {
                Some((target, text)) => (Some(target.trim()), level(text.trim())),
                None => match level(directive) {
                    Some(level) => (None, Some(level)),
                    None => (Some(directive), Some(LevelFilter::TRACE)),
                },
            };
            let Some(wanted) = wanted.filter(|_| target.is_none_or(is_target)) else {
                return Err(invalid(directive));
            };
            targets = match target {
                Some(target) => targets.with_target(target, wanted),
                None => targets.with_default(wanted),
            };
        }
        let max = targets.iter().map(|(_, level)| level).max();
        let max = max.max(targets.default_level()).unwrap_or(LevelFilter::OFF);
        Ok(Self {
            targets,
            max,
            uniform: None,
        })
    }
}

/// As a list that reads back as the same.
impl fmt::Display for Directives {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.targets.fmt(f)
    }
}

/// Of a list of directives, in bytes.
const LONGEST: usize = 16 * 1024;

fn level(text: &str) -> Option<LevelFilter> {
    // An empty text is a level to the parser of levels.
    (!text.is_empty()).then(|| text.parse().ok()).flatten()
}

fn is_target(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_:-./".contains(&b);
    !text.is_empty() && text.bytes().all(allowed)
}

/// A text is not a list of directives.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InvalidDirectives(
    /// The first 64 characters of the directive that cannot be read.
    String,
);

impl fmt::Display for InvalidDirectives {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is no directive: expected a level, a target, or `target=level`, \
             as in `info,my_service=trace`, at most {LONGEST} bytes in all",
            self.0
        )
    }
}

impl std::error::Error for InvalidDirectives {}
