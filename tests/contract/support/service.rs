use super::{AnyBody, Broken, Script};
use bytes::Bytes;
use futures_util::task::noop_waker;
use http::{Request, Response};
use http_body::Body;
use std::{
    cell::RefCell,
    collections::VecDeque,
    fmt,
    future::{Future, ready},
    mem,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};
use tower_service::Service;

/// The error of the tests' services. Not `Clone`.
#[derive(Debug, PartialEq)]
pub(crate) struct Failure(pub(crate) Box<u32>);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        super::refuse(*self.0);
        write!(f, "failure number {}", self.0)
    }
}

impl std::error::Error for Failure {}

pub(crate) type Answer<B = Script> = Pin<Box<dyn Future<Output = Result<Response<B>, Failure>>>>;

/// A response that is ready at once.
pub(crate) fn answer(body: Script) -> Answer {
    Box::pin(ready(Ok(Response::new(body))))
}

/// What [`Probe`] returns from `poll_ready`.
#[derive(Debug)]
pub(crate) enum Readiness {
    Pending,
    Ready,
    Error(u32),
}

/// A service that panics if it is called without being readied. A clone is not readied.
#[derive(Clone)]
pub(crate) struct Probe {
    ready: Ready,
    readiness: Rc<RefCell<VecDeque<Readiness>>>,
    handler: Rc<dyn Fn(Request<AnyBody>) -> Answer>,
}

#[derive(Default)]
struct Ready(bool);

impl Clone for Ready {
    fn clone(&self) -> Self {
        Self(false)
    }
}

impl Probe {
    pub(crate) const UNREADIED: &str = "called without having been readied";

    pub(crate) fn new(handler: impl Fn(Request<AnyBody>) -> Answer + 'static) -> Self {
        Self {
            ready: Ready(false),
            readiness: Rc::default(),
            handler: Rc::new(handler),
        }
    }

    /// Responds with this body, which it makes anew for every request.
    pub(crate) fn answering(body: impl Fn() -> Script + 'static) -> Self {
        Self::new(move |_| answer(body()))
    }

    pub(crate) fn readiness(self, script: impl IntoIterator<Item = Readiness>) -> Self {
        self.readiness.borrow_mut().extend(script);
        self
    }
}

impl<B> Service<Request<B>> for Probe
where
    B: Body<Data = Bytes, Error = Broken> + 'static,
{
    type Response = Response<Script>;
    type Error = Failure;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        match self.readiness.borrow_mut().pop_front() {
            Some(Readiness::Pending) => Poll::Pending,
            Some(Readiness::Error(code)) => Poll::Ready(Err(Failure(Box::new(code)))),
            Some(Readiness::Ready) | None => {
                self.ready.0 = true;
                Poll::Ready(Ok(()))
            }
        }
    }

    fn call(&mut self, request: Request<B>) -> Answer {
        assert!(mem::take(&mut self.ready.0), "{}", Self::UNREADIED);
        (self.handler)(request.map(AnyBody::new))
    }
}

/// Any service of the tests behind one type.
pub(crate) trait Stack {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>>;
    fn call(&mut self, request: Request<AnyBody>) -> Answer<AnyBody>;
    fn duplicate(&self) -> Box<dyn Stack>;
}

impl<S, B> Stack for S
where
    S: Service<Request<AnyBody>, Response = Response<B>, Error = Failure> + Clone + 'static,
    S::Future: 'static,
    B: Body<Data = Bytes, Error = Broken> + 'static,
{
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Service::poll_ready(self, cx)
    }

    fn call(&mut self, request: Request<AnyBody>) -> Answer<AnyBody> {
        Box::pin(Boxed(Box::pin(Service::call(self, request))))
    }

    fn duplicate(&self) -> Box<dyn Stack> {
        Box::new(self.clone())
    }
}

/// The service's own future. Only the type of the body is erased.
struct Boxed<F>(Pin<Box<F>>);

impl<F, B> Future for Boxed<F>
where
    F: Future<Output = Result<Response<B>, Failure>>,
    B: Body<Data = Bytes, Error = Broken> + 'static,
{
    type Output = Result<Response<AnyBody>, Failure>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = self.0.as_mut().poll(cx);
        polled.map_ok(|response| response.map(AnyBody::new))
    }
}

/// A [`Stack`] as a service, for the next layer.
pub(crate) struct Erased(Box<dyn Stack>);

impl Erased {
    pub(crate) fn new(stack: impl Stack + 'static) -> Self {
        Self(Box::new(stack))
    }
}

impl Clone for Erased {
    fn clone(&self) -> Self {
        Self(self.0.duplicate())
    }
}

impl<B> Service<Request<B>> for Erased
where
    B: Body<Data = Bytes, Error = Broken> + 'static,
{
    type Response = Response<AnyBody>;
    type Error = Failure;
    type Future = Answer<AnyBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Answer<AnyBody> {
        self.0.call(request.map(AnyBody::new))
    }
}

/// Polls once, with a waker that wakes nothing.
pub(crate) fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    let waker = noop_waker();
    Pin::new(future).poll(&mut Context::from_waker(&waker))
}

/// Polls until it is ready, which must be soon.
#[track_caller]
pub(crate) fn resolve<F: Future + Unpin>(mut future: F) -> F::Output {
    for _ in 0..100 {
        if let Poll::Ready(output) = poll_once(&mut future) {
            return output;
        }
    }
    panic!("never ready")
}

/// Readies the service and calls it.
#[track_caller]
pub(crate) fn send(service: &mut Erased, request: Request<Script>) -> Answer<AnyBody> {
    let waker = noop_waker();
    let mut cx = Context::from_waker(&waker);
    let ready = service.0.poll_ready(&mut cx);
    assert_eq!(ready, Poll::Ready(Ok(())), "not ready");
    service.0.call(request.map(AnyBody::new))
}
