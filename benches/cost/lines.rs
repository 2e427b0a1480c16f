//! One log line with three fields, in a span with three, as several layers
//! write it.

use crate::{
    Case,
    setup::{Op, info_event, install, json_layer, registry},
};
use dashcam::{Dashcam, log_line::JsonLine, redact::Policy};
use http::{Request, Response};
use http_body_util::BodyExt;
use std::{convert::Infallible, future::Future, pin::pin, task};
use tower::{Layer, Service};
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
            let lines = JsonLine::new(std::io::sink(), Policy::strict()).unwrap();
            let handle = lines.handle();
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

fn three_field_span() -> tracing::span::EnteredSpan {
    tracing::info_span!("work", method = "GET", uri = "/orders/42", attempt = 3).entered()
}
