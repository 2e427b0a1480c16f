//! The switch of a gate without `Dashcam`, in a subscriber that is not the only one and belongs to
//! one thread.

use dashcam::{
    capture::CaptureLayer, exchange::Event, export::Memory, gate::Gate, verbose::VerboseLayer,
};
use http::{Request, Response, StatusCode};
use std::{convert::Infallible, thread};
use tower::{ServiceBuilder, ServiceExt, service_fn};
use tracing_subscriber::{EnvFilter, prelude::*};

fn recorded() -> Vec<String> {
    let kept = Memory::new(1);
    let capture = CaptureLayer::builder("test", "0")
        .build(kept.clone())
        .unwrap();
    let service = ServiceBuilder::new()
        .layer(capture.clone())
        .layer(VerboseLayer::new())
        .service(service_fn(|_| async {
            tracing::debug!("debug");
            tracing::info!("info");
            let mut response = Response::new(String::new());
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            Ok::<_, Infallible>(response)
        }));
    let response = tokio_test::block_on(service.oneshot(Request::new(String::new())));
    drop(response.unwrap());
    assert!(capture.flush(std::time::Duration::from_secs(30)));
    let events = kept.take().remove(0).events;
    let message = |event: Event| event.message.unwrap();
    events.into_iter().map(message).collect()
}

#[test]
fn a_gate_is_switched_from_another_thread() {
    alone!();
    let gate = Gate::new(EnvFilter::new("info")).record_off();
    let handle = gate.switch();
    let registry = tracing_subscriber::registry().with(gate);
    tracing::subscriber::with_default(registry, || {
        assert!(!handle.is_on());
        assert_eq!(recorded(), ["info"]);
        // That thread has no subscriber at all.
        let other = handle.clone();
        thread::spawn(move || other.set("debug").unwrap())
            .join()
            .unwrap();
        assert!(handle.is_on());
        assert_eq!(recorded(), ["debug", "info"]);
        let other = handle.clone();
        thread::spawn(move || other.off()).join().unwrap();
        assert_eq!(recorded(), ["info"]);
    });
    // Without any subscriber left.
    handle.set("trace").unwrap();
    assert!(handle.is_on());
}
