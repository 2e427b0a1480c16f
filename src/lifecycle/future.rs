use super::{PanicResponse, ResponseBody, end::End, flight::Flight, lent::Lent, response_body};
use crate::{foreign::Payload, recorder::Clock};
use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;
use std::{
    fmt::Display,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

pin_project! {
    /// The response future of all layers of this crate.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F, P> {
        // An option, so that the future can be dropped inside the context. It is also empty if
        // `call` panicked and the panic becomes a response.
        #[pin]
        inner: Option<F>,
        flight: Lent,
        panics: P,
    }

    impl<F, P> PinnedDrop for ResponseFuture<F, P> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Some(flight) = this.flight.get_mut() {
                flight.dropping(|| this.inner.set(None));
            }
        }
    }
}

impl<F, P> ResponseFuture<F, P> {
    pub(super) fn new(flight: Flight, panics: P) -> Self {
        Self {
            inner: None,
            flight: Lent::new(flight),
            panics,
        }
    }

    /// Calls the service with its request current. The closure stores the future in place, because
    /// values that `run` returns are copied several times.
    pub(super) fn call<B>(&mut self, mut call: impl FnMut() -> Option<F>)
    where
        P: PanicResponse<B>,
    {
        let (inner, flight) = (&mut self.inner, &self.flight);
        let run = flight.get().map(|flight| flight.run(|| *inner = call()));
        if let Some(Err(payload)) = run {
            self.panicked_in_call::<B>(payload);
        }
    }

    /// Notes the panic and propagates it. The span closes before that: the subscriber's layers may
    /// not expect the thread to unwind.
    fn observe_panic(mut lent: Lent, payload: Payload) -> ! {
        if let Some(flight) = lent.get_mut() {
            flight.end(End::Panic, Clock::default());
        }
        lent.end();
        std::panic::resume_unwind(payload)
    }

    #[cold]
    fn panicked_in_call<B>(&mut self, payload: Payload)
    where
        P: PanicResponse<B>,
    {
        let mut lent = self.flight.take();
        let Some(flight) = lent.get_mut() else {
            return;
        };
        let answers = flight.ask(|| self.panics.answers()) == Some(true);
        if !answers {
            Self::observe_panic(lent, payload);
        }
        flight.discard(payload);
        // This is known even if the response is never polled.
        flight.panicked = true;
        self.flight = lent;
    }
}

impl<F, P, B, E> Future for ResponseFuture<F, P>
where
    F: Future<Output = Result<Response<B>, E>>,
    P: PanicResponse<B>,
    B: Body,
    E: Display + 'static,
{
    type Output = Result<Response<ResponseBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let Some(flight) = this.flight.get() else {
            // Polled after completion.
            return Poll::Pending;
        };
        // Set in place, because values that `run` returns are copied.
        let mut polled = Poll::Ready(None);
        let run = flight.run(|| {
            if let Some(inner) = this.inner.as_mut().as_pin_mut() {
                polled = inner.poll(cx).map(Some);
            }
            if polled.is_ready() {
                // Dropped inside the context, like the rest of the request.
                this.inner.set(None);
            }
        });
        if run.is_ok() && polled.is_pending() {
            if let Some(flight) = this.flight.get_mut() {
                flight.waits();
            }
            return Poll::Pending;
        }
        let mut lent = this.flight.take();
        let Some(flight) = lent.get_mut() else {
            return Poll::Pending;
        };
        let payload = match run {
            Err(payload) => Some(payload),
            Ok(()) => match polled {
                Poll::Ready(Some(Ok(response))) => {
                    return Poll::Ready(Ok(response_body::responded(lent, response)));
                }
                Poll::Ready(Some(Err(error))) => {
                    flight.service_error(&error);
                    return Poll::Ready(Err(error));
                }
                // `call` panicked, which was noted there.
                Poll::Ready(None) | Poll::Pending => None,
            },
        };
        // The rest of the future is dropped inside the context, too. A second panic there belongs
        // to the first.
        flight.ask(|| this.inner.set(None));
        flight.discard(polled);
        let answer = flight.run(|| this.panics.respond(flight.context.correlation_id()));
        let payload = match (answer, payload) {
            (Ok(Some(response)), payload) => {
                // Before the response is made, which would leak if this panicked.
                flight.discard(payload);
                return Poll::Ready(Ok(response_body::answered_panic(lent, response)));
            }
            (Ok(None), Some(payload)) | (Err(payload), None) => payload,
            (Err(second), Some(payload)) => {
                flight.discard(second);
                payload
            }
            // The panic should have become a response, but none was made.
            (Ok(None), None) => Box::new("the service panicked"),
        };
        Self::observe_panic(lent, payload)
    }
}
