//! Replayed events, compared with the same events when they are live.

use crate::Case;
use dashcam::{
    Dashcam,
    capture::{Replay, StormLimits},
    kit::DashcamBuilder,
    selection::Budget,
};
use http::{Request, Response};
use std::{
    convert::Infallible,
    future::Future,
    hint::black_box,
    pin::pin,
    task::{self, Poll},
    time::Duration,
};
use tower::{Layer, Service};
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt};

pub(crate) fn cases() -> Vec<Case> {
    macro_rules! cases {
        ($($name:literal => $run:expr,)*) => { vec![$(Case { name: $name, run: $run },)*] };
    }
    cases! {
        "replay/kept with 40 events" => |go| drive(keeping(), 500, false, 40, go),
        "replay/kept with 40 events, replayed" => |go| {
            let mut replay = Replay::default();
            replay.live = false;
            replay.per_signature = u64::MAX;
            replay.per_second = u64::MAX;
            drive(keeping().replay(replay), 500, false, 40, go);
        },
        "replay/live, no events" => |go| drive(live(), 200, true, 0, go),
        "replay/live, 40 events" => |go| drive(live(), 200, true, 40, go),
    }
}

fn keeping() -> DashcamBuilder {
    let mut storm = StormLimits::default();
    storm.full = u64::MAX;
    storm.per_second = u64::MAX;
    Dashcam::builder().request_line(false).storm(storm)
}

/// Live, and not recorded.
fn live() -> DashcamBuilder {
    keeping()
        .record_off()
        .insecure_plain_header(true)
        .verbose_budget(Budget::unlimited())
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

fn drive(
    builder: DashcamBuilder,
    status: u16,
    verbose: bool,
    events: u32,
    go: &mut dyn FnMut(&mut dyn FnMut()),
) {
    let cam = builder.in_memory(1).build().unwrap();
    let subscriber = tracing_subscriber::registry()
        .with(cam.gate(EnvFilter::new("info")))
        .with(fmt::layer().json().with_writer(std::io::sink));
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let mut service = cam.layer().propagate_panics().layer(tower::service_fn(
        move |_: Request<dashcam::lifecycle::RequestBody<String>>| {
            (0..events).for_each(|_| debug_event());
            let mut response = Response::new(String::new());
            *response.status_mut() = status.try_into().unwrap();
            std::future::ready(Ok::<_, Infallible>(response))
        },
    ));
    let mut context = task::Context::from_waker(task::Waker::noop());
    go(&mut || {
        let mut request = Request::new(String::new());
        if verbose {
            let value = http::HeaderValue::from_static("debug");
            request.headers_mut().insert("x-dashcam-verbose", value);
        }
        let future = pin!(service.call(request));
        let Poll::Ready(Ok(response)) = future.poll(&mut context) else {
            panic!("waits");
        };
        drop(response);
        assert!(cam.flush(Duration::from_secs(60)));
    });
}
