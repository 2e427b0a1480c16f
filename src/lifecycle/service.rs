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

/// The service under all layers. Readiness is that of the inner service. `P` handles a panic of
/// it.
#[derive(Clone, Debug)]
pub(crate) struct Lifecycle<S, P = Observe> {
    pub(crate) inner: S,
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

/// Defines the service of one layer under a name of its own, which appears in compiler errors.
macro_rules! layer_service {
    ($(#[$doc:meta])* $name:ident<S $(, $panics:ident)?>) => {
        $(#[$doc])*
        ///
        /// The error type, every frame, trailer and error of both bodies, and readiness
        /// are the inner service's own.
        #[derive(Clone, Debug)]
        pub struct $name<S $(, $panics)?>(
            $crate::lifecycle::Lifecycle<S $(, $panics)?>
        );

        impl<S $(, $panics)?> $name<S $(, $panics)?> {
            /// Returns a reference to the wrapped service.
            pub fn get_ref(&self) -> &S {
                &self.0.inner
            }

            /// Returns a mutable reference to the wrapped service.
            pub fn get_mut(&mut self) -> &mut S {
                &mut self.0.inner
            }

            /// Returns the wrapped service.
            pub fn into_inner(self) -> S {
                self.0.inner
            }
        }

        impl<S, $($panics,)? ReqBody, ResBody> ::tower_service::Service<::http::Request<ReqBody>>
            for $name<S $(, $panics)?>
        where
            S: ::tower_service::Service<
                ::http::Request<$crate::lifecycle::RequestBody<ReqBody>>,
                Response = ::http::Response<ResBody>,
            >,
            S::Error: ::std::fmt::Display + 'static,
            $($panics: $crate::lifecycle::PanicResponse<ResBody> + Clone,)?
            ReqBody: ::http_body::Body,
            ResBody: ::http_body::Body,
        {
            type Response = ::http::Response<$crate::lifecycle::ResponseBody<ResBody>>;
            type Error = S::Error;
            type Future = $crate::lifecycle::service_future!(S $(, $panics)?);

            fn poll_ready(
                &mut self,
                cx: &mut ::std::task::Context<'_>,
            ) -> ::std::task::Poll<Result<(), Self::Error>> {
                self.0.poll_ready(cx)
            }

            fn call(&mut self, request: ::http::Request<ReqBody>) -> Self::Future {
                self.0.call(request)
            }
        }
    };
}

/// Defines the future of such a service. It observes panics unless the service handles them.
macro_rules! service_future {
    ($service:ident) => {
        $crate::lifecycle::service_future!($service, $crate::lifecycle::Observe)
    };
    ($service:ident, $panics:ty) => {
        $crate::lifecycle::ResponseFuture<$service::Future, $panics>
    };
}

pub(crate) use layer_service;
pub(crate) use service_future;
