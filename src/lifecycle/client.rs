use super::{CorrelationPlan, Plan, capture::Capture, carried::Carried, flight::Flight};
use crate::{
    context::{RequestContext, current},
    id::{Identity, TraceContext},
    selection::site,
};
use http::request::Parts;
use std::{
    sync::Arc,
    time::{Instant, SystemTime},
};

/// Begins a call that a client makes. The call has a context of its own, which holds what is
/// captured and is never current: code inside the call belongs to the caller.
pub(super) fn begin(plan: &Arc<Plan>, parts: &Parts, length: Option<u64>) -> Flight {
    let caller = current().or_else(|| parts.extensions.get().cloned());
    let now = SystemTime::now();
    let identity = identity(caller.as_ref(), parts, now);
    let context = RequestContext::new(identity, Instant::now(), now, None);
    // A call has the peer of the request that makes it.
    let mut client = 0;
    if let Some(caller) = &caller {
        context
            .shared()
            .hiding
            .take_salt_of(&caller.shared().hiding);
        caller.shared().begin_call(&context);
        client = caller.shared().captured.heads().client;
    }
    if client == 0 {
        client = site(&parts.extensions);
    }
    let mut flight = Flight::new(plan, context, parts);
    flight.capture = Capture::begin(plan, &flight.context, parts, length, client);
    flight.carried = Carried::Caller(caller);
    flight
}

/// Returns the caller's identity, with the ID that the call has in its trace.
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
        ..caller.shared().identified.get().clone()
    }
}
