//! The gate inside and outside of layers with filters of their own.

use crate::support_gate::{Buffer, Fixture, Output, Seen, check_contract, fmt_json, request};
use http::StatusCode;
use tracing::{Level, level_filters::LevelFilter};
use tracing_subscriber::{EnvFilter, prelude::*};

fn filters_of_layers_are_ceilings_and_lose_nothing(inside: bool) {
    let fixture = Fixture::with(|builder| builder.insecure_plain_header(true));
    let json = Buffer::default();
    let (at_info, by_env, at_debug, at_warn, plain) = (
        Seen::default(),
        Seen::default(),
        Seen::default(),
        Seen::default(),
        Seen::default(),
    );
    macro_rules! install {
        ($registry:expr $(, $gate:expr)?) => {
            $registry
                .with(fmt_json(&json).with_filter(LevelFilter::INFO))
                .with(at_info.clone().with_filter(LevelFilter::INFO))
                .with(by_env.clone().with_filter(EnvFilter::new("info,quiet=off")))
                .with(at_debug.clone().with_filter(LevelFilter::DEBUG))
                .with(at_warn.clone().with_filter(LevelFilter::WARN))
                .with(plain.clone())
                $(.with($gate))?
                .init()
        };
    }
    let registry = tracing_subscriber::registry();
    let gate = fixture.dashcam.gate(EnvFilter::new("info"));
    if inside {
        install!(registry.with(gate));
    } else {
        install!(registry, gate);
    }
    check_contract(&fixture, &[&json, &at_info, &by_env, &at_debug, &plain]);
    for seen in [&at_info, &by_env, &at_debug, &plain] {
        assert_eq!(seen.spans("after refused"), 1);
    }
    assert_eq!(at_warn.messages(), ["request"], "the request line at ERROR");

    // `enabled!` must not change what the layers see of the event after it.
    let exchange = fixture.failing(|| {
        for round in 0..3 {
            if tracing::enabled!(Level::DEBUG) {
                tracing::debug!("asked {round}");
            }
            assert!(tracing::enabled!(Level::INFO));
            assert!(!tracing::enabled!(Level::TRACE));
            tracing::warn!("warned {round}");
            assert!(tracing::enabled!(Level::DEBUG));
            tracing::info!("told {round}");
            tracing::info!(target: "quiet", "hushed {round}");
            tracing::debug!("unasked {round}");
        }
    });
    assert_eq!(exchange.events.len(), 15);
    for round in 0..3 {
        for (seen, told, hushed, warned) in [
            (&at_info as &dyn Output, 1, 1, 1),
            (&json, 1, 1, 1),
            (&by_env, 1, 0, 1),
            (&at_debug, 1, 1, 1),
            (&at_warn, 0, 0, 1),
            (&plain, 1, 1, 1),
        ] {
            assert_eq!(seen.count(&format!("asked {round}")), 0);
            assert_eq!(seen.count(&format!("unasked {round}")), 0);
            assert_eq!(seen.count(&format!("told {round}")), told);
            assert_eq!(seen.count(&format!("hushed {round}")), hushed);
            assert_eq!(seen.count(&format!("warned {round}")), warned);
        }
    }

    // In a live request, the debug event reaches every layer that takes debug events.
    let mut live = request();
    live.headers_mut()
        .insert("x-dashcam-verbose", "trace".parse().unwrap());
    fixture.call(live, StatusCode::OK, || {
        tracing::debug!("live one");
        tracing::trace!("live two");
        tracing::info!("live three");
        tracing::warn!("live four");
    });
    let exchange = fixture.only();
    assert_eq!(
        crate::support_gate::messages(&exchange),
        ["live one", "live two", "live three", "live four"]
    );
    let counts = |message| {
        [
            &json as &dyn Output,
            &at_info,
            &by_env,
            &at_debug,
            &at_warn,
            &plain,
        ]
        .map(|output| output.count(message))
    };
    assert_eq!(counts("live two"), [0, 0, 0, 0, 0, 1]);
    assert_eq!(counts("live one"), [0, 0, 0, 1, 0, 1]);
    assert_eq!(counts("live three"), [1, 1, 1, 1, 0, 1]);
    assert_eq!(counts("live four"), [1, 1, 1, 1, 1, 1]);
}

#[test]
fn the_gate_inside() {
    alone!();
    filters_of_layers_are_ceilings_and_lose_nothing(true);
}

#[test]
fn the_gate_outside() {
    alone!();
    filters_of_layers_are_ceilings_and_lose_nothing(false);
}
