//! One event, or one span, with the gate and without.

use crate::Case;
use dashcam::{Dashcam, log_line::JsonLine, redact::Policy};
use http::{Request, Response};
use http_body_util::BodyExt;
use std::{convert::Infallible, future::Future, hint::black_box, pin::pin, task};
use tower::{Layer, Service};
use tracing::Subscriber;
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, registry::LookupSpan};

type Op<'a> = &'a mut dyn FnMut(&mut dyn FnMut());

pub(crate) fn cases() -> Vec<Case> {
    macro_rules! cases {
        ($($name:literal => $run:expr,)*) => { vec![$(Case { name: $name, run: $run },)*] };
    }
    cases! {
        "event/static off" => |go| {
            install(registry().with(EnvFilter::new("info")));
            go(&mut || debug_event());
        },
        "event/recording off" => |go| {
            let cam = Dashcam::builder().record_off().in_memory(1).build().unwrap();
            install(registry().with(cam.gate(EnvFilter::new("info"))));
            go(&mut || debug_event());
        },
        "event/recording on, outside" => |go| {
            let cam = dashcam();
            install(registry().with(cam.gate(EnvFilter::new("info"))));
            go(&mut || debug_event());
        },
        "event/recording on, outside, 3 layers" => |go| {
            let cam = dashcam();
            install(
                registry()
                    .with(cam.gate(EnvFilter::new("info")))
                    .with(sink_layer())
                    .with(sink_layer())
                    .with(sink_layer()),
            );
            go(&mut || debug_event());
        },
        "event/recording on, excluded target" => |go| {
            let cam = dashcam();
            install(registry().with(cam.gate(EnvFilter::new("info"))));
            in_request(&cam, go, &mut || {
                tracing::debug!(target: "hyper::proto", n = black_box(1), "flushed");
            });
        },
        "event/EnvFilter with a span-field directive" => |go| {
            install(registry().with(EnvFilter::new("info,[request{verbose=true}]=debug")));
            let _span = tracing::info_span!("request", verbose = false).entered();
            go(&mut || debug_event());
        },
        "event/info, no gate" => |go| {
            install(registry().with(EnvFilter::new("info")).with(sink_layer()));
            go(&mut || info_event());
        },
        "event/info, gate" => |go| {
            let cam = dashcam();
            install(registry().with(cam.gate(EnvFilter::new("info"))).with(sink_layer()));
            go(&mut || info_event());
        },
        "event/recorded, 3 fields" => |go| {
            let cam = dashcam();
            install(registry().with(cam.gate(EnvFilter::new("info"))));
            in_request(&cam, go, &mut || debug_event());
        },
        "event/fmt json, 3 fields" => |go| {
            install(registry().with(EnvFilter::new("debug")).with(json_layer()));
            go(&mut || debug_event());
        },
        "event/recorded, 6 fields" => |go| {
            let cam = dashcam();
            install(registry().with(cam.gate(EnvFilter::new("info"))));
            in_request(&cam, go, &mut || wide_event());
        },
        "event/fmt json, 6 fields" => |go| {
            install(registry().with(EnvFilter::new("debug")).with(json_layer()));
            go(&mut || wide_event());
        },
        "line/fmt json in a 3-field span" => |go| {
            install(registry().with(EnvFilter::new("info")).with(json_layer()));
            let _span = three_field_span();
            go(&mut || info_event());
        },
        "line/ours in a 3-field span" => |go| {
            let lines = JsonLine::new(std::io::sink(), Policy::strict()).unwrap();
            let handle = lines.handle();
            install(registry().with(EnvFilter::new("info")).with(lines));
            let _span = three_field_span();
            go(&mut || info_event());
            assert!(handle.flush(std::time::Duration::from_secs(60)));
        },
        "line/none in a request" => |go| lines_in_requests(go, 0),
        "line/ours, 1 in a request" => |go| lines_in_requests(go, 1),
        "line/ours, 11 in a request" => |go| lines_in_requests(go, 11),
    }
}

