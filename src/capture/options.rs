use crate::{context::RequestContext, recorder::CaptureOptions};
use http::Request;
use std::task::{Context, Poll};
use tower_layer::Layer;
use tower_service::Service;

impl<S> Layer<S> for CaptureOptions {
    type Service = WithCaptureOptions<S>;

    fn layer(&self, inner: S) -> Self::Service {
        WithCaptureOptions {
            inner,
            options: self.clone(),
        }
    }
}

/// The service of [`CaptureOptions`] used as a layer.
#[derive(Clone, Debug)]
pub struct WithCaptureOptions<S> {
    inner: S,
    options: CaptureOptions,
}

impl<S, B> Service<Request<B>> for WithCaptureOptions<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let extensions = request.extensions_mut();
        let known = extensions
            .get::<RequestContext>()
            .is_some_and(|context| context.restrict(&self.options));
        if !known {
            // The capture layer is further in.
            let options = extensions.get_or_insert_default::<CaptureOptions>();
            options.add(&self.options);
        }
        self.inner.call(request)
    }
}
