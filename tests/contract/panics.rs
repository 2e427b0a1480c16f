//! Code of the service panics where dashcam runs or drops it: the response is sent, the exchange
//! is written, nothing stays in flight, and nothing leaks.

use bytes::{Buf, Bytes};
use dashcam::{
    correlation::{CorrelationId, CorrelationIdLayer},
    exchange::{BodyState, Exchange, Outcome},
    kit::DashcamBuilder,
    testing::TestDashcam,
};
use futures_util::task::noop_waker;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use std::{
    any::Any,
    cell::Cell,
    collections::VecDeque,
    convert::Infallible,
    fmt,
    future::{Future, poll_fn, ready},
    io::IoSlice,
    panic::{AssertUnwindSafe, catch_unwind, panic_any},
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};
use tower_layer::Layer;
use tower_service::Service;

/// Panics when it is dropped, and leaves another one behind, this many times. It holds a
/// reference, which shows whether it leaks.
struct Bomb(u32, Arc<()>);

impl Drop for Bomb {
    fn drop(&mut self) {
        if let Some(left) = self.0.checked_sub(1) {
            panic_any(Self(left, Arc::clone(&self.1)));
        }
    }
}

/// A panic whose payload panics three times when it is dropped.
fn explode(held: &Arc<()>) -> ! {
    panic_any(Bomb(3, Arc::clone(held)))
}

/// Where a body, a buffer, an error or a future panics.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum At {
    Nowhere,
    SizeHint,
    IsEnd,
    Drop,
    Remaining,
    Chunks,
    Display,
}

struct Wild {
    at: At,
    held: Arc<()>,
    steps: VecDeque<Result<Bytes, Self>>,
}

impl Wild {
    fn new(at: At, held: &Arc<()>) -> Self {
        let held = Arc::clone(held);
        let steps = VecDeque::new();
        Self { at, held, steps }
    }

    fn with(mut self, step: Result<Bytes, Self>) -> Self {
        self.steps.push_back(step);
        self
    }

    fn at(&self, place: At) {
        if self.at == place {
            explode(&self.held);
        }
    }
}

impl Drop for Wild {
    fn drop(&mut self) {
        self.at(At::Drop);
    }
}

impl fmt::Display for Wild {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.at(At::Display);
        f.write_str("wild")
    }
}

thread_local! {
    static UNMADE: Cell<bool> = const { Cell::new(false) };
}

impl From<Bytes> for Wild {
    fn from(bytes: Bytes) -> Self {
        assert!(!UNMADE.get(), "no body of bytes");
        Self::new(At::Nowhere, &Arc::new(())).with(Ok(bytes))
    }
}

/// A buffer of the service's own type.
struct Data(Bytes, At, Arc<()>);

impl Buf for Data {
    fn remaining(&self) -> usize {
        if self.1 == At::Remaining {
            explode(&self.2);
        }
        self.0.len()
    }

    fn chunk(&self) -> &[u8] {
        &self.0
    }

    fn advance(&mut self, n: usize) {
        self.0.advance(n);
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        if self.1 == At::Chunks {
            explode(&self.2);
        }
        slices[0] = IoSlice::new(&self.0);
        1
    }
}

impl Body for Wild {
    type Data = Data;
    type Error = Self;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Data>, Self>>> {
        let (at, held) = (self.at, Arc::clone(&self.held));
        let step = self.steps.pop_front();
        Poll::Ready(step.map(|step| step.map(|bytes| Frame::data(Data(bytes, at, held)))))
    }

    fn is_end_stream(&self) -> bool {
        self.at(At::IsEnd);
        false
    }

    fn size_hint(&self) -> SizeHint {
        self.at(At::SizeHint);
        SizeHint::new()
    }
}

type Answer = Pin<Box<dyn Future<Output = Result<Response<Wild>, Wild>>>>;

/// A service of one closure.
#[derive(Clone)]
struct Handler<F>(F);

impl<F, B> Service<Request<B>> for Handler<F>
where
    F: Fn(Request<B>) -> Answer,
{
    type Response = Response<Wild>;
    type Error = Wild;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Wild>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Answer {
        (self.0)(request)
    }
}

fn answer(body: Wild) -> Answer {
    Box::pin(ready(Ok(Response::new(body))))
}

fn polled<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(&noop_waker()))
}

