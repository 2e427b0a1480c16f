//! The values that a request and its calls hide, as far as they have arrived.

use crate::{
    context::{RequestContext, Shared},
    exchange::Direction,
    grpc,
    recorder::ResponseHead,
    recorder::{BodySnapshot, HeaderFields, Tee},
    redact::{
        Answer, Policy, Probes, Recent, Redactor, Scrubber, Voice, is_in_one_piece, is_plain,
    },
};
use std::sync::{Arc, MutexGuard};

/// The scrubber for the texts of a request and its calls. It is made once, and again when
/// more has arrived.
pub(crate) fn know(
    policy: &Policy,
    recent: &mut Recent,
    context: &RequestContext,
) -> Arc<Scrubber> {
    let shared = context.shared();
    let salt = shared.hiding.salt();
    let calls = shared.calls();
    let size = sizes(shared, &calls);
    let stated = { shared.notes().stated };
    let (at, told, searching) = {
        let mut known = shared.hiding.known();
        let at = (calls.len() + size + known.told().len()) as u64 + u64::from(stated);
        if let Some(scrubber) = recent.get(salt, at) {
            return scrubber;
        }
        if !known.read(size) {
            return Arc::new(Scrubber::hiding_all(policy.clone()));
        }
        (at, known.told().to_vec(), known.searching())
    };
    let decisions = std::mem::take(&mut recent.decisions);
    let mut redactor = Redactor::only_to_remember(policy, decisions)
        .of(salt)
        .named(context.correlation_id().as_str());
    remember(&mut redactor, context, &calls);
    for value in &told {
        redactor.remember(value);
    }
    recent.decisions = redactor.take_decisions();
    let scrubber = Arc::new(redactor.into_scrubber().with_work(searching));
    recent.put(salt, at, &scrubber);
    scrubber
}

/// The most bytes that a body with a content coding may decode to.
const DECODED: usize = 256 * 1024;

/// The number of bytes that a request and its calls have to read. It only grows.
pub(crate) fn size(context: &RequestContext) -> usize {
    let shared = context.shared();
    sizes(shared, &shared.calls())
}

fn sizes(shared: &Shared, calls: &[RequestContext]) -> usize {
    size_of_one(shared) + calls.iter().map(|c| size_of_one(c.shared())).sum::<usize>()
}

fn size_of_one(shared: &Shared) -> usize {
    let heads = {
        let heads = shared.captured.heads();
        let coded = |fields: &HeaderFields| match fields.single("content-encoding") {
            Some(_) => DECODED,
            None => 0,
        };
        let (request, response) = (&heads.request.fields, &heads.response.fields);
        request.len() + response.len() + coded(request) + coded(response)
    };
    let body = |tee: &Tee| tee.read() + tee.seen_trailers().len();
    heads + body(&shared.captured.request_body()) + body(&shared.captured.response_body())
}

/// Passes to the redactor what a request and its calls hide.
pub(crate) fn remember(
    redactor: &mut Redactor<'_>,
    context: &RequestContext,
    calls: &[RequestContext],
) {
    remember_facts(redactor, context.shared());
    remember_one(redactor, context, Direction::Server);
    for call in calls {
        remember_one(redactor, call, Direction::Client);
    }
}

fn remember_facts(redactor: &mut Redactor<'_>, shared: &Shared) {
    let facts = { shared.notes().facts.clone() };
    for (name, value) in &facts {
        redactor.fact(name, value);
    }
}

/// Passes heads, bodies and trailers to the redactor. They are copied first, so that the
/// request never waits for a lock.
pub(crate) fn remember_one(
    redactor: &mut Redactor<'_>,
    context: &RequestContext,
    direction: Direction,
) {
    remember_parts(redactor, context, direction, Parts::ALL);
}

/// Parts of a request and its response.
#[derive(Clone, Copy, PartialEq)]
struct Parts {
    target: bool,
    /// Of the request and of the response.
    heads: [bool; 2],
    bodies: [bool; 2],
}

impl Parts {
    const ALL: Self = Self {
        target: true,
        heads: [true; 2],
        bodies: [true; 2],
    };
    const NONE: Self = Self {
        target: false,
        heads: [false; 2],
        bodies: [false; 2],
    };
}

fn remember_parts(
    redactor: &mut Redactor<'_>,
    context: &RequestContext,
    direction: Direction,
    parts: Parts,
) {
    let shared = context.shared();
    let heads = shared.captured.heads().clone();
    let request_body = shared.captured.request_body().snapshot();
    let response_body = shared.captured.response_body().snapshot();
    if parts.target {
        let uri = &heads.request.uri;
        redactor.user_of(uri);
        let route = shared.route();
        let called = grpc::method(&heads, &response_body, route);
        redactor.path(uri.path(), called.as_deref().or(route));
        if let Some(query) = uri.query() {
            redactor.query(query);
        }
    }
    let id = context.correlation_id().as_str().as_bytes();
    let answer = says_what_failed(direction, &heads.response, &response_body);
    let voice = answer.map_or(Voice::Values, Voice::Unheard);
    let sides = [
        (&heads.request.fields, request_body, Voice::Values),
        (&heads.response.fields, response_body, voice),
    ];
    for ((fields, body, voice), (in_head, in_body)) in sides
        .into_iter()
        .zip(parts.heads.into_iter().zip(parts.bodies))
    {
        redactor.answering(voice, |redactor| {
            let own = fields.iter().filter(|_| in_head);
            let trailers = body.trailers.iter().filter(|_| in_body);
            for (name, value, sensitive) in own.chain(trailers) {
                if value != id {
                    redactor.header(name, value, sensitive);
                }
            }
            if in_body && body.kept > 0 {
                let content_type = fields.single("content-type");
                let encoding = fields.list("content-encoding");
                redactor.body(content_type, encoding.as_deref(), &body.prefix, false);
            }
        });
    }
}

