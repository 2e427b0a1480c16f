//! One debug span: created, entered, exited and closed.

use crate::{
    Case,
    setup::{dashcam, in_request, install, registry, sink_layer},
};
use std::hint::black_box;
use tracing_subscriber::{EnvFilter, layer::SubscriberExt};

pub(crate) fn cases() -> Vec<Case> {
    macro_rules! cases {
        ($($name:literal => $run:expr,)*) => { vec![$(Case { name: $name, run: $run },)*] };
    }
    cases! {
        "span/debug, outside of a request" => |go| {
            let cam = dashcam();
            install(registry().with(cam.gate(EnvFilter::new("info"))).with(sink_layer()));
            go(&mut || debug_span());
        },
        "span/debug, in a recording request" => |go| {
            let cam = dashcam();
            install(registry().with(cam.gate(EnvFilter::new("info"))).with(sink_layer()));
            in_request(&cam, go, &mut || debug_span());
        },
        "span/debug, fmt" => |go| {
            install(registry().with(sink_layer()));
            go(&mut || debug_span());
        },
    }
}

#[inline(never)]
fn debug_span() {
    let span = tracing::debug_span!(
        "load",
        user = black_box(7_u64),
        path = black_box("/orders"),
        ok = true
    );
    drop(black_box(span).entered());
}
