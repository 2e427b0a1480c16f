//! Every layer's body wrappers: what passes through them, and when and how they report that a body
//! has ended.

use crate::support::{
    AnyBody, Broken, Erased, Kind, One, Probe, Rig, Script, Seen, Step, UNPRINTABLE, answer,
    current_id, poll_once, resolve, same, send, transcript,
};
use bytes::{Buf, Bytes};
use dashcam::{
    capture::CaptureLayer,
    context::RequestContext,
    correlation::CorrelationIdService,
    correlation::{CorrelationIdLayer, PropagateCorrelationId, PropagateCorrelationIdLayer},
    exchange::{Body as Recorded, BodyState, Content, Exchange, Outcome},
    export::Memory,
    kit::DashcamService,
    lifecycle::{Observe, ProblemJson, RequestBody, ResponseBody, ResponseFuture},
    testing::TestDashcam,
    verbose::VerboseLayer,
};
use futures_util::FutureExt;
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use proptest::prelude::*;
use std::{
    cell::RefCell,
    collections::VecDeque,
    convert::Infallible,
    future::ready,
    pin::Pin,
    rc::Rc,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};
use tower::ServiceExt;
use tower_layer::Layer;

each_layer! {
    a_response_body_passes_as_it_is: bare;
    a_response_body_passes_as_it_is_through_a_stack: recorded;
    a_request_body_passes_as_it_is: bare;
    a_request_body_passes_as_it_is_through_a_stack: recorded;
    each_end_of_a_response_body_is_seen_once_and_when_it_comes: recorded;
    each_end_of_a_request_body_is_seen_once: recorded;
    an_error_without_a_text_passes_as_it_is: bare;
    a_request_is_over_when_its_response_body_is: with_context;
    every_state_of_a_response_body: recorded;
    every_state_of_a_request_body: recorded;
    a_body_that_fills_the_limit_is_complete: recorded;
    bodies_without_room_in_memory_are_skipped: recorded;
}

/// Sends a request with this body to a service that reads it with `read` and responds with the
/// result of `respond`.
fn exchange_bodies(
    rig: &Rig,
    kind: Kind,
    request: Request<Script>,
    read: impl FnOnce(AnyBody) + 'static,
    response: Response<Script>,
) -> Response<AnyBody> {
    let once = RefCell::new(Some((read, response)));
    let mut service = rig.wrap(
        kind,
        Probe::new(move |request| {
            let (read, response) = once.take().expect("called once");
            read(request.into_body());
            Box::pin(ready(Ok(response)))
        }),
    );
    resolve(send(&mut service, request)).unwrap()
}

/// Returns the response body as the client gets it.
fn through_response(rig: &Rig, kind: Kind, body: Script) -> AnyBody {
    let request = Request::new(Script::empty());
    exchange_bodies(rig, kind, request, drop, Response::new(body)).into_body()
}

/// Returns the request body as the service gets it.
fn through_request(rig: &Rig, kind: Kind, body: Script) -> AnyBody {
    let got = Rc::new(RefCell::new(None));
    let keep = Rc::clone(&got);
    let read = move |body| *keep.borrow_mut() = Some(body);
    let response = Response::new(Script::empty());
    exchange_bodies(rig, kind, Request::new(body), read, response);
    got.take().expect("the service was called")
}

fn a_response_body_passes_as_it_is(kind: Kind) {
    let rig = Rig::new();
    same(|body| through_response(&rig, kind, body));
}

fn a_response_body_passes_as_it_is_through_a_stack(kind: Kind) {
    // Also if most of it is not captured.
    let rig = Rig::with(|limits| limits.body = 1);
    same(|body| through_response(&rig, kind, body));
}

fn a_request_body_passes_as_it_is(kind: Kind) {
    let rig = Rig::new();
    same(|body| through_request(&rig, kind, body));
}