/// What a reader gets of the body.
fn read<B: Body + Unpin>(body: &mut B) -> Vec<Result<usize, B::Error>>
where
    B::Data: Into<Seen>,
{
    let mut read = Vec::new();
    let waker = noop_waker();
    let mut cx = Context::from_waker(&waker);
    while let Poll::Ready(Some(frame)) = Pin::new(&mut *body).poll_frame(&mut cx) {
        let ends = frame.is_err();
        read.push(frame.map(|frame| {
            let seen: Seen = frame.into_data().ok().unwrap().into();
            seen.0
        }));
        if ends {
            break;
        }
    }
    read
}

/// The length of a buffer, without calls that may panic.
struct Seen(usize);

impl From<Data> for Seen {
    fn from(data: Data) -> Self {
        Self(data.0.len())
    }
}

/// Keeps all exchanges.
fn all(change: impl FnOnce(DashcamBuilder) -> DashcamBuilder) -> TestDashcam {
    TestDashcam::with(|builder| change(builder.baseline(1.0)))
}

/// Returns the one exchange, after which nothing is in flight and nothing leaked.
#[track_caller]
fn only(dashcam: &TestDashcam, held: &Arc<()>) -> Exchange {
    let only = dashcam.only();
    let status = dashcam.status();
    assert_eq!((status.in_flight, status.finished), (0, 1));
    assert_eq!(Arc::strong_count(held), 1, "it leaks");
    only
}

/// Sends one request to a service behind the layer. Returns its status, once it is read.
#[track_caller]
fn send<F>(dashcam: &TestDashcam, body: Wild, handler: F) -> StatusCode
where
    F: Fn(Request<dashcam::lifecycle::RequestBody<Wild>>) -> Answer + Clone,
{
    let mut service = dashcam.layer().layer(Handler(handler));
    let mut future = service.call(Request::new(body));
    let Poll::Ready(Ok(response)) = polled(&mut future) else {
        panic!("no response");
    };
    let (parts, mut body) = response.into_parts();
    let read = read(&mut body);
    assert!(read.iter().all(Result::is_ok));
    parts.status
}

fn quiet(held: &Arc<()>) -> Wild {
    Wild::new(At::Nowhere, held)
}

#[test]
fn a_payload_that_panics_as_it_is_dropped_is_answered() {
    let held = Arc::new(());
    let of = Arc::clone(&held);
    let dashcam = all(|b| b);
    let in_call = send(&dashcam, quiet(&held), move |_| explode(&of));
    assert_eq!(in_call, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(only(&dashcam, &held).outcome, Outcome::Panicked);

    let dashcam = all(|b| b);
    let of = Arc::clone(&held);
    let in_future = send(&dashcam, quiet(&held), move |_| {
        let of = Arc::clone(&of);
        Box::pin(poll_fn(move |_| explode(&of)))
    });
    assert_eq!(in_future, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(only(&dashcam, &held).outcome, Outcome::Panicked);
}

#[test]
fn a_payload_that_never_ends_is_forgotten_and_counted() {
    let dashcam = all(|b| b);
    let leaked = dashcam.status().leaked_payloads;
    let status = send(&dashcam, quiet(&Arc::new(())), |_| {
        panic_any(Bomb(u32::MAX, Arc::new(())))
    });
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(dashcam.only().outcome, Outcome::Panicked);
    let status = dashcam.status();
    assert_eq!(status.in_flight, 0);
    assert!(status.leaked_payloads > leaked && status.caught_panics > 0);
}

#[test]
fn a_panic_that_goes_on_has_its_own_payload() {
    let held = Arc::new(());
    let of = Arc::clone(&held);
    let dashcam = all(|b| b);
    let mut service = dashcam
        .layer()
        .propagate_panics()
        .layer(Handler(move |_: Request<_>| -> Answer { explode(&of) }));
    let caught = catch_unwind(AssertUnwindSafe(|| {
        service.call(Request::new(quiet(&held)))
    }));
    let payload = caught.err().expect("it propagates");
    assert_eq!(payload.downcast_ref::<Bomb>().unwrap().0, 3);
    defuse(payload);
    drop(service);
    assert_eq!(only(&dashcam, &held).outcome, Outcome::Panicked);
}

/// Notes for each span that closes whether the thread unwinds.
struct Closes(Arc<Mutex<Vec<bool>>>);

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Closes {
    fn on_close(&self, _: tracing::Id, _: tracing_subscriber::layer::Context<'_, S>) {
        self.0.lock().unwrap().push(std::thread::panicking());
    }
}

#[test]
fn the_span_closes_before_a_panic_goes_on() {
    use tracing_subscriber::layer::SubscriberExt;
    for in_call in [true, false] {
        let closes = Arc::default();
        let layer = Closes(Arc::clone(&closes));
        let _subscriber =
            tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));
        let held = Arc::new(());
        let of = Arc::clone(&held);
        let mut service =
            all(|b| b)
                .layer()
                .propagate_panics()
                .layer(Handler(move |_: Request<_>| -> Answer {
                    if in_call {
                        explode(&of);
                    }
                    let of = Arc::clone(&of);
                    Box::pin(poll_fn(move |_| explode(&of)))
                }));
        let caught = catch_unwind(AssertUnwindSafe(|| {
            polled(&mut service.call(Request::new(quiet(&held)))).is_ready()
        }));
        defuse(caught.expect_err("it goes on"));
        assert_eq!(*closes.lock().unwrap(), [false], "in call: {in_call}");
    }
}

