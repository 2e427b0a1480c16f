use super::{RequestContext, current};
use crate::foreign;
use pin_project_lite::pin_project;
use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};
use tracing::Span;

/// Extension trait for futures that are polled elsewhere, such as in a spawned task.
pub trait InRequestExt: Future + Sized {
    /// Wraps the future: the request and the span that are current *now* are current
    /// whenever it is polled or dropped.
    ///
    /// Outside of a request only the span is carried.
    fn in_request(self) -> impl Future<Output = Self::Output>;
}

impl<F: Future> InRequestExt for F {
    fn in_request(self) -> impl Future<Output = F::Output> {
        InRequest {
            future: Some(self),
            context: current(),
            span: Span::current(),
        }
    }
}

/// Wraps a closure that runs on another thread: the request and the span that are current
/// *now* are current while it runs.
pub fn in_request<R>(f: impl FnOnce() -> R) -> impl FnOnce() -> R {
    let (context, span) = (current(), Span::current());
    move || {
        let _entered = context.as_ref().map(RequestContext::enter);
        let _span = foreign::enter(&span);
        f()
    }
}

pin_project! {
    struct InRequest<F> {
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
            // Only drop empties it, and no poll follows.
            None => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compiles only if the wrapper keeps the future's auto traits.
    fn spawnable<F>(future: F) -> impl Future<Output = F::Output> + Send + 'static
    where
        F: Future + Send + 'static,
    {
        future.in_request()
    }

    #[test]
    fn a_generic_future_can_still_be_spawned() {
        let mut future = std::pin::pin!(spawnable(std::future::ready(7)));
        let mut cx = Context::from_waker(std::task::Waker::noop());
        assert_eq!(future.as_mut().poll(&mut cx), Poll::Ready(7));
    }
}