fn a_request_body_passes_as_it_is_through_a_stack(kind: Kind) {
    let rig = Rig::with(|limits| limits.memory = 1);
    same(|body| through_request(&rig, kind, body));
}

/// Mistakes that a careless wrapper makes.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    LosesHint,
    LosesEnd,
    SwallowsTrailers,
    SwallowsEmptyFrames,
    SwallowsErrors,
    StopsAtTheEnd,
    ReadsAhead,
}

struct Careless {
    inner: Pin<Box<Script>>,
    fault: Fault,
    ended: bool,
    ahead: Option<Poll<Option<Result<Frame<Bytes>, Broken>>>>,
}

impl Body for Careless {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        if self.fault == Fault::ReadsAhead {
            let next = self.inner.as_mut().poll_frame(cx);
            let first = self.ahead.take();
            return match first {
                Some(first) => {
                    self.ahead = Some(next);
                    first
                }
                None => {
                    self.ahead = Some(self.inner.as_mut().poll_frame(cx));
                    next
                }
            };
        }
        let polled = self.inner.as_mut().poll_frame(cx);
        let swallowed = match &polled {
            Poll::Ready(Some(Ok(frame))) => match self.fault {
                Fault::SwallowsTrailers => frame.is_trailers(),
                Fault::SwallowsEmptyFrames => frame.data_ref().is_some_and(Bytes::is_empty),
                _ => false,
            },
            Poll::Ready(Some(Err(_))) => self.fault == Fault::SwallowsErrors,
            Poll::Ready(None) => {
                self.ended = self.fault == Fault::StopsAtTheEnd;
                false
            }
            Poll::Pending => false,
        };
        if swallowed {
            return self.poll_frame(cx);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.fault != Fault::LosesEnd && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.fault == Fault::LosesHint {
            SizeHint::default()
        } else {
            self.inner.size_hint()
        }
    }
}

macro_rules! the_check_sees {
    ($($test:ident $fault:ident;)*) => {
        $(#[test]
        #[should_panic(expected = "changed on its way")]
        fn $test() {
            same(|script| AnyBody::new(Careless {
                inner: Box::pin(script),
                fault: Fault::$fault,
                ended: false,
                ahead: None,
            }));
        })*
    };
}

the_check_sees! {
    the_check_sees_a_lost_hint LosesHint;
    the_check_sees_a_lost_end LosesEnd;
    the_check_sees_lost_trailers SwallowsTrailers;
    the_check_sees_lost_empty_frames SwallowsEmptyFrames;
    the_check_sees_lost_errors SwallowsErrors;
    the_check_sees_an_end_that_stays StopsAtTheEnd;
    the_check_sees_reading_ahead ReadsAhead;
}

/// The ends of a body: its name, the body, and the poll that shows the end (0 is before the
/// first).
fn ends() -> Vec<(&'static str, Script, Option<usize>)> {
    let ab = || [Step::data("a"), Step::data("b")];
    vec![
        ("when wrapped", Script::new([]).telling_end(), Some(0)),
        ("none", Script::new(ab()), Some(3)),
        (
            "trailers",
            Script::new([Step::data("a"), Step::trailers()]),
            Some(2),
        ),
        (
            "error",
            Script::new([Step::data("a"), Step::Pending, Step::Error(9)]),
            Some(3),
        ),
        ("end of stream", Script::new(ab()).telling_end(), Some(2)),
        ("drop", Script::new(ab()), None),
    ]
}

