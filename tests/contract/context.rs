//! Every layer's context: where it is current and where not; panics; wakers.

use crate::support::{
    Answer, AnyBody, Erased, Failure, Kind, Log, Marked, Probe, Rig, Script, Seen, Step, answer,
    caught, current_id, poll_once, resolve, send, transcript,
};
use dashcam::exchange::{BodyState, Outcome};
use futures_util::task::noop_waker;
use http::{Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body::Body;
use serde_json::Value;
use std::{
    cell::RefCell,
    future::{Future, pending, poll_fn},
    panic::resume_unwind,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
};
use tower_service::Service;

each_layer! {
    the_context_is_current_in_all_that_runs_of_a_request: with_context;
    the_context_is_current_in_the_drop_of_an_unpolled_future: with_context;
    the_context_is_current_in_the_drop_of_an_unfinished_future: with_context;
    the_context_is_current_in_the_drops_of_unfinished_bodies: with_context;
    the_context_is_current_in_a_request_body_that_is_read_elsewhere: with_context;
    a_request_inside_of_another_gives_the_outer_one_back: with_context;
    a_panic_in_call_goes_on_as_it_was_or_is_answered: bare;
    a_panic_in_a_poll_goes_on_as_it_was_or_is_answered: bare;
    a_panic_of_the_request_body_goes_on_as_it_was_or_is_answered: bare;
    a_panic_of_the_response_body_goes_on_as_it_was: bare;
    a_panic_anywhere_is_one_exchange: recorded;
    wakers_and_polls_are_the_caller_s_own: bare;
}

type Notes = Rc<RefCell<Vec<(&'static str, Option<String>)>>>;

/// A response future that reads a frame of the request body in each poll, and notes the current
/// request in its polls and its drop.
struct Watching {
    notes: Notes,
    request: Pin<Box<AnyBody>>,
    pending: usize,
    response: Option<Script>,
}

// Nothing in it is pinned in place.
impl Unpin for Watching {}

impl Future for Watching {
    type Output = Result<Response<Script>, Failure>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.notes.borrow_mut().push(("poll", current_id()));
        let _ = self.request.as_mut().poll_frame(cx);
        if self.pending > 0 {
            self.pending -= 1;
            return Poll::Pending;
        }
        let response = self.response.take().expect("polled after its end");
        Poll::Ready(Ok(Response::new(response)))
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.notes.borrow_mut().push(("drop", current_id()));
    }
}

/// A request that is observed wherever its code runs.
struct Watched {
    notes: Notes,
    request: Log,
    response: Log,
    service: Erased,
    body: Option<Script>,
}

impl Watched {
    fn new(wrap: impl FnOnce(Probe) -> Erased, pending: usize) -> Self {
        let body = Script::new([Step::data("a"), Step::data("b")]);
        let answer = Script::new([Step::data("c"), Step::Pending, Step::data("d")]);
        let (request, response) = (body.log(), answer.log());
        let answer = RefCell::new(Some(answer));
        let notes = Notes::default();
        let note = Rc::clone(&notes);
        let service = wrap(Probe::new(move |request| {
            note.borrow_mut().push(("call", current_id()));
            Box::pin(Watching {
                notes: Rc::clone(&note),
                request: Box::pin(request.into_body()),
                pending,
                response: answer.take(),
            })
        }));
        Self {
            notes,
            request,
            response,
            service,
            body: Some(body),
        }
    }

    fn send(&mut self) -> Answer<AnyBody> {
        nobody();
        let request = Request::new(self.body.take().expect("sent once"));
        let future = send(&mut self.service, request);
        nobody();
        future
    }

    /// Asserts that it ran in these places, and always with one current ID.
    #[track_caller]
    fn assert_current(&self, places: &[&str]) {
        let notes = self.notes.borrow();
        let ran: Vec<_> = notes.iter().map(|(place, _)| *place).collect();
        assert_eq!(ran, places);
        let id = &notes[0].1;
        assert!(id.is_some(), "no context in call");
        for (place, current) in notes.iter() {
            assert_eq!(current, id, "in {place}");
        }
        for (name, log) in [("request", &self.request), ("response", &self.response)] {
            let log = log.lock().unwrap();
            for current in &log.polls {
                assert_eq!(current, id, "in a poll of the {name} body");
            }
            if let Some(current) = &log.dropped {
                assert_eq!(current, id, "in the drop of the {name} body");
            }
        }
    }
}

/// Asserts that no request is current outside.
#[track_caller]
fn nobody() {
    assert_eq!(current_id(), None, "current outside of the request");
}

fn poll_body(body: &mut Pin<Box<AnyBody>>) -> Seen {
    let waker = noop_waker();
    Seen::of(body.as_mut().poll_frame(&mut Context::from_waker(&waker)))
}

/// The check: the context is current in all code of a request and nowhere else.
#[track_caller]
fn check_context(wrap: impl FnOnce(Probe) -> Erased) {
    let mut watched = Watched::new(wrap, 2);
    let mut future = watched.send();
    for _ in 0..2 {
        assert!(poll_once(&mut future).is_pending());
        nobody();
    }
    let Poll::Ready(Ok(response)) = poll_once(&mut future) else {
        panic!("it is ready at the third poll")
    };
    nobody();
    drop(future);
    let mut body = Box::pin(response.into_body());
    let mut seen = Vec::new();
    for _ in 0..5 {
        seen.push(poll_body(&mut body));
        nobody();
    }
    assert_eq!(seen[1], Seen::Pending);
    assert_eq!(seen[3], Seen::End);
    drop(body);
    nobody();
    watched.assert_current(&["call", "poll", "poll", "poll", "drop"]);
    for (log, polls) in [(&watched.request, 3), (&watched.response, 5)] {
        let log = log.lock().unwrap();
        assert_eq!(log.polls.len(), polls);
        assert!(log.dropped.is_some());
    }
}

fn the_context_is_current_in_all_that_runs_of_a_request(kind: Kind) {
    let rig = Rig::new();
    check_context(|probe| rig.wrap(kind, probe));
}

#[test]
#[should_panic(expected = "no context in call")]
fn the_check_sees_a_layer_without_context() {
    check_context(Erased::new);
}

/// Polls the future without the context that its call had.
#[derive(Clone)]
struct Forgets(Erased);

impl Service<Request<AnyBody>> for Forgets {
    type Response = Response<AnyBody>;
    type Error = Failure;
    type Future = Answer<AnyBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Service::<Request<AnyBody>>::poll_ready(&mut self.0, cx)
    }

    fn call(&mut self, request: Request<AnyBody>) -> Self::Future {
        // The layers around it end with the call.
        let inner = self.0.clone();
        let rig = Rig::new();
        let handed = Rc::new(RefCell::new(None));
        let hand = Rc::clone(&handed);
        let mut layered = rig.wrap(
            Kind::Correlation,
            Probe::new(move |request| {
                let mut inner = inner.clone();
                let mut cx = Context::from_waker(Waker::noop());
                let _ = Service::<Request<AnyBody>>::poll_ready(&mut inner, &mut cx);
                *hand.borrow_mut() = Some(inner.call(request));
                Box::pin(pending())
            }),
        );
        let mut cx = Context::from_waker(Waker::noop());
        let _ = Service::<Request<AnyBody>>::poll_ready(&mut layered, &mut cx);
        drop(layered.call(request));
        handed.take().expect("it was called")
    }
}

