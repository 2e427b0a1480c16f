//! One failing request, until its exchange is written. Its body has many hidden values, and debug
//! events to search for them.

use crate::{
    Case,
    hostile::Kind,
    setup::{Op, install, registry},
};
use dashcam::{
    Dashcam,
    capture::{Limits, StormLimits},
};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use std::{convert::Infallible, future::Future, hint::black_box, pin::pin, task, time::Duration};
use tower::{Layer, Service};
use tracing_subscriber::{EnvFilter, layer::SubscriberExt};

pub(crate) fn cases() -> Vec<Case> {
    macro_rules! cases {
        ($($name:literal => $kind:ident, $kib:literal;)*) => {
            vec![$(Case { name: $name, run: |go| exchange(go, Kind::$kind, $kib) },)*]
        };
    }
    cases! {
        "redaction/exchange, ordinary, 8 KiB" => Ordinary, 8;
        "redaction/exchange, ordinary, 16 KiB" => Ordinary, 16;
        "redaction/exchange, ordinary, 32 KiB" => Ordinary, 32;
        "redaction/exchange, ordinary, 64 KiB" => Ordinary, 64;
        "redaction/exchange, prefixes, 8 KiB" => Prefixes, 8;
        "redaction/exchange, prefixes, 16 KiB" => Prefixes, 16;
        "redaction/exchange, prefixes, 32 KiB" => Prefixes, 32;
        "redaction/exchange, prefixes, 64 KiB" => Prefixes, 64;
        "redaction/exchange, symbols, 64 KiB" => Symbols, 64;
        "redaction/exchange, escapes, 64 KiB" => Escapes, 64;
        "redaction/exchange, nested base64, 64 KiB" => Nested, 64;
        "redaction/exchange, one letter, 64 KiB" => OneLetter, 64;
        "redaction/exchange, ideographs, 64 KiB" => Ideographs, 64;
        "redaction/exchange, digits, 64 KiB" => Digits, 64;
    }
}

/// Sends a body of this many KiB, with its share of 300 events of 1 KiB.
fn exchange(go: Op<'_>, kind: Kind, kib: usize) {
    let mut limits = Limits::default();
    limits.recording = 1 << 20;
    let mut storm = StormLimits::default();
    storm.full = u64::MAX;
    storm.per_second = u64::MAX;
    let cam = Dashcam::builder()
        .limits(limits)
        .storm(storm)
        .in_memory(1)
        .build()
        .unwrap();
    install(registry().with(cam.gate(EnvFilter::new("info"))));
    let texts: Vec<_> = (0..300 * kib / 64).map(|n| kind.text(n)).collect();
    let texts = &*texts;
    let mut service = cam.layer().propagate_panics().layer(tower::service_fn(
        |request: Request<dashcam::lifecycle::RequestBody<String>>| async move {
            request.into_body().collect().await.unwrap();
            for text in texts {
                tracing::debug!(text = black_box(text.as_str()), "read");
            }
            let mut response = Response::new(String::new());
            *response.status_mut() = StatusCode::BAD_GATEWAY;
            Ok::<_, Infallible>(response)
        },
    ));
    let body = kind.body(kib);
    go(&mut || {
        let request = Request::post("/orders")
            .header("content-type", "application/json")
            .body(body.clone())
            .unwrap();
        let mut context = task::Context::from_waker(task::Waker::noop());
        assert!(pin!(service.call(request)).poll(&mut context).is_ready());
        assert!(cam.flush(Duration::from_secs(60)));
    });
}
