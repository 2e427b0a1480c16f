//! What failures have in common, by which they are counted together.

use super::{super::Ended, KEYS, MAX_SIGNATURES};
use crate::{
    context::RequestContext,
    exchange::{Direction, Outcome},
    grpc::{Methods, method_of},
    host,
};
use http::Uri;
use std::hash::{BuildHasher, Hash, Hasher};

/// What failures that are one and the same have in common.
#[derive(Clone, Copy, Debug)]
pub(in crate::keeper) struct Signature {
    /// Of what the service knows.
    pub(super) key: u64,
    /// The same with names that others choose, the most exact one first. Each is told
    /// apart while there is room for its kind of names.
    pub(super) names: [Option<(Names, u64)>; 2],
    pub(super) kind: Kind,
}

/// Names that may be made up, of which so many have entries. They have no part in the
/// room of what the service knows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Names {
    None = 0,
    /// Methods of gRPC that never worked.
    Methods = 1,
    /// Hosts that are called.
    Hosts = 2,
    /// What is called there.
    Targets = 3,
}

impl Names {
    const MOST: [usize; 4] = [MAX_SIGNATURES, 64, 64, 128];

    pub(super) fn most(self) -> usize {
        Self::MOST.get(self as usize).copied().unwrap_or(0)
    }
}

/// Whose doing it is; a peer's first of each kind is one.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum Kind {
    Failed,
    /// The client went away.
    Abandoned,
    /// A call that the service made.
    Call,
    Asked,
}

impl From<u64> for Signature {
    fn from(key: u64) -> Self {
        Self {
            key,
            names: [None; 2],
            kind: Kind::Failed,
        }
    }
}

/// What requests that run, and have a reason to be kept, have in common.
pub(in crate::keeper) fn signature_so_far(context: &RequestContext) -> Signature {
    let shared = context.shared();
    let notes = shared.notes();
    let key = KEYS.hash_one((
        shared.route(),
        notes.error_site,
        // Not for what: that is free text, and each would be a signature.
        notes.keep.is_empty(),
    ));
    key.into()
}

/// What failures that are one and the same have in common.
pub(in crate::keeper) fn signature(
    context: &RequestContext,
    ended: &Ended,
    slow: bool,
    methods: &Methods,
) -> Signature {
    let shared = context.shared();
    let (status, has_message) = {
        let tee = shared.captured.response_body();
        (tee.status(), tee.has_message())
    };
    // What the service has is known; what only a client, or another service, says is
    // a name.
    let (mut method, mut names) = (None, [None; 2]);
    {
        let heads = shared.captured.heads();
        if ended.direction == Direction::Client {
            let uri = &heads.request.uri;
            let host = uri.authority().map(http::uri::Authority::as_str);
            let host = host.or_else(|| heads.request.fields.text("host"));
            let (name, port) = host::split(host.unwrap_or_default());
            let host = KEYS.hash_one((host::fold(name), port));
            let target = target(uri, heads.request.method.as_str());
            names = [(Names::Targets, target ^ host), (Names::Hosts, host)].map(Some);
        } else if let Some(called) = method_of(&heads, status, has_message) {
            let hash = KEYS.hash_one(called);
            if methods.works(ended.direction, called) {
                method = Some(hash);
            } else {
                names = [Some((Names::Methods, hash)), None];
            }
        }
    }
    let notes = shared.notes();
    let panic = notes.panic.as_ref();
    let key = KEYS.hash_one((
        shared.route(),
        method,
        &ended.outcome,
        ended.status.map(|status| status.as_u16()),
        (slow, ended.upload_broke, ended.direction),
        // Not the message: that is free text, and each would be a signature.
        panic.map(|panic| panic.location.as_ref()),
        notes.error_site,
    ));
    let kind = match ended.direction {
        Direction::Client => Kind::Call,
        _ if ended.outcome == Outcome::Abandoned || ended.upload_broke => Kind::Abandoned,
        _ => Kind::Failed,
    };
    let named = |(kind, name): (Names, u64)| (kind, KEYS.hash_one((key, kind as u8, name)));
    Signature {
        key,
        names: names.map(|name| name.map(named)),
        kind,
    }
}

/// What is called: method, and path without what differs from call to call.
pub(super) fn target(uri: &Uri, method: &str) -> u64 {
    /// Parts of a path that are told apart.
    const PARTS: usize = 8;
    let mut hasher = KEYS.build_hasher();
    method.hash(&mut hasher);
    for part in uri.path().split('/').take(PARTS) {
        let part = if is_value(part) { "{}" } else { part };
        part.hash(&mut hasher);
    }
    hasher.finish()
}

/// Whether a part of a path is a number, a UUID, a hash or another value.
fn is_value(part: &str) -> bool {
    let digits = part.bytes().filter(u8::is_ascii_digit).count();
    let hex = part.bytes().all(|b| b.is_ascii_hexdigit());
    digits > 2
        || digits > 0 && digits == part.len()
        || hex && part.len() >= 8
        || part.len() > 32
        || part.contains(['%', '@'])
}
