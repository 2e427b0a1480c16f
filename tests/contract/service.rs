//! Every layer as a tower service: readiness, clones, errors, stacks, drops.

use crate::support::{
    AnyBody, Erased, Failure, Kind, Marked, One, Probe, Readiness, Rig, Script, Seen, Step, answer,
    caught, current_id, poll_once, resolve, send, transcript,
};
use bytes::Bytes;
use dashcam::{
    capture::CaptureLayer,
    correlation::{CorrelationIdLayer, PropagateCorrelationIdLayer},
    exchange::{BodyState, Failure as Failed, Outcome},
    export::Memory,
    testing::TestDashcam,
    verbose::VerboseLayer,
};
use futures_util::task::noop_waker;
use http::{Request, Response, StatusCode};
use std::{
    cell::RefCell,
    future::{pending, poll_fn, ready},
    rc::Rc,
    task::{Context, Poll},
};
use tower::{ServiceBuilder, ServiceExt};
use tower_layer::Layer;
use tower_service::Service;

each_layer! {
    readiness_is_forwarded: bare;
    the_readied_receiver_is_called: bare;
    a_clone_is_not_taken_for_ready: bare;
    the_error_comes_out_as_it_was: bare;
    a_failed_service_is_one_exchange: recorded;
    a_service_dropped_before_its_call_leaves_nothing: recorded;
    a_future_dropped_before_its_first_poll_is_abandoned: recorded;
    a_future_dropped_between_polls_is_abandoned: recorded;
    a_future_dropped_when_it_is_ready_leaves_the_end_to_the_body: recorded;
    a_body_dropped_before_its_first_poll_is_abandoned: recorded;
    a_body_dropped_half_way_is_abandoned: recorded;
    a_body_dropped_at_its_end_is_completed: recorded;
    a_response_to_which_belongs_no_body_is_completed_by_its_drop: recorded;
    a_body_of_announced_length_nought_is_completed_by_its_drop: recorded;
    a_forwarded_request_is_part_of_the_first: recorded;
}

fn request() -> Request<Script> {
    Request::new(Script::empty())
}

fn poll_ready(service: &mut Erased) -> Poll<Result<(), Failure>> {
    let waker = noop_waker();
    Service::<Request<AnyBody>>::poll_ready(service, &mut Context::from_waker(&waker))
}

/// The check: readiness is the probe's own, and the service that was readied is the one that is
/// called.
#[track_caller]
fn check_readiness(wrap: impl FnOnce(Probe) -> Erased) {
    let probe = Probe::answering(Script::empty).readiness([
        Readiness::Pending,
        Readiness::Pending,
        Readiness::Error(3),
        Readiness::Pending,
        Readiness::Ready,
        Readiness::Error(4),
    ]);
    let mut service = wrap(probe);
    assert_eq!(poll_ready(&mut service), Poll::Pending);
    assert_eq!(poll_ready(&mut service), Poll::Pending);
    let failure = |code| Poll::Ready(Err(Failure(Box::new(code))));
    assert_eq!(poll_ready(&mut service), failure(3));
    assert_eq!(poll_ready(&mut service), Poll::Pending);
    let response = resolve(send(&mut service, request())).unwrap();
    assert_eq!(response.status(), StatusCode::OK, "the readied one answers");
    assert_eq!(poll_ready(&mut service), failure(4));
}

fn readiness_is_forwarded(kind: Kind) {
    let rig = Rig::new();
    check_readiness(|probe| rig.wrap(kind, probe));
}

/// Calls a clone of the service that it has readied, as a careless layer does.
#[derive(Clone)]
struct CallsAClone(Erased);

impl Service<Request<AnyBody>> for CallsAClone {
    type Response = Response<AnyBody>;
    type Error = Failure;
    type Future = crate::support::Answer<AnyBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Service::<Request<AnyBody>>::poll_ready(&mut self.0, cx)
    }

    fn call(&mut self, request: Request<AnyBody>) -> Self::Future {
        self.0.clone().call(request)
    }
}

/// Always reports that it is ready.
#[derive(Clone)]
struct AlwaysReady(Erased);