fn each_end_of_a_response_body_is_seen_once_and_when_it_comes(kind: Kind) {
    for (name, body, end) in ends() {
        let rig = Rig::new();
        let body = through_response(&rig, kind, body);
        let mut body = Box::pin(body);
        let polls = end.unwrap_or(1);
        for poll in 0..polls {
            assert!(rig.kept().is_empty(), "{name}: over before poll {poll}");
            let _ = http_body_util::BodyExt::frame(&mut body).now_or_never();
        }
        assert_eq!(rig.kept().len(), usize::from(end.is_some()), "{name}");
        if end.is_some() {
            // Frames after the end do not count.
            for _ in 0..3 {
                let _ = http_body_util::BodyExt::frame(&mut body).now_or_never();
            }
        }
        drop(body);
        let kept = rig.only();
        let expected = match name {
            "error" => Outcome::BodyError,
            "drop" => Outcome::Abandoned,
            _ => Outcome::Completed,
        };
        assert_eq!(kept.outcome, expected, "{name}");
    }
}

fn error_state() -> BodyState {
    let message = "broken pipe 9".to_owned();
    BodyState::Error { message }
}

fn each_end_of_a_request_body_is_seen_once(kind: Kind) {
    // Neither a later end nor the drop changes the first end.
    for after in [0, 3] {
        for (name, body, end) in ends() {
            let rig = Rig::new();
            let polls = end.map_or(1, |end| end + after);
            let read = move |body| drop(transcript(body, polls));
            let response = Response::new(Script::empty());
            exchange_bodies(&rig, kind, Request::new(body), read, response);
            let body = rig.only().request.body;
            let expected = match name {
                "when wrapped" if after == 0 => BodyState::None,
                "error" => error_state(),
                "drop" => BodyState::PartlyRead,
                _ => BodyState::Complete,
            };
            assert_eq!(body.state, expected, "{name} and {after} polls");
        }
    }
}

/// Returns whether a layer still counts the request of this context as unfinished: a request that
/// carries it then joins it.
fn unfinished(context: &RequestContext) -> bool {
    let id = Rc::new(RefCell::new(None));
    let seen = Rc::clone(&id);
    let probe = Probe::new(move |_| {
        *seen.borrow_mut() = current_id();
        answer(Script::empty())
    });
    let mut service = Erased::new(CorrelationIdLayer::new().layer(Erased::new(probe)));
    let mut request = Request::new(Script::empty());
    request.extensions_mut().insert(context.clone());
    drop(resolve(send(&mut service, request)));
    id.take().unwrap() == context.correlation_id().as_str()
}

fn a_request_is_over_when_its_response_body_is(kind: Kind) {
    for (name, script, end) in ends() {
        let rig = Rig::new();
        let context = Rc::new(RefCell::new(None));
        let keep = Rc::clone(&context);
        let script = RefCell::new(Some(script));
        let mut service = rig.wrap(
            kind,
            Probe::new(move |_| {
                *keep.borrow_mut() = dashcam::current();
                answer(script.take().unwrap())
            }),
        );
        let response = resolve(send(&mut service, Request::new(Script::empty()))).unwrap();
        let context = context.take().unwrap();
        let mut body = Box::pin(response.into_body());
        for poll in 0..end.unwrap_or(2) {
            // The check must not take what it checks.
            assert!(unfinished(&context), "{name}: over before poll {poll}");
            let _ = http_body_util::BodyExt::frame(&mut body).now_or_never();
        }
        assert_eq!(unfinished(&context), end.is_none(), "{name}");
        drop(body);
        assert!(!unfinished(&context), "{name}");
    }
}

/// A panic of the error's `Display` must not propagate through the layer.
fn an_error_without_a_text_passes_as_it_is(kind: Kind) {
    let broken = || Script::new([Step::data("a"), Step::Error(UNPRINTABLE)]);
    let rig = Rig::new();
    assert_eq!(
        transcript(through_response(&rig, kind, broken()), 3),
        transcript(broken(), 3)
    );
    assert_eq!(
        transcript(through_request(&rig, kind, broken()), 3),
        transcript(broken(), 3)
    );
}

fn text() -> [Step; 2] {
    [Step::data("ab"), Step::data("cd")]
}