fn defuse(mut payload: Box<dyn Any + Send>) {
    payload.downcast_mut::<Bomb>().unwrap().0 = 0;
}

#[test]
fn where_the_answer_cannot_be_made_the_panic_goes_on() {
    for in_call in [true, false] {
        let held = Arc::new(());
        let dashcam = all(|b| b);
        let of = Arc::clone(&held);
        let mut service = dashcam
            .layer()
            .layer(Handler(move |_: Request<_>| -> Answer {
                if in_call {
                    explode(&of);
                }
                let of = Arc::clone(&of);
                Box::pin(poll_fn(move |_| explode(&of)))
            }));
        UNMADE.set(true);
        let caught = catch_unwind(AssertUnwindSafe(|| {
            polled(&mut service.call(Request::new(quiet(&held)))).is_ready()
        }));
        UNMADE.set(false);
        let payload = caught.expect_err("it goes on");
        // The panic of `call` is gone by then, and that of the response propagates.
        assert_eq!(payload.is::<Bomb>(), !in_call);
        if !in_call {
            defuse(payload);
        }
        drop(service);
        assert_eq!(only(&dashcam, &held).outcome, Outcome::Panicked);
    }
}

#[test]
fn facts_may_panic_where_they_are_stated() {
    let held = Arc::new(());
    let of = Arc::clone(&held);
    let dashcam = all(|b| b);
    let status = send(&dashcam, quiet(&held), move |_| {
        let request = dashcam::current().unwrap();
        request.fact("wild", Wild::new(At::Display, &of));
        answer(quiet(&of))
    });
    assert_eq!(status, StatusCode::OK);
    assert!(only(&dashcam, &held).facts.contains_key("wild"));
}

#[test]
fn what_is_left_of_the_service_may_panic_as_it_is_dropped() {
    // The future, when it is abandoned.
    let held = Arc::new(());
    let dashcam = all(|b| b);
    let of = Arc::clone(&held);
    let mut service = dashcam
        .layer()
        .layer(Handler(move |_: Request<_>| -> Answer {
            let left = Wild::new(At::Drop, &of);
            Box::pin(poll_fn(move |_| {
                let _ = &left;
                Poll::Pending
            }))
        }));
    let mut future = service.call(Request::new(quiet(&held)));
    assert!(polled(&mut future).is_pending());
    let caught = catch_unwind(AssertUnwindSafe(|| drop(future)));
    defuse(caught.expect_err("it goes on"));
    drop(service);
    assert_eq!(only(&dashcam, &held).outcome, Outcome::Panicked);

    // The body of its response.
    let dashcam = all(|b| b);
    let of = Arc::clone(&held);
    let mut service = dashcam.layer().layer(Handler(move |_: Request<_>| {
        answer(Wild::new(At::Drop, &of))
    }));
    let Poll::Ready(Ok(response)) = polled(&mut service.call(Request::new(quiet(&held)))) else {
        panic!("no response");
    };
    let caught = catch_unwind(AssertUnwindSafe(|| drop(response)));
    defuse(caught.expect_err("it goes on"));
    drop(service);
    assert_eq!(only(&dashcam, &held).outcome, Outcome::Panicked);

    // A response that is never sent, because the future panics after it.
    let dashcam = all(|b| b);
    let of = Arc::clone(&held);
    let status = send(&dashcam, quiet(&held), move |_| {
        let (left, of) = (Wild::new(At::Drop, &of), Arc::clone(&of));
        Box::pin(poll_fn(move |_| {
            let _ = &left;
            Poll::Ready(Ok(Response::new(Wild::new(At::Drop, &of))))
        }))
    });
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(only(&dashcam, &held).outcome, Outcome::Panicked);
}