#[test]
#[should_panic(expected = "current outside of the request")]
fn the_check_sees_a_context_that_is_current_outside() {
    let handed = Rc::new(RefCell::new(None));
    let hand = Rc::clone(&handed);
    let probe = Probe::new(move |_| {
        *hand.borrow_mut() = dashcam::current();
        answer(Script::empty())
    });
    let mut other = Rig::new().wrap(Kind::Correlation, probe);
    drop(resolve(send(&mut other, Request::new(Script::empty()))));
    let other = handed.take().expect("it was called");
    other.in_scope(|| check_context(|probe| Rig::new().wrap(Kind::Correlation, probe)));
}

#[test]
#[should_panic(expected = "in poll")]
fn the_check_sees_a_future_without_context() {
    check_context(|probe| Erased::new(Forgets(Erased::new(probe))));
}

fn the_context_is_current_in_the_drop_of_an_unpolled_future(kind: Kind) {
    let rig = Rig::new();
    let mut watched = Watched::new(|probe| rig.wrap(kind, probe), 1);
    drop(watched.send());
    nobody();
    watched.assert_current(&["call", "drop"]);
    assert!(watched.request.lock().unwrap().dropped.is_some());
}

fn the_context_is_current_in_the_drop_of_an_unfinished_future(kind: Kind) {
    let rig = Rig::new();
    let mut watched = Watched::new(|probe| rig.wrap(kind, probe), 5);
    let mut future = watched.send();
    assert!(poll_once(&mut future).is_pending());
    assert!(poll_once(&mut future).is_pending());
    nobody();
    drop(future);
    nobody();
    watched.assert_current(&["call", "poll", "poll", "drop"]);
    assert!(watched.request.lock().unwrap().dropped.is_some());
}

