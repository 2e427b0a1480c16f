use http::{HeaderMap, HeaderName, HeaderValue, header::Entry};

/// Adds a field if there is none of this name, and returns whether it did. A full header
/// map stays as it is.
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
