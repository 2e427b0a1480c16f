use super::{RequestContext, current};
use crate::foreign;
use pin_project_lite::pin_project;
use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};
use tracing::Span;

/// Carries the current request into futures that are polled elsewhere.
pub trait InRequestExt: Sized {
    /// Wraps the future so that the request that is current *now*, and the
    /// current span, are current whenever it is polled or dropped.
    ///
    /// Outside of a request the future runs as it is.
    fn in_request(self) -> InRequest<Self>;
}

impl<F: Future> InRequestExt for F {
    fn in_request(self) -> InRequest<Self> {
        InRequest {
            future: Some(self),
            context: current(),
            span: Span::current(),
        }
    }
}

/// Carries the current request, and the current span, into a closure that runs
/// on another thread.
pub fn in_request<R>(f: impl FnOnce() -> R) -> impl FnOnce() -> R {
    let (context, span) = (current(), Span::current());
    move || {
        let _entered = context.as_ref().map(RequestContext::enter);
        let _span = foreign::enter(&span);
        f()
    }
}

pin_project! {
    /// A future that runs in a request; made by
    /// [`in_request`](InRequestExt::in_request).
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct InRequest<F> {
        // An option, so that the future can be dropped inside the context.
        #[pin]
        future: Option<F>,
        context: Option<RequestContext>,
        span: Span,
    }

    impl<F> PinnedDrop for InRequest<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let _entered = this.context.as_ref().map(RequestContext::enter);
            let _span = foreign::enter(this.span);
            this.future.set(None);
        }
    }
}

impl<F: Future> Future for InRequest<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _entered = this.context.as_ref().map(RequestContext::enter);
        let _span = foreign::enter(this.span);
        match this.future.as_pin_mut() {
            Some(future) => future.poll(cx),
            // Emptied by drop only, and nobody polls after that.
            None => Poll::Pending,
        }
    }
}