impl Service<Request<AnyBody>> for AlwaysReady {
    type Response = Response<AnyBody>;
    type Error = Failure;
    type Future = crate::support::Answer<AnyBody>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<AnyBody>) -> Self::Future {
        self.0.call(request)
    }
}

#[test]
#[should_panic(expected = "called without having been readied")]
fn the_check_sees_a_clone_that_is_called() {
    check_readiness(|probe| Erased::new(CallsAClone(Erased::new(probe))));
}

#[test]
#[should_panic(expected = "Pending")]
fn the_check_sees_readiness_that_is_made_up() {
    check_readiness(|probe| Erased::new(AlwaysReady(Erased::new(probe))));
}

/// The result of a call without readiness: the probe's panic, or the kit's response to it.
#[track_caller]
fn assert_refused(kind: Kind, service: &mut Erased) {
    let mut call = || resolve(Service::<Request<Script>>::call(service, request()));
    if kind.answers_panics() {
        let response = call().unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    } else {
        let payload = caught(call);
        let message = payload.downcast_ref::<String>().map(String::as_str);
        let literal = payload.downcast_ref::<&str>().copied();
        assert_eq!(message.or(literal), Some(Probe::UNREADIED));
    }
}

fn the_readied_receiver_is_called(kind: Kind) {
    let rig = Rig::new();
    let mut service = rig.wrap(kind, Probe::answering(Script::empty));
    assert_refused(kind, &mut service);
    for _ in 0..3 {
        let response = resolve(send(&mut service, request())).unwrap();
        assert_eq!(response.status(), StatusCode::OK);
    }
    assert_refused(kind, &mut service);
}

fn a_clone_is_not_taken_for_ready(kind: Kind) {
    let rig = Rig::new();
    let mut service = rig.wrap(kind, Probe::answering(Script::empty));
    assert_eq!(poll_ready(&mut service), Poll::Ready(Ok(())));
    let mut clone = service.clone();
    assert_refused(kind, &mut clone);
    // The original still is.
    let response = resolve(Service::<Request<Script>>::call(&mut service, request())).unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let response = resolve(send(&mut clone, request())).unwrap();
    assert_eq!(response.status(), StatusCode::OK);
}

fn failing() -> Probe {
    Probe::new(|_| Box::pin(ready(Err(Failure(Box::new(17))))))
}

fn the_error_comes_out_as_it_was(kind: Kind) {
    let rig = Rig::new();
    let mut service = rig.wrap(kind, failing());
    let error = resolve(send(&mut service, request())).unwrap_err();
    assert_eq!(error, Failure(Box::new(17)));
}

fn a_failed_service_is_one_exchange(kind: Kind) {
    let rig = Rig::new();
    let mut service = rig.wrap(kind, failing());
    drop(resolve(send(&mut service, request())));
    let kept = rig.only();
    let failure = Failed::ServiceError;
    assert_eq!(kept.outcome, Outcome::Failed { failure });
    assert_eq!(kept.error.as_deref(), Some("failure number 17"));
    assert_eq!(kept.response, None);
}

fn a_service_dropped_before_its_call_leaves_nothing(kind: Kind) {
    let rig = Rig::new();
    let mut service = rig.wrap(kind, Probe::answering(Script::empty));
    assert_eq!(poll_ready(&mut service), Poll::Ready(Ok(())));
    drop(service);
    assert!(rig.kept().is_empty());
    rig.assert_nothing_in_flight();
}

fn a_future_dropped_before_its_first_poll_is_abandoned(kind: Kind) {
    let rig = Rig::new();
    let mut service = rig.wrap(kind, Probe::answering(Script::empty));
    let future = send(&mut service, request());
    assert!(rig.kept().is_empty(), "not over yet");
    drop(future);
    let kept = rig.only();
    assert_eq!(kept.outcome, Outcome::Abandoned);
    assert_eq!(kept.response, None);
}

fn a_future_dropped_between_polls_is_abandoned(kind: Kind) {
    let rig = Rig::new();
    let mut service = rig.wrap(kind, Probe::new(|_| Box::pin(pending())));
    let mut future = send(&mut service, request());
    for _ in 0..3 {
        assert!(poll_once(&mut future).is_pending());
    }
    assert!(rig.kept().is_empty(), "not over yet");
    drop(future);
    let kept = rig.only();
    assert_eq!(kept.outcome, Outcome::Abandoned);
    assert_eq!(kept.response, None);
}

