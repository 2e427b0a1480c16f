use super::{Error, error::Kind, room};
use bytes::Bytes;
use http::HeaderValue;
use std::fmt;

/// The ID that a request keeps through all services.
///
/// It has 1 to 128 characters of `A-Z a-z 0-9 . _ -`, so headers, log lines, URLs and file
/// names need no escaping;
/// [`allow_characters`](crate::correlation::CorrelationIdLayer::allow_characters) lets inbound IDs have
/// others. Cloning increments a reference count.
#[derive(Clone, Eq, Hash, PartialEq)]
pub struct CorrelationId(pub(super) HeaderValue);

impl CorrelationId {
    /// The length of the longest valid ID, in bytes.
    pub const MAX_LEN: usize = 128;

    /// Makes an ID from a text.
    ///
    /// # Errors
    ///
    /// Returns [`Error`] if the text is empty, is longer than [`MAX_LEN`](Self::MAX_LEN),
    /// or has a character outside of the alphabet.
    pub fn new(text: &str) -> Result<Self, Error> {
        check(text.as_bytes(), |_| false)?;
        Self::from_checked(Bytes::from_owner(Box::<[u8]>::from(text.as_bytes())))
    }

    /// Returns the ID as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // The ID is ASCII, so the fallback is never used.
        std::str::from_utf8(self.0.as_bytes()).unwrap_or_default()
    }

    /// Returns the ID as a header value. Cloning the value does not copy the text.
    #[must_use]
    pub fn as_header_value(&self) -> &HeaderValue {
        &self.0
    }

    /// Copies an inbound header value: the value itself would keep the server's whole read
    /// buffer alive. `extra` widens the alphabet; the text stays a valid header value.
    pub(crate) fn from_header(value: &HeaderValue, extra: fn(u8) -> bool) -> Result<Self, Error> {
        check(value.as_bytes(), extra)?;
        Self::from_checked(room::copy(value.as_bytes()))
    }

    /// Makes a correlation ID from a trace ID.
    pub(crate) fn of_trace(trace_id: super::TraceId) -> Result<Self, Error> {
        Self::from_checked(room::copy(&trace_id.to_hex()))
    }

    pub(super) fn from_checked(text: Bytes) -> Result<Self, Error> {
        HeaderValue::from_maybe_shared(text)
            .map(Self)
            .map_err(|_| Error(Kind::Character))
    }
}

fn check(text: &[u8], extra: fn(u8) -> bool) -> Result<(), Error> {
    if text.is_empty() {
        return Err(Error(Kind::Empty));
    }
    if text.len() > CorrelationId::MAX_LEN {
        return Err(Error(Kind::TooLong));
    }
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    // An ID must stay text: only printable ASCII is accepted, whatever `extra` allows.
    if text
        .iter()
        .all(|&b| plain(b) || (b.is_ascii_graphic() && extra(b)))
    {
        Ok(())
    } else {
        Err(Error(Kind::Character))
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
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alphabet_and_length() {
        assert_eq!(CorrelationId::new("aZ09._-").unwrap().as_str(), "aZ09._-");
        assert_eq!(CorrelationId::new(""), Err(Error(Kind::Empty)));
        assert!(CorrelationId::new(&"a".repeat(128)).is_ok());
        assert_eq!(
            CorrelationId::new(&"a".repeat(129)),
            Err(Error(Kind::TooLong))
        );
        for bad in ["a b", "a/b", "é", "a@b.c", "a\nb", "a=b"] {
            assert_eq!(
                CorrelationId::new(bad),
                Err(Error(Kind::Character)),
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
