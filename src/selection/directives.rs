use super::RulesError;
use std::{fmt, str::FromStr};
use tracing::{Metadata, level_filters::LevelFilter};
use tracing_subscriber::filter::Targets;

/// Which events of a request are shown or recorded, compiled;
/// [`Rule::verbose`](super::Rule::verbose) describes the text.
#[derive(Clone, Debug)]
pub(crate) struct Directives {
    targets: Targets,
    max: LevelFilter,
    /// The level if all targets have the same one, which is the usual case and costs one
    /// comparison.
    uniform: Option<LevelFilter>,
}

impl Directives {
    /// Creates directives of one level for all targets.
    #[must_use]
    pub(crate) fn level(level: LevelFilter) -> Self {
        Self {
            targets: Targets::new().with_default(level),
            max: level,
            uniform: Some(level),
        }
    }

    /// Returns the most verbose level of any target.
    #[must_use]
    pub(crate) fn max_level(&self) -> LevelFilter {
        self.max
    }

    pub(crate) fn into_targets(self) -> Targets {
        self.targets
    }

    /// Returns the level if all targets have the same one.
    pub(super) fn uniform(&self) -> Option<LevelFilter> {
        self.uniform
    }

    /// Returns the targets that have a level of their own, other than `off`.
    pub(super) fn named(&self) -> impl Iterator<Item = String> {
        let shown = self
            .targets
            .iter()
            .filter(|(_, level)| *level != LevelFilter::OFF);
        shown.map(|(target, _)| target.to_owned())
    }

    /// Whether they include this event or span.
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
    type Err = RulesError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(level) = level(text.trim()) {
            return Ok(Self::level(level));
        }
        if text.len() > LONGEST {
            return Err(invalid(text, None));
        }
        let mut targets = Targets::new();
        // A target without a level has all levels.
        for part in text.split(',') {
            let directive = part.trim();
            let (target, wanted, meant) = match directive.split_once('=') {
                Some((target, text)) => {
                    let text = text.trim();
                    (Some(target.trim()), level(text), meant_level(text))
                }
                None => match (level(directive), meant_level(directive)) {
                    (Some(level), _) => (None, Some(level), None),
                    (None, None) => (Some(directive), Some(LevelFilter::TRACE), None),
                    (None, meant) => (Some(directive), None, meant),
                },
            };
            let Some(wanted) = wanted.filter(|_| target.is_none_or(is_target)) else {
                return Err(invalid(directive, meant));
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

/// Writes a list that reads back as the same.
impl fmt::Display for Directives {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.targets.fmt(f)
    }
}

/// The longest list of directives, in bytes.
const LONGEST: usize = 16 * 1024;

fn level(text: &str) -> Option<LevelFilter> {
    // The parser of levels accepts an empty text.
    (!text.is_empty()).then(|| text.parse().ok()).flatten()
}

fn is_target(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_:-./".contains(&b);
    !text.is_empty() && text.bytes().all(allowed)
}

/// Returns the directive that was meant by a word that is no level: a typo, the name of a
/// level in other systems, or a level after a colon.
fn meant_level(word: &str) -> Option<String> {
    if let Some((target, text)) = word.rsplit_once(':') {
        // Paths have `::`.
        let is_one = level(text).is_some() && !target.ends_with(':') && is_target(target);
        return is_one.then(|| format!("{target}={text}"));
    }
    let word = word.to_ascii_lowercase();
    let is_number = !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit());
    let called = match word.as_str() {
        "warning" | "warnings" => Some("warn"),
        "errors" | "fatal" | "critical" | "crit" | "severe" => Some("error"),
        "information" | "informational" | "notice" => Some("info"),
        "verbose" | "all" | "everything" | "max" | "full" | "finest" => Some("trace"),
        "none" | "false" | "no" | "disabled" | "never" | "silent" | "quiet" => Some("off"),
        "debugging" | "on" | "true" | "yes" | "enabled" | "always" => Some("debug"),
        _ if is_number => Some("trace"),
        _ => None,
    };
    let called = called.or_else(|| closest(&word, LEVELS));
    called.map(str::to_owned)
}

const LEVELS: &[&str] = &["error", "warn", "info", "debug", "trace", "off"];

/// Returns the one of these of which a word is a typo: one letter is wrong, missing, too many
/// or swapped with the next one; or two such slips, if the word of five letters or more begins
/// the same.
pub(super) fn closest<'a>(word: &str, of: &[&'a str]) -> Option<&'a str> {
    let slip = |one: &&&str| {
        let slips = slips(word, one);
        slips == 1 || slips == 2 && one.len() >= 5 && word.get(..1) == one.get(..1)
    };
    of.iter()
        .filter(slip)
        .min_by_key(|one| slips(word, one))
        .copied()
}

/// Returns by how many slips two words differ, 3 at most.
fn slips(a: &str, b: &str) -> usize {
    const MANY: usize = 3;
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(32).collect(), b.chars().collect());
    if a.len().abs_diff(b.len()) >= MANY {
        return MANY;
    }
    // Restricted Damerau-Levenshtein distance, three rows of the matrix.
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    let at = |row: &[usize], n: usize| row.get(n).copied().unwrap_or(MANY);
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let changed = at(&last, j) + usize::from(x != y);
            let mut least = changed.min(at(&last, j + 1) + 1).min(at(&row, j) + 1);
            let crossed = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            if crossed {
                least = least.min(at(&before, j - 1) + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut last, row);
    }
    at(&last, b.len()).min(MANY)
}

/// Creates the error of a directive, with what was probably meant.
fn invalid(directive: &str, meant: Option<String>) -> RulesError {
    let directive: String = directive.chars().take(64).collect();
    let meant = meant.filter(|meant| meant.len() <= 64);
    let hint = match meant {
        Some(meant) if directive.contains('=') || meant.contains('=') => {
            format!("did you mean `{meant}`?")
        }
        Some(meant) => format!(
            "did you mean `{meant}`? If it is a target, write its level, as in \
             `{directive}=trace`"
        ),
        None => format!(
            "expected a level, a target, or `target=level`, as in `info,my_service=trace`, at \
             most {LONGEST} bytes in all"
        ),
    };
    RulesError::expected(format!("{directive:?} is not a directive: {hint}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_no_target() {
        for (word, meant) in [
            ("debgu", "`debug`"),
            ("DEBUF", "`debug`"),
            ("dbg", "`debug`"),
            ("debugg", "`debug`"),
            ("trcae", "`trace`"),
            ("tarce", "`trace`"),
            ("inf", "`info`"),
            ("infos", "`info`"),
            ("warning", "`warn`"),
            ("wran", "`warn`"),
            ("eror", "`error`"),
            ("err", "`error`"),
            ("of", "`off`"),
            ("all", "`trace`"),
            ("6", "`trace`"),
            ("info,my_service=trcae", "`trace`"),
            ("my_service:debug", "`my_service=debug`"),
            ("info,debgu", "`debug`"),
        ] {
            let error = word.parse::<Directives>().unwrap_err().to_string();
            assert!(error.contains(meant), "{word}: {error}");
        }
        for target in [
            "orders",
            "order",
            "sqlx",
            "my_service",
            "tracing",
            "mirror",
            "hyper",
            "a::debgu",
            "my_service::debug",
            "axum",
            "auth",
            "worker",
            "debgu=info",
            "3",
            "Warn",
        ] {
            let read = target.parse::<Directives>();
            assert!(read.is_ok(), "{target}: {read:?}");
        }
    }
}
