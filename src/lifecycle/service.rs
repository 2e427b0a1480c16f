use super::{Observe, PanicResponse, Plan, RequestBody, ResponseBody, ResponseFuture, begin};
use crate::foreign;
use http::{Request, Response};
use http_body::Body;
use std::{
    fmt::Display,
    sync::Arc,
    task::{Context, Poll},
};
use tower_service::Service;

/// The service that every layer of this crate makes.
///
/// Readiness is the inner service's own. `P` says what becomes of a panic of
/// the inner service: [`Observe`] notes it and lets it go on,
/// [`ProblemJson`](super::ProblemJson) answers 500.
#[derive(Clone, Debug)]
pub struct Lifecycle<S, P = Observe> {
    inner: S,
    plan: Arc<Plan>,
    panics: P,
}

impl<S, P> Lifecycle<S, P> {
    pub(crate) fn new(inner: S, plan: Arc<Plan>, panics: P) -> Self {
        crate::recorder::find_literals();
        Self {
            inner,
            plan,
            panics,
        }
    }

    /// The wrapped service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The wrapped service.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The wrapped service.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, P, ReqBody, ResBody> Service<Request<ReqBody>> for Lifecycle<S, P>
where
    S: Service<Request<RequestBody<ReqBody>>, Response = Response<ResBody>>,
    S::Error: Display + 'static,
    P: PanicResponse<ResBody> + Clone,
    ReqBody: Body,
    ResBody: Body,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, P>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let (mut parts, body) = request.into_parts();
        let length = || foreign::run(|| body.size_hint().exact()).flatten();
        let length = self.plan.captures().then(length).flatten();
        let flight = begin::begin(&self.plan, &mut parts, length);
        let body = RequestBody::new(body, &flight);
        let mut request = Some(Request::from_parts(parts, body));
        let mut future = ResponseFuture::new(flight, self.panics.clone());
        future.call::<ResBody>(|| Some(self.inner.call(request.take()?)));
        future
    }
}
