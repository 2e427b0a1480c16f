//! Code of a request runs on many threads, in tasks, in nested requests and in bodies: its events
//! belong to the request wherever they are emitted.

use crate::support_gate::{DEADLINE, FAILED, Fixture, Output, Seen, get, messages, request, send};
use axum::{Router, body::Body, routing::get as on_get};
use bytes::Bytes;
use dashcam::{
    context::{InRequestExt, in_request},
    exchange::Exchange,
};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use std::{
    collections::HashSet,
    convert::Infallible,
    sync::{OnceLock, mpsc},
    thread,
};
use tokio::{sync::oneshot, task::yield_now};
use tower::{BoxError, ServiceBuilder, ServiceExt, buffer::BufferLayer, service_fn};
use tracing::Instrument;
use tracing_subscriber::{EnvFilter, prelude::*};

/// One subscriber for the process, whichever test comes first.
fn output() -> &'static Seen {
    static SEEN: OnceLock<Seen> = OnceLock::new();
    SEEN.get_or_init(|| {
        let seen = Seen::default();
        tracing_subscriber::registry()
            .with(seen.clone())
            .with(dashcam::gate::Gate::new(EnvFilter::new("info")))
            .init();
        seen
    })
}

fn id() -> String {
    dashcam::current().unwrap().correlation_id().to_string()
}

