//! Helpers of several cases: dashcams, registries, layers, and events.

use dashcam::Dashcam;
use http::{Request, Response};
use std::{
    convert::Infallible,
    future::Future,
    hint::black_box,
    pin::pin,
    task::{self, Poll},
};
use tower::{Layer, Service};
use tracing::Subscriber;
use tracing_subscriber::{fmt, registry::LookupSpan};

pub(crate) type Op<'a> = &'a mut dyn FnMut(&mut dyn FnMut());

pub(crate) fn dashcam() -> Dashcam {
    Dashcam::builder().in_memory(1).build().unwrap()
}

pub(crate) fn registry() -> tracing_subscriber::Registry {
    tracing_subscriber::registry()
}

pub(crate) fn install(subscriber: impl Subscriber + Send + Sync) {
    tracing::subscriber::set_global_default(subscriber).unwrap();
}

pub(crate) fn json_layer<S: Subscriber + for<'a> LookupSpan<'a>>()
-> impl tracing_subscriber::Layer<S> {
    fmt::layer().json().with_writer(std::io::sink)
}

pub(crate) fn sink_layer<S: Subscriber + for<'a> LookupSpan<'a>>()
-> impl tracing_subscriber::Layer<S> {
    fmt::layer().with_writer(std::io::sink)
}

#[inline(never)]
pub(crate) fn debug_event() {
    tracing::debug!(
        user = black_box(7_u64),
        path = black_box("/orders"),
        ok = true,
        "loaded"
    );
}

#[inline(never)]
pub(crate) fn info_event() {
    tracing::info!(
        user = black_box(7_u64),
        path = black_box("/orders"),
        ok = true,
        "loaded"
    );
}

/// Runs `op` inside the handler of a request, where the gate records.
pub(crate) fn in_request(cam: &Dashcam, go: Op<'_>, op: &mut dyn FnMut()) {
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

/// Sends one request through a service that does not wait.
pub(crate) fn call<S, B>(service: &mut S)
where
    S: Service<Request<String>, Response = Response<B>, Error: std::fmt::Debug>,
{
    let mut context = task::Context::from_waker(task::Waker::noop());
    let future = service.call(Request::new(String::new()));
    let Poll::Ready(response) = pin!(future).poll(&mut context) else {
        panic!("waits");
    };
    drop(response.unwrap());
}
