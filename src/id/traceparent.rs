use super::{
    Error,
    error::Kind,
    hex,
    trace_id::{SpanId, TraceFlags, TraceId},
};
use http::{HeaderMap, HeaderName, HeaderValue};
use std::{fmt, str::FromStr};

pub(crate) static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The length of a header of version 00, in bytes.
const LEN: usize = 55;

/// The value of a `traceparent` header (W3C Trace Context, level 2, section `traceparent`
/// header).
///
/// `Display` writes version 00, whichever version was parsed.
///
/// ```
/// use dashcam::correlation::TraceParent;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let parent: TraceParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse()?;
/// assert!(parent.is_sampled());
/// // What a later version adds is not understood, and left out.
/// let later = "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff-more";
/// let later: TraceParent = later.parse()?;
/// assert_eq!(later.to_string(), "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct TraceParent {
    /// The ID of the trace.
    pub trace_id: TraceId,
    /// The span ID of the sender; the specification calls it `parent-id`.
    pub parent_id: SpanId,
    pub(crate) flags: TraceFlags,
}

impl TraceParent {
    pub(crate) const fn new(trace_id: TraceId, parent_id: SpanId, flags: TraceFlags) -> Self {
        Self {
            trace_id,
            parent_id,
            flags,
        }
    }

    /// Returns whether the flag *sampled* is set: the sender may have recorded trace data.
    #[must_use]
    pub const fn is_sampled(self) -> bool {
        self.flags.is_sampled()
    }

    /// Returns whether the flag *random* is set: the right-most seven bytes of the trace ID
    /// are random.
    #[must_use]
    pub const fn is_random(self) -> bool {
        self.flags.is_random()
    }

    /// Returns the one valid `traceparent` field; `None` if there are several, or an
    /// invalid one.
    pub(super) fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(&TRACEPARENT).iter();
        let value = values.next()?;
        if values.next().is_some() {
            return None;
        }
        Self::parse(value.as_bytes()).ok()
    }

    /// Parses a field value; ignores spaces and tabs around it.
    ///
    /// # Errors
    ///
    /// Returns [`Error`] if the specification requires to start a new trace. A valid value
    /// of version 00 has exactly 55 characters; a later version may have more after a
    /// hyphen; `ff` is not a version; digits are lower case; IDs are not all zeros.
    pub fn parse(text: &[u8]) -> Result<Self, Error> {
        let bad = Error(Kind::Form);
        let text = trim_ows(text);
        let part = |range| text.get(range).ok_or(bad);
        let [version] = hex::decode(part(0..2)?).ok_or(bad)?;
        let ends = match text.get(LEN) {
            None => version != 0xff,
            Some(next) => !matches!(version, 0 | 0xff) && *next == b'-',
        };
        let hyphens = [2, 35, 52].iter().all(|&at| text.get(at) == Some(&b'-'));
        if !ends || !hyphens {
            return Err(bad);
        }
        let [flags] = hex::decode(part(53..LEN)?).ok_or(bad)?;
        Ok(Self {
            trace_id: TraceId::parse(part(3..35)?)?,
            parent_id: SpanId::parse(part(36..52)?)?,
            flags: TraceFlags::from_bits(flags),
        })
    }

    /// Returns the field value.
    #[must_use]
    pub fn to_header_value(self) -> HeaderValue {
        // Digits and hyphens are header text, so the fallback is never taken.
        HeaderValue::from_bytes(&self.text()).unwrap_or_else(|_| HeaderValue::from_static(""))
    }

    pub(super) fn text(self) -> [u8; LEN] {
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
        let mut put = |range, bytes: &[u8]| {
            if let Some(place) = text.get_mut::<std::ops::Range<usize>>(range) {
                hex::encode(bytes, place);
            }
        };
        put(3..35, &self.trace_id.to_bytes());
        put(36..52, &self.parent_id.to_bytes());
        put(53..LEN, &[self.flags.bits()]);
        text
    }
}

impl FromStr for TraceParent {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text.as_bytes())
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex::show(&self.text(), f)
    }
}

/// Optional white space in HTTP is spaces and tabs (RFC 9110, section 5.6.3).
pub(super) fn trim_ows(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}
