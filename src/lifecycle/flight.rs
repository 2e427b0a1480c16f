use super::{Plan, ResponseBody, ResponseFuture, begin, carried::Carried, panic};
use crate::{
    context::{Entered, Mode, RequestContext},
    foreign::{self, Payload},
    recorder::{Clock, Said},
};
use http::{Response, StatusCode, response::Parts};
use http_body::Body;
use std::{
    fmt::Display,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Instant,
};
use tracing::Span;

#[cfg(feature = "kit")]
use super::request_line::RequestLine;
#[cfg(feature = "capture")]
use crate::{
    exchange::{Failure, Outcome},
    keeper::Ended,
    recorder::Ending,
};

/// One layer's part in a request that has begun and not ended. Its end is
/// noted once; dropped before that, the request was abandoned.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) context: RequestContext,
    pub(super) carried: Carried,
    pub(super) plan: Arc<Plan>,
    /// Whether this layer began the request, and so ends it.
    pub(super) owner: bool,
    pub(super) correlates: bool,
    pub(super) span: Span,
    /// Makes what happens in its span the request's, wherever that is.
    #[cfg(feature = "gate")]
    pub(super) _bound: Option<crate::context::Bound>,
    pub(super) connect: bool,
    /// Whether the answer has no body by protocol, whatever the service gave:
    /// a server then drops the body unread.
    pub(super) bodiless: bool,
    /// Whether there was a response head.
    pub(super) answered: bool,
    /// Whether the service panicked and the panic was answered.
    pub(super) panicked: bool,
    pub(super) ended: bool,
    #[cfg(feature = "capture")]
    pub(super) capture: Option<Capture>,
    /// What the response says of the selection.
    #[cfg(feature = "gate")]
    pub(super) verdict: Option<&'static str>,
}

/// How a request can end, before anybody judges it.
#[derive(Debug)]
pub(super) enum End {
    Response,
    BodyError(Said),
    ServiceError(Said),
    Panic,
    Abandoned,
}

/// What a layer that captures, and so has a keeper in its plan, knows until the end.
#[cfg(feature = "capture")]
#[derive(Debug)]
pub(super) struct Capture {
    in_flight: u64,
    /// As the conventions have it.
    #[cfg(feature = "kit")]
    method: &'static str,
    status: Option<StatusCode>,
    failure: Option<Failure>,
    /// The least and the most that `content-length` says of a body that there is.
    lengths: Option<(u64, u64)>,
    /// When the next interim exchange is due.
    interim: Option<Instant>,
}

#[cfg(feature = "capture")]
impl Capture {
    pub(super) fn new(in_flight: u64, method: &'static str) -> Self {
        #[cfg(not(feature = "kit"))]
        let _ = method;
        Self {
            in_flight,
            #[cfg(feature = "kit")]
            method,
            status: None,
            failure: None,
            lengths: None,
            interim: None,
        }
    }
}

impl Flight {
    /// Whether this layer captures the bodies.
    pub(super) fn captures(&self) -> bool {
        #[cfg(feature = "capture")]
        {
            self.capture.is_some()
        }
        #[cfg(not(feature = "capture"))]
        {
            false
        }
    }

    /// Runs code of the request with its context and span current. A panic is
    /// noted and handed back.
    pub(super) fn run<R>(&self, f: impl FnOnce() -> R) -> Result<R, Payload> {
        let _entered = self.enter();
        let _span = foreign::enter(&self.span);
        let result = catch_unwind(AssertUnwindSafe(f));
        if let Err(payload) = &result {
            panic::note(&self.context, payload.as_ref());
        }
        result
    }

    /// The same, of code that decides nothing: its panic is noted, and goes no further.
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

    /// Drops what is left of the service's in a place of its own. The end is noted
    /// where that panics, and the panic goes on.
    pub(super) fn dropping(&mut self, f: impl FnOnce()) {
        if let Err(payload) = self.run(f) {
            self.end(End::Panic, Clock::default());
            foreign::go_on(payload);
        }
    }

    pub(super) fn enter(&self) -> Option<Entered> {
        self.carried.enter(&self.context)
    }