fn the_context_is_current_in_the_drops_of_unfinished_bodies(kind: Kind) {
    for polls in [0, 1, 2] {
        let rig = Rig::new();
        let mut watched = Watched::new(|probe| rig.wrap(kind, probe), 0);
        let response = resolve(watched.send()).unwrap();
        nobody();
        // The one poll of the future left the request body unfinished.
        let (_, seen) = transcript(response.into_body(), polls);
        assert_eq!(seen.len(), polls);
        nobody();
        watched.assert_current(&["call", "poll", "drop"]);
        for log in [&watched.request, &watched.response] {
            assert!(log.lock().unwrap().dropped.is_some());
        }
        assert_eq!(watched.request.lock().unwrap().polls.len(), 1);
    }
}

/// The service's future is not around it then.
fn the_context_is_current_in_a_request_body_that_is_read_elsewhere(kind: Kind) {
    for polls in [0, 1, 3] {
        let rig = Rig::new();
        let handed = Rc::new(RefCell::new(None));
        let hand = Rc::clone(&handed);
        let mut service = rig.wrap(
            kind,
            Probe::new(move |request| {
                *hand.borrow_mut() = Some((current_id(), request.into_body()));
                answer(Script::empty())
            }),
        );
        let body = Script::new([Step::data("a"), Step::Pending]);
        let log = body.log();
        drop(resolve(send(&mut service, Request::new(body))));
        let (id, body) = handed.take().unwrap();
        assert!(id.is_some());
        let mut body = Box::pin(body);
        for _ in 0..polls {
            poll_body(&mut body);
            nobody();
        }
        drop(body);
        nobody();
        let log = log.lock().unwrap();
        assert_eq!(log.polls, vec![id.clone(); polls]);
        assert_eq!(log.dropped, Some(id));
    }
}

fn a_request_inside_of_another_gives_the_outer_one_back(kind: Kind) {
    let rig = Rc::new(Rig::new());
    let ids = Rc::new(RefCell::new(None));
    let (inside, note) = (Rc::clone(&rig), Rc::clone(&ids));
    let mut service = rig.wrap(
        kind,
        Probe::new(move |_| {
            let (inside, note) = (Rc::clone(&inside), Rc::clone(&note));
            Box::pin(poll_fn(move |_| {
                let outer = current_id();
                let mut watched = Watched::new(|probe| inside.wrap(kind, probe), 1);
                let request = Request::new(watched.body.take().unwrap());
                let mut future = send(&mut watched.service, request);
                assert_eq!(current_id(), outer, "after the call");
                assert!(poll_once(&mut future).is_pending());
                assert_eq!(current_id(), outer, "after a poll");
                let response = resolve(future).unwrap();
                assert_eq!(current_id(), outer, "after the last poll");
                let mut body = Box::pin(response.into_body());
                poll_body(&mut body);
                assert_eq!(current_id(), outer, "after a poll of the body");
                drop(body);
                assert_eq!(current_id(), outer, "after the drop of the body");
                watched.assert_current(&["call", "poll", "poll", "drop"]);
                let inner = watched.notes.borrow()[0].1.clone();
                *note.borrow_mut() = Some((outer, inner));
                Poll::Ready(Ok(Response::new(Script::empty())))
            }))
        }),
    );
    let future = send(&mut service, Request::new(Script::empty()));
    resolve(future).unwrap();
    nobody();
    let (outer, inner) = ids.take().unwrap();
    assert!(outer.is_some() && inner.is_some());
    assert_ne!(outer, inner);
}

/// The places where a service can panic.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Call,
    FirstPoll,
    LaterPoll,
    RequestBody,
    ResponseBody,
    LaterInResponseBody,
}

fn panicking(place: Place) -> Probe {
    let payload = || -> Box<Marked> { Box::new(Marked(42)) };
    Probe::new(move |request| {
        if place == Place::Call {
            resume_unwind(payload());
        }
        let mut body = Box::pin(request.into_body());
        let mut polls = 0;
        Box::pin(poll_fn(move |cx| {
            polls += 1;
            match place {
                Place::FirstPoll => resume_unwind(payload()),
                Place::LaterPoll if polls == 3 => resume_unwind(payload()),
                Place::LaterPoll => Poll::Pending,
                Place::RequestBody => match body.as_mut().poll_frame(cx) {
                    Poll::Ready(Some(_)) => Poll::Pending,
                    _ => panic!("it panics in its second poll"),
                },
                Place::ResponseBody => {
                    Poll::Ready(Ok(Response::new(Script::new([Step::Panic(42)]))))
                }
                _ => {
                    let steps = [Step::data("a"), Step::Pending, Step::Panic(42)];
                    Poll::Ready(Ok(Response::new(Script::new(steps))))
                }
            }
        }))
    })
}

