//! One event, with the gate and without.

use crate::Case;
use crate::setup::{
    dashcam, debug_event, in_request, info_event, install, json_layer, registry, sink_layer,
};
use dashcam::Dashcam;
use std::hint::black_box;
use tracing_subscriber::{EnvFilter, layer::SubscriberExt};

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
        "event/recording on, outside, base with targets" => |go| {
            let cam = dashcam();
            install(registry().with(cam.gate(EnvFilter::new("info,a=debug,hyper=warn"))));
            go(&mut || debug_event());
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
    }
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
