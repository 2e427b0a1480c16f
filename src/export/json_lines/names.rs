use jiff::Timestamp;
use std::{
    process,
    sync::atomic::{AtomicU64, Ordering},
    time::SystemTime,
};

const PREFIX: &str = "exchanges-";
const SUFFIX: &str = ".jsonl";
const GZ: &str = ".gz";
const PART: &str = ".part";
const INDEX: &str = ".idx";

/// Shared by all exporters of the process, so that they never try one name twice.
static SEQUENCE: AtomicU64 = AtomicU64::new(0);

fn sequence() -> u64 {
    SEQUENCE.fetch_add(1, Ordering::Relaxed)
}

/// A name for a new file. Names of one process sort by time.
pub(super) fn next() -> String {
    // A time that has no name must not cost exchanges.
    let now = Timestamp::try_from(SystemTime::now()).unwrap_or(Timestamp::UNIX_EPOCH);
    let stamp = now.strftime("%Y%m%dT%H%M%S.%3fZ");
    let (pid, sequence) = (process::id(), sequence());
    format!("{PREFIX}{stamp}-{pid}-{sequence:06}{SUFFIX}")
}

/// A name for a file that only tests whether files can be created.
pub(super) fn probe() -> String {
    format!(".dashcam-probe-{}-{}", process::id(), sequence())
}

/// The name of the file once it is compressed.
pub(super) fn compressed(name: &str) -> String {
    format!("{name}{GZ}")
}

/// The name of the file before it was compressed; `None` if it is not compressed.
pub(super) fn uncompressed(name: &str) -> Option<&str> {
    name.strip_suffix(GZ)
}

/// The common part of the names of a file, of its compressed form and of its index; `None`
/// for other names.
pub(super) fn stem(name: &str) -> Option<&str> {
    let stem = name.strip_suffix(INDEX).or_else(|| {
        let name = uncompressed(name).unwrap_or(name);
        name.strip_suffix(SUFFIX)
    })?;
    is_stem(stem).then_some(stem)
}

/// The time in the name of a file, or of its index.
pub(super) fn began(name: &str) -> Option<SystemTime> {
    let whole = name.strip_prefix('.').unwrap_or(name);
    let stamp = whole.strip_prefix(PREFIX)?.split('-').next()?;
    let digits = |from: usize, to: usize| stamp.get(from..to);
    let text = format!(
        "{}-{}-{}T{}:{}:{}Z",
        digits(0, 4)?,
        digits(4, 6)?,
        digits(6, 8)?,
        digits(9, 11)?,
        digits(11, 13)?,
        digits(13, 19)?,
    );
    let at: Timestamp = text.parse().ok()?;
    Some(at.into())
}

/// The name of the index of a file.
pub(super) fn index(name: &str) -> String {
    format!("{}{INDEX}", stem(name).unwrap_or(name))
}

/// Whether this is a name that [`index`] makes.
pub(super) fn is_index(name: &str) -> bool {
    name.strip_suffix(INDEX).is_some_and(is_stem)
}

/// A name for the compressed file while it is incomplete.
#[cfg(any(test, feature = "compression"))]
pub(super) fn part(name: &str) -> String {
    format!(".{name}{GZ}{PART}")
}

/// A name for a new index of a file while it is incomplete. Other processes may make one,
/// too.
pub(super) fn index_part(name: &str) -> String {
    let (index, pid, sequence) = (index(name), process::id(), sequence());
    format!(".{index}-{pid}-{sequence}{PART}")
}

/// Whether this is a name that [`part`] or [`index_part`] makes.
pub(super) fn is_part(name: &str) -> bool {
    let whole = name.strip_prefix('.').and_then(|n| n.strip_suffix(PART));
    whole.is_some_and(|whole| {
        let mut parts = whole.rsplitn(3, '-');
        let numbers = parts.by_ref().take(2).all(is_number);
        uncompressed(whole).is_some_and(is_ours) || numbers && parts.next().is_some_and(is_index)
    })
}

/// Whether this is a name that [`next`] makes, or that of the same file compressed.
pub(super) fn is_ours(name: &str) -> bool {
    let name = uncompressed(name).unwrap_or(name);
    name.strip_suffix(SUFFIX).is_some_and(is_stem)
}

fn is_stem(stem: &str) -> bool {
    let Some(middle) = stem.strip_prefix(PREFIX) else {
        return false;
    };
    let mut parts = middle.split('-');
    let (Some(stamp), Some(pid), Some(sequence), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    is_stamp(stamp) && is_number(pid) && is_number(sequence)
}

fn is_stamp(text: &str) -> bool {
    let pattern = "00000000T000000.000Z";
    text.len() == pattern.len()
        && text.bytes().zip(pattern.bytes()).all(|(byte, wanted)| {
            if wanted == b'0' {
                byte.is_ascii_digit()
            } else {
                byte == wanted
            }
        })
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn recognises_its_own() {
        let (first, second) = (next(), next());
        assert!(is_ours(&first), "{first}");
        assert!(first < second, "{first} {second}");
        assert!(is_ours("exchanges-20250102T030405.678Z-1-000000.jsonl"));
        let gz = compressed(&first);
        assert!(is_ours(&gz) && uncompressed(&gz) == Some(&*first) && first < gz);
        let index = index(&gz);
        assert!(is_index(&index) && !is_ours(&index) && !is_index(&first));
        assert!(stem(&index) == stem(&first) && stem(&gz) == stem(&first));
        assert!(stem(&first).is_some() && stem("exchanges-mine.idx").is_none());
        let of_index = index_part(&gz);
        assert!(is_part(&of_index) && !is_index(&of_index) && !is_part(&of_index[1..]));
        assert!(!is_part(".exchanges-1-2.part") && !is_part(&of_index.replace(".idx", ".id")));
        assert!(is_part(&part(&first)) && !is_part(&gz) && !is_part(".a.gz.part"));
    }

    #[test]
    fn says_when_it_was_begun() {
        let at = SystemTime::UNIX_EPOCH + Duration::from_millis(1_735_787_045_678);
        let name = "exchanges-20250102T030405.678Z-1-000000.jsonl";
        assert_eq!(began(name), Some(at));
        assert_eq!(
            (began(&index(name)), began(&part(name))),
            (Some(at), Some(at))
        );
        assert_eq!(began("exchanges-20251302T030405.678Z-1-000000.jsonl"), None);
    }

    #[test]
    fn leaves_others_alone() {
        for name in [
            "",
            "exchanges-.jsonl",
            "exchanges-20250102T030405.678Z-1.jsonl",
            "exchanges-20250102T030405.678Z-1-2-3.jsonl",
            "exchanges-20250102T030405.678Z--1.jsonl",
            "exchanges-20250102T030405.678Z-a-1.jsonl",
            "exchanges-20250102T030405,678Z-1-1.jsonl",
            "exchanges-2025010xT030405.678Z-1-1.jsonl",
            "exchanges-20250102T030405.678Z-1-1.jsonl.gz.gz",
            "exchanges-20250102T030405.678Z-1-1.jsonl.bz2",
            ".exchanges-20250102T030405.678Z-1-1.jsonl.gz.part",
            "exchanges-mine.jsonl",
            &probe(),
        ] {
            assert!(!is_ours(name), "{name}");
        }
    }
}