/// Sends a request, reads the response body with this many polls, and returns the exchange.
fn record(
    rig: &Rig,
    kind: Kind,
    request: Request<Script>,
    read: usize,
    response: Response<Script>,
    polls: usize,
) -> Exchange {
    let read = move |body| drop(transcript(body, read));
    let response = exchange_bodies(rig, kind, request, read, response);
    transcript(response.into_body(), polls);
    rig.only()
}

fn response_record(kind: Kind, response: Response<Script>, polls: usize) -> Recorded {
    let rig = Rig::with(|limits| limits.body = 8);
    let kept = record(
        &rig,
        kind,
        Request::new(Script::empty()),
        0,
        response,
        polls,
    );
    kept.response.unwrap().body
}

fn every_state_of_a_response_body(kind: Kind) {
    let plain = |body| Response::new(body);
    let of = |status: u16, body| Response::builder().status(status).body(body).unwrap();
    let typed = |kind: &str, body| {
        let response = Response::builder().header("content-type", kind);
        response.body(body).unwrap()
    };
    let long = || [Step::data("12345678"), Step::data("9")];
    let cases = [
        (plain(Script::new(text())), 3, BodyState::Complete, 4, 4),
        (plain(Script::new(long())), 3, BodyState::Truncated, 9, 8),
        (plain(Script::new(text())), 0, BodyState::Aborted, 0, 0),
        (plain(Script::new(text())), 1, BodyState::Aborted, 2, 2),
        (
            plain(Script::new([Step::data("a"), Step::Error(9)])),
            2,
            error_state(),
            1,
            1,
        ),
        (plain(Script::empty()), 0, BodyState::None, 0, 0),
        // It could have had more frames.
        (plain(Script::new([])), 1, BodyState::Complete, 0, 0),
        (of(204, Script::empty()), 0, BodyState::None, 0, 0),
        (of(304, Script::empty()), 1, BodyState::None, 0, 0),
        (
            typed("text/event-stream", Script::new(text())),
            3,
            BodyState::Stream,
            4,
            4,
        ),
        (
            typed("application/grpc+proto", Script::new(text())),
            1,
            BodyState::Stream,
            2,
            2,
        ),
    ];
    for (response, polls, state, seen, kept) in cases {
        let case = format!("{response:?}, {polls} polls");
        let body = response_record(kind, response, polls);
        assert_eq!(
            (body.state, body.seen, body.kept),
            (state, seen, kept),
            "{case}"
        );
    }
    // The length of the body that GET would have had.
    let rig = Rig::new();
    let request = Request::head("/").body(Script::empty()).unwrap();
    let response = Response::builder().header("content-length", "4");
    let response = response.body(Script::empty()).unwrap();
    let body = record(&rig, kind, request, 0, response, 1)
        .response
        .unwrap()
        .body;
    assert_eq!(body.state, BodyState::None);
}

fn every_state_of_a_request_body(kind: Kind) {
    let plain = |body| Request::new(body);
    let typed = |kind: &str, body| {
        let request = Request::post("/").header("content-type", kind);
        request.body(body).unwrap()
    };
    let sized = |body| {
        let request = Request::post("/").header("content-length", "4");
        request.body(body).unwrap()
    };
    let long = || [Step::data("12345678"), Step::data("9")];
    let cases = [
        (plain(Script::new(text())), 3, BodyState::Complete, 4, 4),
        // A reader may stop once it has all announced bytes.
        (sized(Script::new(text())), 2, BodyState::Complete, 4, 4),
        (sized(Script::new(text())), 1, BodyState::PartlyRead, 2, 2),
        (plain(Script::new(long())), 3, BodyState::Truncated, 9, 8),
        (plain(Script::new(text())), 0, BodyState::Unread, 0, 0),
        (sized(Script::new(text())), 0, BodyState::Unread, 0, 0),
        (plain(Script::new(text())), 1, BodyState::PartlyRead, 2, 2),
        (
            plain(Script::new([Step::Pending])),
            1,
            BodyState::PartlyRead,
            0,
            0,
        ),
        (
            plain(Script::new([Step::data("a"), Step::Error(9)])),
            2,
            error_state(),
            1,
            1,
        ),
        (
            plain(Script::new([]).telling_end()),
            0,
            BodyState::None,
            0,
            0,
        ),
        (
            plain(Script::new(text()).telling_end()),
            2,
            BodyState::Complete,
            4,
            4,
        ),
        (plain(Script::empty()), 0, BodyState::None, 0, 0),
        (
            plain(Script::new([]).hint(0, Some(0))),
            0,
            BodyState::None,
            0,
            0,
        ),
        (
            typed("application/grpc", Script::new(text())),
            3,
            BodyState::Stream,
            4,
            4,
        ),
    ];
    for (request, polls, state, seen, kept) in cases {
        let case = format!("{request:?}, {polls} polls");
        let rig = Rig::with(|limits| limits.body = 8);
        let response = Response::new(Script::empty());
        let body = record(&rig, kind, request, polls, response, 0).request.body;
        assert_eq!(
            (body.state, body.seen, body.kept),
            (state, seen, kept),
            "{case}"
        );
    }
}