fn a_future_dropped_when_it_is_ready_leaves_the_end_to_the_body(kind: Kind) {
    let rig = Rig::new();
    let mut service = rig.wrap(kind, Probe::answering(|| Script::new([Step::data("x")])));
    let mut future = send(&mut service, request());
    let Poll::Ready(response) = poll_once(&mut future) else {
        panic!("it is ready at once")
    };
    drop(future);
    assert!(rig.kept().is_empty(), "not over yet");
    transcript(response.unwrap().into_body(), 2);
    assert_eq!(rig.only().outcome, Outcome::Completed);
}

/// Polls the body of the one response this many times and drops it.
fn read_and_drop(kind: Kind, polls: usize, body: fn() -> Script) -> Rig {
    let rig = Rig::new();
    let mut service = rig.wrap(kind, Probe::answering(body));
    let response = resolve(send(&mut service, request())).unwrap();
    assert!(rig.kept().is_empty(), "not over yet");
    transcript(response.into_body(), polls);
    rig
}

fn two_pieces() -> Script {
    Script::new([Step::data("ab"), Step::data("c")]).hint(3, None)
}

fn a_body_dropped_before_its_first_poll_is_abandoned(kind: Kind) {
    let kept = read_and_drop(kind, 0, two_pieces).only();
    assert_eq!(kept.outcome, Outcome::Abandoned);
    let response = kept.response.unwrap();
    assert_eq!(response.status, 200);
    assert_eq!(response.body.state, BodyState::Aborted);
    assert_eq!(response.body.seen, 0);
}

fn a_body_dropped_half_way_is_abandoned(kind: Kind) {
    let kept = read_and_drop(kind, 1, two_pieces).only();
    assert_eq!(kept.outcome, Outcome::Abandoned);
    let body = kept.response.unwrap().body;
    assert_eq!((body.state, body.seen), (BodyState::Aborted, 2));
}

fn a_body_dropped_at_its_end_is_completed(kind: Kind) {
    let kept = read_and_drop(kind, 3, two_pieces).only();
    assert_eq!(kept.outcome, Outcome::Completed);
    let body = kept.response.unwrap().body;
    assert_eq!((body.state, body.seen), (BodyState::Complete, 3));
}

/// HTTP implementations drop such a body without reading it.
fn a_response_to_which_belongs_no_body_is_completed_by_its_drop(kind: Kind) {
    for (method, status) in [("HEAD", 200), ("GET", 204), ("GET", 304)] {
        let rig = Rig::new();
        let mut service = rig.wrap(
            kind,
            Probe::new(move |_| {
                let response = Response::builder().status(status);
                Box::pin(ready(Ok(response.body(two_pieces()).unwrap())))
            }),
        );
        let request = Request::builder().method(method).body(Script::empty());
        drop(resolve(send(&mut service, request.unwrap())));
        let kept = rig.only();
        assert_eq!(kept.outcome, Outcome::Completed, "{method} {status}");
        assert_eq!(kept.response.unwrap().body.state, BodyState::None);
    }
}

/// HTTP implementations drop this one, too: all of its bytes are sent.
fn a_body_of_announced_length_nought_is_completed_by_its_drop(kind: Kind) {
    let kept = read_and_drop(kind, 0, || Script::new([]).hint(0, Some(0))).only();
    assert_eq!(kept.outcome, Outcome::Completed);
    assert_eq!(kept.response.unwrap().body.state, BodyState::None);
}

