//! One request whose handler emits events, recorded and dropped.

use crate::{
    Case,
    setup::{Op, call, dashcam, debug_event, install, json_layer, registry},
};
use dashcam::{gate::Gate, verbose::VerboseLayer};
use http::{Request, Response};
use std::{convert::Infallible, future::Ready};
use tower::{Layer, Service, service_fn};
use tracing_subscriber::{EnvFilter, layer::SubscriberExt};

pub(crate) fn cases() -> Vec<Case> {
    macro_rules! cases {
        ($($name:literal => $run:expr,)*) => { vec![$(Case { name: $name, run: $run },)*] };
    }
    cases! {
        "request/nothing recorded, no event" => |go| {
            let mut service = VerboseLayer::new().layer(emitting(0));
            go(&mut || call(&mut service));
        },
        "request/recorded, no event" => |go| recorded(0, go),
        "request/recorded, 20 events" => |go| recorded(20, go),
        "request/recorded, 40 events" => |go| recorded(40, go),
        "request/whole stack, 40 debug events recorded and dropped" => |go| {
            let cam = dashcam();
            let lines = cam.json_log_to(std::io::sink()).unwrap();
            install(registry().with(cam.gate(EnvFilter::new("info"))).with(lines));
            let mut service = cam.layer().propagate_panics().layer(emitting(40));
            go(&mut || call(&mut service));
            assert!(cam.flush(std::time::Duration::from_secs(60)));
            let status = cam.status();
            assert!(status.finished > 0 && status.kept == 0, "{status:?}");
        },
        "request/no layer, 40 debug events through fmt json" => |go| {
            install(registry().with(EnvFilter::new("debug")).with(json_layer()));
            let mut service = emitting(40);
            go(&mut || call(&mut service));
        },
    }
}

/// No span, no capture and no exporter: the cost of recording alone.
fn recorded(events: usize, go: Op<'_>) {
    install(registry().with(Gate::new(EnvFilter::new("info"))));
    let mut service = VerboseLayer::new().layer(emitting(events));
    go(&mut || call(&mut service));
}

/// Wraps a service for any type of request body.
fn emitting<B>(
    events: usize,
) -> impl Service<
    Request<B>,
    Response = Response<String>,
    Error = Infallible,
    Future = Ready<Result<Response<String>, Infallible>>,
> {
    service_fn(move |_: Request<B>| {
        (0..events).for_each(|_| debug_event());
        std::future::ready(Ok(Response::new(String::new())))
    })
}
