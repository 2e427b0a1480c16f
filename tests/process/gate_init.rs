//! `init_tracing`, in a process of its own for each environment.

use crate::{support_alone::command, support_gate::Fixture};
use dashcam::kit::{Error, Recording};
use serde_json::Value;

/// Runs [`child`] in another process. Returns its standard output.
fn run(rust_log: Option<&str>) -> String {
    run_test("child", rust_log)
}

fn run_test(name: &str, rust_log: Option<&str>) -> String {
    let mut command = command(&format!("gate_init::{name}"));
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
    alone!();
    let fixture = Fixture::new();
    fixture.dashcam.init_tracing().unwrap();
    println!();
    assert_eq!(fixture.dashcam.status().recording, Recording::On);
    let again = fixture.dashcam.init_tracing();
    let Err(Error::AlreadyInstalled(_)) = &again else {
        panic!("{again:?}");
    };
    let said = again.unwrap_err().to_string();
    for part in [
        "leave `init_tracing` out",
        ".with(dashcam.gate(",
        "dashcam.json_log()",
    ] {
        assert!(said.contains(part), "{said}");
    }
    assert_eq!(fixture.dashcam.status().recording, Recording::On);
    let exchange = fixture.failing(|| {
        tracing::debug!("debug");
        tracing::info!("info");
        tracing::warn!("warn");
    });
    assert_eq!(
        crate::support_gate::messages(&exchange),
        ["debug", "info", "warn"]
    );
    assert!(fixture.dashcam.flush(crate::support_gate::DEADLINE));
}

#[test]
fn info_is_the_base_and_a_second_call_is_an_error() {
    alone!();
    assert_eq!(shown(&run(None)), ["info", "warn", "request"]);
    assert_eq!(shown(&run(Some("  "))), ["info", "warn", "request"]);
}

#[test]
fn rust_log_is_the_base() {
    alone!();
    assert_eq!(shown(&run(Some("warn"))), ["warn", "request"]);
    assert_eq!(
        shown(&run(Some("debug"))),
        ["debug", "info", "warn", "request"]
    );
}

/// The service starts, continues with what can be parsed, and reports what cannot.
#[test]
fn what_cannot_be_read_is_left_out_and_named() {
    alone!();
    let request = ["warn", "request"];
    for (rust_log, named, rest) in [
        ("warn,sqlx=wran", "\"sqlx=wran\"", &request[..]),
        ("warn, a=b=c ,h yper", "\"a=b=c\", \"h yper\"", &request),
        (
            "warn,[span{a=1,b=2}]=debug,process[x]=debug",
            "\"[span{a=1,b=2}]=debug\", \"process[x]=debug\"",
            &request,
        ),
        ("a=b", "\"a=b\"", &["info", "warn", "request"]),
        ("off,a=b", "\"a=b\"", &["request"]),
        ("process=warn,=,a=b", "\"=\", \"a=b\"", &request),
    ] {
        let shown = shown(&run(Some(rust_log)));
        let (warning, others) = shown.split_first().unwrap();
        assert!(
            warning.starts_with("RUST_LOG: ") && warning.contains(named),
            "{rust_log}: {warning}"
        );
        assert_eq!(others, rest, "{rust_log}");
        let filters = warning.contains("EnvFilter");
        assert_eq!(filters, rust_log.contains('['), "{warning}");
    }
}

/// The directory and the losses are logged whatever the filter is, and a mistake lowers no level.
#[test]
fn what_is_lost_passes_every_filter() {
    alone!();
    for (rust_log, told) in [
        ("off", &["lost"][..]),
        ("orders=debug", &["lost"]),
        ("warn,sqlx=wran", &["lost"]),
        ("info,sqlx=wran", &["a file", "lost"]),
    ] {
        let text = run_test("status", Some(rust_log));
        let shown = shown(&text);
        let shown: Vec<_> = shown.iter().filter(|m| !m.contains("RUST_LOG")).collect();
        assert_eq!(shown, told.iter().collect::<Vec<_>>(), "{rust_log}");
    }
}

#[test]
#[ignore = "run by the others, in a process of its own"]
fn status() {
    alone!();
    let fixture = Fixture::new();
    fixture.dashcam.init_tracing().unwrap();
    println!();
    tracing::info!(target: "dashcam::status", "a file");
    tracing::warn!(target: "dashcam::status", "lost");
    assert!(fixture.dashcam.flush(crate::support_gate::DEADLINE));
}

#[cfg(unix)]
#[test]
fn what_is_no_text_is_named_too() {
    alone!();
    use std::os::unix::ffi::OsStrExt;
    let mut command = command("gate_init::child");
    command.env("RUST_LOG", std::ffi::OsStr::from_bytes(b"warn,\xff=debug"));
    let output = command.output().unwrap();
    assert!(output.status.success());
    let shown = shown(&String::from_utf8(output.stdout).unwrap());
    assert!(shown[0].starts_with("RUST_LOG: "), "{shown:?}");
    assert_eq!(shown[1..], ["warn", "request"]);
}