/// A service that passes its request to a service with the same layers.
fn a_forwarded_request_is_part_of_the_first(kind: Kind) {
    if kind == Kind::Client {
        // Each call has a context of its own, which is never current.
        return;
    }
    let rig = Rig::new();
    let ids = Rc::new(RefCell::new(Vec::new()));
    let seen = Rc::clone(&ids);
    let inner = rig.wrap(
        kind,
        Probe::new(move |_| {
            seen.borrow_mut().push(current_id());
            answer(Script::empty())
        }),
    );
    let seen = Rc::clone(&ids);
    let mut service = rig.wrap(
        kind,
        Probe::new(move |request| {
            seen.borrow_mut().push(current_id());
            let mut inner = inner.clone();
            assert_eq!(poll_ready(&mut inner), Poll::Ready(Ok(())));
            let mut future = inner.call(request);
            Box::pin(poll_fn(move |_| {
                poll_once(&mut future).map_ok(|response| response.map(|_| Script::empty()))
            }))
        }),
    );
    resolve(send(&mut service, request())).unwrap();
    let ids = ids.take();
    assert!(ids[0].is_some());
    assert_eq!(ids[0], ids[1]);
    assert_eq!(Some(rig.only().correlation.id), ids[0]);
}

fn permutations(layers: &[One]) -> Vec<Vec<One>> {
    if layers.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for (n, first) in layers.iter().enumerate() {
        let mut rest = layers.to_vec();
        rest.remove(n);
        for mut order in permutations(&rest) {
            order.insert(0, *first);
            all.push(order);
        }
    }
    all
}

const STACK: [One; 5] = [
    One::Correlation,
    One::Propagate,
    One::Verbose,
    One::Capture,
    One::Dashcam,
];

/// The two layers that keep belong to different recorders here: each keeps the request once, under
/// the same ID.
#[test]
fn stacked_in_every_order_there_is_one_id_and_one_exchange_each() {
    let orders = permutations(&STACK);
    assert_eq!(orders.len(), 120);
    for order in orders {
        let rig = Rig::new();
        let seen = Rc::new(RefCell::new(None));
        let at = Rc::clone(&seen);
        let mut service = rig.wrap_in(
            &order,
            Probe::new(move |request| {
                let header = request.headers()["x-request-id"]
                    .to_str()
                    .unwrap()
                    .to_owned();
                assert_eq!(current_id().as_ref(), Some(&header));
                *at.borrow_mut() = Some(header);
                answer(two_pieces())
            }),
        );
        let response = resolve(send(&mut service, request())).unwrap();
        let id = seen.take().unwrap();
        assert_eq!(response.status(), 200, "{order:?}");
        assert_eq!(response.headers()["x-request-id"], *id, "{order:?}");
        assert_eq!(response.headers().get_all("x-request-id").iter().count(), 1);
        transcript(response.into_body(), 3);
        let kept = rig.kept();
        assert_eq!(kept.len(), 2, "{order:?}");
        for kept in kept {
            assert_eq!(kept.correlation.id, id, "{order:?}");
            assert_eq!(kept.outcome, Outcome::Completed, "{order:?}");
            assert_eq!(kept.response.unwrap().body.seen, 3, "{order:?}");
        }
        assert_eq!(rig.dashcam().status().finished, 1, "{order:?}");
        rig.assert_nothing_in_flight();
    }
}

#[test]
fn stacked_with_one_recorder_in_every_order_the_exchange_is_kept_once() {
    let layers = [
        One::Correlation,
        One::Verbose,
        One::Dashcam,
        One::DashcamObserving,
    ];
    for order in permutations(&layers) {
        let rig = Rig::new();
        let mut service = rig.wrap_in(&order, Probe::answering(two_pieces));
        let response = resolve(send(&mut service, request())).unwrap();
        let id = response.headers()["x-request-id"]
            .to_str()
            .unwrap()
            .to_owned();
        transcript(response.into_body(), 3);
        let kept = rig.only();
        assert_eq!(kept.correlation.id, id, "{order:?}");
        assert_eq!(kept.outcome, Outcome::Completed, "{order:?}");
    }
}

