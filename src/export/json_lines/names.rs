use jiff::Timestamp;
use std::{
    process,
    sync::atomic::{AtomicU64, Ordering},
    time::SystemTime,
};

const PREFIX: &str = "exchanges-";
const SUFFIX: &str = ".jsonl";

/// Shared by all exporters of the process, so that they never try one name twice.
static SEQUENCE: AtomicU64 = AtomicU64::new(0);

fn sequence() -> u64 {
    SEQUENCE.fetch_add(1, Ordering::Relaxed)
}

/// A name for a new file; names of one process sort by time.
pub(super) fn next() -> String {
    // A clock outside of what has a name is no reason to lose exchanges.
    let now = Timestamp::try_from(SystemTime::now()).unwrap_or(Timestamp::UNIX_EPOCH);
    let stamp = now.strftime("%Y%m%dT%H%M%S.%3fZ");
    let (pid, sequence) = (process::id(), sequence());
    format!("{PREFIX}{stamp}-{pid}-{sequence:06}{SUFFIX}")
}

/// A name for a file that only shows whether files can be made.
pub(super) fn probe() -> String {
    format!(".dashcam-probe-{}-{}", process::id(), sequence())
}

/// Whether this is a name that [`next`] makes.
pub(super) fn is_ours(name: &str) -> bool {
    let middle = name
        .strip_prefix(PREFIX)
        .and_then(|rest| rest.strip_suffix(SUFFIX));
    let Some(middle) = middle else {
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

    #[test]
    fn recognises_its_own() {
        let (first, second) = (next(), next());
        assert!(is_ours(&first), "{first}");
        assert!(first < second, "{first} {second}");
        assert!(is_ours("exchanges-20250102T030405.678Z-1-000000.jsonl"));
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
            "exchanges-20250102T030405.678Z-1-1.jsonl.gz",
            "exchanges-mine.jsonl",
            &probe(),
        ] {
            assert!(!is_ours(name), "{name}");
        }
    }
}
