//! The method of a gRPC call, which no route template names.

use crate::{
    exchange::Direction,
    recorder::{BodySnapshot, CaptureHeads, HeaderFields, begins},
};
use http::{HeaderMap, HeaderName, Uri};
use std::{
    borrow::Cow,
    collections::HashSet,
    hash::{BuildHasher, RandomState},
    sync::{PoisonError, RwLock},
};

/// Codes with which code in front of the methods may answer an unknown path: CANCELLED,
/// DEADLINE_EXCEEDED, NOT_FOUND, PERMISSION_DENIED, RESOURCE_EXHAUSTED, UNIMPLEMENTED,
/// UNAVAILABLE, UNAUTHENTICATED.
const OF_ANY_PATH: [u16; 8] = [1, 4, 5, 7, 8, UNIMPLEMENTED, 14, 16];

const UNIMPLEMENTED: u16 = 12;

const MAX_NAME: usize = 128;

/// Known methods in each of two generations. If one is full, the older generation is
/// dropped; a method in use is learnt again from its next response.
const MAX_KNOWN: usize = 2048;

/// Methods that the service has, or that it calls, as responses have shown. Hashes only,
/// because request paths are looked up here.
#[derive(Debug, Default)]
pub(crate) struct Methods {
    known: RwLock<Known>,
    keys: RandomState,
}

#[derive(Debug, Default)]
struct Known {
    young: HashSet<u64>,
    old: HashSet<u64>,
}

impl Methods {
    /// Returns whether the service, or the one that it calls, is known to have the method
    /// of this call.
    pub(crate) fn knows(&self, direction: Direction, uri: &Uri) -> bool {
        method_in(uri).is_some_and(|(_, method)| self.works(direction, method))
    }

    /// Returns whether a method has succeeded before: a client did not make it up.
    pub(crate) fn works(&self, direction: Direction, method: &str) -> bool {
        let key = self.keys.hash_one((direction, method));
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.young.contains(&key) || known.old.contains(&key)
    }

    /// Learns from a response that only a method gives: OK, or a message. Does not learn if
    /// the route has parameters, because clients choose their values.
    pub(crate) fn learn(
        &self,
        direction: Direction,
        heads: &CaptureHeads,
        (status, has_message): (Option<u16>, bool),
        route: Option<&str>,
    ) {
        if heads.names_method || !is_answered(heads, status, has_message) {
            return;
        }
        if route.is_some_and(|route| route.split('/').any(names_a_part)) {
            return;
        }
        let Some((_, method)) = method_in(&heads.request.uri) else {
            return;
        };
        let key = self.keys.hash_one((direction, method));
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.young.len() >= MAX_KNOWN {
            known.old = std::mem::take(&mut known.young);
        }
        known.young.insert(key);
    }
}

/// Returns the path of a call as a template, if this response or an earlier one shows that
/// the service has the method: service and method are then names from its code, not data of
/// the client. The part in front of them is literal only if the route has it so. A route
/// that names a part of them has precedence.
pub(crate) fn method<'a>(
    heads: &'a CaptureHeads,
    answer: &BodySnapshot,
    route: Option<&str>,
) -> Option<Cow<'a, str>> {
    let method = method_of(heads, answer.status, answer.has_message)?;
    let path = heads.request.uri.path();
    let before = path.strip_suffix(method)?;
    let mut of_route = route.unwrap_or("/{*rest}").split('/').peekable();
    let mut template = String::new();
    for part in before.split('/').skip(1) {
        of_route.next_if(|part| !part.starts_with("{*"));
        let literal = of_route.peek().is_some_and(|literal| *literal == part);
        template.push('/');
        template.push_str(if literal { part } else { "{}" });
    }
    of_route.next_if(|part| !part.starts_with("{*"));
    if of_route.any(names_a_part) {
        return None;
    }
    if before.is_empty() {
        return Some(Cow::Borrowed(method));
    }
    template.push_str(method);
    Some(Cow::Owned(template))
}

/// Returns service and method without the part in front of them, whatever the route is.
pub(crate) fn method_of(
    heads: &CaptureHeads,
    status: Option<u16>,
    has_message: bool,
) -> Option<&str> {
    let (call, method) = method_in(&heads.request.uri)
        .and_then(|(_, method)| Some((Call::of_fields(&heads.request.fields)?, method)))?;
    // An error of a method that has not succeeded yet.
    let failed = || {
        call == Call::Ends
            && is_grpc(&heads.response.fields)
            && heads.response.at.is_some()
            && status.is_some_and(|status| !OF_ANY_PATH.contains(&status))
    };
    (heads.names_method || is_answered(heads, status, has_message) || failed()).then_some(method)
}