/// The static types of all layers in one builder.
#[test]
fn one_service_builder_takes_them_all() {
    let dashcam = TestDashcam::with(|builder| builder.baseline(1.0));
    let captured = Memory::new(10);
    let capture = CaptureLayer::builder("test", "0.0.0")
        .baseline(1.0)
        .build(captured.clone());
    let capture = capture.unwrap();
    let probe = || Probe::answering(two_pieces);
    let outwards = ServiceBuilder::new()
        .layer(CorrelationIdLayer::new())
        .layer(VerboseLayer::new())
        .layer(capture.clone())
        .layer(dashcam.layer().propagate_panics())
        .layer(dashcam.layer())
        .layer(PropagateCorrelationIdLayer::new())
        .service(probe());
    let inwards = ServiceBuilder::new()
        .layer(PropagateCorrelationIdLayer::new())
        .layer(dashcam.layer().propagate_panics())
        .layer(capture.clone())
        .layer(VerboseLayer::new())
        .layer(CorrelationIdLayer::new())
        .layer(CorrelationIdLayer::new())
        .service(probe());
    for (n, mut service) in [Erased::new(outwards), Erased::new(inwards)]
        .into_iter()
        .enumerate()
    {
        let response = resolve(send(&mut service, request())).unwrap();
        let id = response.headers()["x-request-id"]
            .to_str()
            .unwrap()
            .to_owned();
        transcript(response.into_body(), 3);
        let kept = dashcam.kept();
        assert_eq!(kept.len(), n + 1);
        assert_eq!(kept[n].correlation.id, id);
        assert!(capture.flush(std::time::Duration::from_secs(60)));
        assert_eq!(captured.len(), n + 1);
        assert_eq!(captured.exchanges()[n].correlation.id, id);
    }
    let status = dashcam.status();
    assert_eq!((status.in_flight, status.finished), (0, 2));
}

/// One test per layer with the layer's own types.
macro_rules! over_types {
    ($($test:ident: $check:ident!($layer:expr);)*) => {
        $(#[test]
        fn $test() {
            // Kept until the end of the test, as a service does.
            let dashcam = TestDashcam::new();
            let _ = &dashcam;
            let make = $layer;
            $check!(make(&dashcam));
        })*
    };
}

fn capture_layer() -> CaptureLayer {
    CaptureLayer::builder("test", "0.0.0")
        .build(Memory::new(1))
        .unwrap()
}

macro_rules! mock_is_called_when_it_is_ready {
    ($layer:expr) => {{
        let (mock, mut handle) = tower_test::mock::pair::<_, Response<Script>>();
        handle.allow(0);
        let mut service = tower_test::mock::Spawn::new($layer.layer(mock));
        assert!(service.poll_ready::<Request<Script>>().is_pending());
        handle.allow(1);
        assert!(service.is_woken(), "the waker went through");
        assert!(matches!(
            service.poll_ready::<Request<Script>>(),
            Poll::Ready(Ok(()))
        ));
        let mut future = tokio_test::task::spawn(service.call(request()));
        assert!(future.poll().is_pending());
        assert!(
            service.poll_ready::<Request<Script>>().is_pending(),
            "one only was allowed"
        );
        let Poll::Ready(Some((got, respond))) =
            tokio_test::task::spawn(handle.next_request()).poll()
        else {
            panic!("the mock was not called")
        };
        assert_eq!(got.uri(), "/");
        respond.send_response(Response::new(Script::empty()));
        assert!(future.is_woken(), "the waker went through");
        assert!(matches!(future.poll(), Poll::Ready(Ok(_))));
        handle.send_error(Failure(Box::new(8)));
        let Poll::Ready(Err(error)) = service.poll_ready::<Request<Script>>() else {
            panic!("the mock has failed")
        };
        assert_eq!(error.downcast_ref(), Some(&Failure(Box::new(8))));
    }};
}

over_types! {
    mock_under_correlation: mock_is_called_when_it_is_ready!(|_: &TestDashcam| CorrelationIdLayer::new());
    mock_under_propagate: mock_is_called_when_it_is_ready!(|_: &TestDashcam| PropagateCorrelationIdLayer::new());
    mock_under_verbose: mock_is_called_when_it_is_ready!(|_: &TestDashcam| VerboseLayer::new());
    mock_under_capture: mock_is_called_when_it_is_ready!(|_: &TestDashcam| capture_layer());
    mock_under_dashcam: mock_is_called_when_it_is_ready!(|d: &TestDashcam| d.layer());
    mock_under_dashcam_observing: mock_is_called_when_it_is_ready!(|d: &TestDashcam| d.layer().propagate_panics());
}

