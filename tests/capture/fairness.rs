//! A client that fails once is kept although others fail often, and waiting calls give way.

use axum::{
    Router,
    body::{Body, Bytes},
    http::Request,
    routing::{get, post},
};
use dashcam::{
    capture::{CaptureLayer, Classify, Limits, StormLimits},
    exchange::{BodyState, Depth, Direction, Exchange, Failure, Outcome},
    lifecycle::{RequestBody, ResponseBody},
    selection::Peer,
    testing::TestDashcam,
};
use http::{Response, StatusCode};
use http_body_util::BodyExt;
use std::{convert::Infallible, future::pending, net::IpAddr, time::Duration};
use tower::{ServiceBuilder, ServiceExt, service_fn, util::BoxCloneSyncService};

fn request(path: &str, peer: &str) -> Request<Body> {
    let mut request = Request::get(path).body(Body::empty()).unwrap();
    let peer: IpAddr = peer.parse().unwrap();
    request.extensions_mut().insert(Peer(peer));
    request
}

async fn visit(app: &Router, path: &str, peer: &str) -> StatusCode {
    let response = app.clone().oneshot(request(path, peer)).await.unwrap();
    let status = response.status();
    response.into_body().collect().await.unwrap();
    status
}

/// A client that leaves before its response.
fn leave(app: &Router, path: &str, peer: &str) {
    let mut future = tokio_test::task::spawn(app.clone().oneshot(request(path, peer)));
    assert!(future.poll().is_pending());
}

fn app(dashcam: &TestDashcam) -> Router {
    Router::new()
        .route("/waits", get(pending::<()>))
        .route("/fails/{code}", get(fail))
        .layer(dashcam.layer())
}

async fn fail(
    axum::extract::Path(code): axum::extract::Path<u16>,
    peer: Option<axum::Extension<Peer>>,
) -> (StatusCode, &'static str) {
    tracing::debug!("about to fail");
    if let (Some(axum::Extension(Peer(IpAddr::V4(peer)))), Some(request)) =
        (peer, dashcam::current())
        && peer.octets()[0] == 192
    {
        request.fact("customer", "yes");
    }
    (StatusCode::from_u16(code).unwrap(), "sorry")
}

/// Everything that was kept of a part of the path, which stands for all of it.
#[track_caller]
fn assert_adds_up(dashcam: &TestDashcam, kept: &[Exchange], requests: u64) {
    let told: u64 = kept.iter().map(|kept| kept.losses.suppressed_before).sum();
    let status = dashcam.status();
    assert_eq!(status.kept, kept.len() as u64);
    assert_eq!(status.kept + status.dropped.suppressed, requests);
    assert!(told <= status.dropped.suppressed);
}

#[tokio::test]
async fn a_stranger_who_leaves_often_takes_nothing_from_a_customer() {
    for often in [3, 23, 200] {
        let dashcam = TestDashcam::new();
        let app = app(&dashcam);
        for _ in 0..often {
            leave(&app, "/waits", "2001:db8:1:2::1");
        }
        // Another address of the same network is the same peer.
        leave(&app, "/waits", "2001:db8:1:2:3::9");
        leave(&app, "/waits", "2001:db8:1:3::1");
        let kept = dashcam.kept();
        let last = kept.last().unwrap();
        assert_eq!(last.depth, Depth::Full, "after {often}");
        assert_eq!(last.outcome, Outcome::Abandoned);
        assert!(last.missing.is_empty(), "{:?}", last.missing);
        assert_eq!(last.losses.kept_one_in, None);
        let strangers = usize::try_from(often).unwrap() + 1;
        assert!(kept.len() - 1 <= strangers.min(3 + 20), "{}", kept.len());
        assert_adds_up(&dashcam, &kept, often + 2);
    }
}