    /// Takes the response head and wraps the body.
    pub(super) fn responded<B: Body>(mut self, response: Response<B>) -> Response<ResponseBody<B>> {
        let (mut parts, body) = response.into_parts();
        // Nobody else wants to know, and it is the service's code.
        let length = || foreign::run(|| body.size_hint().exact()).flatten();
        let length = self.captures().then(length).flatten();
        let over = self.head(&mut parts, length);
        Response::from_parts(parts, ResponseBody::new(body, self, over))
    }

    /// Takes the response head; whether the exchange ends with it. `length` is that of
    /// the body, where the body says it.
    fn head(&mut self, parts: &mut Parts, length: Option<u64>) -> bool {
        self.answered = true;
        if self.correlates
            && let Some(correlation) = &self.plan.correlation
        {
            if correlation.echo {
                correlation.say(self.context.correlation_id(), &mut parts.headers);
            }
            if correlation.server_timing {
                // The service may have timings of its own.
                let value = self.context.trace_context().server_timing();
                let _ = parts.headers.try_append("server-timing", value);
            }
        }
        #[cfg(feature = "gate")]
        if let Some(verdict) = self.verdict {
            let verdict = http::HeaderValue::from_static(verdict);
            let name = crate::selection::VERBOSE_HEADER;
            let _ = parts.headers.try_insert(name, verdict);
        }
        if !self.span.is_none() {
            let status = i64::from(parts.status.as_u16());
            foreign::run(|| self.span.record("http.response.status_code", status));
        }
        #[cfg(feature = "opentelemetry")]
        // Otherwise its end says more.
        if self.context.shared().captured_by() == 0
            && let Some(span) = self.context.shared().span()
        {
            foreign::run(|| span.answered(parts.status));
        }
        if self.captures() && self.is_answer(parts) {
            self.panicked = true;
        }
        #[cfg(feature = "capture")]
        if let (Some(capture), Some(keeper)) = (&mut self.capture, &self.plan.keeper) {
            capture.status = Some(parts.status);
            capture.lengths = begin::content_lengths(&parts.headers);
            let lengths = begin::lengths(capture.lengths, length);
            capture.failure = keeper.response(&self.context, parts, lengths);
        }
        #[cfg(not(feature = "capture"))]
        let _ = length;
        // It was upgraded.
        let over = parts.status == StatusCode::SWITCHING_PROTOCOLS
            || self.connect && parts.status.is_success();
        self.bodiless |= over
            || matches!(
                parts.status,
                StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
            );
        #[cfg(feature = "capture")]
        if let Some(capture) = &mut self.capture
            && capture.lengths.is_some()
            && (self.bodiless || parts.headers.contains_key(http::header::TRANSFER_ENCODING))
        {
            capture.lengths = None;
        }
        over
    }