#[test]
fn a_second_panic_while_a_thread_unwinds_does_not_end_the_process() {
    let held = Arc::new(());
    let dashcam = all(|b| b);
    let of = Arc::clone(&held);
    let mut service = dashcam
        .layer()
        .layer(Handler(move |_: Request<_>| -> Answer {
            let left = Wild::new(At::Drop, &of);
            Box::pin(poll_fn(move |_| {
                let _ = &left;
                Poll::Pending
            }))
        }));
    let mut future = service.call(Request::new(quiet(&held)));
    assert!(polled(&mut future).is_pending());
    let caught = catch_unwind(AssertUnwindSafe(move || {
        let _future = future;
        panic!("the first one");
    }));
    let first = caught.expect_err("it goes on");
    assert_eq!(first.downcast_ref::<&str>(), Some(&"the first one"));
    drop(service);
    assert_eq!(only(&dashcam, &held).outcome, Outcome::Panicked);
}

#[test]
fn what_a_body_says_of_itself_may_panic() {
    for at in [At::SizeHint, At::IsEnd] {
        let held = Arc::new(());
        let dashcam = all(|b| b);
        let of = Arc::clone(&held);
        // The request's body panics, too, and the service reads it.
        let status = send(
            &dashcam,
            Wild::new(at, &held).with(Ok(Bytes::from("ab"))),
            {
                move |request| {
                    let mut body = request.into_body();
                    assert_eq!(read(&mut body).len(), 1);
                    answer(Wild::new(at, &of).with(Ok(Bytes::from("abc"))))
                }
            },
        );
        assert_eq!(status, StatusCode::OK, "{at:?}");
        let only = only(&dashcam, &held);
        assert_eq!(only.outcome, Outcome::Completed, "{at:?}");
        assert_eq!(
            (only.request.body.seen, only.response.unwrap().body.seen),
            (2, 3)
        );
    }
}

#[test]
fn buffers_may_panic_where_they_are_read() {
    for (at, seen) in [(At::Remaining, 0), (At::Chunks, 2)] {
        let held = Arc::new(());
        let dashcam = all(|b| b);
        let of = Arc::clone(&held);
        let wild = |held: &Arc<()>| {
            let wild = Wild::new(at, held).with(Ok(Bytes::from("ab")));
            wild.with(Ok(Bytes::from("cd")))
        };
        let status = send(&dashcam, wild(&held), {
            move |request| {
                let mut body = request.into_body();
                let read: Vec<_> = read(&mut body).into_iter().flatten().collect();
                assert_eq!(read, [2, 2]);
                answer(wild(&of))
            }
        });
        assert_eq!(status, StatusCode::OK, "{at:?}");
        let only = only(&dashcam, &held);
        assert_eq!(only.outcome, Outcome::Completed);
        let why = "panicked".to_owned();
        let skipped = BodyState::Skipped { why };
        let body = only.response.unwrap().body;
        assert_eq!((&body.state, body.content.is_none()), (&skipped, true));
        assert_eq!(only.request.body.state, skipped);
        assert!(body.seen >= seen);
    }
}

#[test]
fn buffers_that_panic_as_they_are_dropped_do_no_harm() {
    let held = Arc::new(());
    // Large ones are shared, and many of them are dropped together.
    for owned in [10, 4_000] {
        let dashcam = all(|b| b);
        struct Large {
            _bomb: Bomb,
            len: usize,
        }
        impl AsRef<[u8]> for Large {
            fn as_ref(&self) -> &[u8] {
                &[b'x'; 4_000][..self.len]
            }
        }
        let chunk = || {
            let _bomb = Bomb(2, Arc::clone(&held));
            Bytes::from_owner(Large { _bomb, len: owned })
        };
        let (app, body) = http_body_chunks([chunk(), chunk(), chunk()]);
        let mut service = dashcam.layer().layer(app);
        let response = service.call(Request::new(body));
        let Poll::Ready(Ok(response)) = polled(&mut Box::pin(response)) else {
            panic!("no response");
        };
        drop(response);
        assert_eq!(dashcam.kept().len(), 1);
        assert_eq!(dashcam.status().in_flight, 0);
        drop(service);
    }
    assert_eq!(Arc::strong_count(&held), 1);
}

