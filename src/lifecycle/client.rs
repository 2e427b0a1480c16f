use super::{
    CorrelationPlan, Plan,
    begin::{content_lengths, lengths},
    carried::Carried,
    flight::{Capture, Flight},
    known_method,
};
use crate::{
    context::{Identity, RequestContext, current},
    id::TraceContext,
    keeper::Keeper,
};
use http::request::Parts;
use std::{
    sync::Arc,
    time::{Instant, SystemTime},
};
use tracing::Span;

/// Begins a call that a client makes. It has a context of its own, which holds
/// what is captured and is never current: what runs inside is the caller's.
pub(super) fn begin(
    plan: &Arc<Plan>,
    keeper: &Keeper,
    parts: &Parts,
    length: Option<u64>,
) -> Flight {
    let caller = current().or_else(|| parts.extensions.get().cloned());
    let now = SystemTime::now();
    let identity = identity(caller.as_ref(), parts, now);
    let context = RequestContext::new(identity, Instant::now(), now, None);
    if let Some(caller) = &caller {
        context.shared().take_salt_of(caller.shared());
    }
    keeper.claim(&context);
    if let Some(caller) = &caller {
        caller.shared().begin_call(&context);
        // A call is made for whoever made the request.
        let client = { caller.shared().heads().client };
        context.shared().heads().client = client;
    }
    let lengths = lengths(content_lengths(&parts.headers), length);
    let in_flight = keeper.request(&context, plan.direction, parts, &parts.uri, lengths);
    Flight {
        plan: Arc::clone(plan),
        owner: true,
        correlates: false,
        span: Span::none(),
        #[cfg(feature = "gate")]
        _bound: None,
        connect: parts.method == http::Method::CONNECT,
        bodiless: parts.method == http::Method::HEAD,
        answered: false,
        panicked: false,
        ended: false,
        #[cfg(feature = "gate")]
        verdict: None,
        capture: Some(Capture::new(in_flight, known_method(&parts.method))),
        context,
        carried: Carried::Caller(caller),
    }
}

/// The caller's journey, and the ID that the call has in its trace.
fn identity(caller: Option<&RequestContext>, parts: &Parts, now: SystemTime) -> Identity {
    let Some(caller) = caller else {
        return CorrelationPlan::default().identify(&parts.headers, now);
    };
    Identity {
        trace: Some(
            caller
                .trace_context()
                .of_call(TraceContext::parent(&parts.headers)),
        ),
        ..caller.shared().identity().clone()
    }
}