fn a_body_that_fills_the_limit_is_complete(kind: Kind) {
    for (length, state) in [
        (7, BodyState::Complete),
        (8, BodyState::Complete),
        (9, BodyState::Truncated),
    ] {
        for cut in [1, 7, 8, 9] {
            let steps = || -> Vec<_> {
                let bytes = Bytes::from(vec![b'x'; length]);
                let mut steps: Vec<_> = bytes
                    .chunks(cut)
                    .map(|chunk| Step::Data(bytes.slice_ref(chunk)))
                    .collect();
                steps.push(Step::data(""));
                steps
            };
            let rig = Rig::with(|limits| limits.body = 8);
            let request = Request::new(Script::new(steps()));
            let response = Response::new(Script::new(steps()));
            let kept = record(&rig, kind, request, 20, response, 20);
            for body in [kept.request.body, kept.response.unwrap().body] {
                assert_eq!(body.state, state, "{length} in pieces of {cut}");
                assert_eq!(
                    (body.seen, body.kept),
                    (length as u64, length.min(8) as u64)
                );
            }
        }
    }
}

fn bodies_without_room_in_memory_are_skipped(kind: Kind) {
    let rig = Rig::with(|limits| limits.memory = 1);
    let request = Request::new(Script::new(text()));
    let response = Response::new(Script::new(text()));
    let kept = record(&rig, kind, request, 3, response, 3);
    for body in [kept.request.body, kept.response.unwrap().body] {
        let why = "memory_budget".to_owned();
        assert_eq!(body.state, BodyState::Skipped { why });
        assert_eq!((body.seen, body.kept, body.content), (4, 0, None));
    }
    let missing: Vec<_> = kept.missing.iter().map(|m| m.what.as_str()).collect();
    for what in ["request.body", "response.body"] {
        assert!(missing.contains(&what), "{missing:?}");
    }
    assert_eq!(rig.dashcam().status().bytes_held, 0);
}

/// A buffer of a type of its own, in two parts.
struct Rope(VecDeque<u8>);

impl Buf for Rope {
    fn remaining(&self) -> usize {
        self.0.len()
    }

    fn chunk(&self) -> &[u8] {
        self.0.as_slices().0
    }

    fn advance(&mut self, n: usize) {
        self.0.drain(..n);
    }
}

/// Neither `Send` nor `Sync` nor `Clone` nor `Unpin`, and made of ropes.
struct Local {
    left: Rc<RefCell<Vec<&'static str>>>,
    _pinned: std::marker::PhantomPinned,
}

impl Local {
    fn new() -> Self {
        Self {
            left: Rc::new(RefCell::new(vec!["there", "hello "])),
            _pinned: std::marker::PhantomPinned,
        }
    }
}

impl From<Bytes> for Local {
    fn from(_: Bytes) -> Self {
        Self::new()
    }
}

