//! `init_tracing`, in a process of its own for each environment.
#![cfg(feature = "full")]

mod support_gate;

use dashcam::kit::{InitError, Recording};
use serde_json::Value;
use std::process::Command;
use support_gate::Fixture;

/// Runs [`child`] in another process; what it wrote to standard output.
fn run(rust_log: Option<&str>) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child", "--ignored", "--nocapture"]);
    match rust_log {
        Some(text) => command.env("RUST_LOG", text),
        None => command.env_remove("RUST_LOG"),
    };
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    text
}

fn shown(text: &str) -> Vec<String> {
    let lines = text.lines().filter(|line| line.starts_with('{'));
    let lines = lines.map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines
        .filter_map(|line| Some(line["message"].as_str()?.to_owned()))
        .collect()
}

#[test]
#[ignore = "run by the others, in a process of its own"]
fn child() {
    let fixture = Fixture::new();
    match fixture.dashcam.init_tracing() {
        Ok(()) => {}
        Err(InitError::Filter(why)) => {
            println!("\nfilter: {why}");
            return;
        }
        Err(error) => panic!("{error}"),
    }
    println!();
    assert_eq!(fixture.dashcam.status().recording, Recording::On);
    let again = fixture.dashcam.init_tracing();
    let Err(InitError::Installed(_)) = &again else {
        panic!("{again:?}");
    };
    let said = again.unwrap_err().to_string();
    for part in [
        "leave `init_tracing` out",
        ".with(dashcam.gate(",
        "dashcam.json_lines()",
    ] {
        assert!(said.contains(part), "{said}");
    }
    assert_eq!(fixture.dashcam.status().recording, Recording::On);
    let exchange = fixture.failing(|| {
        tracing::debug!("debug");
        tracing::info!("info");
        tracing::warn!("warn");
    });
    assert_eq!(support_gate::messages(&exchange), ["debug", "info", "warn"]);
    assert!(fixture.dashcam.flush(support_gate::DEADLINE));
}

#[test]
fn info_is_the_base_and_a_second_call_is_an_error() {
    assert_eq!(shown(&run(None)), ["info", "warn", "request"]);
    assert_eq!(shown(&run(Some("  "))), ["info", "warn", "request"]);
}

#[test]
fn rust_log_is_the_base() {
    assert_eq!(shown(&run(Some("warn"))), ["warn", "request"]);
    assert_eq!(
        shown(&run(Some("debug"))),
        ["debug", "info", "warn", "request"]
    );
}

#[test]
fn a_filter_that_cannot_be_read_is_an_error() {
    let text = run(Some("a=b=c"));
    assert!(text.contains("filter: "), "{text}");
    assert!(shown(&text).is_empty(), "{text}");
}
