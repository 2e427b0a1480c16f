//! Which method a gRPC call is of: no route template says it.

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

/// What anything in front of the methods may answer to a path that nobody has:
/// CANCELLED, DEADLINE_EXCEEDED, NOT_FOUND, PERMISSION_DENIED, RESOURCE_EXHAUSTED,
/// UNIMPLEMENTED, UNAVAILABLE, UNAUTHENTICATED.
const OF_ANY_PATH: [u16; 8] = [1, 4, 5, 7, 8, UNIMPLEMENTED, 14, 16];

const UNIMPLEMENTED: u16 = 12;

const MAX_NAME: usize = 128;

/// Methods that are known at the same time, in each of two generations: where one is
/// full, the older is forgotten. What is called is learnt again from its next answer.
const MAX_KNOWN: usize = 2048;

/// Methods that the service has, or those that it calls, as answers have shown. Only
/// hashes: it is asked about paths that requests bring.
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
    /// Whether the service, or the one that it calls, is known to have the method of this
    /// call.
    pub(crate) fn knows(&self, direction: Direction, uri: &Uri) -> bool {
        method_in(uri).is_some_and(|(_, method)| self.works(direction, method))
    }

    /// Whether a method has worked, so that no client has made it up.
    pub(crate) fn works(&self, direction: Direction, method: &str) -> bool {
        let key = self.keys.hash_one((direction, method));
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.young.contains(&key) || known.old.contains(&key)
    }

    /// Learns from an answer that only a method gives: OK, or a message. Not where the
    /// route has parameters, for which a client may put anything.
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

/// The path of a call to a method that the service has, as its answer shows, or an
/// earlier one: then service and method are names from its code, and not the client's
/// data. It is a template in which what stands before them is a name only where the
/// route says so. A route that names a part of them knows better.
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

/// Service and method whatever the route is, without what stands before them.
pub(crate) fn method_of(
    heads: &CaptureHeads,
    status: Option<u16>,
    has_message: bool,
) -> Option<&str> {
    let (call, method) = method_in(&heads.request.uri)
        .and_then(|(_, method)| Some((Call::of_fields(&heads.request.fields)?, method)))?;
    // An error that a method gives: what it is called before it has ever gone well.
    let failed = || {
        call == Call::Ends
            && is_grpc(&heads.response.fields)
            && heads.response.at.is_some()
            && status.is_some_and(|status| !OF_ANY_PATH.contains(&status))
    };
    (heads.names_method || is_answered(heads, status, has_message) || failed()).then_some(method)
}

/// Whether a call was answered as only a method does.
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

/// What stands before `/package.Service/Method` at the end of a path, and that.
fn method_in(uri: &Uri) -> Option<(&str, &str)> {
    let path = uri.path();
    let (rest, method) = path.rsplit_once('/')?;
    let (before, service) = rest.rsplit_once('/')?;
    if !service.split('.').all(is_name) || !is_name(method) {
        return None;
    }
    path.split_at_checked(before.len())
}

/// How a call says how it ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Call {
    /// With a status behind its messages, or instead of them.
    Ends,
    /// As HTTP does: calls of Connect with one message each way.
    Unary,
}

impl Call {
    /// Of a request with this type among its headers.
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

/// Made once: to parse a name costs more than to look it up.
static CONNECT: HeaderName = HeaderName::from_static("connect-protocol-version");

/// A media type without its parameters.
fn media(content_type: &[u8]) -> &[u8] {
    let media = content_type.split(|b| *b == b';').next();
    media.unwrap_or_default().trim_ascii()
}

pub(crate) fn is_grpc(fields: &HeaderFields) -> bool {
    is_call(fields.single("content-type").map(str::as_bytes))
}

/// Whether bodies of this type are those of calls that end with a status.
pub(crate) fn is_call(content_type: Option<&[u8]>) -> bool {
    let value = content_type.unwrap_or_default().trim_ascii_start();
    begins(value, b"application/grpc") || begins(value, b"application/connect+")
}

/// Whether a part of a template is a parameter, other than one for the rest of the path.
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
