//! One log line with three fields, in a span with three, as several layers write it.

use crate::{
    Case,
    setup::{Op, info_event, install, json_layer, registry},
};
use dashcam::{Dashcam, log::JsonLayer, redact::Policy};
use http::{Request, Response};
use http_body_util::BodyExt;
use std::{convert::Infallible, future::Future, hint::black_box, pin::pin, task};
use tower::{Layer, Service};
use tower_http::{
    request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer},
    trace::{DefaultMakeSpan, TraceLayer},
};
use tracing_subscriber::{EnvFilter, layer::SubscriberExt};

pub(crate) fn cases() -> Vec<Case> {
    macro_rules! cases {
        ($($name:literal => $run:expr,)*) => { vec![$(Case { name: $name, run: $run },)*] };
    }
    cases! {
        "line/fmt json in a 3-field span" => |go| {
            install(registry().with(EnvFilter::new("info")).with(json_layer()));
            let _span = three_field_span();
            go(&mut || info_event());
        },
        "line/ours in a 3-field span" => |go| {
            let lines = JsonLayer::new(std::io::sink(), Policy::strict()).unwrap();
            let handle = lines.clone();
            install(registry().with(EnvFilter::new("info")).with(lines));
            let _span = three_field_span();
            go(&mut || info_event());
            assert!(handle.flush(std::time::Duration::from_secs(60)));
        },
        "line/json-subscriber in a 3-field span" => |go| {
            let layer = json_subscriber::layer().with_writer(std::io::sink);
            install(registry().with(EnvFilter::new("info")).with(layer));
            let _span = three_field_span();
            go(&mut || info_event());
        },
        "line/tracing-bunyan-formatter in a 3-field span" => |go| {
            let layer = tracing_bunyan_formatter::BunyanFormattingLayer::new(
                "bench".to_owned(),
                std::io::sink,
            );
            let storage = tracing_bunyan_formatter::JsonStorageLayer;
            install(registry().with(EnvFilter::new("info")).with(storage).with(layer));
            let _span = three_field_span();
            go(&mut || info_event());
        },
        "line/tracing-stackdriver in a 3-field span" => |go| {
            let layer = tracing_stackdriver::layer().with_writer(std::io::sink);
            install(registry().with(EnvFilter::new("info")).with(layer));
            let _span = three_field_span();
            go(&mut || info_event());
        },
        "line/none in a request" => |go| lines_in_requests(go, || {}),
        "line/ours, 1 in a request" => |go| lines_in_requests(go, info_event),
        "line/ours, 11 in a request" => |go| lines_in_requests(go, || (0..11).for_each(|_| info_event())),
        "line/ours, 2 fields in a request" => |go| lines_in_requests(go, elsewhere),
        "line/ours, 2 fields of the body in a request" => |go| lines_in_requests(go, of_the_body),
        "line/tower-http and fmt json, none in a request" => |go| {
            install(registry().with(EnvFilter::new("info")).with(json_layer()));
            traced(go, || {});
        },
        "line/tower-http and fmt json, 2 fields in a request" => |go| {
            install(registry().with(EnvFilter::new("info")).with(json_layer()));
            traced(go, of_the_body);
        },
        "line/tower-http and json-subscriber, none in a request" => |go| {
            let layer = json_subscriber::layer().with_writer(std::io::sink);
            install(registry().with(EnvFilter::new("info")).with(layer));
            traced(go, || {});
        },
        "line/tower-http and json-subscriber, 2 fields in a request" => |go| {
            let layer = json_subscriber::layer().with_writer(std::io::sink);
            install(registry().with(EnvFilter::new("info")).with(layer));
            traced(go, of_the_body);
        },
    }
}

/// Values that are in no body.
fn elsewhere() {
    tracing::info!(
        warehouse = black_box(String::from("bremen-2")),
        state = black_box(String::from("picking")),
        "an order"
    );
}

/// Values that are in the body.
fn of_the_body() {
    tracing::info!(
        customer = black_box(String::from("Alice Example")),
        note = black_box(String::from("as discussed")),
        "an order"
    );
}

/// Sends requests with the usual headers and a body of 1 KiB. The service logs this in each.
fn lines_in_requests(go: Op<'_>, log: fn()) {
    let cam = Dashcam::builder()
        .record_off()
        .request_line(false)
        .in_memory(1)
        .build()
        .unwrap();
    let layer = cam.json_log_to(std::io::sink()).unwrap();
    install(
        registry()
            .with(cam.gate(EnvFilter::new("info")))
            .with(layer),
    );
    let mut service = cam.layer().propagate_panics().layer(tower::service_fn(
        |request: Request<dashcam::lifecycle::RequestBody<String>>| answer(request, log),
    ));
    drive(go, &mut service);
    assert!(cam.flush(std::time::Duration::from_secs(60)));
}

/// The same with the IDs and the span of tower-http, which writes no line of its own.
fn traced(go: Op<'_>, log: fn()) {
    let mut service = tower::ServiceBuilder::new()
        .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
        .layer(
            TraceLayer::new_for_http()
                .make_span_with(DefaultMakeSpan::new().level(tracing::Level::INFO))
                .on_request(())
                .on_response(())
                .on_eos(())
                .on_body_chunk(()),
        )
        .layer(PropagateRequestIdLayer::x_request_id())
        .service(tower::service_fn(|request: Request<String>| {
            answer(request, log)
        }));
    drive(go, &mut service);
}

async fn answer<B>(request: Request<B>, log: fn()) -> Result<Response<String>, Infallible>
where
    B: http_body::Body<Error: std::fmt::Debug>,
{
    let body = request.into_body().collect().await.unwrap().to_bytes();
    assert!(body.len() > 1000);
    log();
    Ok(Response::new(String::new()))
}

fn drive<S, B>(go: Op<'_>, service: &mut S)
where
    S: Service<Request<String>, Response = Response<B>>,
{
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
}

fn three_field_span() -> tracing::span::EnteredSpan {
    tracing::info_span!("work", method = "GET", uri = "/orders/42", attempt = 3).entered()
}