/// Returns whether only a method gives such a response.
fn is_answered(heads: &CaptureHeads, status: Option<u16>, has_message: bool) -> bool {
    if heads.response.at.is_none() {
        return false;
    }
    match Call::of_fields(&heads.request.fields) {
        Some(Call::Ends) => {
            is_grpc(&heads.response.fields)
                && status.map_or(has_message, |status| {
                    status == 0 || has_message && status != UNIMPLEMENTED
                })
        }
        Some(Call::Unary) => {
            let of = |fields: &HeaderFields| fields.single("content-type").map(str::to_owned);
            let answer = of(&heads.response.fields);
            heads.response.status == 200
                && media(answer.as_deref().unwrap_or_default().as_bytes()).eq_ignore_ascii_case(
                    media(of(&heads.request.fields).unwrap_or_default().as_bytes()),
                )
        }
        None => false,
    }
}

/// Splits `/package.Service/Method` off the end of a path.
fn method_in(uri: &Uri) -> Option<(&str, &str)> {
    let path = uri.path();
    let (rest, method) = path.rsplit_once('/')?;
    let (before, service) = rest.rsplit_once('/')?;
    if !service.split('.').all(is_name) || !is_name(method) {
        return None;
    }
    path.split_at_checked(before.len())
}

/// How a call reports its result.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Call {
    /// A status behind the messages, or instead of them.
    Ends,
    /// The HTTP status: Connect calls with one message each way.
    Unary,
}

impl Call {
    /// Returns how a call with these request headers reports its result.
    pub(crate) fn of(content_type: Option<&[u8]>, headers: &HeaderMap) -> Option<Self> {
        Self::new(content_type?, || headers.contains_key(&CONNECT))
    }

    fn of_fields(fields: &HeaderFields) -> Option<Self> {
        let content_type = fields.single("content-type")?.as_bytes();
        Self::new(content_type, || fields.text(CONNECT.as_str()).is_some())
    }

    fn new(content_type: &[u8], connect: impl Fn() -> bool) -> Option<Self> {
        if is_call(Some(content_type)) {
            return Some(Self::Ends);
        }
        let media = media(content_type);
        let unary = [&b"application/json"[..], b"application/proto"];
        let unary = unary.iter().any(|name| media.eq_ignore_ascii_case(name));
        (unary && connect()).then_some(Self::Unary)
    }
}

/// Made once: parsing a name costs more than the look-up.
static CONNECT: HeaderName = HeaderName::from_static("connect-protocol-version");

/// Returns a media type without its parameters.
fn media(content_type: &[u8]) -> &[u8] {
    let media = content_type.split(|b| *b == b';').next();
    media.unwrap_or_default().trim_ascii()
}

pub(crate) fn is_grpc(fields: &HeaderFields) -> bool {
    is_call(fields.single("content-type").map(str::as_bytes))
}

/// Returns whether bodies of this type belong to calls that end with a status.
pub(crate) fn is_call(content_type: Option<&[u8]>) -> bool {
    let value = content_type.unwrap_or_default().trim_ascii_start();
    begins(value, b"application/grpc") || begins(value, b"application/connect+")
}

/// Returns whether a part of a template is a parameter, other than a wildcard for the rest
/// of the path.
fn names_a_part(part: &str) -> bool {
    part.starts_with(':') || part.contains('{') && !part.starts_with("{*")
}

fn is_name(text: &str) -> bool {
    text.len() <= MAX_NAME
        && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::{is_name, names_a_part};

    #[test]
    fn a_route_that_names_a_part_knows_better() {
        assert!(names_a_part("{token}") && names_a_part(":token") && names_a_part("a{b}"));
        assert!(!names_a_part("{*rest}") && !names_a_part("Get"));
    }

    #[test]
    fn names_are_those_of_protocol_buffers() {
        for name in ["Unary", "get_order2", "_"] {
            assert!(is_name(name), "{name}");
        }
        for other in ["", "4711", "a-b", "a@b", "a b", "é", "%41", "*"] {
            assert!(!is_name(other), "{other}");
        }
        assert!(!is_name(&"a".repeat(129)));
    }
}