/// Sends a request to a service that panics at `place`.
fn panic_at(rig: &Rig, kind: Kind, place: Place) {
    let mut service = rig.wrap(kind, panicking(place));
    let request = Request::new(Script::new([Step::data("a"), Step::Panic(42)]));
    let in_body = matches!(place, Place::ResponseBody | Place::LaterInResponseBody);
    if kind.answers_panics() && !in_body {
        let response = resolve(send(&mut service, request)).unwrap();
        nobody();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
        let id = response.headers()["x-request-id"]
            .to_str()
            .unwrap()
            .to_owned();
        let (_, seen) = transcript(response.into_body(), 1);
        let Seen::Data(problem) = &seen[0].0 else {
            panic!("{seen:?}")
        };
        let problem: Value = serde_json::from_slice(problem).unwrap();
        assert_eq!(problem["status"], 500);
        assert_eq!(problem["correlation_id"], id);
        return;
    }
    let payload = if place == Place::Call {
        caught(|| send(&mut service, request))
    } else {
        let mut future = send(&mut service, request);
        if in_body {
            let mut body = Box::pin(resolve(future).unwrap().into_body());
            let payload = caught(|| while poll_body(&mut body) != Seen::End {});
            nobody();
            payload
        } else {
            caught(|| resolve(&mut future).map(drop))
        }
    };
    nobody();
    assert_eq!(payload.downcast_ref(), Some(&Marked(42)), "{place:?}");
}

fn a_panic_in_call_goes_on_as_it_was_or_is_answered(kind: Kind) {
    panic_at(&Rig::new(), kind, Place::Call);
}

fn a_panic_in_a_poll_goes_on_as_it_was_or_is_answered(kind: Kind) {
    panic_at(&Rig::new(), kind, Place::FirstPoll);
    panic_at(&Rig::new(), kind, Place::LaterPoll);
}

fn a_panic_of_the_request_body_goes_on_as_it_was_or_is_answered(kind: Kind) {
    panic_at(&Rig::new(), kind, Place::RequestBody);
}

fn a_panic_of_the_response_body_goes_on_as_it_was(kind: Kind) {
    panic_at(&Rig::new(), kind, Place::ResponseBody);
    panic_at(&Rig::new(), kind, Place::LaterInResponseBody);
}

fn a_panic_anywhere_is_one_exchange(kind: Kind) {
    for place in [
        Place::Call,
        Place::FirstPoll,
        Place::LaterPoll,
        Place::RequestBody,
        Place::ResponseBody,
        Place::LaterInResponseBody,
    ] {
        let rig = Rig::new();
        panic_at(&rig, kind, place);
        let kept = rig.only();
        assert_eq!(kept.outcome, Outcome::Panicked, "{place:?}");
        assert_eq!(kept.panic.unwrap().message, "(not a text)", "{place:?}");
        let in_body = matches!(place, Place::ResponseBody | Place::LaterInResponseBody);
        assert_eq!(kept.response.is_some(), in_body || kind.answers_panics());
        if let Some(response) = kept.response.filter(|_| in_body) {
            assert_eq!(response.body.state, BodyState::Aborted, "{place:?}");
        }
    }
}

struct Nudge;

impl Wake for Nudge {
    fn wake(self: Arc<Self>) {}
}

