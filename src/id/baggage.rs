//! W3C Baggage, passed on and never interpreted.

use super::traceparent::trim_ows;
use http::{HeaderMap, HeaderName, HeaderValue};

pub(crate) static BAGGAGE: HeaderName = HeaderName::from_static("baggage");

/// What the specification says has to be passed on (section `Limits`).
const MAX_MEMBERS: usize = 64;
const MAX_LEN: usize = 8192;

/// All `baggage` fields as one, in their order. Members without the form
/// `key=…` are left out, and so is what is over the limits, whole members only.
pub(super) fn from_headers(headers: &HeaderMap) -> Option<HeaderValue> {
    headers.get(&BAGGAGE)?;
    let fields = headers.get_all(&BAGGAGE).iter();
    let mut text = Vec::new();
    let mut members = 0;
    for member in fields.flat_map(|field| field.as_bytes().split(|&b| b == b',')) {
        let member = trim_ows(member);
        let comma = usize::from(members > 0);
        if !is_member(member) || text.len() + comma + member.len() > MAX_LEN {
            continue;
        }
        if comma > 0 {
            text.push(b',');
        }
        text.extend_from_slice(member);
        members += 1;
        if members == MAX_MEMBERS {
            break;
        }
    }
    // What the buffer grew by would stay as long as the request does.
    let text = text.into_boxed_slice();
    (members > 0)
        .then(|| HeaderValue::from_maybe_shared(bytes::Bytes::from(text)).ok())
        .flatten()
}

/// A key, an equals sign, and text. What stands after the sign is the business
/// of those who use it.
fn is_member(member: &[u8]) -> bool {
    let Some(sign) = member.iter().position(|&b| b == b'=') else {
        return false;
    };
    let key = trim_ows(member.get(..sign).unwrap_or_default());
    let token = |b: &u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(b);
    !key.is_empty()
        && key.iter().all(token)
        && member.iter().all(|b| matches!(b, b'\t' | b' '..=b'~'))
}