/// With attackers from many addresses it takes minutes and depends on chance: the unit tests of
/// the budget cover that.
#[tokio::test]
async fn customers_are_kept_beside_an_attacker() {
    let dashcam = TestDashcam::new();
    let app = app(&dashcam);
    for n in 0..2_000 {
        let path = if n % 2 == 0 {
            "/fails/500"
        } else {
            "/fails/503"
        };
        visit(&app, path, "10.0.0.1").await;
        if n % 100 == 50 {
            visit(&app, path, &format!("192.0.2.{}", n / 100)).await;
        }
    }
    let kept = dashcam.kept();
    assert_adds_up(&dashcam, &kept, 2_020);
    let full = |kept: &&Exchange| kept.depth == Depth::Full && kept.facts.contains_key("customer");
    let full = kept.iter().filter(full).count();
    assert!(full >= 19, "{full} customers");
}

#[tokio::test]
async fn what_clients_leave_takes_no_place_of_what_fails() {
    let dashcam = TestDashcam::with(|builder| {
        let mut storm = StormLimits::default();
        (storm.full, storm.per_second) = (1_000, 20);
        storm.window = Duration::from_secs(3600);
        builder.storm(storm)
    });
    let app = app(&dashcam);
    for n in 0..100 {
        leave(&app, "/waits", &format!("10.0.0.{n}"));
        visit(&app, "/fails/500", "192.0.2.1").await;
    }
    let kept = dashcam.kept();
    let left = |kept: &&Exchange| kept.outcome == Outcome::Abandoned;
    let left = kept.iter().filter(left).count();
    assert!(
        left >= 10 && kept.len() - left >= 5,
        "{left} of {}",
        kept.len()
    );
}

#[tokio::test]
async fn where_nobody_is_known_a_sample_of_the_window_is_kept() {
    let dashcam = TestDashcam::with(|builder| {
        let mut storm = StormLimits::default();
        storm.window = Duration::from_secs(8);
        builder.storm(storm)
    });
    let app = app(&dashcam);
    let mut requests = 0;
    let mut drawn = Vec::new();
    for _ in 0..4_000 {
        let request = Request::get("/fails/500").body(Body::empty()).unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        response.into_body().collect().await.unwrap();
        requests += 1;
        tokio::time::sleep(Duration::from_millis(2)).await;
        let kept = dashcam.kept();
        let of_sample = kept.iter().filter(|kept| kept.losses.kept_one_in.is_some());
        drawn = of_sample.cloned().collect();
        if !drawn.is_empty() {
            break;
        }
    }
    let one = drawn.first().expect("some are drawn");
    assert_eq!(one.depth, Depth::Full);
    assert!(one.losses.kept_one_in > Some(1));
    assert!(one.losses.suppressed_before > 0);
    assert_adds_up(&dashcam, &dashcam.kept(), requests);
}

/// A client of other services: hosts that hang, fail or respond.
fn client(layer: &CaptureLayer) -> BoxCloneSyncService<Request<Body>, Response<Body>, Infallible> {
    let service = ServiceBuilder::new()
        .map_response(|response: Response<ResponseBody<Body>>| response.map(Body::new))
        .layer(layer.clone())
        .service(service_fn(async |request: Request<RequestBody<Body>>| {
            let host = request.uri().host().unwrap_or_default().to_owned();
            if host == "hangs" {
                pending::<()>().await;
            }
            let status = if host.ends_with("answers") { 200 } else { 502 };
            let mut response = Response::new(Body::from("x".repeat(64 * 1024)));
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            Ok::<_, Infallible>(response)
        }));
    BoxCloneSyncService::new(service)
}

fn calls(kept: &[Exchange]) -> Vec<&Exchange> {
    let of = |kept: &&Exchange| kept.direction == Direction::Client;
    kept.iter().filter(of).collect()
}

