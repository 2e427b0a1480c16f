use super::{carried::Carried, flight::Flight};
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
            let at_end = this
                .inner
                .as_ref()
                .as_pin_ref()
                .is_none_or(|body| foreign::run(|| body.is_end_stream()) == Some(true));
            let shared = this.context.shared();
            // Dropped after the lock, because it is foreign code.
            let _let_go;
            let mut tee = shared.captured.request_body();
            tee.polled();
            let clock = &mut Clock::default();
            match &polled {
                Poll::Pending => {}
                Poll::Ready(None) => tee.end(Ending::Complete, clock),
                Poll::Ready(Some(Err(error))) => {
                    drop(tee);
                    // The service might never read the error.
                    let text = foreign::run(|| Said::of_error(error));
                    let ending = Ending::Error(text.unwrap_or_default());
                    shared.captured.request_body().end(ending, clock);
                }
                Poll::Ready(Some(Ok(frame))) => {
                    if let Some(data) = frame.data_ref() {
                        _let_go = tee.data(data, clock);
                    } else if let Some(trailers) = frame.trailers_ref() {
                        tee.trailers(trailers);
                        tee.end(Ending::Complete, clock);
                    }
                    if at_end {
                        tee.end(Ending::Complete, clock);
                    }
                }
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
