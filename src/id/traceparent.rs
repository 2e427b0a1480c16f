use http::{HeaderMap, HeaderName};
use std::fmt;

static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The inbound parent of W3C Trace Context, level 2, section 3.2.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TraceParent {
    trace_id: [u8; 16],
    parent_id: [u8; 8],
    /// The request's own span in the trace, made here.
    span_id: [u8; 8],
}

impl TraceParent {
    /// Reads the one valid `traceparent` field; several, or an invalid one, are none.
    pub(crate) fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(&TRACEPARENT).iter();
        let value = values.next()?;
        if values.next().is_some() {
            return None;
        }
        Self::parse(value.as_bytes())
    }

    fn parse(text: &[u8]) -> Option<Self> {
        let text = text.trim_ascii();
        let version = hex::<1>(text.get(0..2)?)?[0];
        // Version 00 ends after the flags; later ones may go on after a hyphen.
        let ends = match text.get(55) {
            None => version != 0xff,
            Some(next) => !matches!(version, 0 | 0xff) && *next == b'-',
        };
        let hyphens = [2, 35, 52].iter().all(|&at| text.get(at) == Some(&b'-'));
        if !ends || !hyphens {
            return None;
        }
        let trace_id = hex(text.get(3..35)?)?;
        let parent_id = hex(text.get(36..52)?)?;
        hex::<1>(text.get(53..55)?)?;
        (trace_id != [0; 16] && parent_id != [0; 8]).then_some(Self {
            trace_id,
            parent_id,
            // Zeros are no ID (section 3.2.2.4).
            span_id: fastrand::u64(1..).to_be_bytes(),
        })
    }

    pub(crate) fn trace_id(&self) -> impl fmt::Display + '_ {
        Hex(&self.trace_id)
    }

    pub(crate) fn parent_id(&self) -> impl fmt::Display + '_ {
        Hex(&self.parent_id)
    }

    pub(crate) fn span_id(&self) -> impl fmt::Display + '_ {
        Hex(&self.span_id)
    }
}

fn hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let digit = |b: u8| match b {
        b'0'..=b'9' => Some(b - b'0'),
        // Upper case is not allowed on the wire.
        b'a'..=b'f' => Some(b - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [0; 32];
        let places = digits.chunks_exact_mut(2).zip(self.0);
        for (place, byte) in places {
            let digit = |n: u8| if n < 10 { b'0' + n } else { b'a' - 10 + n };
            place.copy_from_slice(&[digit(byte >> 4), digit(byte & 0xf)]);
        }
        let text = digits.get(..2 * self.0.len()).unwrap_or_default();
        f.write_str(std::str::from_utf8(text).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn reads_valid_and_refuses_invalid() {
        let parsed = TraceParent::parse(GOOD.as_bytes()).unwrap();
        assert_eq!(
            parsed.trace_id().to_string(),
            "4bf92f3577b34da6a3ce929d0e0e4736"
        );
        assert_eq!(parsed.parent_id().to_string(), "00f067aa0ba902b7");
        let again = TraceParent::parse(GOOD.as_bytes()).unwrap();
        assert_ne!(parsed.span_id().to_string(), again.span_id().to_string());
        let later = format!("cc{}-what-comes", &GOOD[2..]);
        assert!(TraceParent::parse(later.as_bytes()).is_some());
        for bad in [
            "",
            "00",
            &GOOD.to_uppercase(),
            &format!("ff{}", &GOOD[2..]),
            &format!("{GOOD}-x"),
            &format!("cc{}.x", &GOOD[2..]),
            &GOOD.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            &GOOD.replace("00f067aa0ba902b7", &"0".repeat(16)),
            &GOOD.replace('-', "_"),
            &GOOD[..54],
        ] {
            assert!(TraceParent::parse(bad.as_bytes()).is_none(), "{bad}");
        }
    }

    #[test]
    fn two_fields_are_none() {
        let mut headers = HeaderMap::new();
        headers.append("traceparent", GOOD.parse().unwrap());
        assert!(TraceParent::from_headers(&headers).is_some());
        headers.append("traceparent", GOOD.parse().unwrap());
        assert!(TraceParent::from_headers(&headers).is_none());
    }
}
