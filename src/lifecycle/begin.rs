use super::{
    Plan,
    carried::Carried,
    flight::Flight,
    known_method,
    plan::{CorrelationPlan, Trust},
};
#[cfg(feature = "gate")]
use crate::recorder::{Holder, MemoryBudget};
use crate::{
    context::{Aspect, Identity, Mode, RequestContext, Route},
    foreign,
    id::TraceContext,
};
use http::{HeaderMap, Uri, request::Parts};
use std::{
    sync::Arc,
    time::{Instant, SystemTime},
};
use tracing::{Level, Span, field, level_filters::LevelFilter};

/// Begins a request, or joins the one that an outer layer began. `length` is that of
/// its body, where the body says it.
pub(super) fn begin(plan: &Arc<Plan>, parts: &mut Parts, length: Option<u64>) -> Flight {
    #[cfg(feature = "capture")]
    if plan.direction == crate::exchange::Direction::Client
        && let Some(keeper) = &plan.keeper
    {
        return super::client::begin(plan, keeper, parts, length);
    }
    #[cfg(not(feature = "capture"))]
    let _ = length;
    let outer = parts
        .extensions
        .get::<RequestContext>()
        .filter(|context| !context.mode().has(Mode::FINISHED))
        .cloned();
    let (context, owner) = match outer {
        Some(context) if can_join(plan, &context) => (context, false),
        outer => {
            let context = create(plan, parts, outer.as_ref());
            parts.extensions.insert(context.clone());
            (context, true)
        }
    };
    let shared = context.shared();

    let correlates = plan
        .correlation
        .as_ref()
        .filter(|_| shared.claim(Aspect::Correlation));
    if let Some(correlation) = correlates {
        if !owner {
            shared.adopt(correlation.identify_in(&mut parts.headers, shared.started_at));
        }
        if correlation.trust == Trust::Edge {
            context.trace_context().replace_in(&mut parts.headers);
        }
    }

    #[cfg(feature = "gate")]
    let verbose = plan
        .verbose
        .as_ref()
        .filter(|_| shared.claim(Aspect::Verbose));
    #[cfg(feature = "gate")]
    let asked = verbose.and_then(|verbose| select(verbose, &context, parts));
    #[cfg(feature = "gate")]
    if !owner {
        // Of its own request the thread hears when it enters it, which comes next.
        context.tell_thread();
    }

    let method = known_method(&parts.method);
    let span = if plan.span && shared.claim(Aspect::Span) {
        // Layers hear of it.
        foreign::run(|| request_span(&context, method)).unwrap_or_else(Span::none)
    } else {
        Span::none()
    };
    #[cfg(feature = "opentelemetry")]
    if !span.is_none() {
        let arrival = crate::opentelemetry::Arrival {
            method,
            parts,
            uri: uri(parts),
            policy: plan.keeper.as_ref().map(|k| &k.settings().policy),
        };
        foreign::run(|| crate::opentelemetry::start(&span, &context, &arrival));
        if context.trace_context().client_parent().is_some() {
            // Again, as the span may have other IDs.
            context.trace_context().replace_in(&mut parts.headers);
        }
    }

    #[cfg(feature = "capture")]
    let capture = plan
        .keeper
        .as_ref()
        .filter(|keeper| keeper.claim(&context))
        .map(|keeper| {
            #[cfg(feature = "gate")]
            watch(
                &context,
                parts,
                keeper.settings().limits.recording,
                Some(keeper.events()),
            );
            let lengths = lengths(content_lengths(&parts.headers), length);
            let in_flight = keeper.request(&context, plan.direction, parts, uri(parts), lengths);
            super::flight::Capture::new(in_flight, method)
        });

    #[cfg(feature = "token")]
    if asked.is_some() {
        // It was for this service; code that hands headers on has no use of it.
        parts.headers.remove(crate::selection::VERBOSE_HEADER);
    }

    #[cfg(feature = "gate")]
    if capture.is_some()
        && let Some(keeper) = &plan.keeper
        && crate::gate::installed()
    {
        // Spans are held, which the subscriber hears of.
        foreign::run(|| {
            // Where an outer layer made the span it is current.
            let outer = || foreign::run(Span::current).unwrap_or_else(Span::none);
            let outer = span.is_none().then(outer);
            keeper.issue_ticket(&context, outer.as_ref().unwrap_or(&span));
        });
    }
    Flight {
        plan: Arc::clone(plan),
        owner,
        correlates: correlates.is_some(),
        #[cfg(feature = "gate")]
        _bound: crate::gate::bind(&span, &context),
        span,
        connect: parts.method == http::Method::CONNECT,
        bodiless: parts.method == http::Method::HEAD,
        answered: false,
        panicked: false,
        ended: false,
        #[cfg(feature = "capture")]
        capture,
        #[cfg(feature = "gate")]
        verdict: asked.flatten(),
        context,
        carried: Carried::Own,
    }
}

