use super::Ended;
use crate::{
    context::RequestContext,
    exchange::{Direction, Outcome},
};
use http::{Method, StatusCode, Uri};
use std::{borrow::Cow, fmt, time::Duration};

/// A request at its end, or at an interim exchange, as
/// [`keep_when`](crate::capture::CaptureLayerBuilder::keep_when) is asked about it.
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
    /// All is copied, so that nothing is locked while the service's code runs.
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

    /// Whether the service answered the request, or made it.
    #[must_use]
    pub fn direction(&self) -> Direction {
        self.ended.direction
    }

    /// How it ended; [`Outcome::Open`] where it still runs.
    #[must_use]
    pub fn outcome(&self) -> &Outcome {
        &self.ended.outcome
    }

    /// The status, where there was a response.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.ended.status
    }

    /// The gRPC status, from the trailers, of gRPC-Web and of streams of Connect from the
    /// last frame of the body, or, where there were none, the head.
    #[must_use]
    pub fn grpc_status(&self) -> Option<u16> {
        self.grpc_status
    }

    /// The first value of this header of the response, as far as heads are captured
    /// ([`Limits::head`](crate::capture::Limits::head), 8 KiB by default).
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

    /// From the request's arrival to its end.
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.ended.duration
    }

    /// From the request's arrival to the response head, where there was one.
    #[must_use]
    pub fn head_after(&self) -> Option<Duration> {
        self.head_after
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The path, without the query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.uri.path()
    }

    /// The route template, where the router told it.
    #[must_use]
    pub fn route(&self) -> Option<&str> {
        self.context.shared().route()
    }

    /// Requests in flight when it arrived, itself included.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        self.ended.in_flight
    }

    /// Bytes of the request body that passed by, captured or not.
    #[must_use]
    pub fn request_bytes(&self) -> u64 {
        self.request_bytes
    }

    /// Bytes of the response body that passed by, captured or not.
    #[must_use]
    pub fn response_bytes(&self) -> u64 {
        self.response_bytes
    }

    /// The request's context, such as for its correlation ID.
    #[must_use]
    pub fn context(&self) -> &RequestContext {
        self.context
    }
}

/// The service's own reason to keep a request.
pub(crate) trait KeepWhen: Send + Sync {
    fn why(&self, finished: &Finished<'_>) -> Option<Cow<'static, str>>;
}

/// A closure that answers with any text.
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
