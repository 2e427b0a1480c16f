//! Signatures: failures with the same signature count together.

use super::{super::Ended, KEYS};
use crate::{
    context::{RequestContext, Route},
    exchange::{Direction, Failure, Outcome},
    grpc::method_of,
    host,
};
use http::Uri;
use std::hash::{BuildHasher, Hash, Hasher};

/// The signature of a failure.
#[derive(Clone, Copy, Debug)]
pub(in crate::keeper) struct Signature {
    /// The route of the service that failed, or that made the call.
    pub(super) route: u64,
    /// Its names within the route, the most exact first. Each is distinguished while there
    /// is room for its kind of names.
    pub(super) names: [Option<(Names, u64)>; 3],
    pub(super) kind: Kind,
}

/// Kinds of names that distinguish failures of a route.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Names {
    /// Outcomes, statuses and code locations.
    None = 0,
    /// Hosts that are called.
    Hosts = 1,
    /// Names that clients or other services choose: RPC methods, failures that the
    /// service's classifier names, targets of calls.
    Chosen = 2,
}

pub(super) const NAMES: usize = 3;

impl Names {
    /// How many are distinguished in a route, and in total.
    const MOST: [(usize, usize); NAMES] = [(32, 1024), (16, 128), (64, 384)];

    pub(super) fn most(self) -> (usize, usize) {
        Self::MOST.get(self as usize).copied().unwrap_or_default()
    }
}

/// The cause. A peer's count of one kind does not apply to another.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum Kind {
    Failed,
    /// The client went away.
    Abandoned,
    /// A call of the service failed.
    Call,
    Asked,
}

/// The signature of running requests with a reason to keep them.
pub(in crate::keeper) fn signature_so_far(context: &RequestContext) -> Signature {
    let shared = context.shared();
    let notes = shared.notes();
    // Without the reason: it is free text, and each would be a signature.
    let plain = (notes.error_site, notes.keep.is_empty());
    Signature::new(
        shared.began.route.as_ref(),
        Direction::Server,
        plain,
        Kind::Failed,
    )
}

impl Signature {
    fn new(route: Option<&Route>, direction: Direction, plain: impl Hash, kind: Kind) -> Self {
        let route = KEYS.hash_one((route.map(Route::as_str), direction));
        let plain = KEYS.hash_one((route, plain));
        Self {
            route,
            names: [Some((Names::None, plain)), None, None],
            kind,
        }
    }

    /// With a more exact name.
    fn named(mut self, names: Names, name: impl Hash) -> Self {
        let [first, second, _] = self.names;
        let of = first.map(|(_, key)| key);
        let key = KEYS.hash_one((of, names as u8, name));
        self.names = [Some((names, key)), first, second];
        self
    }
}

/// Returns the signature of a failure. A call belongs to the route whose request made it,
/// so that a client that controls its targets takes no room from other routes.
pub(in crate::keeper) fn signature(
    context: &RequestContext,
    caller: Option<&RequestContext>,
    ended: &Ended,
    slow: bool,
) -> Signature {
    let shared = context.shared();
    let (status, has_message) = {
        let tee = shared.captured.response_body();
        (tee.status(), tee.has_message())
    };
    let kind = match ended.direction {
        Direction::Client => Kind::Call,
        _ if ended.outcome == Outcome::Abandoned || ended.upload_broke => Kind::Abandoned,
        _ => Kind::Failed,
    };
    let custom = match &ended.outcome {
        Outcome::Failed {
            failure: Failure::Custom(name),
        } => Some(name),
        _ => None,
    };
    let signature = {
        let notes = shared.notes();
        let plain = (
            // Without the name, which may be any text.
            custom.is_none().then_some(&ended.outcome),
            ended.status.map(|status| status.as_u16()),
            (slow, ended.upload_broke),
            // Without the message: it is free text, and each would be a signature.
            notes.panic.as_ref().map(|panic| panic.location.as_ref()),
            notes.error_site,
        );
        let route = caller.unwrap_or(context).shared().began.route.as_ref();
        Signature::new(route, ended.direction, plain, kind)
    };
    let heads = shared.captured.heads();
    if ended.direction == Direction::Client {
        let uri = &heads.request.uri;
        let host = uri.authority().map(http::uri::Authority::as_str);
        let host = host.or_else(|| heads.request.fields.text("host"));
        let (name, port) = host::split(host.unwrap_or_default());
        let target = target(uri, heads.request.method.as_str());
        return signature
            .named(Names::Hosts, (host::fold(name), port))
            .named(Names::Chosen, (target, custom));
    }
    let method = method_of(&heads, status, has_message);
    if method.is_none() && custom.is_none() {
        return signature;
    }
    signature.named(Names::Chosen, (method, custom))
}

/// The target of a call: method, and path without parts that differ between calls.
pub(super) fn target(uri: &Uri, method: &str) -> u64 {
    /// How many parts of a path are used.
    const PARTS: usize = 8;
    let mut hasher = KEYS.build_hasher();
    method.hash(&mut hasher);
    for part in uri.path().split('/').take(PARTS) {
        let part = if is_value(part) { "{}" } else { part };
        part.hash(&mut hasher);
    }
    hasher.finish()
}

/// Returns whether a part of a path is a number, a UUID, a hash or another value.
fn is_value(part: &str) -> bool {
    let digits = part.bytes().filter(u8::is_ascii_digit).count();
    let hex = part.bytes().all(|b| b.is_ascii_hexdigit());
    digits > 2
        || digits > 0 && digits == part.len()
        || hex && part.len() >= 8
        || part.len() > 32
        || part.contains(['%', '@'])
}