/// A layer joins unless another one of its kind already has the request: then
/// it is a request of its own, such as a call that a service makes with the
/// request it was given.
fn can_join(plan: &Plan, context: &RequestContext) -> bool {
    let _ = (plan, context);
    #[cfg(feature = "capture")]
    if let Some(keeper) = &plan.keeper {
        return keeper.may_join(context);
    }
    true
}

fn create(plan: &Plan, parts: &mut Parts, outer: Option<&RequestContext>) -> RequestContext {
    let now = SystemTime::now();
    let identity = match (outer, &plan.correlation) {
        // A call within the process: the same journey, and an operation of its own.
        (Some(outer), correlation) => {
            let identity = outer.shared().identity().clone();
            if let (Some(correlation), Some(id)) = (correlation, &identity.id) {
                correlation.say(id, &mut parts.headers);
            }
            let trace = outer.shared().trace().cloned().map(TraceContext::within);
            Identity { trace, ..identity }
        }
        (None, Some(correlation)) => correlation.identify_in(&mut parts.headers, now),
        (None, None) => identify_by_default(parts, now),
    };
    RequestContext::new(identity, Instant::now(), now, route(parts))
}

fn identify_by_default(parts: &Parts, now: SystemTime) -> Identity {
    CorrelationPlan::default().identify(&parts.headers, now)
}

fn route(parts: &Parts) -> Option<Route> {
    #[cfg(feature = "axum")]
    {
        parts
            .extensions
            .get::<axum::extract::MatchedPath>()
            .cloned()
            .map(Route::Matched)
    }
    #[cfg(not(feature = "axum"))]
    {
        let _ = parts;
        None
    }
}

/// The URI as the client sent it: a nested router takes its prefix away.
fn uri(parts: &Parts) -> &Uri {
    #[cfg(feature = "axum")]
    if let Some(axum::extract::OriginalUri(uri)) = parts.extensions.get() {
        return uri;
    }
    &parts.uri
}

/// Selects the request. Where it brought a token that was for this service, what the
/// response is to say of it.
#[cfg(feature = "gate")]
fn select(
    verbose: &super::VerbosePlan,
    context: &RequestContext,
    parts: &mut Parts,
) -> Option<Option<&'static str>> {
    let limit = verbose.recording_limit;
    watch(context, parts, limit, verbose.memory.as_ref());
    if verbose.recorded.is_on() && context.mode().has(Mode::WATCHED) {
        context.shared().raise(Mode::RECORD);
    }
    #[cfg(feature = "token")]
    if let Some(propagation) = &verbose.propagation {
        context.may_propagate(propagation);
    }
    let asks = asks(verbose, &mut parts.headers);
    if verbose.steering.is_off() {
        return asks.then_some(None);
    }
    let (by_token, tells) = match asks {
        true => by_token(verbose, context, parts),
        false => (None, Told::Nothing),
    };
    let by_header = by_token.or_else(|| verbose.by_header(&parts.headers));
    let by_rule = by_rule(verbose, context, parts);
    if let Some(selected) = by_header.or(by_rule) {
        context.select(&selected);
    }
    asks.then(|| match tells {
        Told::Nothing => None,
        Told::Verdict => Some(context.verdict()),
        #[cfg(feature = "token")]
        Told::Refusal(category) => Some(category),
    })
}

