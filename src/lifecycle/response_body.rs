use super::{
    end::End,
    flight::Flight,
    frames::{self, Polled},
    lent::Lent,
    panicked,
};
use crate::{
    context::RequestContext,
    foreign,
    recorder::{Clock, Said},
};
use bytes::Bytes;
use http::Response;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::{
    fmt::Display,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    task::{Context, Poll},
};

pin_project! {
    /// The response body that the client receives: the frames of the service's body, unchanged.
    /// The request's context is current whenever it is polled.
    #[derive(Debug)]
    pub struct ResponseBody<B> {
        // An option, so that the body can be dropped inside the context.
        #[pin]
        inner: Option<B>,
        // `None` for a body that does not belong to a response yet.
        context: Option<RequestContext>,
        // Empty once the end was seen.
        flight: Lent,
    }

    impl<B> PinnedDrop for ResponseBody<B> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let _entered = this.context.as_ref().map(RequestContext::enter);
            if let Some(flight) = this.flight.get_mut() {
                flight.dropping(|| this.inner.set(None));
            } else if let Err(payload) = catch_unwind(AssertUnwindSafe(|| this.inner.set(None))) {
                foreign::go_on(payload);
            }
        }
    }
}

impl<B: Body> ResponseBody<B> {
    /// If `over`, the exchange ends here, whatever the body does.
    pub(super) fn new(inner: B, mut flight: Lent, over: bool) -> Self {
        let over = over || foreign::run(|| inner.is_end_stream()) == Some(true);
        let mut context = None;
        if let Some(flight) = flight.get_mut() {
            if over {
                flight.end_as(End::Response, Clock::default());
            }
            context = flight.carried.context(&flight.context).cloned();
        }
        if over {
            flight.end();
        }
        Self {
            context,
            flight,
            inner: Some(inner),
        }
    }
}

/// For a response that an outer layer makes, such as the one to a panic.
impl<B: From<Bytes>> From<Bytes> for ResponseBody<B> {
    fn from(bytes: Bytes) -> Self {
        Self {
            inner: Some(B::from(bytes)),
            context: None,
            flight: Lent::default(),
        }
    }
}

/// For a response that an outer layer makes, such as that of a timeout.
impl<B: Default> Default for ResponseBody<B> {
    fn default() -> Self {
        Self {
            inner: Some(B::default()),
            context: None,
            flight: Lent::default(),
        }
    }
}

impl<B> Body for ResponseBody<B>
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
        let Some(inner) = this.inner.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        let Some(flight) = this.flight.get_mut() else {
            let _entered = this.context.as_ref().map(RequestContext::enter);
            return inner.poll_frame(cx);
        };
        let entered = flight.enter();
        // Set in place, because values that `run` returns are copied.
        let mut polled = Poll::Pending;
        if let Err(payload) = flight.run(|| polled = inner.poll_frame(cx)) {
            flight.end_as(End::Panic, Clock::default());
            drop(entered);
            this.flight.end();
            resume_unwind(payload);
        }
        let mut clock = Clock::default();
        flight.saw(&polled, &mut clock);
        let over = match &polled {
            Poll::Ready(Some(Err(error))) => {
                let text = flight.ask(|| Said::of_error(error)).unwrap_or_default();
                Some(End::BodyError(text))
            }
            _ => {
                frames::is_last(&polled, this.inner.as_ref().as_pin_ref()).then_some(End::Response)
            }
        };
        if let Some(over) = over {
            flight.end_as(over, clock);
            // What is dropped with the flight, such as the span, runs outside the request.
            drop(entered);
            this.flight.end();
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

/// Takes the response head and wraps the body.
pub(super) fn responded<B: Body>(
    mut lent: Lent,
    response: Response<B>,
) -> Response<ResponseBody<B>> {
    let (mut parts, body) = response.into_parts();
    let mut over = false;
    if let Some(flight) = lent.get_mut() {
        // Called only for a layer that captures, because it is the service's code.
        let length = || foreign::run(|| body.size_hint().exact()).flatten();
        let length = flight.captures().then(length).flatten();
        over = flight.head(&mut parts, length);
    }
    Response::from_parts(parts, ResponseBody::new(body, lent, over))
}

/// Ends a request whose panic became a response. The response is sent like any other, but the
/// outcome stays a panic.
pub(super) fn answered_panic<B: Body>(
    mut lent: Lent,
    mut response: Response<B>,
) -> Response<ResponseBody<B>> {
    if let Some(flight) = lent.get_mut() {
        flight.panicked = true;
        if !flight.captures() {
            // An outer layer may capture the same request.
            panicked::mark(&flight.context, &mut response);
        }
        // The body contains nothing that the exchange does not have already.
        let captured = &flight.context.shared().captured;
        captured.response_body().skip("answer_to_panic");
    }
    responded(lent, response)
}

impl Flight {
    /// Notes the frame that passed.
    fn saw<D: bytes::Buf + 'static, E>(&mut self, polled: &Polled<D, E>, clock: &mut Clock) {
        if self.capture.is_none() {
            return;
        }
        let tee = self.context.shared().captured.response_body();
        frames::note(tee, polled, clock);
        if polled.is_pending() {
            self.waits();
        } else if let Poll::Ready(Some(Ok(frame))) = polled
            && let Some(trailers) = frame.trailers_ref()
        {
            self.trailers(trailers);
        }
    }
}