/// Requests with the usual headers and a body of 1 KiB, in each of which the
/// service logs so many lines.
fn lines_in_requests(go: Op<'_>, lines: u32) {
    let cam = Dashcam::builder()
        .record_off()
        .without_request_line()
        .in_memory(1)
        .build()
        .unwrap();
    let layer = cam.json_lines_to(std::io::sink()).unwrap();
    install(
        registry()
            .with(cam.gate(EnvFilter::new("info")))
            .with(layer),
    );
    let mut service = cam.layer().propagate_panics().layer(tower::service_fn(
        |request: Request<dashcam::lifecycle::RequestBody<String>>| async move {
            let body = request.into_body().collect().await.unwrap().to_bytes();
            assert!(body.len() > 1000);
            (0..lines).for_each(|_| info_event());
            Ok::<_, Infallible>(Response::new(String::new()))
        },
    ));
    let items: Vec<_> = (0..18)
        .map(|n| format!(r#"{{"sku":"item-{n}","count":{n},"note":"as discussed","price":12.5}}"#))
        .collect();
    let body = format!(
        r#"{{"customer":"Alice Example","items":[{}]}}"#,
        items.join(",")
    );
    go(&mut || {
        let request = Request::post("/orders/42?page=2")
            .header("host", "orders.example")
            .header("user-agent", "bench/1.0")
            .header("accept", "application/json")
            .header("content-type", "application/json")
            .header("authorization", "Bearer c2VjcmV0LXRva2VuLWZvci10ZXN0cw")
            .header("cookie", "theme=dark; session=0b7f9f1e5a3c4d2f")
            .header("x-request-id", "01938f2a-7a55-7c61-9a44-3f7d0a2b1c9d")
            .body(body.clone())
            .unwrap();
        let mut context = task::Context::from_waker(task::Waker::noop());
        assert!(pin!(service.call(request)).poll(&mut context).is_ready());
    });
    assert!(cam.flush(std::time::Duration::from_secs(60)));
}

fn dashcam() -> Dashcam {
    Dashcam::builder().in_memory(1).build().unwrap()
}

fn registry() -> tracing_subscriber::Registry {
    tracing_subscriber::registry()
}

fn install(subscriber: impl Subscriber + Send + Sync) {
    tracing::subscriber::set_global_default(subscriber).unwrap();
}

fn json_layer<S: Subscriber + for<'a> LookupSpan<'a>>() -> impl tracing_subscriber::Layer<S> {
    fmt::layer().json().with_writer(std::io::sink)
}

fn sink_layer<S: Subscriber + for<'a> LookupSpan<'a>>() -> impl tracing_subscriber::Layer<S> {
    fmt::layer().with_writer(std::io::sink)
}

fn three_field_span() -> tracing::span::EnteredSpan {
    tracing::info_span!("work", method = "GET", uri = "/orders/42", attempt = 3).entered()
}

#[inline(never)]
fn debug_event() {
    tracing::debug!(
        user = black_box(7_u64),
        path = black_box("/orders"),
        ok = true,
        "loaded"
    );
}

#[inline(never)]
fn wide_event() {
    let rows = black_box(12);
    tracing::debug!(
        user = black_box(7_u64),
        path = black_box("/orders"),
        ok = true,
        ratio = black_box(0.25),
        who = %black_box("somebody"),
        "loaded {rows} rows"
    );
}

#[inline(never)]
fn info_event() {
    tracing::info!(
        user = black_box(7_u64),
        path = black_box("/orders"),
        ok = true,
        "loaded"
    );
}

/// Runs `op` inside the handler of a request, as recording requests do.
fn in_request(cam: &Dashcam, go: Op<'_>, op: &mut dyn FnMut()) {
    let run = std::cell::RefCell::new(Some((go, op)));
    let mut service = cam.layer().propagate_panics().layer(tower::service_fn(
        |_: Request<dashcam::lifecycle::RequestBody<String>>| {
            if let Some((go, op)) = run.borrow_mut().take() {
                go(op);
            }
            std::future::ready(Ok::<_, Infallible>(Response::new(String::new())))
        },
    ));
    let future = service.call(Request::new(String::new()));
    let mut context = task::Context::from_waker(task::Waker::noop());
    assert!(pin!(future).poll(&mut context).is_ready());
}