#[tokio::test]
async fn failing_calls_differ_by_host_and_path() {
    let dashcam = TestDashcam::new();
    let client = client(&dashcam.client_layer());
    let call = async |uri: String| {
        let request = Request::get(uri).body(Body::empty()).unwrap();
        let response = client.clone().oneshot(request).await.unwrap();
        response.into_body().collect().await.unwrap();
    };
    for n in 0..40 {
        // The same host and path in several spellings.
        let host = ["search", "SEARCH", "search."][n % 3];
        call(format!("http://{host}/find/{n}/hits?q={n}")).await;
    }
    for uri in ["http://payment/find/1/hits", "http://search/suggest"] {
        call(uri.to_owned()).await;
        let kept = dashcam.kept();
        assert_eq!(calls(&kept).last().unwrap().depth, Depth::Full, "{uri}");
    }
    assert_eq!(dashcam.kept().len(), 3 + 20 + 2);
    // Hosts that users name are bounded, and take no place from the service's failures.
    let app = app(&dashcam);
    for n in 0..600 {
        call(format!("http://hook{n}x.example/")).await;
    }
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    visit(&app, "/fails/500", "192.0.2.1").await;
    let kept = dashcam.kept();
    let last = kept.last().unwrap();
    assert_eq!(
        (last.direction, last.depth),
        (Direction::Server, Depth::Full)
    );
    let of_hooks = calls(&kept).len() - 25;
    assert!(of_hooks <= 128 + 64 + 23, "{of_hooks}");
}

#[tokio::test]
async fn a_call_that_its_request_gave_up_is_no_failure_of_its_own() {
    let dashcam = TestDashcam::new();
    let client = client(&dashcam.client_layer());
    let hedged = async move |axum::extract::Path(code): axum::extract::Path<u16>| {
        let call = |uri: &str| {
            let request = Request::get(uri).body(Body::empty()).unwrap();
            client.clone().oneshot(request)
        };
        // The loser is dropped with this function's future, or as soon as one has won.
        let mut loser = Box::pin(call("http://hangs/"));
        tokio::select! {
            biased;
            _ = &mut loser => {}
            _ = call("http://answers/") => {}
        }
        drop(loser);
        StatusCode::from_u16(code).unwrap()
    };
    let app = Router::new()
        .route("/{code}", get(hedged))
        .layer(dashcam.layer());
    for _ in 0..30 {
        visit(&app, "/200", "192.0.2.1").await;
    }
    assert!(dashcam.kept().is_empty(), "{:#?}", dashcam.kept());
    // The exchange of a request that failed has them.
    visit(&app, "/500", "192.0.2.1").await;
    let kept = dashcam.kept();
    let outcomes: Vec<_> = calls(&kept).iter().map(|c| c.outcome.as_str()).collect();
    assert_eq!(outcomes.len(), 2, "{kept:#?}");
    assert!(outcomes.contains(&"abandoned"), "{outcomes:?}");
}

#[tokio::test]
async fn methods_that_a_client_makes_up_take_no_room_from_routes() {
    let dashcam = TestDashcam::new();
    // Middleware before the service responds to every path.
    let any = async |_: Request<Body>| {
        let head = Response::builder().header("content-type", "application/grpc");
        head.header("grpc-status", "13")
            .body(Body::empty())
            .unwrap()
    };
    let app = Router::new()
        .route("/fails/{code}", get(fail))
        .fallback(any)
        .layer(dashcam.layer());
    for n in 0..3_000 {
        let mut request = request(&format!("/shop.Orders/Invented{n}"), "10.0.0.1");
        let grpc = http::HeaderValue::from_static("application/grpc");
        request.headers_mut().insert("content-type", grpc);
        drop(app.clone().oneshot(request).await);
    }
    let invented = dashcam.kept().len();
    assert!(invented <= 64 + 23, "{invented}");
    for code in [500, 502, 503] {
        // The peers are unknown, so none counts as new.
        let request = Request::get(format!("/fails/{code}")).body(Body::empty());
        drop(app.clone().oneshot(request.unwrap()).await);
        let kept = dashcam.kept();
        let last = kept.last().unwrap();
        assert_eq!(last.response.as_ref().unwrap().status, code);
        assert_eq!(last.depth, Depth::Full);
    }
}