impl Body for Local {
    type Data = Rope;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Rope>, Infallible>>> {
        let next = self.as_ref().get_ref().left.borrow_mut().pop();
        Poll::Ready(next.map(|text| Ok(Frame::data(Rope(text.bytes().collect())))))
    }
}

async fn read(body: impl Body<Data = Rope, Error = Infallible>) -> String {
    let mut body = Box::pin(body);
    let mut text = Vec::new();
    while let Some(frame) = http_body_util::BodyExt::frame(&mut body).await {
        let mut rope = frame.unwrap().into_data().ok().unwrap();
        text.extend_from_slice(&rope.copy_to_bytes(rope.remaining()));
    }
    String::from_utf8(text).unwrap()
}

macro_rules! local_bodies_pass {
    ($($test:ident keeps $kept:literal: $layer:expr;)*) => {
        $(#[test]
        fn $test() {
            let dashcam = TestDashcam::with(|builder| builder.baseline(1.0));
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let make = $layer;
            let layer = make(&dashcam);
            let local = tokio::task::LocalSet::new();
            let text = local.block_on(&runtime, async move {
                let task = tokio::task::spawn_local(async move {
                    let service = layer.layer(tower::service_fn(|request: Request<_>| async {
                        // The future is not `Send` either.
                        let held = Rc::new(read(request.into_body()).await);
                        tokio::task::yield_now().await;
                        assert_eq!(*held, "hello there");
                        Ok::<_, Infallible>(Response::new(Local::new()))
                    }));
                    let response = service.oneshot(Request::new(Local::new())).await.unwrap();
                    assert_eq!(response.status(), StatusCode::OK);
                    read(response.into_body()).await
                });
                task.await.unwrap()
            });
            assert_eq!(text, "hello there");
            let kept = dashcam.kept();
            assert_eq!(kept.len(), $kept);
            for kept in kept {
                for body in [kept.request.body, kept.response.unwrap().body] {
                    assert_eq!((body.state, body.kept), (BodyState::Complete, 11));
                }
            }
        })*
    };
}

fn capture_layer() -> CaptureLayer {
    let builder = CaptureLayer::builder("test", "0.0.0");
    builder.build(Memory::new(1)).unwrap()
}

local_bodies_pass! {
    local_bodies_pass_through_correlation keeps 0: |_: &TestDashcam| CorrelationIdLayer::new();
    local_bodies_pass_through_propagate keeps 0: |_: &TestDashcam| PropagateCorrelationIdLayer::new();
    local_bodies_pass_through_verbose keeps 0: |_: &TestDashcam| VerboseLayer::new();
    local_bodies_pass_through_capture keeps 0: |_: &TestDashcam| capture_layer();
    local_bodies_pass_through_dashcam keeps 1: |d: &TestDashcam| d.layer();
    local_bodies_pass_through_dashcam_observing keeps 1: |d: &TestDashcam| d.layer().propagate_panics();
}

/// A compile-time check: thread-safe types stay thread-safe.
#[test]
fn what_is_send_and_sync_stays_so() {
    fn both<T: Send + Sync>() {}
    fn send<T: Send>() {}
    fn unpin<T: Unpin>() {}
    fn clone<T: Clone + Send + Sync>(_: &T) {}
    type Whole = http_body_util::Full<Bytes>;
    type Once = std::future::Ready<Result<Response<Whole>, Infallible>>;
    both::<CorrelationIdService<u8>>();
    both::<DashcamService<u8, ProblemJson>>();
    both::<PropagateCorrelationId<u8>>();
    both::<ResponseFuture<Once, Observe>>();
    both::<ResponseFuture<Once, ProblemJson>>();
    both::<RequestBody<Whole>>();
    both::<ResponseBody<Whole>>();
    // Not `Sync`, but still `Send`.
    send::<RequestBody<Script>>();
    send::<ResponseBody<Script>>();
    send::<ResponseFuture<futures_util::future::BoxFuture<'static, ()>, Observe>>();
    unpin::<RequestBody<Whole>>();
    unpin::<ResponseBody<Whole>>();
    unpin::<ResponseFuture<Once, Observe>>();
    clone(&CorrelationIdLayer::new());
    clone(&PropagateCorrelationIdLayer::new());
    clone(&VerboseLayer::new());
    clone(&capture_layer());
    let dashcam = TestDashcam::new();
    clone(&dashcam.layer());
    clone(&dashcam.layer().propagate_panics());
}

