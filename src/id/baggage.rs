//! W3C Baggage, passed on and never interpreted.

use super::traceparent::trim_ows;
use http::{HeaderMap, HeaderName, HeaderValue};

pub(crate) static BAGGAGE: HeaderName = HeaderName::from_static("baggage");

/// The limits up to which the specification requires propagation (section `Limits`).
const MAX_MEMBERS: usize = 64;
const MAX_LEN: usize = 8192;

/// Joins all `baggage` fields in order. Leaves out members that do not have the form
/// `key=…`, and whole members that are over the limits.
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
    // Spare capacity would stay allocated as long as the request.
    let text = text.into_boxed_slice();
    (members > 0)
        .then(|| HeaderValue::from_maybe_shared(bytes::Bytes::from(text)).ok())
        .flatten()
}

/// A key, an equals sign, and text. Only the users of the member interpret the text after
/// the sign.
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
