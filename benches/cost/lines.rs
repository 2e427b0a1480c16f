//! One log line with three fields, in a span with three, as several layers
//! write it.

use crate::{
    Case,
    setup::{info_event, install, json_layer, registry},
};
use dashcam::{log_line::JsonLine, redact::Policy};
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
    }
}

fn three_field_span() -> tracing::span::EnteredSpan {
    tracing::info_span!("work", method = "GET", uri = "/orders/42", attempt = 3).entered()
}