/// A plan for one body of the property below.
#[derive(Clone, Debug)]
struct Cut {
    chunks: Vec<Vec<u8>>,
    pendings: Vec<bool>,
    trailers: bool,
    error: bool,
    tells_end: bool,
    announced: bool,
    polls: usize,
}

impl Cut {
    fn body(&self) -> Script {
        let mut steps = Vec::new();
        for (chunk, pending) in self.chunks.iter().zip(&self.pendings) {
            if *pending {
                steps.push(Step::Pending);
            }
            steps.push(Step::Data(Bytes::from(chunk.clone())));
        }
        if self.error {
            steps.push(Step::Error(9));
        } else if self.trailers {
            steps.push(Step::trailers());
        }
        let length = self.chunks.iter().map(Vec::len).sum::<usize>() as u64;
        let mut body = Script::new(steps);
        if self.tells_end {
            body = body.telling_end();
        }
        if self.announced {
            body = body.hint(length, Some(length));
        }
        body
    }
}

/// A JSON array of numbers, which redaction does not change.
fn array() -> impl Strategy<Value = Vec<u8>> {
    let numbers = prop::collection::vec(0_u32..10, 0..400);
    numbers.prop_map(|numbers| serde_json::to_vec(&numbers).unwrap())
}

fn cut() -> impl Strategy<Value = Cut> {
    let sizes = prop::collection::vec((0_usize..60, any::<bool>()), 1..20);
    let polls = prop_oneof![3 => Just(60_usize), 1 => 0_usize..25];
    let flags = (
        any::<bool>(),
        prop::bool::weighted(0.2),
        any::<bool>(),
        any::<bool>(),
    );
    (array(), sizes, flags, polls).prop_map(|(mut bytes, sizes, flags, polls)| {
        let (trailers, error, tells_end, announced) = flags;
        let (mut chunks, mut pendings) = (Vec::new(), Vec::new());
        for (size, pending) in sizes {
            let rest = bytes.split_off(size.min(bytes.len()));
            chunks.push(std::mem::replace(&mut bytes, rest));
            pendings.push(pending);
        }
        chunks.push(bytes);
        pendings.push(false);
        Cut {
            chunks,
            pendings,
            trailers,
            error,
            tells_end,
            announced,
            polls,
        }
    })
}

/// What the exchange must have of a body of which this much was seen.
fn expected(cut: &Cut, limit: usize, request: bool) -> (BodyState, Vec<u8>) {
    let ((_, length, at_end), seen) = transcript(cut.body(), cut.polls);
    let mut passed = Vec::new();
    let mut ending = at_end.then_some(true);
    for (seen, (_, _, at_end)) in &seen {
        if let Seen::Data(data) = seen {
            passed.extend_from_slice(data);
        }
        let ended = match seen {
            Seen::Pending => None,
            Seen::Error(_) => Some(false),
            Seen::End | Seen::Trailers(_) => Some(true),
            Seen::Data(_) => at_end.then_some(true),
        };
        ending = ending.or(ended);
    }
    let polled = !seen.is_empty();
    if ending.is_none() && length == Some(passed.len() as u64) {
        ending = Some(true);
    }
    let state = match ending {
        Some(false) => error_state(),
        Some(true) if passed.len() > limit => BodyState::Truncated,
        Some(true) if passed.is_empty() && !polled => BodyState::None,
        Some(true) => BodyState::Complete,
        None if !request => BodyState::Aborted,
        None if polled => BodyState::PartlyRead,
        None => BodyState::Unread,
    };
    (state, passed)
}

