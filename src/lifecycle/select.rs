use super::{Plan, VerbosePlan, head::uri, watch::watch};
use crate::{
    context::{Aspect, Mode, RequestContext},
    selection::{Arrival, Seen, Selected, VERBOSE_HEADER, peer},
};
use http::{HeaderMap, HeaderValue, request::Parts};
use std::{borrow::Cow, sync::Arc};

/// A layer's part in selecting verbose requests. It is empty if another layer has that part.
#[derive(Debug, Default)]
pub(super) struct Select {
    /// Whether the request carries a token for this service.
    asked: bool,
    /// The verdict for the response.
    verdict: Option<&'static str>,
}

impl Select {
    /// `client` is the peer.
    pub(super) fn begin(
        plan: &Plan,
        context: &RequestContext,
        parts: &mut Parts,
        client: u128,
    ) -> Self {
        let free = || context.shared().claim(Aspect::Verbose);
        let Some(verbose) = plan.verbose.as_ref().filter(|_| free()) else {
            return Self::default();
        };
        let limit = verbose.recording_limit;
        watch(context, client, limit, verbose.memory.as_ref());
        if verbose.recorded.is_on() && context.mode().has(Mode::WATCHED) {
            context.shared().raise(Mode::RECORD);
        }
        #[cfg(feature = "token")]
        if let Some(propagation) = &verbose.propagation {
            context.may_propagate(propagation);
        }
        let asked = asks(verbose, &mut parts.headers);
        let on = !verbose.steering.is_off();
        Self {
            asked,
            verdict: on.then(|| select(verbose, context, parts, asked)).flatten(),
        }
    }

    /// Removes the token once the head is captured: it was for this service, and code that
    /// forwards headers does not need it.
    pub(super) fn take_token(&self, headers: &mut HeaderMap) {
        if self.asked {
            headers.remove(VERBOSE_HEADER);
        }
    }

    pub(super) fn response(&self, headers: &mut HeaderMap) {
        if let Some(verdict) = self.verdict {
            let _ = headers.try_insert(VERBOSE_HEADER, HeaderValue::from_static(verdict));
        }
    }
}

/// Selects the request by its token, header or rule, and returns what the response reports.
fn select(
    verbose: &VerbosePlan,
    context: &RequestContext,
    parts: &Parts,
    asked: bool,
) -> Option<&'static str> {
    let (by_token, told) = match asked {
        true => by_token(verbose, context, parts),
        false => (None, Told::Nothing),
    };
    let by_header = by_token.or_else(|| verbose.by_header(&parts.headers));
    let by_rule = by_rule(verbose, context, parts);
    if let Some(selected) = by_header.or(by_rule) {
        context.select(&selected);
    }
    match told {
        Told::Nothing => None,
        Told::Verdict => Some(context.verdict()),
        #[cfg(feature = "token")]
        Told::Refusal(category) => Some(category),
    }
}

/// What the response reports of a token.
enum Told {
    Nothing,
    Verdict,
    #[cfg(feature = "token")]
    Refusal(&'static str),
}

/// Returns whether there is a token. It is marked as sensitive, so that code that writes the head
/// does not write it.
fn asks(verbose: &VerbosePlan, headers: &mut HeaderMap) -> bool {
    #[cfg(feature = "token")]
    if verbose.tokens.is_some() && headers.contains_key(VERBOSE_HEADER) {
        for (name, value) in headers.iter_mut() {
            if *name == VERBOSE_HEADER {
                value.set_sensitive(true);
            }
        }
        return true;
    }
    let _ = (verbose, headers);
    false
}

/// Returns what a token selects, and what the response reports.
#[cfg(feature = "token")]
fn by_token(
    verbose: &VerbosePlan,
    context: &RequestContext,
    parts: &Parts,
) -> (Option<Arc<Selected>>, Told) {
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

#[cfg(not(feature = "token"))]
fn by_token(_: &VerbosePlan, _: &RequestContext, _: &Parts) -> (Option<Arc<Selected>>, Told) {
    (None, Told::Verdict)
}

fn by_rule(
    verbose: &VerbosePlan,
    context: &RequestContext,
    parts: &Parts,
) -> Option<Arc<Selected>> {
    let set = verbose.steering.set();
    if set.is_empty() {
        return None;
    }
    let shared = context.shared();
    let selected = {
        // If an outer layer began the request, facts may be stated already. No code of the service
        // runs while the rules read them.
        let mut notes = shared.notes();
        let notes = &mut *notes;
        let arrival = arrival(context, parts, &notes.facts);
        set.evaluate(&arrival, &mut notes.chosen.pending).cloned()
    };
    if verbose.steering.has_to_tell(&set) {
        verbose.steering.tell();
    }
    selected
}

fn arrival<'r>(
    context: &'r RequestContext,
    parts: &'r Parts,
    facts: &'r [(Cow<'static, str>, String)],
) -> Arrival<'r> {
    let (shared, uri) = (context.shared(), uri(parts));
    Arrival {
        method: &parts.method,
        path: uri.path(),
        query: uri.query(),
        uri_host: uri.host(),
        route: shared.route(),
        headers: &parts.headers,
        client: peer(&parts.extensions),
        correlation_id: context.correlation_id().as_str(),
        at: shared.began.time,
        facts,
        seen: Seen::default(),
    }
}