/// A service that reads a body of these chunks and drops them. dashcam drops the last handle of
/// those that it holds.
fn http_body_chunks<const N: usize>(
    chunks: [Bytes; N],
) -> (
    impl Service<
        Request<dashcam::lifecycle::RequestBody<Chunks>>,
        Response = Response<Full<Bytes>>,
        Error = Infallible,
        Future = std::future::Ready<Result<Response<Full<Bytes>>, Infallible>>,
    >,
    Chunks,
) {
    let service = tower::service_fn(
        |request: Request<dashcam::lifecycle::RequestBody<Chunks>>| {
            let mut body = request.into_body();
            let waker = noop_waker();
            let mut cx = Context::from_waker(&waker);
            while let Poll::Ready(Some(Ok(frame))) = Pin::new(&mut body).poll_frame(&mut cx) {
                // The service's own handle is dropped. The last one panics.
                let _ = catch_unwind(AssertUnwindSafe(|| drop(frame))).map_err(defuse);
            }
            ready(Ok(Response::new(Full::default())))
        },
    );
    (service, Chunks(chunks.into_iter().collect()))
}

struct Chunks(VecDeque<Bytes>);

impl Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|chunk| Ok(Frame::data(chunk))))
    }
}

#[test]
fn errors_may_panic_where_they_are_written() {
    let held = Arc::new(());
    let dashcam = all(|b| b);
    let of = Arc::clone(&held);
    let mut service = dashcam
        .layer()
        .layer(Handler(move |_: Request<_>| -> Answer {
            Box::pin(ready(Err(Wild::new(At::Display, &of))))
        }));
    let result = polled(&mut service.call(Request::new(quiet(&held))));
    assert!(matches!(result, Poll::Ready(Err(_))));
    drop((result, service));
    assert_eq!(only(&dashcam, &held).outcome.as_str(), "failed");

    // Of both bodies.
    let dashcam = all(|b| b);
    let of = Arc::clone(&held);
    let wild = |held: &Arc<()>| quiet(held).with(Err(Wild::new(At::Display, held)));
    let mut service = dashcam.layer().layer(Handler(
        move |request: Request<dashcam::lifecycle::RequestBody<Wild>>| {
            assert!(read(&mut request.into_body())[0].is_err());
            answer(wild(&of))
        },
    ));
    let response = polled(&mut service.call(Request::new(wild(&held))));
    let Poll::Ready(Ok(response)) = response else {
        panic!("no response");
    };
    assert!(read(&mut response.into_body())[0].is_err());
    drop(service);
    assert_eq!(only(&dashcam, &held).outcome, Outcome::BodyError);
}

#[test]
fn closures_may_panic_with_anything() {
    let held = Arc::new(());
    let [a, b, c] = [(); 3].map(|()| Arc::clone(&held));
    let dashcam = all(|builder| {
        builder
            .classify(move |_: StatusCode, _: &HeaderMap| explode(&a))
            .keep_when(move |_| -> Option<String> { explode(&b) })
            .correlation(
                CorrelationIdLayer::new().make_with(move || -> CorrelationId { explode(&c) }),
            )
    });
    let of = Arc::clone(&held);
    let status = send(&dashcam, quiet(&held), move |_| answer(quiet(&of)));
    assert_eq!(status, StatusCode::OK);
    let status = dashcam.status();
    assert_eq!((status.in_flight, status.finished, status.kept), (0, 1, 1));
    assert_eq!(dashcam.only().outcome, Outcome::Completed);
    // Those that the closures hold, which are dropped with the exporter's thread, too.
    assert_eq!(Arc::strong_count(&held), 4);
}

#[test]
fn values_of_events_may_panic_with_anything() {
    struct Value(Arc<()>);
    impl fmt::Debug for Value {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            explode(&self.0)
        }
    }
    let held = Arc::new(());
    let of = Arc::clone(&held);
    let dashcam = all(|b| b);
    let status = send(&dashcam, quiet(&held), move |_| {
        tracing::debug!(value = ?Value(Arc::clone(&of)), "said");
        answer(quiet(&of))
    });
    assert_eq!(status, StatusCode::OK);
    let only = only(&dashcam, &held);
    assert_eq!(only.events[0].message.as_deref(), Some("said"));
}

#[test]
fn whoever_holds_closures_last_may_drop_them() {
    let held = Arc::new(());
    let [a, b] = [(); 2].map(|()| Bomb(1, Arc::clone(&held)));
    let dashcam = all(|builder| {
        builder
            .classify(move |_: StatusCode, _: &HeaderMap| {
                let _ = &a;
                None
            })
            .keep_when(move |_| -> Option<String> {
                let _ = &b;
                None
            })
    });
    let layer = dashcam.layer();
    drop(dashcam);
    drop(layer);
    // The exporter's thread has them for a while.
    let began = std::time::Instant::now();
    while Arc::strong_count(&held) > 1 {
        assert!(began.elapsed().as_secs() < 60, "they leak");
        std::thread::yield_now();
    }
}