/// Compares an exchange with what passed.
fn assert_record(body: &Recorded, cut: &Cut, limit: usize, request: bool) {
    let (state, passed) = expected(cut, limit, request);
    let kept = passed.len().min(limit);
    assert_eq!(body.state, state);
    assert_eq!(body.seen, passed.len() as u64);
    assert_eq!(body.kept, kept as u64);
    assert_eq!(body.content_type.as_deref(), Some("application/json"));
    let prefix = std::str::from_utf8(&passed[..kept]).unwrap();
    match &body.content {
        None => assert_eq!(kept, 0),
        Some(Content::Text { text, unparsed }) => {
            // A number at the cut may not be whole.
            let known = &prefix[..kept - usize::try_from(*unparsed).unwrap()];
            let known = &known[..known.rfind(',').map_or(0, |at| at + 1)];
            assert!(text.starts_with(known), "{text:?} of {prefix:?}");
            if state == BodyState::Complete {
                assert_eq!(text, prefix);
                assert_eq!(*unparsed, 0);
            }
        }
        Some(Content::Opaque { length, .. }) => {
            assert_eq!(*length, kept as u64);
            assert_ne!(state, BodyState::Complete, "all of an array can be read");
        }
        Some(other) => panic!("{other:?}"),
    }
}

/// Types that are parsed, types that are counted by item, and types that are neither.
const CONTENT_TYPES: [&str; 5] = [
    "application/json",
    "text/event-stream",
    "application/x-ndjson",
    "application/grpc",
    "image/png",
];

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 96,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_cut_passes_unchanged_and_is_recorded_as_it_passed(
        request in cut(),
        response in cut(),
        limit in prop_oneof![1 => Just(100_000_usize), 2 => 0_usize..900],
        stack in 0_usize..6,
        content_type in prop::sample::select(&CONTENT_TYPES[..]),
    ) {
        let rig = Rig::with(|limits| limits.body = limit);
        let layers: &[One] = match stack {
            0 => &[One::Capture],
            1 => &[One::Dashcam],
            2 => &[One::Client],
            3 => &[One::Heads, One::Capture],
            4 => &[One::Capture, One::Off],
            _ => &[One::Verbose, One::Propagate, One::DashcamObserving, One::Correlation],
        };
        let seen = Arc::new(Mutex::new(None));
        let (note, polls) = (Arc::clone(&seen), request.polls);
        let answer_with = response.clone();
        let mut service: Erased = rig.wrap_in(layers, Probe::new(move |request| {
            *note.lock().unwrap() = Some(transcript(request.into_body(), polls));
            let response = Response::builder().header("content-type", content_type);
            Box::pin(ready(Ok(response.body(answer_with.body()).unwrap())))
        }));
        let sent = Request::post("/").header("content-type", content_type);
        let mut future = send(&mut service, sent.body(request.body()).unwrap());
        let Poll::Ready(Ok(answered)) = poll_once(&mut future) else {
            panic!("it is ready at once")
        };
        let got = transcript(answered.into_body(), response.polls);
        prop_assert_eq!(got, transcript(response.body(), response.polls));
        let got = seen.lock().unwrap().take();
        prop_assert_eq!(got, Some(transcript(request.body(), request.polls)));

        if stack == 4 {
            prop_assert!(rig.kept().is_empty());
            return Ok(());
        }
        let kept = rig.only();
        if stack == 3 || content_type != CONTENT_TYPES[0] {
            // However it is expressed, what passed is what the exchange counts.
            return Ok(());
        }
        assert_record(&kept.request.body, &request, limit, true);
        assert_record(&kept.response.unwrap().body, &response, limit, false);
    }
}
