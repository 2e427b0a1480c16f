use super::{
    Plan, capture::Capture, carried::Carried, correlate::Correlate, end::End, panicked,
    select::Select, traced::Traced,
};
use crate::{
    context::{Entered, Mode, RequestContext},
    foreign::{self, Payload},
    recorder::{Clock, Said},
};
use http::{HeaderMap, Method, StatusCode, request, response};
use std::{
    fmt::Display,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

/// One layer's part in a request that has begun and not ended. Its end is noted once. If it is
/// dropped before that, the request was abandoned.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) context: RequestContext,
    pub(super) carried: Carried,
    pub(super) plan: Arc<Plan>,
    /// Whether this layer began the request, and so ends it.
    pub(super) owner: bool,
    pub(super) correlate: Correlate,
    pub(super) select: Select,
    pub(super) traced: Traced,
    pub(super) capture: Option<Capture>,
    connect: bool,
    /// Whether the response has no body by protocol, whatever the service returned: a server then
    /// drops the body unread.
    bodiless: bool,
    /// Whether there was a response head.
    answered: bool,
    /// Whether the service panicked and the panic became a response.
    pub(super) panicked: bool,
    ended: bool,
}

impl Flight {
    /// Creates the part of a layer, before it correlates, selects, traces or captures.
    pub(super) fn new(plan: &Arc<Plan>, context: RequestContext, parts: &request::Parts) -> Self {
        Self {
            context,
            carried: Carried::Own,
            plan: Arc::clone(plan),
            owner: true,
            correlate: Correlate::default(),
            select: Select::default(),
            traced: Traced::default(),
            capture: None,
            connect: parts.method == Method::CONNECT,
            bodiless: parts.method == Method::HEAD,
            answered: false,
            panicked: false,
            ended: false,
        }
    }

    /// Whether this layer captures the bodies.
    pub(super) fn captures(&self) -> bool {
        self.capture.is_some()
    }

    /// Runs code of the request with its context and span current. A panic is noted and returned.
    pub(super) fn run<R>(&self, f: impl FnOnce() -> R) -> Result<R, Payload> {
        let _entered = self.enter();
        let _span = foreign::enter(self.traced.span());
        let result = catch_unwind(AssertUnwindSafe(f));
        if let Err(payload) = &result {
            panicked::note(&self.context, payload.as_ref());
        }
        result
    }

    /// Like [`run`](Self::run), for code whose result decides nothing: its panic is noted and goes
    /// no further.
    pub(super) fn ask<R>(&self, f: impl FnOnce() -> R) -> Option<R> {
        match self.run(f) {
            Ok(result) => Some(result),
            Err(payload) => {
                self.discard(payload);
                None
            }
        }
    }

    /// Drops something of the request, with its context current.
    pub(super) fn discard<T>(&self, value: T) {
        let _entered = self.enter();
        foreign::discard(value);
    }

    /// Drops the rest of the service's values with the context current. If that panics, the end is
    /// noted and the panic propagates.
    pub(super) fn dropping(&mut self, f: impl FnOnce()) {
        if let Err(payload) = self.run(f) {
            self.end(End::Panic, Clock::default());
            foreign::go_on(payload);
        }
    }

    pub(super) fn enter(&self) -> Option<Entered> {
        self.carried.enter(&self.context)
    }

    /// Takes the response head. Returns whether the exchange ends with it. `length` is the length
    /// of the body, if the body states it.
    pub(super) fn head(&mut self, parts: &mut response::Parts, length: Option<u64>) -> bool {
        self.answered = true;
        self.correlate
            .response(&self.plan, &self.context, &mut parts.headers);
        self.select.response(&mut parts.headers);
        self.traced.response(&self.context, parts.status);
        if self.captures() && panicked::is_answer(&self.context, parts) {
            self.panicked = true;
        }
        // The connection was upgraded.
        let over = parts.status == StatusCode::SWITCHING_PROTOCOLS
            || self.connect && parts.status.is_success();
        let empty = [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED];
        self.bodiless |= over || empty.contains(&parts.status);
        if let (Some(capture), Some(keeper)) = (&mut self.capture, &self.plan.keeper) {
            capture.response(keeper, &self.context, parts, length, self.bodiless);
        }
        over
    }

    pub(super) fn service_error<E: Display + 'static>(&mut self, error: &E) {
        // The error's `Display` is code of the service, so its context is current.
        let text = self.ask(|| Said::of_error(error)).unwrap_or_default();
        self.end(End::ServiceError(text), Clock::default());
    }

    pub(super) fn trailers(&mut self, trailers: &HeaderMap) {
        if let (Some(capture), Some(keeper)) = (&mut self.capture, &self.plan.keeper) {
            capture.trailers(keeper, &self.context, trailers);
        }
    }

    /// Called when the request waits. Writes an interim exchange if one is due.
    pub(super) fn waits(&mut self) {
        if let (Some(capture), Some(keeper)) = (&mut self.capture, &self.plan.keeper) {
            capture.waits(&self.plan, keeper, &self.context);
        }
    }

    /// Ends this layer's part as the body ended, or as a panic if there was one before.
    pub(super) fn end_as(&mut self, end: End, clock: Clock) {
        let end = if self.panicked { End::Panic } else { end };
        self.end(end, clock);
    }

    /// Ends this layer's part. Only the first call has an effect.
    pub(super) fn end(&mut self, end: End, clock: Clock) {
        if mem::replace(&mut self.ended, true) {
            return;
        }
        // The log line reads the correlation ID from the current context.
        let _entered = self.enter();
        self.end_capture(end, clock);
        if self.owner {
            self.finish();
            self.context.release();
            drop(self.context.shared().take_span());
        }
    }

    fn end_capture(&mut self, end: End, clock: Clock) {
        let (Some(capture), Some(keeper)) = (&mut self.capture, &self.plan.keeper) else {
            return;
        };
        let (plan, context) = (&self.plan, &self.context);
        let caller = self.carried.caller().cloned();
        let how = (end, clock);
        let (ended, line) = capture.end(plan, keeper, context, how, self.bodiless, caller);
        if self.owner {
            self.finish();
        }
        let kept = keeper.finish(context, ended);
        if let Some(line) = line {
            foreign::run(|| line.write(self.traced.span(), context, keeper, kept));
        }
    }

    fn finish(&self) {
        if !self.context.mode().has(Mode::FINISHED) {
            self.context.raise(Mode::FINISHED);
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if !self.ended {
            let end = if self.bodiless && self.answered {
                End::Response
            } else {
                End::Abandoned
            };
            self.end_as(end, Clock::default());
        }
    }
}
