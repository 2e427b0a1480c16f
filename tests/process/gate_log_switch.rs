//! Records of the `log` crate after changes at run time.

use crate::support_gate::{Buffer, Fixture, Output, fmt_json, messages};
use dashcam::{
    kit::DashcamBuilder,
    selection::{Rule, Rules},
    verbose::VerboseLayer,
};
use std::time::{Duration, SystemTime};
use tracing_subscriber::{EnvFilter, prelude::*};

#[test]
fn the_level_of_log_follows() {
    alone!();
    let fixture = Fixture::with(DashcamBuilder::record_off);
    let json = Buffer::default();
    // `init` installs the bridge.
    tracing_subscriber::registry()
        .with(fixture.dashcam.gate(EnvFilter::new("info")))
        .with(fmt_json(&json))
        .init();
    let emit = || {
        log::trace!("log trace");
        log::debug!("log debug");
        log::info!("log info");
    };
    let recorded = || messages(&fixture.failing(emit)).join(", ");
    assert_eq!(log::max_level(), log::LevelFilter::Info);
    assert_eq!(recorded(), "");

    fixture.dashcam.recording().set("debug").unwrap();
    assert_eq!(log::max_level(), log::LevelFilter::Debug);
    assert_eq!(recorded(), "log debug, log info");
    fixture
        .dashcam
        .recording()
        .set("info,process=trace")
        .unwrap();
    assert_eq!(log::max_level(), log::LevelFilter::Trace);
    assert_eq!(recorded(), "log trace, log debug, log info");
    fixture.dashcam.recording().off();
    assert_eq!(log::max_level(), log::LevelFilter::Info);
    assert_eq!(recorded(), "");

    // A level that the service set stays.
    log::set_max_level(log::LevelFilter::Warn);
    fixture.dashcam.recording().set("debug").unwrap();
    assert_eq!(log::max_level(), log::LevelFilter::Warn);
    fixture.dashcam.recording().off();
    log::set_max_level(log::LevelFilter::Info);

    // Rules that come later.
    let shown = json.count("log debug");
    let end = SystemTime::now() + Duration::from_secs(3600);
    let rule = Rule::new("all", end).verbose("debug").unwrap();
    let _layer = VerboseLayer::new().rules(Rules::new([rule.clone()]));
    assert_eq!(log::max_level(), log::LevelFilter::Debug);
    let live = Fixture::with(|builder| builder.record_off().rules(Rules::new([rule])));
    live.healthy(emit);
    assert_eq!(json.count("log debug"), shown + 1);
    assert_eq!(json.count("log trace"), 0);
}