/// Returns the exchange of the request for this path.
fn of<'k>(kept: &'k [Exchange], path: &str) -> &'k Exchange {
    let route = |e: &&Exchange| e.request.route.as_deref() == Some(path);
    let mut found = kept.iter().filter(route);
    let one = found
        .next()
        .unwrap_or_else(|| panic!("{path} of {kept:#?}"));
    assert_eq!(found.next(), None, "one exchange of {path}");
    one
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_handler_that_migrates_between_threads() {
    alone!();
    output();
    let fixture = Fixture::new();
    let handler = async {
        let (own, mut threads, mut steps) = (id(), HashSet::new(), 0_u64);
        let deadline = std::time::Instant::now() + DEADLINE;
        while threads.len() < 3 {
            assert!(std::time::Instant::now() < deadline, "it migrates");
            threads.insert(format!("{:?}", thread::current().id()));
            tracing::debug!(step = steps, "step");
            steps += 1;
            // Woken from outside the runtime, while this worker is held.
            let (wake, woken) = oneshot::channel();
            let (release, held) = mpsc::channel::<()>();
            tokio::spawn(async move {
                thread::spawn(move || wake.send(()));
                held.recv().unwrap_err();
            });
            woken.await.unwrap();
            drop(release);
            assert_eq!(id(), own);
        }
        (steps, threads)
    };
    let (sender, told) = oneshot::channel();
    let serve = async move {
        let serve = fixture.serve(request(), async {
            sender.send(handler.await).unwrap();
            FAILED
        });
        serve.await;
        fixture.only()
    };
    let exchange = tokio::spawn(serve).await.unwrap();
    let (steps, threads) = told.await.unwrap();
    let recorded: Vec<_> = exchange.events.iter().map(|e| &e.fields["step"]).collect();
    assert_eq!(recorded, (0..steps).collect::<Vec<_>>());
    let on = |e: &dashcam::exchange::Event| format!("ThreadId({})", e.thread.as_ref().unwrap().id);
    assert_eq!(
        exchange.events.iter().map(on).collect::<HashSet<_>>(),
        threads
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_elsewhere_hands_the_request_on() {
    alone!();
    output();
    let fixture = Fixture::new();
    let handler = async {
        let own = id();
        // Each of them starts the next one.
        let task = async move {
            yield_now().await;
            tracing::debug!("task");
            let blocking = in_request(move || {
                tracing::debug!("blocking");
                let thread = in_request(|| {
                    tracing::debug!("thread");
                    id()
                });
                thread::spawn(thread).join().unwrap()
            });
            tokio::task::spawn_blocking(blocking).await.unwrap()
        };
        assert_eq!(tokio::spawn(task.in_request()).await.unwrap(), own);
        // It is dropped unfinished. The events of its destructors belong to the request, too.
        struct Farewell;
        impl Drop for Farewell {
            fn drop(&mut self) {
                tracing::debug!("farewell");
            }
        }
        let (begun, has_begun) = oneshot::channel();
        let endless = async move {
            let _farewell = Farewell;
            begun.send(()).unwrap();
            std::future::pending::<()>().await;
        };
        let endless = tokio::spawn(endless.in_request());
        has_begun.await.unwrap();
        endless.abort();
        assert!(endless.await.unwrap_err().is_cancelled());
        FAILED
    };
    let handler = handler.instrument(tracing::info_span!("around"));
    fixture.serve(request(), handler).await;
    let exchange = fixture.only();
    let all = ["task", "blocking", "thread", "farewell"];
    assert_eq!(messages(&exchange), all);
    for event in &exchange.events {
        assert_eq!(event.spans.len(), 1, "the span is carried, too: {event:?}");
        assert_eq!(event.spans[0].name, "around");
    }
}

/// A handler that calls this one in the same process, down to 0.
fn nesting(fixtures: &'static [Fixture; 2], depth: usize) -> Router {
    let handler = move || async move {
        let own = id();
        tracing::debug!("{depth} before");
        if depth > 0 {
            let inner = nesting(fixtures, depth - 1);
            let status = send(inner, get(&format!("/{}", depth - 1))).await;
            assert_eq!(status, FAILED);
        }
        assert_eq!(id(), own, "the outer request is current again");
        yield_now().await;
        assert_eq!(id(), own);
        tracing::debug!("{depth} after");
        FAILED
    };
    // Two in turn: the outer request has the same layer, or another one.
    let layer = fixtures[depth / 2 % 2].dashcam.layer();
    Router::new()
        .route(&format!("/{depth}"), on_get(handler))
        .layer(layer)
}

#[tokio::test]
#[cfg_attr(not(feature = "axum"), ignore = "needs routes of axum")]
async fn requests_inside_of_requests_have_their_own_events() {
    alone!();
    output();
    let fixtures: &'static _ = Box::leak(Box::new([Fixture::new(), Fixture::new()]));
    assert_eq!(send(nesting(fixtures, 4), get("/4")).await, FAILED);
    let [mut kept, others] = [fixtures[0].take(), fixtures[1].take()];
    assert_eq!((kept.len(), others.len()), (3, 2));
    kept.extend(others);
    for depth in 0..5 {
        let exchange = of(&kept, &format!("/{depth}"));
        let own = ["before", "after"].map(|when| format!("{depth} {when}"));
        assert_eq!(messages(exchange), own);
    }
    let ids: HashSet<_> = kept.iter().map(|e| &e.correlation.id).collect();
    assert_eq!(
        ids.len(),
        5,
        "calls without the ID are journeys of their own"
    );
    assert!(dashcam::current().is_none());
}

/// The inner service, which reports where it runs.
async fn says(_: ()) -> Result<Response<Body>, BoxError> {
    tracing::debug!("future");
    yield_now().await;
    tracing::debug!("future again");
    Ok(Response::builder()
        .status(FAILED)
        .body(Body::empty())
        .unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_between_two_layers_joins_by_the_extensions() {
    alone!();
    output();
    let fixture = Fixture::new();
    let inner = service_fn(|_: Request<_>| {
        tracing::debug!("call");
        says(())
    });
    let buffered = ServiceBuilder::new()
        .layer(fixture.dashcam.layer())
        .layer(BufferLayer::new(8))
        .layer(fixture.dashcam.layer())
        .service(inner);
    for _ in 0..3 {
        assert_eq!(send(buffered.clone(), get("/")).await, FAILED);
        assert_eq!(
            messages(&fixture.only()),
            ["call", "future", "future again"]
        );
    }

    // All of the inner service runs in a task of its own.
    let joined = ServiceBuilder::new()
        .layer(fixture.dashcam.layer())
        .service(inner);
    let spawning = ServiceBuilder::new()
        .layer(fixture.dashcam.layer())
        .service(service_fn(move |request: Request<_>| {
            let task = tokio::spawn(joined.clone().oneshot(request));
            async { task.await.unwrap().map(|r| r.map(Body::new)) }
        }));
    assert_eq!(send(spawning, get("/")).await, FAILED);
    assert_eq!(
        messages(&fixture.only()),
        ["call", "future", "future again"]
    );
}

/// A body of two frames that logs whenever it is polled.
fn speaking(name: &'static str) -> Body {
    let frames = futures_util::stream::unfold(0, move |n| async move {
        tracing::debug!("{name} {n}");
        yield_now().await;
        tracing::debug!("{name} {n} again");
        let frame = Frame::data(Bytes::from_static(b"frame"));
        (n < 2).then_some((Ok::<_, Infallible>(frame), n + 1))
    });
    Body::new(StreamBody::new(frames))
}

fn spoken(name: &str) -> Vec<String> {
    (0..3)
        .flat_map(|n| [format!("{name} {n}"), format!("{name} {n} again")])
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_speak_in_their_request() {
    alone!();
    output();
    let fixture = Fixture::new();
    let echo = |body: Body| async move {
        tracing::debug!("begin");
        let read = body.collect().await.unwrap().to_bytes();
        assert_eq!(&read[..], b"frameframe");
        tracing::debug!("answer");
        (FAILED, speaking("response"))
    };
    let app = Router::new()
        .route("/", axum::routing::post(echo))
        .layer(fixture.dashcam.layer());
    let request = Request::post("/").body(speaking("request")).unwrap();
    let response = app.oneshot(request).await.unwrap();
    assert!(dashcam::current().is_none());
    // Another thread polls the response.
    let body = tokio::spawn(response.into_body().collect()).await.unwrap();
    assert_eq!(body.unwrap().to_bytes().len(), 10);
    let mut all = vec!["begin".to_owned()];
    all.extend(spoken("request"));
    all.push("answer".to_owned());
    all.extend(spoken("response"));
    assert_eq!(messages(&fixture.only()), all);
}

/// The only test here with late events: their count is per process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strays_come_too_late() {
    alone!();
    let seen = output();
    let fixture = Fixture::new();
    let (go, wait) = oneshot::channel::<()>();
    let mut task = None;
    let slot = &mut task;
    let handler = async move {
        let (spoke, has_spoken) = oneshot::channel();
        let stray = async move {
            tracing::debug!("stray in time");
            spoke.send(()).unwrap();
            wait.await.unwrap();
            tracing::debug!("stray late");
            tracing::info!("stray late, told");
        };
        *slot = Some(tokio::spawn(stray.in_request()));
        has_spoken.await.unwrap();
        FAILED
    };
    assert_eq!(fixture.serve(request(), handler).await, FAILED);
    let exchange = fixture.only();
    go.send(()).unwrap();
    task.unwrap().await.unwrap();
    assert_eq!(messages(&exchange), ["stray in time"]);
    assert_eq!(fixture.dashcam.status().late_events, 2);
    assert_eq!(seen.count("stray late"), 0);
    assert_eq!(seen.count("stray late, told"), 1);
    assert!(fixture.take().is_empty());
}
