use super::{
    Plan, capture::Capture, client, correlate::Correlate, flight::Flight, head::route,
    plan::CorrelationPlan, select::Select, traced::Traced,
};
use crate::{
    context::{Mode, RequestContext},
    exchange::Direction,
    id::{Identity, TraceContext},
    selection::site,
};
use http::request::Parts;
use std::{
    sync::Arc,
    time::{Instant, SystemTime},
};

/// Begins a request, or joins the one that an outer layer began. `length` is the length of its
/// body, if the body states it.
pub(super) fn begin(plan: &Arc<Plan>, parts: &mut Parts, length: Option<u64>) -> Flight {
    if plan.direction == Direction::Client && plan.keeper.is_some() {
        return client::begin(plan, parts, length);
    }
    let (context, owner) = join(plan, parts);
    let mut flight = Flight::new(plan, context, parts);
    let context = &flight.context;
    // A layer that only correlates does not need the peer.
    let shares = plan.verbose.is_some() || plan.keeper.is_some();
    let client = if shares { site(&parts.extensions) } else { 0 };
    flight.owner = owner;
    flight.correlate = Correlate::begin(plan, context, owner, &mut parts.headers);
    flight.select = Select::begin(plan, context, parts, client);
    if !owner {
        // The thread learns the mode of a new request when it enters it, which comes next.
        context.tell_thread();
    }
    flight.traced = Traced::begin(plan, context, parts);
    flight.capture = Capture::begin(plan, context, parts, length, client);
    flight.select.take_token(&mut parts.headers);
    if flight.capture.is_some() {
        Capture::issue_ticket(plan, context, &flight.traced);
    }
    flight
}

/// Returns the request that an outer layer began, or a new one, and whether it is new. A layer
/// joins unless another layer of its kind already has the request. Then it begins a request of its
/// own, such as a call that a service makes with the request it was given.
fn join(plan: &Plan, parts: &mut Parts) -> (RequestContext, bool) {
    let outer = parts.extensions.get::<RequestContext>();
    let outer = outer.filter(|context| !context.mode().has(Mode::FINISHED));
    let joins = |context: &RequestContext| match &plan.keeper {
        Some(keeper) => keeper.may_join(context),
        None => true,
    };
    match outer.cloned() {
        Some(context) if joins(&context) => (context, false),
        outer => {
            let context = create(plan, parts, outer.as_ref());
            parts.extensions.insert(context.clone());
            (context, true)
        }
    }
}

fn create(plan: &Plan, parts: &mut Parts, outer: Option<&RequestContext>) -> RequestContext {
    let now = SystemTime::now();
    let identity = match (outer, &plan.correlation) {
        // A call within the process keeps the IDs and the trace, and is an operation of its own.
        (Some(outer), correlation) => {
            let identity = outer.shared().identified.get().clone();
            if let (Some(correlation), Some(id)) = (correlation, &identity.id) {
                correlation.say(id, &mut parts.headers);
            }
            let trace = outer
                .shared()
                .identified
                .trace()
                .cloned()
                .map(TraceContext::within);
            Identity { trace, ..identity }
        }
        (None, Some(correlation)) => correlation.identify_in(&mut parts.headers, now),
        (None, None) => CorrelationPlan::default().identify(&parts.headers, now),
    };
    RequestContext::new(identity, Instant::now(), now, route(parts))
}
