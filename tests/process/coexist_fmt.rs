//! All formats of `tracing_subscriber::fmt` beside the gate, at the same time.

use crate::support_gate::{
    Buffer, Seen, fmt_json, fmt_text,
    traffic::{Shown, Traffic},
};
use tracing::{Level, level_filters::LevelFilter};
use tracing_subscriber::{EnvFilter, prelude::*};

#[test]
fn every_format_has_every_event_once() {
    alone!();
    let fixture = Traffic::fixture();
    let [full, compact, pretty, at_info] = std::array::from_fn(|_| Buffer::default());
    let (json, by_env, plain) = (Buffer::default(), Buffer::default(), Seen::default());
    tracing_subscriber::registry()
        .with(fmt_text(&full))
        .with(fmt_text(&compact).compact())
        .with(fixture.dashcam.gate(EnvFilter::new("info")))
        .with(fmt_text(&pretty).pretty())
        .with(fmt_json(&json))
        .with(fmt_text(&at_info).with_filter(LevelFilter::INFO))
        .with(fmt_text(&by_env).with_filter(EnvFilter::new("debug")))
        .with(plain.clone())
        .init();
    let outputs: [(&dyn Shown, Level); 7] = [
        (&full, Level::DEBUG),
        (&compact, Level::DEBUG),
        (&pretty, Level::DEBUG),
        (&json, Level::DEBUG),
        (&at_info, Level::INFO),
        (&by_env, Level::DEBUG),
        (&plain, Level::DEBUG),
    ];
    let traffic = Traffic(0..60);
    traffic.run(&fixture);
    traffic.check(&outputs);
    tracing::info!("<info outside>");
    tracing::debug!("<debug outside>");
    for (output, _) in outputs {
        let text = output.text();
        assert_eq!(text.matches("<info outside>").count(), 1);
        assert!(!text.contains("<debug outside>"));
    }
}
