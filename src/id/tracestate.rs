use super::traceparent::trim_ows;
use http::{HeaderMap, HeaderName, HeaderValue};
use std::fmt;

pub(crate) static TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// The most entries of a list (section `tracestate` header field values).
const MAX_ENTRIES: usize = 32;
/// The longest key, and the longest value.
const MAX_PART: usize = 256;
/// Longer entries are left out first if the list is too long.
const LARGE: usize = 128;

/// The inbound `tracestate` list (W3C Trace Context, level 2, section `tracestate` header).
///
/// A valid list of 1 to 32 entries and at most [`MAX_LEN`](Self::MAX_LEN) bytes, in its
/// original order. dashcam adds no entry. The values are other systems' data, so `Debug`
/// does not show them.
#[derive(Clone, Eq, PartialEq)]
pub(crate) struct TraceState(HeaderValue);

impl TraceState {
    /// The longest list that is forwarded, in bytes, commas included. The specification
    /// requires at least 512. A longer list loses entries of more than 128 bytes first,
    /// then others, each time the last one.
    pub(crate) const MAX_LEN: usize = 2048;

    /// Parses all `tracestate` fields as one list.
    ///
    /// Returns `None` if there is no entry or the list is invalid: an entry does not have
    /// the form `key=value`, or there are more than 32. The first of several entries with
    /// equal keys stays, because it is the latest.
    pub(super) fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let mut fields = headers.get_all(&TRACESTATE).iter().peekable();
        fields.peek()?;
        let mut entries = Entries::default();
        let mut seen = 0;
        for member in fields.flat_map(|field| field.as_bytes().split(|&b| b == b',')) {
            let entry = Entry::parse(member)?;
            let Some(entry) = entry else { continue };
            seen += 1;
            if seen > MAX_ENTRIES {
                return None;
            }
            entries.add(entry);
        }
        entries.fit(Self::MAX_LEN);
        entries.join().map(Self)
    }

    /// Parses a list that is in one field.
    #[cfg(feature = "opentelemetry")]
    pub(super) fn from_text(text: &str) -> Option<Self> {
        let mut headers = HeaderMap::with_capacity(1);
        headers.insert(&TRACESTATE, HeaderValue::from_str(text).ok()?);
        Self::from_headers(&headers)
    }

    /// The list as it is sent; cloning it does not copy the text.
    pub(crate) fn as_header_value(&self) -> &HeaderValue {
        &self.0
    }
}

impl fmt::Debug for TraceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TraceState").finish_non_exhaustive()
    }
}

#[derive(Clone, Copy, Default)]
struct Entry<'a> {
    text: &'a [u8],
    key: usize,
}

impl<'a> Entry<'a> {
    /// Parses a list member, which may be empty.
    fn parse(member: &'a [u8]) -> Option<Option<Self>> {
        let text = trim_ows(member);
        if text.is_empty() {
            return Some(None);
        }
        let key = text.iter().position(|&b| b == b'=')?;
        let (name, value) = (text.get(..key)?, text.get(key + 1..)?);
        (is_key(name) && is_value(value)).then_some(Some(Self { text, key }))
    }

    fn key(&self) -> &'a [u8] {
        self.text.get(..self.key).unwrap_or_default()
    }
}

/// `( lcalpha / DIGIT ) 0*255 ( lcalpha / DIGIT / "_" / "-" / "*" / "/" / "@" )`
fn is_key(key: &[u8]) -> bool {
    let first = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let other = |b: &u8| first(b) || matches!(b, b'_' | b'-' | b'*' | b'/' | b'@');
    key.len() <= MAX_PART && key.first().is_some_and(first) && key.iter().all(other)
}

/// `0*255( chr ) nblk-chr`: printable ASCII without comma and equals sign. It does not end
/// with a space, because spaces are already trimmed.
fn is_value(value: &[u8]) -> bool {
    let allowed = |b: &u8| matches!(b, b' '..=b'~') && !matches!(b, b',' | b'=');
    (1..=MAX_PART).contains(&value.len()) && value.iter().all(allowed)
}

/// Entries that borrow from the header fields.
#[derive(Default)]
struct Entries<'a> {
    list: [Entry<'a>; MAX_ENTRIES],
    len: usize,
}

impl<'a> Entries<'a> {
    fn all(&self) -> &[Entry<'a>] {
        self.list.get(..self.len).unwrap_or_default()
    }

    fn add(&mut self, entry: Entry<'a>) {
        if self.all().iter().any(|known| known.key() == entry.key()) {
            return;
        }
        if let Some(place) = self.list.get_mut(self.len) {
            *place = entry;
            self.len += 1;
        }
    }

    fn remove(&mut self, at: usize) {
        if let Some(rest) = self.list.get_mut(at..self.len) {
            rest.rotate_left(1);
            self.len -= 1;
        }
    }

    fn bytes(&self) -> usize {
        let text: usize = self.all().iter().map(|entry| entry.text.len()).sum();
        text + self.len.saturating_sub(1)
    }

    /// Leaves out whole entries until the list has at most `limit` bytes.
    fn fit(&mut self, limit: usize) {
        while self.bytes() > limit {
            let large = self.all().iter().rposition(|e| e.text.len() > LARGE);
            self.remove(large.unwrap_or(self.len - 1));
        }
    }

    fn join(&self) -> Option<HeaderValue> {
        if self.len == 0 {
            return None;
        }
        let mut text = Vec::with_capacity(self.bytes());
        for entry in self.all() {
            if !text.is_empty() {
                text.push(b',');
            }
            text.extend_from_slice(entry.text);
        }
        HeaderValue::from_maybe_shared(bytes::Bytes::from(text)).ok()
    }
}