    pub(super) fn service_error<E: Display + 'static>(mut self, error: &E) {
        // The error's text is code of the service, so its context is current.
        let text = self.ask(|| Said::of_error(error)).unwrap_or_default();
        self.end(End::ServiceError(text), Clock::default());
    }

    pub(super) fn panicked(mut self) {
        self.end(End::Panic, Clock::default());
    }

    #[cfg(feature = "capture")]
    pub(super) fn trailers(&mut self, trailers: &http::HeaderMap) {
        if let (Some(capture), Some(keeper)) = (&mut self.capture, &self.plan.keeper) {
            let failure = keeper.trailers(&self.context, trailers);
            if capture.failure.is_none() {
                capture.failure = failure;
            }
        }
    }

    /// Ends this layer's part as the body ended, in the light of a panic before it.
    pub(super) fn end_as(&mut self, end: End, clock: Clock) {
        self.end(self.judged(end), clock);
    }

    /// Ends this layer's part; only the first call does anything.
    pub(super) fn end(&mut self, end: End, clock: Clock) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        // The line in the log takes the correlation ID from it.
        let _entered = self.enter();
        #[cfg(feature = "capture")]
        self.end_capture(end, clock);
        #[cfg(not(feature = "capture"))]
        let _ = (end, clock);
        if self.owner && !self.context.mode().has(Mode::FINISHED) {
            self.context.raise(Mode::FINISHED);
        }
        #[cfg(feature = "gate")]
        if self.owner {
            self.context.release();
        }
        #[cfg(feature = "opentelemetry")]
        if self.owner {
            drop(self.context.shared().take_span());
        }
    }

    #[cfg(feature = "capture")]
    fn end_capture(&mut self, end: End, mut clock: Clock) {
        let (Some(capture), Some(keeper)) = (&mut self.capture, &self.plan.keeper) else {
            return;
        };
        let shared = self.context.shared();
        let ending = match &end {
            End::BodyError(text) => Ending::Error(text.clone()),
            End::Response => Ending::Complete,
            _ => Ending::Dropped,
        };
        let (response_bytes, complete, of_call, told) = {
            let mut tee = shared.response_body();
            tee.end(ending, &mut clock);
            let complete = tee.ending() == Some(&Ending::Complete);
            // What a call ends with came, whether the client waited for the end or not.
            let told = tee.status().is_some();
            (tee.seen(), complete, tee.is_of_call(), told)
        };
        if (of_call || capture.lengths.is_some()) && !self.bodiless && capture.failure.is_none() {
            let whole = matches!(end, End::Response);
            capture.failure = keeper.response_end(&self.context, capture.lengths, whole);
        }
        let (request_bytes, upload_broke) = {
            let mut tee = shared.request_body();
            tee.end(Ending::Dropped, &mut clock);
            (tee.seen(), tee.is_broken())
        };
        let outcome = match end {
            End::Response => match capture.failure.take() {
                Some(failure) => Outcome::Failed { failure },
                None => Outcome::Completed,
            },
            End::BodyError(_) => Outcome::BodyError,
            End::ServiceError(text) => {
                shared.notes().error = Some(text);
                Outcome::Failed {
                    failure: Failure::ServiceError,
                }
            }
            End::Panic => Outcome::Panicked,
            // A client that goes away after hyper has everything is not gone early.
            End::Abandoned => match capture.failure.take() {
                Some(failure) if complete || told => Outcome::Failed { failure },
                None if complete => Outcome::Completed,
                _ => Outcome::Abandoned,
            },
        };
        let ended = Ended {
            outcome,
            status: capture.status,
            duration: clock.now().saturating_duration_since(shared.started),
            in_flight: capture.in_flight,
            direction: self.plan.direction,
            upload_broke,
            caller: match &self.carried {
                Carried::Own => None,
                Carried::Caller(caller) => caller.clone(),
            },
            last: false,
        };
        #[cfg(feature = "kit")]
        let line = self
            .plan
            .request_line
            .then(|| RequestLine::new(capture.method, &ended, (request_bytes, response_bytes)));
        #[cfg(not(feature = "kit"))]
        let _ = (request_bytes, response_bytes);
        if self.owner {
            self.context.raise(Mode::FINISHED);
        }
        let kept = keeper.finish(&self.context, ended);
        #[cfg(feature = "kit")]
        if let Some(line) = line {
            foreign::run(|| line.write(&self.span, &self.context, keeper, kept));
        }
        #[cfg(not(feature = "kit"))]
        let _ = kept;
    }
}

#[cfg(feature = "capture")]
impl Flight {
    /// Called when the request waits: writes an interim exchange where that is due.
    pub(super) fn waits(&mut self) {
        let (Some(capture), Some(keeper)) = (&mut self.capture, &self.plan.keeper) else {
            return;
        };
        let Some(after) = keeper.settings().interim else {
            return;
        };
        let started = self.context.shared().started;
        // A time that there is not never comes.
        let Some(due) = capture.interim.or_else(|| started.checked_add(after)) else {
            return;
        };
        capture.interim = Some(due);
        let now = Instant::now();
        if now < due {
            return;
        }
        let age = now.saturating_duration_since(started).max(after);
        capture.interim = now.checked_add(age).or(Some(due));
        let ended = Ended {
            outcome: Outcome::Open,
            status: capture.status,
            duration: age,
            in_flight: capture.in_flight,
            direction: self.plan.direction,
            upload_broke: self.context.shared().request_body().is_broken(),
            caller: None,
            last: false,
        };
        let failed = capture.failure.is_some();
        keeper.interim(&self.context, ended, failed);
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
        if !self.span.is_none() {
            // With it the span may close, which is code of the layers.
            foreign::discard(std::mem::replace(&mut self.span, Span::none()));
        }
    }
}

impl<F, P> ResponseFuture<F, P> {
    pub(super) fn observe_panic(flight: Flight, payload: Payload) -> ! {
        flight.panicked();
        std::panic::resume_unwind(payload)
    }
}
