use super::{carried::Carried, flight::Flight, frames};
use crate::{
    context::RequestContext,
    foreign,
    recorder::{Clock, Ending, Said},
};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::{
    fmt::Display,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
};

pin_project! {
    /// The request body that the service receives: the frames of the client's body, unchanged. The
    /// request's context is current whenever it is polled.
    #[derive(Debug)]
    pub struct RequestBody<B> {
        // An option, so that the body can be dropped inside the context.
        #[pin]
        inner: Option<B>,
        context: RequestContext,
        carried: Carried,
        captured: bool,
    }

    impl<B> PinnedDrop for RequestBody<B> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let _entered = this.carried.enter(this.context);
            let dropped = catch_unwind(AssertUnwindSafe(|| this.inner.set(None)));
            if *this.captured {
                this.context.shared().captured.request_body().end(Ending::Dropped, &mut Clock::default());
            }
            if let Err(payload) = dropped {
                foreign::go_on(payload);
            }
        }
    }
}

impl<B: Body> RequestBody<B> {
    pub(super) fn new(inner: B, flight: &Flight) -> Self {
        let captured = flight.captures();
        if captured && foreign::run(|| inner.is_end_stream()) == Some(true) {
            let shared = flight.context.shared();
            let clock = &mut Clock::at(shared.began.at);
            shared.captured.request_body().end(Ending::Complete, clock);
        }
        Self {
            inner: Some(inner),
            context: flight.context.clone(),
            carried: flight.carried.clone(),
            captured,
        }
    }
}

impl<B> Body for RequestBody<B>
where
    B: Body,
    B::Data: 'static,
    B::Error: Display + 'static,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let _entered = this.carried.enter(this.context);
        let Some(inner) = this.inner.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        let polled = inner.poll_frame(cx);
        if *this.captured {
            // Called before the lock is taken, because it is foreign code.
            let last = frames::is_last(&polled, this.inner.as_ref().as_pin_ref());
            let shared = this.context.shared();
            let clock = &mut Clock::default();
            frames::note(shared.captured.request_body(), &polled, clock);
            let ending = match &polled {
                // The service might never read the error's text.
                Poll::Ready(Some(Err(error))) => {
                    let text = foreign::run(|| Said::of_error(error));
                    Some(Ending::Error(text.unwrap_or_default()))
                }
                _ => last.then_some(Ending::Complete),
            };
            if let Some(ending) = ending {
                let mut tee = shared.captured.request_body();
                if let Poll::Ready(Some(Ok(frame))) = &polled
                    && let Some(trailers) = frame.trailers_ref()
                {
                    tee.trailers(trailers);
                }
                tee.end(ending, clock);
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}