/// The check: each poll is passed on once, and with the caller's waker.
#[track_caller]
fn check_polls(wrap: impl FnOnce(Probe) -> Erased) {
    let seen: Rc<RefCell<Vec<Waker>>> = Rc::default();
    let note = Rc::clone(&seen);
    let body = Script::new([Step::data("a"), Step::Pending, Step::data("b"), Step::End]);
    let (request, response) = (Script::new([Step::Pending]), body);
    let (request_log, response_log) = (request.log(), response.log());
    let response = RefCell::new(Some(response));
    let mut service = wrap(Probe::new(move |request| {
        let note = Rc::clone(&note);
        let mut request = Box::pin(request.into_body());
        let mut response = response.take();
        Box::pin(poll_fn(move |cx| {
            note.borrow_mut().push(cx.waker().clone());
            match note.borrow().len() {
                1 => Poll::Pending,
                2 => {
                    let _ = request.as_mut().poll_frame(cx);
                    Poll::Pending
                }
                _ => Poll::Ready(Ok(Response::new(response.take().unwrap()))),
            }
        }))
    }));
    let mut future = send(&mut service, Request::new(request));
    let mut answered = None;
    for n in 1..=3 {
        assert_eq!(seen.borrow().len(), n - 1, "polled without being asked");
        let waker = Waker::from(Arc::new(Nudge));
        if let Poll::Ready(response) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            answered = Some(response.unwrap());
        }
        assert_eq!(seen.borrow().len(), n, "polled once");
        assert!(seen.borrow()[n - 1].will_wake(&waker), "another waker");
        assert_eq!(answered.is_some(), n == 3);
        let log = request_log.lock().unwrap();
        assert_eq!(log.polls.len(), usize::from(n >= 2), "the request body");
        if n == 2 {
            assert!(log.wakers[0].will_wake(&waker), "another waker");
        }
    }
    let mut body = Box::pin(answered.unwrap().into_body());
    for n in 1..=6 {
        assert_eq!(response_log.lock().unwrap().polls.len(), n - 1);
        let waker = Waker::from(Arc::new(Nudge));
        let _ = body.as_mut().poll_frame(&mut Context::from_waker(&waker));
        let log = response_log.lock().unwrap();
        assert_eq!(log.polls.len(), n, "polled once");
        assert!(log.wakers[n - 1].will_wake(&waker), "another waker");
    }
    drop(body);
    let log = response_log.lock().unwrap();
    assert_eq!(log.polls.len(), 6, "polled in its drop");
}

fn wakers_and_polls_are_the_caller_s_own(kind: Kind) {
    let rig = Rig::new();
    check_polls(|probe| rig.wrap(kind, probe));
}

/// Polls twice for one poll, or with a waker of its own.
#[derive(Clone)]
struct Busy {
    inner: Erased,
    twice: bool,
}

impl Service<Request<AnyBody>> for Busy {
    type Response = Response<AnyBody>;
    type Error = Failure;
    type Future = Answer<AnyBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Service::<Request<AnyBody>>::poll_ready(&mut self.inner, cx)
    }

    fn call(&mut self, request: Request<AnyBody>) -> Self::Future {
        let twice = self.twice;
        let mut future = self.inner.call(request);
        Box::pin(poll_fn(move |cx| {
            if !twice {
                return poll_once(&mut future);
            }
            match future.as_mut().poll(cx) {
                Poll::Pending => future.as_mut().poll(cx),
                ready => ready,
            }
        }))
    }
}

#[test]
#[should_panic(expected = "polled once")]
fn the_check_sees_polls_that_nobody_asked_for() {
    check_polls(|probe| {
        Erased::new(Busy {
            inner: Erased::new(probe),
            twice: true,
        })
    });
}

#[test]
#[should_panic(expected = "another waker")]
fn the_check_sees_a_waker_that_was_changed() {
    check_polls(|probe| {
        Erased::new(Busy {
            inner: Erased::new(probe),
            twice: false,
        })
    });
}

/// A request whose client waits for nothing still runs in its own context only.
#[test]
fn two_requests_in_turn_on_one_thread_have_a_context_each() {
    let rig = Rig::new();
    let ids: Rc<RefCell<Vec<Option<String>>>> = Rc::default();
    let note = Rc::clone(&ids);
    let mut service = rig.wrap(
        Kind::Dashcam,
        Probe::new(move |_| {
            let note = Rc::clone(&note);
            let mut polls = 0;
            Box::pin(poll_fn(move |_| {
                note.borrow_mut().push(current_id());
                polls += 1;
                if polls < 3 {
                    return Poll::Pending;
                }
                Poll::Ready(Ok(Response::new(Script::empty())))
            }))
        }),
    );
    let mut first = send(&mut service, Request::new(Script::empty()));
    let mut second = send(&mut service, Request::new(Script::empty()));
    for _ in 0..3 {
        let _ = poll_once(&mut first);
        let _ = poll_once(&mut second);
    }
    let ids = ids.take();
    assert_eq!(ids.len(), 6);
    assert_ne!(ids[0], ids[1]);
    for pair in ids.chunks(2) {
        assert_eq!(pair, &ids[..2]);
    }
    assert_eq!(rig.kept().len(), 2);
    rig.assert_nothing_in_flight();
}
