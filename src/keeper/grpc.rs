//! Which method a gRPC call is of: no route template says it.

use crate::{
    context::CaptureHeads,
    exchange::Direction,
    recorder::{BodySnapshot, HeaderFields},
};
use http::Uri;
use std::{
    collections::{HashMap, hash_map::Entry},
    hash::{BuildHasher, RandomState},
    sync::{PoisonError, RwLock},
};

/// UNIMPLEMENTED: what a service answers to a method that it does not have.
const UNIMPLEMENTED: u16 = 12;

const MAX_NAME: usize = 128;

/// Methods that are known at the same time; what is called beyond that is named by its
/// answer alone.
const MAX_KNOWN: usize = 4096;

/// Of those, methods that never worked: something before the service may answer for any
/// name that a client makes up.
const MAX_UNPROVEN: usize = MAX_KNOWN / 8;

/// Methods that the service has, or those that it calls, as answers have shown. Only
/// hashes: it is asked about paths that requests bring.
#[derive(Debug, Default)]
pub(super) struct Methods {
    known: RwLock<Known>,
    keys: RandomState,
}

#[derive(Debug, Default)]
struct Known {
    /// Whether each has worked.
    methods: HashMap<u64, bool>,
    unproven: usize,
}

impl Methods {
    /// Whether the service, or the one that it calls, is known to have the method of a
    /// request; and then, whether that has worked.
    pub(super) fn knows(
        &self,
        direction: Direction,
        content_type: Option<&[u8]>,
        uri: &Uri,
    ) -> Option<bool> {
        if !is_call(content_type) {
            return None;
        }
        let path = path_of_method(uri)?;
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let key = self.keys.hash_one((direction, path));
        known.methods.get(&key).copied()
    }

    /// Whether a method has worked, so that no client has made it up.
    pub(super) fn works(&self, direction: Direction, path: &str) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let key = self.keys.hash_one((direction, path));
        known.methods.get(&key) == Some(&true)
    }

    /// Learns from an answer.
    pub(super) fn learn(
        &self,
        direction: Direction,
        heads: &CaptureHeads,
        status: Option<u16>,
        has_message: bool,
    ) {
        let worked = status.map_or(has_message, |status| status == 0);
        let nothing_new = heads.method_works || heads.names_method && !worked;
        if nothing_new || !is_answered(heads, status, has_message) {
            return;
        }
        let Some(path) = path_of_method(&heads.request.uri) else {
            return;
        };
        let key = self.keys.hash_one((direction, path));
        {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            let same = known.methods.get(&key);
            if same.is_some_and(|proven| *proven || !worked) {
                return;
            }
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let Known { methods, unproven } = &mut *known;
        let full = methods.len() >= MAX_KNOWN;
        match methods.entry(key) {
            Entry::Occupied(mut entry) => {
                if worked && !entry.insert(true) {
                    *unproven -= 1;
                }
            }
            Entry::Vacant(entry) if !full && (worked || *unproven < MAX_UNPROVEN) => {
                entry.insert(worked);
                *unproven += usize::from(!worked);
            }
            Entry::Vacant(_) => {}
        }
    }
}

/// The path of a call to a method that the service has, as its answer shows, or an
/// earlier one: then the path is a name from its code, and not the client's data. A
/// route that names a part of it knows better.
pub(super) fn method<'a>(
    heads: &'a CaptureHeads,
    answer: &BodySnapshot,
    route: Option<&str>,
) -> Option<&'a str> {
    if route.is_some_and(names_a_part) {
        return None;
    }
    method_of(heads, answer.status, answer.has_message)
}

/// The same whatever the route is.
pub(super) fn method_of(
    heads: &CaptureHeads,
    status: Option<u16>,
    has_message: bool,
) -> Option<&str> {
    (heads.names_method || is_answered(heads, status, has_message))
        .then(|| path_of_method(&heads.request.uri))
        .flatten()
}

/// Whether a call was answered by a method.
fn is_answered(heads: &CaptureHeads, status: Option<u16>, has_message: bool) -> bool {
    heads.response.at.is_some()
        && is_grpc(&heads.request.fields)
        && is_grpc(&heads.response.fields)
        && status.map_or(has_message, |status| status != UNIMPLEMENTED)
}

/// `/package.Service/Method`.
fn path_of_method(uri: &Uri) -> Option<&str> {
    let path = uri.path();
    let (service, method) = path.strip_prefix('/')?.split_once('/')?;
    (service.split('.').all(is_name) && is_name(method)).then_some(path)
}

pub(super) fn is_grpc(fields: &HeaderFields) -> bool {
    is_call(fields.single("content-type").map(str::as_bytes))
}

/// Whether bodies of this type are those of calls that end with a status.
pub(super) fn is_call(content_type: Option<&[u8]>) -> bool {
    let value = content_type.unwrap_or_default().trim_ascii_start();
    ["application/grpc", "application/connect+"]
        .iter()
        .any(|name| {
            let start = value.get(..name.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(name.as_bytes()))
        })
}

/// Whether a template has a parameter, other than one for the rest of the path.
fn names_a_part(route: &str) -> bool {
    route
        .split('/')
        .any(|part| part.starts_with(':') || part.contains('{') && !part.starts_with("{*"))
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
        assert!(names_a_part("/reset/{token}") && names_a_part("/reset/:token"));
        assert!(!names_a_part("/shop.Orders/{*rest}") && !names_a_part("/shop.Orders/Get"));
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