/// What the response says of a token.
#[cfg(feature = "gate")]
enum Told {
    Nothing,
    Verdict,
    #[cfg(feature = "token")]
    Refusal(&'static str),
}

/// Whether there is a token. Whoever writes the head down does not write it.
#[cfg(feature = "gate")]
fn asks(verbose: &super::VerbosePlan, headers: &mut HeaderMap) -> bool {
    #[cfg(feature = "token")]
    if verbose.tokens.is_some() && headers.contains_key(crate::selection::VERBOSE_HEADER) {
        for (name, value) in headers.iter_mut() {
            if *name == crate::selection::VERBOSE_HEADER {
                value.set_sensitive(true);
            }
        }
        return true;
    }
    let _ = (verbose, headers);
    false
}

/// What a token selects, and what the response is to say.
#[cfg(feature = "token")]
fn by_token(
    verbose: &super::VerbosePlan,
    context: &RequestContext,
    parts: &Parts,
) -> (Option<Arc<crate::selection::Selected>>, Told) {
    let Some(tokens) = &verbose.tokens else {
        return (None, Told::Nothing);
    };
    match tokens.accept(&parts.headers, &arrival(context, parts, &[])) {
        Some(Ok(accepted)) => {
            let (rule, until) = (accepted.rule(), accepted.until());
            let told = match tokens.tells() {
                true => Told::Verdict,
                false => Told::Nothing,
            };
            (Some(verbose.steering.by_header(rule, until)), told)
        }
        Some(Err(refusal)) if tokens.tells_refusals() => (None, Told::Refusal(refusal.category())),
        Some(Err(_)) | None => (None, Told::Nothing),
    }
}

#[cfg(all(feature = "gate", not(feature = "token")))]
fn by_token(
    _: &super::VerbosePlan,
    _: &RequestContext,
    _: &Parts,
) -> (Option<Arc<crate::selection::Selected>>, Told) {
    (None, Told::Verdict)
}

#[cfg(feature = "gate")]
fn by_rule(
    verbose: &super::VerbosePlan,
    context: &RequestContext,
    parts: &Parts,
) -> Option<Arc<crate::selection::Selected>> {
    let set = verbose.steering.set();
    if set.is_empty() {
        return None;
    }
    let shared = context.shared();
    let selected = {
        // An outer layer may have begun the request, and facts may be stated. No code
        // of the service runs while they are looked at.
        let mut notes = shared.notes();
        let notes = &mut *notes;
        let arrival = arrival(context, parts, &notes.facts);
        set.evaluate(&arrival, &mut notes.pending).cloned()
    };
    if verbose.steering.has_to_tell(&set) {
        verbose.steering.tell();
    }
    selected
}

#[cfg(feature = "gate")]
fn arrival<'r>(
    context: &'r RequestContext,
    parts: &'r Parts,
    facts: &'r [(std::borrow::Cow<'static, str>, String)],
) -> crate::selection::Arrival<'r> {
    let (shared, uri) = (context.shared(), uri(parts));
    crate::selection::Arrival {
        method: &parts.method,
        path: uri.path(),
        query: uri.query(),
        uri_host: uri.host(),
        route: shared.route.as_ref().map(Route::as_str),
        headers: &parts.headers,
        client: crate::selection::peer(&parts.extensions),
        correlation_id: context.correlation_id().as_str(),
        at: shared.started_at,
        facts,
        seen: crate::selection::Seen::default(),
    }
}

/// Makes room for what the gate notes: decisions and ERROR events in any case.
#[cfg(feature = "gate")]
fn watch(
    context: &RequestContext,
    parts: &Parts,
    limit: usize,
    memory: Option<&Arc<MemoryBudget>>,
) {
    if crate::gate::installed() && !context.mode().has(Mode::WATCHED) {
        let shared = context.shared();
        let holder = || Holder::of(crate::selection::site(&parts.extensions));
        let account = memory.map(|memory| memory.account(holder()));
        shared.recording().begin(limit, account);
        shared.raise(Mode::WATCHED);
    }
}

/// `said` is what the head says, which is nothing where it says several things, and
/// `length` what the body says.
#[cfg(feature = "capture")]
pub(super) fn lengths(said: Option<(u64, u64)>, length: Option<u64>) -> crate::recorder::Lengths {
    let one = said.filter(|(least, most)| least == most);
    crate::recorder::Lengths::of(one.map(|(length, _)| length), length)
}

/// The least and the most of the lengths that the head says, in fields and lists (RFC
/// 9110, section 8.6); nothing where one of them is no length.
#[cfg(feature = "capture")]
pub(super) fn content_lengths(headers: &HeaderMap) -> Option<(u64, u64)> {
    let mut said: Option<(u64, u64)> = None;
    for value in headers.get_all(http::header::CONTENT_LENGTH) {
        for text in value.as_bytes().split(|b| *b == b',') {
            let length = number(text.trim_ascii())?;
            let (least, most) = said.unwrap_or((length, length));
            said = Some((least.min(length), most.max(length)));
        }
    }
    said
}

/// The number that these digits are.
#[cfg(feature = "capture")]
fn number(digits: &[u8]) -> Option<u64> {
    let more = |number: u64, byte: &u8| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    };
    let number = digits.iter().try_fold(0, more)?;
    (!digits.is_empty()).then_some(number)
}

fn request_span(context: &RequestContext, method: &str) -> Span {
    let shared = context.shared();
    // Also spares the text of a span that nobody takes.
    if LevelFilter::current() < Level::INFO {
        return Span::none();
    }
    tracing::info_span!(
        target: crate::REQUEST_TARGET,
        "request",
        correlation_id = context.correlation_id().as_str(),
        http.request.method = method,
        http.route = shared.route.as_ref().map(Route::as_str),
        http.response.status_code = field::Empty,
        otel.kind = "server",
        // Recorded where OpenTelemetry is there to read it.
        otel.name = field::Empty,
    )
}
