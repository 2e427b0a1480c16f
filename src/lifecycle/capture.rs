use super::{
    Plan,
    end::End,
    head::{content_lengths, lengths, uri},
    known_method,
    request_line::RequestLine,
    traced::Traced,
    watch::watch,
};
use crate::{
    context::RequestContext,
    exchange::{Direction, Failure, Outcome},
    foreign,
    keeper::{Ended, Keeper},
    levels,
    recorder::{Clock, Ending},
};
use http::{HeaderMap, StatusCode, header, request, response};
use std::time::Instant;

/// The state of a layer that captures, and so has a keeper in its plan, until the end.
#[derive(Debug)]
pub(super) struct Capture {
    in_flight: u64,
    /// As OpenTelemetry's conventions name it.
    method: &'static str,
    status: Option<StatusCode>,
    failure: Option<Failure>,
    /// The least and the greatest `content-length` of a response that has a body.
    lengths: Option<(u64, u64)>,
    /// When the next interim exchange is due.
    interim: Option<Instant>,
}

impl Capture {
    /// Captures a request that no other layer captures. `client` is its peer.
    pub(super) fn begin(
        plan: &Plan,
        context: &RequestContext,
        parts: &request::Parts,
        length: Option<u64>,
        client: u128,
    ) -> Option<Self> {
        let keeper = plan.keeper.as_ref().filter(|k| k.claim(context))?;
        // A call that forwards its caller's request has a target of its own.
        let uri = if plan.direction == Direction::Client {
            &parts.uri
        } else {
            let limit = keeper.settings().limits.recording;
            watch(context, client, limit, Some(keeper.events()));
            uri(parts)
        };
        let lengths = lengths(content_lengths(&parts.headers), length);
        Some(Self {
            in_flight: keeper.request(context, (plan.direction, client), parts, uri, lengths),
            method: known_method(&parts.method),
            status: None,
            failure: None,
            lengths: None,
            interim: None,
        })
    }

    /// Stores in the request what a replay of its events needs.
    pub(super) fn issue_ticket(plan: &Plan, context: &RequestContext, traced: &Traced) {
        if let Some(keeper) = &plan.keeper
            && levels::installed()
        {
            // This clones a span, which the subscriber sees.
            foreign::run(|| keeper.issue_ticket(context, || traced.or_current()));
        }
    }

    /// `length` is the length of the body, if the body states it. A `bodiless` response has no
    /// body by protocol.
    pub(super) fn response(
        &mut self,
        keeper: &Keeper,
        context: &RequestContext,
        parts: &response::Parts,
        length: Option<u64>,
        bodiless: bool,
    ) {
        self.status = Some(parts.status);
        let said = content_lengths(&parts.headers);
        self.failure = keeper.response(context, parts, lengths(said, length));
        let counts =
            said.is_some() && !bodiless && !parts.headers.contains_key(header::TRANSFER_ENCODING);
        self.lengths = said.filter(|_| counts);
    }

    pub(super) fn trailers(
        &mut self,
        keeper: &Keeper,
        context: &RequestContext,
        trailers: &HeaderMap,
    ) {
        let failure = keeper.trailers(context, trailers);
        if self.failure.is_none() {
            self.failure = failure;
        }
    }

    /// Returns how the request ended, and its line for the log. `caller` is the request that made
    /// a call.
    pub(super) fn end(
        &mut self,
        plan: &Plan,
        keeper: &Keeper,
        context: &RequestContext,
        (end, mut clock): (End, Clock),
        bodiless: bool,
        caller: Option<RequestContext>,
    ) -> (Ended, Option<RequestLine>) {
        let (seen, outcome) = self.end_response(keeper, context, (end, &mut clock), bodiless);
        let shared = context.shared();
        let (read, upload_broke) = {
            let mut tee = shared.captured.request_body();
            tee.end(Ending::Dropped, &mut clock);
            (tee.seen(), tee.is_broken())
        };
        let ended = Ended {
            outcome,
            status: self.status,
            duration: clock.now().saturating_duration_since(shared.began.at),
            in_flight: self.in_flight,
            direction: plan.direction,
            upload_broke,
            caller,
            last: false,
        };
        let line = || RequestLine::new(self.method, &ended, (read, seen));
        let line = plan.request_line.then(line);
        (ended, line)
    }

    /// Ends the response body; returns the bytes that passed, and the outcome.
    fn end_response(
        &mut self,
        keeper: &Keeper,
        context: &RequestContext,
        (end, clock): (End, &mut Clock),
        bodiless: bool,
    ) -> (u64, Outcome) {
        let (seen, complete, of_call, told) = {
            let mut tee = context.shared().captured.response_body();
            tee.end(end.of_body(), clock);
            let complete = tee.ending() == Some(&Ending::Complete);
            // The status of a call has arrived, whether or not the client waited for the end.
            let told = tee.status().is_some();
            (tee.seen(), complete, tee.is_of_call(), told)
        };
        if (of_call || self.lengths.is_some()) && !bodiless && self.failure.is_none() {
            let whole = matches!(end, End::Response);
            self.failure = keeper.response_end(context, self.lengths, whole);
        }
        (seen, self.outcome(context, end, complete, told))
    }

    /// `complete`: the whole body was sent. `told`: the status of a call was sent.
    fn outcome(
        &mut self,
        context: &RequestContext,
        end: End,
        complete: bool,
        told: bool,
    ) -> Outcome {
        match end {
            End::Response => match self.failure.take() {
                Some(failure) => Outcome::Failed { failure },
                None => Outcome::Completed,
            },
            End::BodyError(_) => Outcome::BodyError,
            End::ServiceError(text) => {
                context.shared().notes().error = Some(text);
                Outcome::Failed {
                    failure: Failure::ServiceError,
                }
            }
            End::Panic => Outcome::Panicked,
            // A client that leaves after hyper has the whole body does not leave early.
            End::Abandoned => match self.failure.take() {
                Some(failure) if complete || told => Outcome::Failed { failure },
                None if complete => Outcome::Completed,
                _ => Outcome::Abandoned,
            },
        }
    }

    /// Called when the request waits. Writes an interim exchange if one is due.
    pub(super) fn waits(&mut self, plan: &Plan, keeper: &Keeper, context: &RequestContext) {
        let Some(after) = keeper.settings().interim else {
            return;
        };
        let started = context.shared().began.at;
        // A time that cannot be represented never comes.
        let Some(due) = self.interim.or_else(|| started.checked_add(after)) else {
            return;
        };
        self.interim = Some(due);
        let now = Instant::now();
        if now < due {
            return;
        }
        let age = now.saturating_duration_since(started).max(after);
        self.interim = now.checked_add(age).or(Some(due));
        let ended = Ended {
            outcome: Outcome::Open,
            status: self.status,
            duration: age,
            in_flight: self.in_flight,
            direction: plan.direction,
            upload_broke: context.shared().captured.request_body().is_broken(),
            caller: None,
            last: false,
        };
        let failed = self.failure.is_some();
        keeper.interim(context, ended, failed);
    }
}
