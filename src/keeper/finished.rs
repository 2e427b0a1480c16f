use super::Ended;
use crate::{
    context::RequestContext,
    exchange::{Direction, Outcome},
};
use http::{Method, StatusCode, Uri};
use std::{borrow::Cow, fmt, time::Duration};

/// A request at its end, or at an interim exchange: the argument of
/// [`keep_when`](crate::capture::CaptureLayerBuilder::keep_when)'s closure.
#[derive(Debug)]
pub struct Finished<'a> {
    context: &'a RequestContext,
    ended: &'a Ended,
    method: Method,
    uri: Uri,
    head_after: Option<Duration>,
    grpc_status: Option<u16>,
    request_bytes: u64,
    response_bytes: u64,
}

impl<'a> Finished<'a> {
    /// Copies everything, so that nothing is locked while the service's code runs.
    pub(super) fn new(context: &'a RequestContext, ended: &'a Ended) -> Self {
        let shared = context.shared();
        let (method, uri, head_after, in_head) = {
            let heads = shared.captured.heads();
            (
                heads.request.method.clone(),
                heads.request.uri.clone(),
                heads
                    .response
                    .at
                    .map(|at| at.saturating_duration_since(shared.began.at)),
                heads.response.fields.grpc_status(),
            )
        };
        let (of_call, response_bytes) = {
            let tee = shared.captured.response_body();
            (tee.status(), tee.seen())
        };
        Self {
            context,
            ended,
            method,
            uri,
            head_after,
            grpc_status: of_call.or(in_head),
            request_bytes: shared.captured.request_body().seen(),
            response_bytes,
        }
    }

    /// Returns whether the service received the request or made it.
    #[must_use]
    pub fn direction(&self) -> Direction {
        self.ended.direction
    }

    /// Returns how the request ended; [`Outcome::Open`] if it still runs.
    #[must_use]
    pub fn outcome(&self) -> &Outcome {
        &self.ended.outcome
    }

    /// Returns the status, if there was a response.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.ended.status
    }

    /// Returns the gRPC status: from the trailers, from the last frame of the body
    /// (gRPC-Web, Connect streams), or else from the head.
    #[must_use]
    pub fn grpc_status(&self) -> Option<u16> {
        self.grpc_status
    }

    /// Returns the first value of this response header, if it is within the captured part
    /// of the head ([`Limits::head`](crate::capture::Limits::head), 8 KiB by default).
    ///
    /// ```
    /// # use dashcam::capture::CaptureLayer;
    /// let capture = CaptureLayer::builder("orders", "1.0.0")
    ///     .keep_when(|request| request.response_header("x-fallback").map(|_| "fallback"));
    /// # let _ = capture;
    /// ```
    #[must_use]
    pub fn response_header(&self, name: &str) -> Option<String> {
        let heads = self.context.shared().captured.heads();
        heads.response.fields.text(name).map(str::to_owned)
    }

    /// Returns the time from the request's arrival to its end.
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.ended.duration
    }

    /// Returns the time from the request's arrival to the response head, if there was one.
    #[must_use]
    pub fn head_after(&self) -> Option<Duration> {
        self.head_after
    }

    /// Returns the method.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Returns the path, without the query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.uri.path()
    }

    /// Returns the route template, if the router provides it.
    #[must_use]
    pub fn route(&self) -> Option<&str> {
        self.context.shared().route()
    }

    /// Returns how many requests were in flight when it arrived, including itself.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        self.ended.in_flight
    }

    /// Returns how many bytes of the request body passed, captured or not.
    #[must_use]
    pub fn request_bytes(&self) -> u64 {
        self.request_bytes
    }

    /// Returns how many bytes of the response body passed, captured or not.
    #[must_use]
    pub fn response_bytes(&self) -> u64 {
        self.response_bytes
    }

    /// Returns the request's context, which has its correlation ID.
    #[must_use]
    pub fn context(&self) -> &RequestContext {
        self.context
    }
}

/// The service's own reason to keep a request, if any.
pub(crate) trait KeepWhen: Send + Sync {
    fn why(&self, finished: &Finished<'_>) -> Option<Cow<'static, str>>;
}

/// A closure that returns any text.
pub(super) struct Asked<F>(pub(super) F);

impl<F, R> KeepWhen for Asked<F>
where
    F: Fn(&Finished<'_>) -> Option<R> + Send + Sync,
    R: Into<Cow<'static, str>>,
{
    fn why(&self, finished: &Finished<'_>) -> Option<Cow<'static, str>> {
        (self.0)(finished).map(Into::into)
    }
}

impl fmt::Debug for dyn KeepWhen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeepWhen")
    }
}
