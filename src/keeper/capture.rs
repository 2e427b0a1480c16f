//! Captures both heads and both bodies of a request, within options and limits.

use super::Keeper;
use crate::{
    context::{RequestContext, Route},
    exchange::{Direction, Failure},
    foreign, grpc,
    recorder::{
        CaptureOptions, EndFrame, Ending, Envelope, Framing, Holder, Lengths, StreamLimits,
        TeePlan, grpc_status,
    },
    redact::codings,
};
use http::{HeaderMap, Uri, header, request, response};
use std::{sync::atomic::Ordering::Relaxed, time::Instant};

impl Keeper {
    /// Copies the request head and starts the capture of the request body. `client`
    /// identifies the peer; zero if it is not known.
    pub(crate) fn request(
        &self,
        context: &RequestContext,
        (direction, client): (Direction, u128),
        head: &request::Parts,
        uri: &Uri,
        lengths: Lengths,
    ) -> u64 {
        self.waiting.relieve();
        let shared = context.shared();
        let options = self.options(head, uri, shared.began.route.as_ref());
        let limits = &self.settings.limits;
        let content_type = content_type(&head.headers);
        let head_limit = options.head_limit(limits.head);
        let mut plan = self.tee(&head.headers, content_type, lengths, client);
        plan.trailers_limit = head_limit;
        plan.limit = options.request_limit(limits.body, content_type);
        {
            let mut tee = shared.captured.request_body();
            if plan.limit < limits.body && plan.limit == 0 {
                tee.skip("options");
            }
            tee.begin(plan);
        }
        let call = grpc::Call::of(content_type, &head.headers);
        let names_method = call.is_some() && self.methods.knows(direction, uri);
        let mut heads = shared.captured.heads();
        heads.names_method = names_method;
        heads.is_call = call.is_some();
        heads.ends_with_status = call == Some(grpc::Call::Ends);
        heads.request.method = head.method.clone();
        heads.request.uri = uri.clone();
        heads.request.version = head.version;
        heads.request.fields.copy(&head.headers, head_limit);
        heads.client = client;
        if direction == Direction::Server {
            self.counters.note_peer(client != 0);
        }
        heads.limits = (limits.body, limits.head);
        heads.options = options;
        drop(heads);
        self.counters.in_flight.fetch_add(1, Relaxed) + 1
    }

    /// Copies the response head and starts the capture of the response body. If the
    /// classifier panics, the response is not a failure.
    pub(crate) fn response(
        &self,
        context: &RequestContext,
        head: &response::Parts,
        lengths: Lengths,
    ) -> Option<Failure> {
        self.waiting.relieve();
        let shared = context.shared();
        if let Some(options) = head.extensions.get::<CaptureOptions>() {
            context.restrict(options);
        }
        let limits = &self.settings.limits;
        let content_type = content_type(&head.headers);
        let (body, head_limit, asked_as_call, client) = {
            let mut heads = shared.captured.heads();
            let heads = &mut *heads;
            let head_limit = heads.options.head_limit(limits.head);
            heads.response.status = head.status;
            heads.response.version = head.version;
            heads.response.at = Some(Instant::now());
            heads.response.fields.copy(&head.headers, head_limit);
            let body = heads.options.response_limit(limits.body, content_type);
            let client = heads.client;
            (body, head_limit, heads.ends_with_status, client)
        };
        let mut plan = self.tee(&head.headers, content_type, lengths, client);
        plan.trailers_limit = head_limit;
        plan.limit = body;
        plan.end_frame = Envelope::of(content_type).map(|envelope| {
            let mut end_frame = EndFrame::new(envelope);
            if is_coded(&head.headers) {
                end_frame.give_up("coding");
            }
            Box::new(end_frame)
        });
        // A client that expects a gRPC status derives one from any response without one.
        plan.of_call = asked_as_call || grpc::is_call(content_type);
        if plan.of_call {
            plan.status = grpc_status(&head.headers);
        }
        {
            let mut tee = shared.captured.response_body();
            if body < limits.body && body == 0 {
                tee.skip("options");
            }
            tee.begin(plan);
        }
        let classify = self.settings.classify.get()?;
        foreign::run(|| classify.head(head.status, &head.headers)).flatten()
    }

    /// Classifies the trailers of a response whose head is not a failure.
    pub(crate) fn trailers(
        &self,
        context: &RequestContext,
        trailers: &HeaderMap,
    ) -> Option<Failure> {
        context.shared().captured.response_body().trailers(trailers);
        let classify = self.settings.classify.get()?;
        foreign::run(|| classify.trailers(trailers)).flatten()
    }

    /// Returns the failure that a response reports after its head, if the head is not one.
    /// `lengths` are the least and the greatest `content-length`; `whole` says that the
    /// service ended the body itself.
    pub(crate) fn response_end(
        &self,
        context: &RequestContext,
        lengths: Option<(u64, u64)>,
        whole: bool,
    ) -> Option<Failure> {
        let shared = context.shared();
        let (call_end, seen, complete, lacks_status) = {
            let mut tee = shared.captured.response_body();
            let complete = whole || tee.ending() == Some(&Ending::Complete);
            let call_end = tee.take_call_end();
            (call_end, tee.seen(), complete, whole && tee.lacks_status())
        };
        if let Some(fields) = call_end
            // Run no code of the service where a second panic would abort the process.
            && !std::thread::panicking()
            && let Some(classify) = self.settings.classify.get()
            && let Some(failure) = foreign::run(|| classify.trailers(&fields)).flatten()
        {
            return Some(failure);
        }
        // A server cuts a body that is too long, and then stops polling it.
        let wrong = |(least, most)| seen > least || complete && seen != most;
        if lengths.is_some_and(wrong) {
            return Some(Failure::BodyLength);
        }
        lacks_status.then_some(Failure::NoStatus)
    }

    /// Returns the options that apply before the request reaches the service.
    fn options(&self, head: &request::Parts, uri: &Uri, route: Option<&Route>) -> CaptureOptions {
        let mut options = self.settings.options.clone();
        for (pattern, of_path) in &self.settings.paths {
            let matches = |text: &str| match pattern.strip_suffix('*') {
                Some(start) => text.starts_with(start),
                None => text == pattern,
            };
            if matches(uri.path()) || route.is_some_and(|route| matches(route.as_str())) {
                options.add(of_path);
            }
        }
        if let Some(of_request) = head.extensions.get::<CaptureOptions>() {
            options.add(of_request);
        }
        options
    }

    fn tee(
        &self,
        headers: &HeaderMap,
        content_type: Option<&[u8]>,
        lengths: Lengths,
        client: u128,
    ) -> TeePlan {
        let limits = &self.settings.limits;
        let framing = Framing::of(content_type, || is_coded(headers));
        TeePlan {
            limit: limits.body,
            lengths,
            account: Some(self.bodies.account(Holder::of(client))),
            stream: framing.map(|framing| {
                let limits = StreamLimits {
                    items: limits.stream_items,
                    time: limits.stream_time,
                };
                (framing, limits)
            }),
            ..TeePlan::default()
        }
    }
}

/// Returns whether a content coding makes the body unreadable.
fn is_coded(headers: &HeaderMap) -> bool {
    let codings = headers.get_all(header::CONTENT_ENCODING);
    let mut codings = codings.iter();
    codings.any(|value| value.to_str().map_or(true, codings::is_coded))
}

fn content_type(headers: &HeaderMap) -> Option<&[u8]> {
    Some(headers.get(header::CONTENT_TYPE)?.as_bytes())
}
