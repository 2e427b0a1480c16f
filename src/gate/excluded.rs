//! The targets that are never recorded.

use crate::targets::EXCLUDED_TARGETS;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;

/// The range in the list of the targets that begin with a letter, by the letter's lowest
/// five bits. The list is in alphabetical order.
const BY_LETTER: [(u8, u8); 32] = {
    let mut ranges = [(0, 0); 32];
    let mut n = 0;
    while n < EXCLUDED_TARGETS.len() {
        let letter = (EXCLUDED_TARGETS[n].as_bytes()[0] & 31) as usize;
        let n8 = n as u8;
        if ranges[letter].1 == 0 {
            ranges[letter].0 = n8;
        }
        assert!(ranges[letter].0 == n8 || ranges[letter].1 == n8, "in order");
        ranges[letter].1 = n8 + 1;
        n += 1;
    }
    ranges
};

/// A bit for each pair of letters that a target in the list begins with.
const PAIRS: u64 = {
    let mut pairs = 0;
    let mut n = 0;
    while n < EXCLUDED_TARGETS.len() {
        let target = EXCLUDED_TARGETS[n].as_bytes();
        pairs |= 1 << pair(target[0], target[1]);
        n += 1;
    }
    pairs
};

/// Distributes pairs over the bits so that few other crates share one.
const fn pair(first: u8, second: u8) -> u8 {
    (first.wrapping_mul(21) ^ second) & 63
}

/// Whether a target is in the list, or below one that is.
#[inline]
pub(super) fn is_excluded(target: &str) -> bool {
    // This runs for every event and every callsite, and mostly returns `false`.
    let [first, second, ..] = target.as_bytes() else {
        return false;
    };
    PAIRS >> pair(*first, *second) & 1 == 1 && is_listed(*first, target.as_bytes())
}

#[inline]
fn is_listed(first: u8, target: &[u8]) -> bool {
    let (from, to) = BY_LETTER[usize::from(first & 31)];
    let candidates = EXCLUDED_TARGETS.get(usize::from(from)..usize::from(to));
    candidates.unwrap_or_default().iter().any(|excluded| {
        let excluded = excluded.as_bytes();
        // Its length is cheaper to compare than its text. The text is compared letter by
        // letter, because a call would cost more.
        match target.get(excluded.len()..) {
            Some([] | [b':', b':', ..]) => excluded.iter().zip(target).rev().all(|(a, b)| a == b),
            _ => false,
        }
    })
}

/// The most verbose level at which an `EnvFilter` with this text can enable an excluded
/// target, or a more verbose one.
#[cfg(feature = "env-filter")]
pub(super) fn most_let_through(base: &str, base_max: LevelFilter) -> LevelFilter {
    if base.contains('[') {
        return base_max;
    }
    base.parse().map_or(base_max, |levels| most_of(&levels))
}

/// The most verbose level at which a base filter can enable an excluded target.
pub(super) fn most_of(levels: &Targets) -> LevelFilter {
    let of_targets = levels.iter().filter(|(target, _)| {
        EXCLUDED_TARGETS
            .iter()
            .any(|excluded| excluded.starts_with(target) || target.starts_with(excluded))
    });
    let of_targets = of_targets.map(|(_, level)| level);
    of_targets
        .chain(levels.default_level())
        .max()
        .unwrap_or(LevelFilter::OFF)
}

#[cfg(test)]
mod tests {
    use super::{EXCLUDED_TARGETS, is_excluded};

    #[cfg(feature = "env-filter")]
    #[test]
    fn what_a_base_lets_through_of_them() {
        use super::{most_let_through, most_of};
        use tracing::level_filters::LevelFilter;
        use tracing_subscriber::{EnvFilter, filter::Targets};
        for (base, most) in [
            ("info", LevelFilter::INFO),
            ("off", LevelFilter::OFF),
            ("", LevelFilter::ERROR),
            ("a=debug", LevelFilter::OFF),
            ("info,a=debug,hyper=warn", LevelFilter::INFO),
            ("warn,hyper=debug", LevelFilter::DEBUG),
            ("warn,hyper::proto=debug", LevelFilter::DEBUG),
            // A directive is a prefix of targets.
            ("warn,hy=trace", LevelFilter::TRACE),
            ("warn,h2", LevelFilter::TRACE),
            ("info,[work]=debug", LevelFilter::DEBUG),
            ("info,[work{tenant=acme}]=debug", LevelFilter::TRACE),
        ] {
            let filter = EnvFilter::new(base);
            let max = EnvFilter::max_level_hint(&filter).unwrap_or(LevelFilter::TRACE);
            assert_eq!(most_let_through(&filter.to_string(), max), most, "{base}");
            if !base.is_empty() && !base.contains('[') {
                let targets: Targets = base.parse().unwrap();
                assert_eq!(most_of(&targets), most, "{base}");
            }
        }
    }

    #[test]
    fn a_target_stands_for_itself_and_what_is_below() {
        for target in EXCLUDED_TARGETS {
            assert!(is_excluded(target), "{target}");
            assert!(is_excluded(&format!("{target}::inside")), "{target}");
            for other in [
                format!("{target}x"),
                format!("{target}:"),
                format!("{target}:x"),
                format!("x{target}"),
                target[1..].to_owned(),
                target.to_uppercase(),
            ] {
                let listed = EXCLUDED_TARGETS.contains(&other.as_str());
                assert_eq!(is_excluded(&other), listed, "{other}");
            }
        }
        for other in ["", ":", "::", "o", "orders", "my::hyper", "\u{e9}"] {
            assert!(!is_excluded(other), "{other}");
        }
    }
}
