use super::{CorrelationId, TraceId, room};
use std::{
    fmt,
    time::{SystemTime, UNIX_EPOCH},
};

/// Makes the correlation ID of a request that has none.
pub(crate) type MakeId = dyn Fn() -> CorrelationId + Send + Sync;

/// UUID version 7 (RFC 9562, section 5.7), as 36 lower-case characters.
///
/// The random bits come from a thread-local generator, because a system call per ID costs
/// more than everything else the layer does. The IDs are unique, not secret.
fn mint(now: SystemTime) -> CorrelationId {
    id_of(uuid(now))
}

fn id_of(uuid: uuid::Uuid) -> CorrelationId {
    let mut text = [0; 36];
    uuid.hyphenated().encode_lower(&mut text);
    let text = room::copy(&text);
    // Hexadecimal digits and hyphens are header text; the fallback is never taken.
    CorrelationId::from_checked(text).unwrap_or_else(|_| CorrelationId::unavailable())
}

/// Returns a fresh UUIDv7 as text, for IDs that are not correlation IDs.
pub(crate) fn now_v7_text() -> impl fmt::Display {
    uuid(SystemTime::now()).hyphenated()
}

fn uuid(now: SystemTime) -> uuid::Uuid {
    let millis = now
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX));
    let mut random = [0; 10];
    let bits = fastrand::u128(..).to_le_bytes();
    random.copy_from_slice(&bits[..10]);
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

impl CorrelationId {
    fn unavailable() -> Self {
        Self(http::HeaderValue::from_static("unavailable"))
    }

    /// Mints a UUIDv7 for a request that arrived at `now`.
    pub(crate) fn mint_at(now: SystemTime) -> Self {
        mint(now)
    }

    /// Mints a UUIDv7 as a correlation ID and as a trace ID.
    pub(crate) fn mint_with_trace(now: SystemTime) -> (Self, TraceId) {
        let uuid = uuid(now);
        (id_of(uuid), TraceId::from_uuid(uuid))
    }
}

impl TraceId {
    /// Mints a UUIDv7 for a trace that starts at `now`. Its last 62 bits are random; the
    /// flag *random* requires 56.
    pub(crate) fn mint_at(now: SystemTime) -> Self {
        Self::from_uuid(uuid(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn version_variant_time_and_uniqueness() {
        let mut seen = HashSet::new();
        for _ in 0..10_000 {
            let id = mint(SystemTime::now());
            let text = id.as_str().to_owned();
            assert_eq!(text.len(), 36);
            assert_eq!(text.as_bytes()[14], b'7');
            assert!(matches!(text.as_bytes()[19], b'8' | b'9' | b'a' | b'b'));
            assert!(seen.insert(text));
        }
    }

    #[test]
    fn threads_do_not_share_a_sequence() {
        let make = || {
            (0..1_000)
                .map(|_| mint(SystemTime::now()).to_string())
                .collect::<Vec<_>>()
        };
        let threads: Vec<_> = (0..8).map(|_| std::thread::spawn(make)).collect();
        let all: HashSet<_> = threads
            .into_iter()
            .flat_map(|t| t.join().unwrap())
            .collect();
        assert_eq!(all.len(), 8_000);
    }
}
