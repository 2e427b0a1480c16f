//! Which method a gRPC call is of: no route template says it.

use crate::{
    context::CaptureHeads,
    exchange::{Failure, Outcome},
    recorder::{BodySnapshot, HeaderFields},
};

/// UNIMPLEMENTED: what a service answers to a method that it does not have.
const UNIMPLEMENTED: u16 = 12;

const MAX_NAME: usize = 128;

/// The path of a call to a method that the service has, as its answer shows: then
/// the path is a name from its code, and not the client's data. A route that names a
/// part of it knows better.
pub(super) fn method<'a>(
    heads: &'a CaptureHeads,
    answer: &BodySnapshot,
    route: Option<&str>,
) -> Option<&'a str> {
    let path = called(heads)?;
    if route.is_some_and(names_a_part) {
        return None;
    }
    let of_head = heads.response.fields.text("grpc-status");
    let known = match of_head.or_else(|| answer.trailers.text("grpc-status")) {
        Some(status) => status.parse() != Ok(UNIMPLEMENTED),
        None => answer.seen > 0,
    };
    known.then_some(path)
}

/// The same for a call that has ended, told by its outcome.
pub(super) fn method_of<'a>(heads: &'a CaptureHeads, outcome: &Outcome) -> Option<&'a str> {
    let known = match outcome {
        Outcome::Completed => true,
        Outcome::Failed { failure } => {
            matches!(failure, Failure::Grpc(code) if *code != UNIMPLEMENTED)
        }
        _ => false,
    };
    known.then(|| called(heads)).flatten()
}

/// `/package.Service/Method` of a call that was answered in gRPC.
fn called(heads: &CaptureHeads) -> Option<&str> {
    heads.response.at?;
    if !is_grpc(&heads.request.fields) || !is_grpc(&heads.response.fields) {
        return None;
    }
    let path = heads.request.uri.path();
    let (service, method) = path.strip_prefix('/')?.split_once('/')?;
    (service.split('.').all(is_name) && is_name(method)).then_some(path)
}

pub(super) fn is_grpc(fields: &HeaderFields) -> bool {
    let media = fields.single("content-type").unwrap_or_default();
    media.starts_with("application/grpc")
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
