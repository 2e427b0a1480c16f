use http::{HeaderMap, HeaderName};
use std::borrow::Cow;

/// Parsed once: to parse a name costs more than to look it up.
static GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// UNKNOWN: clients read an invalid status as this.
const UNKNOWN: u16 = 2;

/// Returns the gRPC status among these fields.
pub(crate) fn grpc_status(fields: &HeaderMap) -> Option<u16> {
    let values = fields.get_all(&GRPC_STATUS).iter();
    values
        .map(|value| one_status(value.as_bytes()))
        .reduce(worse)
}

/// Returns the status that clients read from this value.
pub(super) fn one_status(value: &[u8]) -> u16 {
    let text = std::str::from_utf8(value).ok();
    let code = text.and_then(|text| text.trim().parse().ok());
    code.filter(|code| *code <= 16).unwrap_or(UNKNOWN)
}

/// Returns which of two statuses counts: a fault of the server, or else an error.
pub(super) fn worse(first: u16, second: u16) -> u16 {
    let rank = |code| u8::from(code != 0) + u8::from(is_server_fault(code));
    if rank(second) > rank(first) {
        second
    } else {
        first
    }
}

/// Returns whether a gRPC status is the server's fault.
pub(crate) fn is_server_fault(code: u16) -> bool {
    matches!(code, 2 | 4 | 12..=15)
}

/// Header fields copied into one buffer, in order, up to a limit.
///
/// A copy, because the original values keep the connection's read buffer alive, which takes far
/// more memory than the head.
#[derive(Clone, Debug, Default)]
pub(crate) struct HeaderFields {
    bytes: Vec<u8>,
    dropped: u32,
}

const SENSITIVE: u8 = 1;

/// The buffer size for most heads.
const USUAL: usize = 512;

impl HeaderFields {
    /// Copies `headers`. Fields that do not fit into `limit` bytes are counted.
    pub(crate) fn copy(&mut self, headers: &HeaderMap, limit: usize) {
        if self.bytes.capacity() == 0 && !headers.is_empty() {
            self.bytes.reserve(USUAL.min(limit));
        }
        for (name, value) in headers {
            let flags = if value.is_sensitive() { SENSITIVE } else { 0 };
            let (name, value) = (name.as_str().as_bytes(), value.as_bytes());
            let (Ok(name_len), Ok(value_len)) =
                (u16::try_from(name.len()), u32::try_from(value.len()))
            else {
                self.dropped += 1;
                continue;
            };
            if self.bytes.len() + name.len() + value.len() + 7 > limit {
                self.dropped += 1;
                continue;
            }
            let ([a, b], [c, d, e, f]) = (name_len.to_le_bytes(), value_len.to_le_bytes());
            self.bytes.extend_from_slice(&[flags, a, b, c, d, e, f]);
            self.bytes.extend_from_slice(name);
            self.bytes.extend_from_slice(value);
        }
    }

    /// Returns the fields as (name, value, marked sensitive).
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &[u8], bool)> {
        self.raw().map_while(|(name, value, sensitive)| {
            Some((std::str::from_utf8(name).ok()?, value, sensitive))
        })
    }

    /// Returns the same, with names as bytes.
    pub(crate) fn raw(&self) -> impl Iterator<Item = (&[u8], &[u8], bool)> {
        let mut rest = self.bytes.as_slice();
        std::iter::from_fn(move || {
            let (flags, after) = rest.split_first()?;
            let (name_len, after) = after.split_first_chunk::<2>()?;
            let (value_len, after) = after.split_first_chunk::<4>()?;
            let (name, after) = after.split_at_checked(u16::from_le_bytes(*name_len).into())?;
            let value_len = usize::try_from(u32::from_le_bytes(*value_len)).ok()?;
            let (value, after) = after.split_at_checked(value_len)?;
            rest = after;
            Some((name, value, *flags & SENSITIVE != 0))
        })
    }

    /// Returns the first value of a field, if it is text.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let value = self.raw().find(|(n, ..)| *n == name.as_bytes())?.1;
        std::str::from_utf8(value).ok()
    }

    /// Returns the value of a field that may occur once; `?` for several values, or one that is no
    /// text.
    pub(crate) fn single(&self, name: &str) -> Option<&str> {
        let mut values = self.raw().filter(|(n, ..)| *n == name.as_bytes());
        let (_, value, _) = values.next()?;
        let known = std::str::from_utf8(value).ok();
        Some(known.filter(|_| values.next().is_none()).unwrap_or("?"))
    }

    /// Returns the gRPC status among these fields.
    pub(crate) fn grpc_status(&self) -> Option<u16> {
        let values = self.raw().filter(|(name, ..)| *name == b"grpc-status");
        values.map(|(_, value, _)| one_status(value)).reduce(worse)
    }

    /// Returns whether a field is marked as sensitive.
    pub(crate) fn is_sensitive(&self, name: &str) -> bool {
        self.raw()
            .any(|(n, _, sensitive)| sensitive && n == name.as_bytes())
    }

    /// Returns the values of a field that may occur on several lines, as one list. It has `?` for
    /// each value that is no text.
    pub(crate) fn list(&self, name: &str) -> Option<Cow<'_, str>> {
        let mut values = self.raw().filter(|(n, ..)| *n == name.as_bytes());
        let (_, first, _) = values.next()?;
        let first = std::str::from_utf8(first).unwrap_or("?");
        let mut list = Cow::Borrowed(first);
        for value in values {
            let list = list.to_mut();
            list.push_str(", ");
            list.push_str(std::str::from_utf8(value.1).unwrap_or("?"));
        }
        Some(list)
    }

    /// Counts fields that were lost before.
    pub(crate) fn lose(&mut self, fields: u32) {
        self.dropped += fields;
    }

    /// Returns how many fields did not fit.
    pub(crate) fn dropped(&self) -> u32 {
        self.dropped
    }

    /// Returns all fields, with the separators.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the number of bytes held.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Empties it for the next request and frees large buffers.
    pub(crate) fn reset(&mut self) {
        let Self { bytes, dropped } = self;
        bytes.clear();
        bytes.shrink_to(super::KEEP_CAPACITY);
        *dropped = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn keeps_order_repeats_marks_and_counts_what_does_not_fit() {
        let mut headers = HeaderMap::new();
        headers.append("accept", HeaderValue::from_static("a"));
        headers.append("accept", HeaderValue::from_bytes(b"\xff").unwrap());
        let mut secret = HeaderValue::from_static("s");
        secret.set_sensitive(true);
        headers.append("authorization", secret);
        headers.append("big", HeaderValue::from_bytes(&[b'x'; 100]).unwrap());
        let mut fields = HeaderFields::default();
        fields.copy(&headers, 64);
        let got: Vec<_> = fields.iter().collect();
        assert_eq!(
            got,
            [
                ("accept", &b"a"[..], false),
                ("accept", b"\xff", false),
                ("authorization", b"s", true)
            ]
        );
        assert_eq!(fields.dropped(), 1);
        assert_eq!(fields.text("accept"), Some("a"));
        fields.reset();
        assert_eq!((fields.iter().count(), fields.dropped()), (0, 0));
    }
}