#[tokio::test]
async fn bodies_of_calls_that_only_wait_are_given_up_first() {
    let dashcam = TestDashcam::with(|builder| {
        let mut limits = Limits::default();
        limits.memory = 4 * 1024 * 1024;
        builder.limits(limits)
    });
    let client = client(&dashcam.client_layer());
    let calling = move |then_waits: bool| {
        let client = client.clone();
        async move || {
            for _ in 0..16 {
                let request = Request::get("http://answers/").body(Body::empty());
                let response = client.clone().oneshot(request.unwrap()).await;
                response.unwrap().into_body().collect().await.unwrap();
            }
            if then_waits {
                pending::<()>().await;
            }
            (StatusCode::INTERNAL_SERVER_ERROR, "y".repeat(64 * 1024))
        }
    };
    let app = Router::new()
        .route("/waits", get(calling(true)))
        .route("/fails", get(calling(false)))
        .route("/fails/{code}", get(fail))
        .layer(dashcam.layer());
    let mut open: Vec<_> = (0..50)
        .map(|_| tokio_test::task::spawn(app.clone().oneshot(request("/waits", "10.0.0.1"))))
        .collect();
    for request in &mut open {
        assert!(request.poll().is_pending());
    }
    let status = dashcam.status();
    assert!(status.memory_refused > 0, "it was short: {status:?}");
    visit(&app, "/fails", "192.0.2.1").await;
    let kept = dashcam.kept();
    let failed = kept.iter().find(|k| k.direction == Direction::Server);
    let failed = failed.unwrap();
    let body = &failed.response.as_ref().unwrap().body;
    assert_eq!(body.state, BodyState::Complete);
    assert_eq!(body.kept, 64 * 1024);
    // The last calls are its own.
    let of_it = calls(&kept);
    assert_eq!(of_it.len(), 16);
    let states = of_it
        .iter()
        .map(|c| &c.response.as_ref().unwrap().body.state);
    assert!(
        states.clone().all(|s| *s == BodyState::Complete),
        "{:?}",
        states.collect::<Vec<_>>()
    );
    drop(open);
    // A call that waited is kept with its request, and reports what happened to its body.
    let kept = dashcam.kept();
    let given_up = |call: &&&Exchange| {
        let why = "memory_budget".to_owned();
        call.response.as_ref().unwrap().body.state == BodyState::Skipped { why }
    };
    let all = calls(&kept);
    let given_up = all.iter().filter(given_up).count();
    assert!(given_up > 0, "{} calls", all.len());
}

/// Events of some 40 KiB.
fn says_much() {
    (0..40).for_each(|n| tracing::info!(n, text = "b".repeat(1000)));
}

/// The open calls of a peer that does not fail take no memory for bodies from other peers.
#[tokio::test]
async fn open_requests_of_some_peers_leave_others_their_bodies() {
    for attackers in [1, 6] {
        beside_open_requests_of(attackers).await;
    }
}

async fn beside_open_requests_of(attackers: usize) {
    let dashcam = TestDashcam::with(|builder| {
        let mut limits = Limits::default();
        limits.memory = 8 * 1024 * 1024;
        builder.limits(limits)
    });
    let slow = async |_: Bytes| {
        says_much();
        pending::<()>().await;
    };
    let pay = async |_: Bytes| {
        says_much();
        (StatusCode::INTERNAL_SERVER_ERROR, "c".repeat(60_000))
    };
    let app = Router::new()
        .route("/slow", post(slow))
        .route("/big", get(async || "a".repeat(70_000)))
        .route("/pay", post(pay))
        .layer(dashcam.layer());
    let posts = |path: &str, peer: &str, bytes| {
        let mut request = request(path, peer);
        *request.method_mut() = http::Method::POST;
        *request.body_mut() = Body::from("d".repeat(bytes));
        app.clone().oneshot(request)
    };
    let (mut slow, mut unread) = (Vec::new(), Vec::new());
    for n in 0..150 {
        let peer = format!("10.0.0.{}", n % attackers);
        let mut open = tokio_test::task::spawn(posts("/slow", &peer, 66_000));
        assert!(open.poll().is_pending());
        slow.push(open);
        let mut answer = app.clone().oneshot(request("/big", &peer)).await.unwrap();
        answer.body_mut().frame().await.unwrap().unwrap();
        unread.push(answer);
    }
    assert!(dashcam.status().memory_refused > 0, "it was short");
    for customer in 1..=10 {
        let peer = format!("192.0.2.{customer}");
        let answer = posts("/pay", &peer, 60_000).await.unwrap();
        answer.into_body().collect().await.unwrap();
        assert_eq!(dashcam.kept().len(), customer);
    }
    let is_whole = |kept: &&Exchange| {
        let bodies = (&kept.request.body, &kept.response.as_ref().unwrap().body);
        let whole = bodies.0.kept == 60_000 && bodies.1.kept == 60_000;
        whole && kept.events.len() == 40 && kept.losses.events_dropped == 0
    };
    // A peer may share its place with another.
    let whole = dashcam.kept().iter().filter(is_whole).count();
    assert!(whole >= 9, "{attackers}: {whole}");
    drop((slow, unread));
    assert_eq!(dashcam.status().in_flight, 0);
    drop(dashcam.kept());
    assert_eq!(dashcam.status().bytes_held, 0);
}

