use http::{HeaderMap, HeaderName, HeaderValue, header::Entry};

/// Adds a field where there is none of this name, and says whether it did. Headers that
/// are as many as there can be stay as they are.
pub(crate) fn put_new(
    headers: &mut HeaderMap,
    name: &HeaderName,
    value: impl FnOnce() -> HeaderValue,
) -> bool {
    match headers.try_entry(name) {
        Ok(Entry::Vacant(place)) => place.try_insert(value()).is_ok(),
        _ => false,
    }
}
