use super::room;
use bytes::Bytes;
use http::HeaderValue;
use std::fmt;

/// The ID of a request's whole journey through services.
///
/// Always 1 to 128 characters of `A-Z a-z 0-9 . _ -`, so it can be written
/// into a header, a log line, a URL or a file name without escaping. Cloning
/// it counts a reference.
#[derive(Clone, Eq, Hash, PartialEq)]
pub struct CorrelationId(pub(super) HeaderValue);

impl CorrelationId {
    /// The longest ID that is accepted, in bytes.
    pub const MAX_LEN: usize = 128;

    /// Checks and takes a text as an ID.
    ///
    /// # Errors
    ///
    /// [`InvalidCorrelationId`] says which rule the text breaks.
    pub fn new(text: &str) -> Result<Self, InvalidCorrelationId> {
        check(text.as_bytes(), |_| false)?;
        Self::from_checked(Bytes::from_owner(Box::<[u8]>::from(text.as_bytes())))
    }

    /// The ID as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Only ASCII gets in, so the fallback is never taken.
        std::str::from_utf8(self.0.as_bytes()).unwrap_or_default()
    }

    /// The ID as a header value; cloning it does not copy the text.
    #[must_use]
    pub fn as_header_value(&self) -> &HeaderValue {
        &self.0
    }

    /// Takes a copy of an inbound header value: the value itself keeps the whole
    /// buffer alive that the server read the request into. `extra` widens the
    /// alphabet; header syntax still holds, since it is a header value.
    pub(crate) fn from_header(
        value: &HeaderValue,
        extra: fn(u8) -> bool,
    ) -> Result<Self, InvalidCorrelationId> {
        check(value.as_bytes(), extra)?;
        Self::from_checked(room::copy(value.as_bytes()))
    }

    /// The ID of a trace as that of the request.
    pub(crate) fn of_trace(trace_id: super::TraceId) -> Result<Self, InvalidCorrelationId> {
        Self::from_checked(room::copy(&trace_id.to_hex()))
    }

    pub(super) fn from_checked(text: Bytes) -> Result<Self, InvalidCorrelationId> {
        HeaderValue::from_maybe_shared(text)
            .map(Self)
            .map_err(|_| InvalidCorrelationId::Character)
    }
}

fn check(text: &[u8], extra: fn(u8) -> bool) -> Result<(), InvalidCorrelationId> {
    if text.is_empty() {
        return Err(InvalidCorrelationId::Empty);
    }
    if text.len() > CorrelationId::MAX_LEN {
        return Err(InvalidCorrelationId::TooLong);
    }
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    // An ID must stay text: whatever `extra` allows, only printable ASCII does.
    if text
        .iter()
        .all(|&b| plain(b) || (b.is_ascii_graphic() && extra(b)))
    {
        Ok(())
    } else {
        Err(InvalidCorrelationId::Character)
    }
}

impl fmt::Display for CorrelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for CorrelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CorrelationId")
            .field(&self.as_str())
            .finish()
    }
}

impl AsRef<str> for CorrelationId {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl std::str::FromStr for CorrelationId {
    type Err = InvalidCorrelationId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text)
    }
}

/// Why a text is not a correlation ID. Never holds the text itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum InvalidCorrelationId {
    /// There is no text.
    Empty,
    /// It is longer than [`CorrelationId::MAX_LEN`].
    TooLong,
    /// It has a character outside of the alphabet.
    Character,
    /// The header occurs more than once.
    Repeated,
}

impl InvalidCorrelationId {
    /// The stable name that exchanges use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooLong => "too_long",
            Self::Character => "character",
            Self::Repeated => "repeated",
        }
    }
}

impl fmt::Display for InvalidCorrelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the correlation ID is empty",
            Self::TooLong => "the correlation ID is longer than 128 bytes",
            Self::Character => "the correlation ID has a character outside of its alphabet",
            Self::Repeated => "the correlation ID header occurs more than once",
        })
    }
}

impl std::error::Error for InvalidCorrelationId {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alphabet_and_length() {
        assert_eq!(CorrelationId::new("aZ09._-").unwrap().as_str(), "aZ09._-");
        assert_eq!(CorrelationId::new(""), Err(InvalidCorrelationId::Empty));
        assert!(CorrelationId::new(&"a".repeat(128)).is_ok());
        assert_eq!(
            CorrelationId::new(&"a".repeat(129)),
            Err(InvalidCorrelationId::TooLong)
        );
        for bad in ["a b", "a/b", "é", "a@b.c", "a\nb", "a=b"] {
            assert_eq!(
                CorrelationId::new(bad),
                Err(InvalidCorrelationId::Character),
                "{bad}"
            );
        }
    }

    #[test]
    fn wider_alphabet_stays_printable() {
        let any = |_| true;
        let ok = HeaderValue::from_static("a/b=c+d");
        assert!(CorrelationId::from_header(&ok, any).is_ok());
        for bad in [&b"a\x80"[..], b"a\tb", b"a b"] {
            let value = HeaderValue::from_bytes(bad).unwrap();
            assert!(CorrelationId::from_header(&value, any).is_err());
        }
    }
}