/// If no peer is known, there are no shares: otherwise no one could use the rest.
#[tokio::test]
async fn where_nobody_knows_who_asks_all_may_have_all() {
    let dashcam = TestDashcam::with(|builder| {
        let mut limits = Limits::default();
        limits.memory = 4 * 1024 * 1024;
        builder.limits(limits)
    });
    let app = Router::new()
        .route("/slow", post(async |_: Bytes| pending::<()>().await))
        .layer(dashcam.layer());
    let mut open = Vec::new();
    for _ in 0..46 {
        let request = Request::post("/slow").body(Body::from("d".repeat(64 * 1024)));
        let mut request = tokio_test::task::spawn(app.clone().oneshot(request.unwrap()));
        assert!(request.poll().is_pending());
        open.push(request);
    }
    assert_eq!(dashcam.status().memory_refused, 0);
}

/// A service whose failures have names that others choose.
struct Named;

impl Classify for Named {
    fn head(&self, status: StatusCode, headers: &http::HeaderMap) -> Option<Failure> {
        let named = headers.get("x-error")?.to_str().ok()?;
        status
            .is_server_error()
            .then(|| Failure::Custom(named.to_owned()))
    }
}

/// Returns how many requests of a route were kept, and how many they stand for.
fn stands_for(kept: &[Exchange], route: &str) -> u64 {
    let of = kept
        .iter()
        .filter(|k| k.request.route.as_deref() == Some(route));
    of.map(|kept| 1 + kept.losses.suppressed_before).sum()
}

fn second() -> Duration {
    Duration::from_millis(1_100)
}

#[tokio::test]
#[cfg_attr(not(feature = "axum"), ignore = "routes are known with axum only")]
async fn names_of_failures_and_of_methods_take_no_room_from_routes() {
    let mut storm = StormLimits::default();
    storm.window = Duration::from_secs(2);
    let dashcam = TestDashcam::with(|builder| builder.classify(Named).storm(storm));
    let named = async |axum::extract::Path(name): axum::extract::Path<String>| {
        (StatusCode::BAD_GATEWAY, [("x-error", name)])
    };
    let item =
        async |body: Result<bytes::Bytes, axum::extract::rejection::BytesRejection>| match body {
            Ok(_) => Ok(axum::Json(true)),
            Err(_) => Err(StatusCode::BAD_REQUEST),
        };
    let app = Router::new()
        .route("/named/{name}", get(named))
        .route("/items/{ns}/{name}", axum::routing::post(item))
        .route("/fails/{code}", get(fail))
        .layer(dashcam.layer());
    let call = async |n: usize, cut: bool| {
        let body = match cut {
            false => Body::from("{}"),
            true => Body::from_stream(futures_util::stream::iter([
                Ok(bytes::Bytes::from_static(b"{")),
                Err(std::io::Error::other("cut")),
            ])),
        };
        let mut request = request(&format!("/items/acme.S/Invented{n}"), "10.0.0.1").map(|_| body);
        *request.method_mut() = http::Method::POST;
        let json = http::HeaderValue::from_static("application/json");
        request.headers_mut().insert("content-type", json);
        let one = http::HeaderValue::from_static("1");
        request
            .headers_mut()
            .insert("connect-protocol-version", one);
        let response = app.clone().oneshot(request).await.unwrap();
        response.into_body().collect().await.unwrap();
    };
    let began = std::time::Instant::now();
    for n in 0..600 {
        call(n, false).await;
        call(n, true).await;
        visit(&app, &format!("/named/made-up-{n}"), "10.0.0.1").await;
    }
    let seconds = 1 + began.elapsed().as_secs();
    let kept = dashcam.kept().len() as u64;
    assert!(kept <= 55 * seconds, "{kept} in {seconds} s");
    tokio::time::sleep(second()).await;
    for code in [500, 502, 503, 504] {
        // The peers are unknown, so none counts as new.
        let request = Request::get(format!("/fails/{code}")).body(Body::empty());
        drop(app.clone().oneshot(request.unwrap()).await);
        let kept = dashcam.kept();
        let last = kept.last().unwrap();
        assert_eq!(last.response.as_ref().unwrap().status, code);
        assert_eq!(last.depth, Depth::Full);
    }
    // Later exchanges of the same routes report all that were counted, whatever their names.
    tokio::time::sleep(2 * second()).await;
    for name in ["other", "made-up-1"] {
        visit(&app, &format!("/named/{name}"), "10.0.0.2").await;
    }
    for _ in 0..2 {
        call(9_999, true).await;
    }
    // A signature that still has an entry reports its own.
    let kept = dashcam.kept();
    let all = stands_for(&kept, "/named/{name}") + stands_for(&kept, "/items/{ns}/{name}");
    assert!(all <= 602 + 602, "{all}");
    assert!(stands_for(&kept, "/fails/{code}") == 4);
}

