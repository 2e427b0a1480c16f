use std::time::SystemTime;

/// Formats a time as RFC 3339 in UTC with microseconds.
pub(crate) fn time_text(at: SystemTime) -> String {
    jiff::Timestamp::try_from(at).map_or_else(|_| String::new(), |at| format!("{at:.6}"))
}