macro_rules! works_in_an_axum_router {
    ($layer:expr) => {{
        use axum::{Router, body::Body, extract::Path, routing::post};
        let app = Router::new()
            .route(
                "/items/{n}",
                post(|Path(n): Path<u32>, text: String| async move { format!("{n} {text}") }),
            )
            .layer($layer);
        for (path, status, body) in [("/items/7", 200, "7 seven"), ("/nowhere", 404, "")] {
            let request = Request::post(path).body(Body::from("seven")).unwrap();
            let response = futures_util::FutureExt::now_or_never(app.clone().oneshot(request));
            let response = response.expect("nothing to wait for").unwrap();
            assert_eq!(response.status(), status);
            let text = futures_util::FutureExt::now_or_never(axum::body::to_bytes(
                response.into_body(),
                100,
            ));
            assert_eq!(text.unwrap().unwrap(), body);
        }
    }};
}

over_types! {
    axum_with_correlation: works_in_an_axum_router!(|_: &TestDashcam| CorrelationIdLayer::new());
    axum_with_propagate: works_in_an_axum_router!(|_: &TestDashcam| PropagateCorrelationIdLayer::new());
    axum_with_verbose: works_in_an_axum_router!(|_: &TestDashcam| VerboseLayer::new());
    axum_with_capture: works_in_an_axum_router!(|_: &TestDashcam| capture_layer());
    axum_with_dashcam: works_in_an_axum_router!(|d: &TestDashcam| d.layer());
    axum_with_dashcam_observing: works_in_an_axum_router!(|d: &TestDashcam| d.layer().propagate_panics());
}

macro_rules! works_in_a_plain_stack {
    ($layer:expr) => {{
        let service = ServiceBuilder::new()
            .layer($layer)
            .service(Probe::answering(|| {
                Script::from(Bytes::from_static(b"hello"))
            }));
        let response = resolve(Box::pin(service.oneshot(request()))).unwrap();
        let (_, seen) = transcript(response.into_body(), 1);
        assert_eq!(seen[0].0, Seen::Data(Bytes::from_static(b"hello")));
    }};
}

over_types! {
    plain_stack_with_correlation: works_in_a_plain_stack!(|_: &TestDashcam| CorrelationIdLayer::new());
    plain_stack_with_propagate: works_in_a_plain_stack!(|_: &TestDashcam| PropagateCorrelationIdLayer::new());
    plain_stack_with_verbose: works_in_a_plain_stack!(|_: &TestDashcam| VerboseLayer::new());
    plain_stack_with_capture: works_in_a_plain_stack!(|_: &TestDashcam| capture_layer());
    plain_stack_with_dashcam: works_in_a_plain_stack!(|d: &TestDashcam| d.layer());
    plain_stack_with_dashcam_observing: works_in_a_plain_stack!(|d: &TestDashcam| d.layer().propagate_panics());
}

/// A panic that became a response stays a panic, whatever happens to the response.
#[test]
fn an_answered_panic_is_one_panic_however_its_body_ends() {
    // If the layer is there twice, the outer one keeps the response of the inner one.
    for kind in [Kind::Dashcam, Kind::DashcamTwice] {
        for (method, polls) in [("GET", 0), ("GET", 1), ("GET", 2), ("HEAD", 0)] {
            let rig = Rig::new();
            let mut service = rig.wrap(
                kind,
                Probe::new(|_| std::panic::resume_unwind(Box::new(Marked(1)))),
            );
            let request = Request::builder().method(method).body(Script::empty());
            let response = resolve(send(&mut service, request.unwrap())).unwrap();
            assert_eq!(response.status(), 500);
            transcript(response.into_body(), polls);
            let outcome = rig.only().outcome;
            assert_eq!(outcome, Outcome::Panicked, "{kind:?} {method} {polls}");
        }
    }
}

#[test]
fn a_panic_in_call_whose_answer_nobody_asks_for_is_one_panic() {
    let rig = Rig::new();
    let mut service = rig.wrap(
        Kind::Dashcam,
        Probe::new(|_| std::panic::resume_unwind(Box::new(Marked(1)))),
    );
    drop(send(&mut service, request()));
    assert_eq!(rig.only().outcome, Outcome::Panicked);
}