#[tokio::test]
#[cfg_attr(not(feature = "axum"), ignore = "routes are known with axum only")]
async fn what_is_forgotten_of_a_route_is_told_by_the_route() {
    let dashcam = TestDashcam::with(|builder| {
        let mut storm = StormLimits::default();
        storm.window = Duration::from_secs(1);
        builder.classify(Named).storm(storm)
    });
    let named = async |axum::extract::Path(name): axum::extract::Path<String>| {
        (StatusCode::BAD_GATEWAY, [("x-error", name)])
    };
    let app = Router::new()
        .route("/one/{name}", get(named))
        .route("/two/{name}", get(named))
        .layer(dashcam.layer());
    let mut requests = [0; 2];
    for round in 0..2 {
        for n in 0..200 {
            for (route, path) in ["one", "two"].into_iter().enumerate() {
                for _ in 0..2 + 3 * route {
                    visit(&app, &format!("/{path}/of-{round}-{n}"), "10.0.0.1").await;
                    requests[route] += 1;
                }
            }
        }
        tokio::time::sleep(second()).await;
    }
    // More names than there is room for, so that earlier ones are forgotten.
    for n in 0..70 {
        for (route, path) in ["one", "two"].into_iter().enumerate() {
            visit(&app, &format!("/{path}/last-{n}"), &format!("192.0.2.{n}")).await;
            requests[route] += 1;
        }
        if n % 20 == 19 {
            tokio::time::sleep(second()).await;
        }
    }
    let kept = dashcam.kept();
    let told = ["/one/{name}", "/two/{name}"].map(|route| stands_for(&kept, route));
    for (told, requests) in told.into_iter().zip(requests) {
        assert!(told <= requests, "{told} of {requests}");
        assert!(told + 64 >= requests, "{told} of {requests}");
    }
}

#[tokio::test]
#[cfg_attr(not(feature = "axum"), ignore = "routes are known with axum only")]
async fn hosts_that_one_route_calls_take_nothing_from_other_callers() {
    let dashcam = TestDashcam::new();
    let client = client(&dashcam.client_layer());
    let call = async move |client: &BoxCloneSyncService<_, Response<Body>, Infallible>,
                           uri: String| {
        let request = Request::get(uri).body(Body::empty()).unwrap();
        let response = client.clone().oneshot(request).await.unwrap();
        response.into_body().collect().await.unwrap();
    };
    let hook = {
        let client = client.clone();
        async move |axum::extract::Path(host): axum::extract::Path<String>| {
            call(&client, format!("http://{host}.example/callback")).await;
        }
    };
    let app = Router::new()
        .route("/hooks/{host}", get(hook))
        .layer(dashcam.layer());
    for n in 0..300 {
        visit(&app, &format!("/hooks/hook{n}x"), "10.0.0.1").await;
    }
    tokio::time::sleep(second()).await;
    call(&client, "http://payment/charge".to_owned()).await;
    let kept = dashcam.kept();
    let last = kept.last().unwrap();
    assert_eq!(last.request.authority.as_deref(), Some("payment"));
    assert_eq!(last.depth, Depth::Full);
}