/// The part of a service's own response that describes what went wrong, if there is one.
pub(crate) fn says_what_failed(
    direction: Direction,
    head: &ResponseHead,
    body: &BodySnapshot,
) -> Option<Answer> {
    if direction != Direction::Server {
        return None;
    }
    if grpc::is_grpc(&head.fields) {
        let status = body.status.or(head.fields.grpc_status());
        return status.filter(|status| *status != 0).map(|_| Answer::Grpc);
    }
    let failed = head.status.is_client_error() || head.status.is_server_error();
    failed.then_some(Answer::Http)
}

/// The scrubber for a line with these texts, if it may contain a value that the request and
/// its calls sent or received. Almost always it contains none, which is found out without
/// parsing anything. If it may, the scrubber looks only for the values that it may contain.
pub(crate) fn know_asked(
    policy: &Policy,
    recent: &mut Recent,
    context: &RequestContext,
    probes: &Probes,
) -> Option<Arc<Scrubber>> {
    if probes.is_empty() {
        return None;
    }
    let shared = context.shared();
    let calls = shared.calls();
    let own = parts(shared, probes);
    let of_calls: Vec<_> = calls.iter().map(|c| parts(c.shared(), probes)).collect();
    let in_facts = {
        let notes = shared.notes();
        let mut facts = notes.facts.iter();
        facts.any(|(_, value)| may_be_in(probes, value.as_bytes()))
    };
    let (told, again) = {
        let mut known = shared.hiding.known();
        let mut told = known.told().iter();
        let told = told.any(|told| may_be_in(probes, told.as_bytes()));
        let says = told
            || in_facts
            || [&own]
                .into_iter()
                .chain(&of_calls)
                .any(|p| *p != Parts::NONE);
        if !says {
            return None;
        }
        (told, known.asks_again())
    };
    // A request that logs one of its values logs others.
    if again || told {
        return Some(know(policy, recent, context));
    }
    if !shared.hiding.known().read(sizes(shared, &calls)) {
        return Some(Arc::new(Scrubber::hiding_all(policy.clone())));
    }
    let decisions = std::mem::take(&mut recent.decisions);
    let mut redactor = Redactor::only_to_remember(policy, decisions)
        .of(shared.hiding.salt())
        .named(context.correlation_id().as_str())
        .asked(probes);
    if in_facts {
        remember_facts(&mut redactor, shared);
    }
    for (context, parts, direction) in [(context, own, Direction::Server)].into_iter().chain(
        calls
            .iter()
            .zip(of_calls)
            .map(|(c, p)| (c, p, Direction::Client)),
    ) {
        if parts != Parts::NONE {
            remember_parts(&mut redactor, context, direction, parts);
        }
    }
    recent.decisions = redactor.take_decisions();
    let searching = shared.hiding.known().searching();
    Some(Arc::new(redactor.into_scrubber().with_work(searching)))
}

fn may_be_in(probes: &Probes, raw: &[u8]) -> bool {
    !is_plain(raw) || probes.may_be_in(raw)
}

/// The parts that may have one of the values.
fn parts(shared: &Shared, probes: &Probes) -> Parts {
    let (target, heads, readable) = {
        let heads = shared.captured.heads();
        let uri = &heads.request.uri;
        let user = uri.authority().is_some_and(|a| a.as_str().contains('@'));
        let text = uri.path_and_query().map_or("", |p| p.as_str());
        let fields = [&heads.request.fields, &heads.response.fields];
        (
            user || may_be_in(probes, text.as_bytes()),
            fields.map(|fields| in_fields(fields, probes)),
            fields.map(is_readable),
        )
    };
    let [request, response] = readable;
    Parts {
        target,
        heads,
        bodies: [
            in_body(shared.captured.request_body(), request, probes),
            in_body(shared.captured.response_body(), response, probes),
        ],
    }
}

fn in_body(tee: MutexGuard<'_, Tee>, readable: bool, probes: &Probes) -> bool {
    if in_fields(tee.seen_trailers(), probes) {
        return true;
    }
    let content = tee.content();
    drop(tee);
    !content.is_empty() && (!readable || may_be_in(probes, &content))
}

/// Whether the values of a body are pieces of its bytes.
fn is_readable(fields: &HeaderFields) -> bool {
    fields.single("content-encoding").is_none() && is_in_one_piece(fields.single("content-type"))
}

fn in_fields(fields: &HeaderFields, probes: &Probes) -> bool {
    // Credentials of this scheme have no readable part.
    let basic = |value: &[u8]| {
        let scheme = value.get(..6);
        scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"basic "))
    };
    let coded = |(_, value, _): (&[u8], &[u8], bool)| !is_plain(value) || basic(value);
    fields.len() > 0 && (fields.raw().any(coded) || probes.may_be_in(fields.bytes()))
}