#[tokio::test]
#[cfg_attr(not(feature = "axum"), ignore = "routes are known with axum only")]
async fn a_customer_has_a_place_on_each_route() {
    let dashcam = TestDashcam::new();
    let app = ["/cart/{code}", "/pay/{code}", "/ship/{code}"]
        .into_iter()
        .fold(Router::new(), |app, route| app.route(route, get(fail)))
        .layer(dashcam.layer());
    let paths = ["/cart/500", "/pay/500", "/ship/500"];
    for n in 0..2_000 {
        visit(&app, paths[n % 3], "10.0.0.1").await;
        if n % 100 == 50 {
            for path in paths {
                visit(&app, path, &format!("192.0.2.{}", n / 100)).await;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    let kept = dashcam.kept();
    for path in paths {
        let of = |k: &&Exchange| k.request.path == path && k.facts.contains_key("customer");
        let full = kept.iter().filter(of).filter(|k| k.depth == Depth::Full);
        let full = full.count();
        assert!(full >= 19, "{full} on {path}");
    }
}

#[tokio::test]
async fn settings_of_nothing_bound_the_second_still() {
    for (window, full, heads) in [
        (Duration::ZERO, 3, 20),
        (Duration::from_nanos(1), 3, 20),
        (Duration::MAX, 3, 20),
        (Duration::from_secs(60), 0, 1_000),
        (Duration::ZERO, 0, 0),
    ] {
        let dashcam = TestDashcam::with(|builder| {
            let mut storm = StormLimits::default();
            (storm.window, storm.full, storm.heads) = (window, full, heads);
            builder.storm(storm)
        });
        let app = app(&dashcam);
        let began = std::time::Instant::now();
        for _ in 0..1_500 {
            visit(&app, "/fails/500", "10.0.0.1").await;
        }
        let seconds = 2 + began.elapsed().as_secs();
        let kept = dashcam.kept();
        assert!(
            kept.len() as u64 <= 51 * seconds,
            "{} in {window:?}",
            kept.len()
        );
        assert_adds_up(&dashcam, &kept, 1_500);
    }
}

/// The loopback address of IPv6 is a peer.
#[tokio::test]
async fn nobody_takes_all_of_a_second() {
    for stranger in ["::1", "127.0.0.1"] {
        let dashcam = TestDashcam::new();
        let keep = async || dashcam::keep("why");
        let app = Router::new()
            .route("/keep", get(keep))
            .layer(dashcam.layer());
        visit(&app, "/keep", "192.0.2.1").await;
        for _ in 0..500 {
            visit(&app, "/keep", stranger).await;
        }
        let before = dashcam.kept().len();
        for n in 2..12 {
            visit(&app, "/keep", &format!("192.0.2.{n}")).await;
        }
        // However slow the machine is, some second has places left.
        assert_eq!(dashcam.kept().len() - before, 10, "beside {stranger}");
    }
}

#[tokio::test]
async fn it_is_told_that_nobody_is_known() {
    let told = |dashcam: &TestDashcam| {
        let warnings = dashcam.status().warnings;
        warnings
            .iter()
            .any(|w| w.contains("into_make_service_with_connect_info"))
    };
    let dashcam = TestDashcam::new();
    let app = app(&dashcam);
    for _ in 0..120 {
        let request = Request::get("/fails/200").body(Body::empty()).unwrap();
        drop(app.clone().oneshot(request).await);
    }
    assert!(told(&dashcam), "{:?}", dashcam.status().warnings);
    visit(&app, "/fails/200", "192.0.2.1").await;
    assert!(!told(&dashcam), "one is known");
}
