//! The commands for jq in the docs, unchanged, on exchanges that lack all optional parts.
#![cfg(unix)]

use crate::Directory;
use serde_json::{Value, json};
use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

fn has(program: &str) -> bool {
    let asked = Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .status();
    asked.is_ok_and(|status| status.success())
}

const ID: &str = "01a20747-b884-7738-88ce-62ae1b34f1da";

/// No response, route, events, facts, decisions.
fn bare(id: &str) -> Value {
    json!({
        "schema": "dashcam.exchange/1", "id": format!("e-{id}"),
        "service": { "name": "orders", "version": "1" },
        "correlation": { "id": id, "source": "minted" },
        "started_at": "2026-11-24T17:15:00.000000Z", "timing": { "duration_us": 5 },
        "in_flight": 1, "outcome": { "kind": "abandoned" }, "slow": false,
        "keep": [{ "kind": "outcome" }], "mode": { "kind": "off" }, "depth": "heads",
        "request": {
            "method": "GET", "path": "/[~3ae762944b2301a0]", "version": "HTTP/1.1", "headers": [],
            "body": { "state": "none", "seen": 0, "kept": 0 },
        },
        "redaction": { "policy": "strict", "key_id": "k" }, "environment": {},
    })
}

/// The same with an event that lacks all optional parts.
fn with_event(id: &str) -> Value {
    let mut exchange = bare(id);
    exchange["events"] = json!([{ "at_us": 7, "level": "DEBUG", "target": "orders::shelf" }]);
    exchange["request"]["route"] = json!("/orders");
    exchange
}

fn written(dir: &Path, n: u32, lines: &[Value]) -> fs::File {
    // The written line is one that a reader accepts.
    for line in lines {
        serde_json::from_value::<dashcam::exchange::Exchange>(line.clone()).unwrap();
    }
    let name = format!("exchanges-2026112{n}T000000.000Z-1-000000.jsonl");
    let mut file = fs::File::create(dir.join(name)).unwrap();
    for line in lines {
        writeln!(file, "{line}").unwrap();
    }
    file
}

/// Returns what a script prints. It must neither fail nor print an error.
fn run(script: &str, dir: &Path, env: &[(&str, &str)]) -> String {
    let mut command = Command::new("timeout");
    command
        .args(["60", "bash", "-euo", "pipefail", "-c", script])
        .envs(env.iter().copied())
        .current_dir(dir);
    let output = command.output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && err.is_empty(), "{err}\n{script}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn those_of_the_readme() {
    if !has("jq") || !has("bash") {
        return;
    }
    let dir = Directory::new("readme");
    written(&dir.0, 1, &[bare(ID), with_event("other"), bare("last")]);
    written(&dir.0, 2, &[with_event(ID)]);
    let readme = include_str!("../../docs/reading.md");
    let collector = include_str!("../../docs/tools/collector.md");
    let recipes = readme.lines().filter(|line| line.starts_with("jq "));
    let inline = collector
        .split('`')
        .filter(|code| code.starts_with("jq "))
        .map(|code| code.replace("\"ID\"", &format!("{ID:?}")));
    let all: Vec<String> = recipes.map(str::to_owned).chain(inline).collect();
    assert_eq!(all.len(), 4);
    let printed: Vec<_> = all.iter().map(|recipe| run(recipe, &dir.0, &[])).collect();
    assert_eq!(printed[0].lines().count(), 4);
    assert_eq!(printed[1], "7\tDEBUG\torders::shelf\t\n");
    assert_eq!(printed[2], format!("{ID}\nother\nlast\n{ID}\n"));
    assert_eq!(printed[3].lines().count(), 2);
}

#[test]
fn those_of_the_page() {
    if !has("jq") || !has("bash") {
        return;
    }
    let dir = Directory::new("page");
    let mut torn = written(&dir.0, 1, &[bare("first"), bare(ID)]);
    torn.write_all(b"{\"schema\":\"dashcam.exch").unwrap();
    written(&dir.0, 2, &[with_event(ID)]);
    let fifo = dir.0.join("exchanges-20261123T000000.000Z-1-000000.jsonl");
    assert!(Command::new("mkfifo").arg(fifo).status().unwrap().success());
    let log = dir.0.join("log");
    fs::write(
        &log,
        format!("5\nnot json\n{{\"correlation_id\":{ID:?},\"level\":\"INFO\"}}\n"),
    )
    .unwrap();
    let page = include_str!("../../docs/tools/jq.md");
    let mut script = String::new();
    let mut inside = false;
    for line in page.lines() {
        match line.trim() {
            "```sh" => inside = true,
            "```" => inside = false,
            _ if inside => script = script + line + "\n",
            _ => {}
        }
    }
    let printed = run(
        &script,
        &dir.0,
        &[
            ("DASHCAM_DIR", dir.0.to_str().unwrap()),
            ("LOG", log.to_str().unwrap()),
            ("ID", ID),
            ("ROUTE", "/orders"),
            ("FROM", "2026-11-24T17:10"),
            ("TO", "2026-11-24T17:20"),
            ("PSEUDONYM", "3ae762944b2301a0"),
        ],
    );
    for part in [
        &format!("2026-11-24T17:15:00.000000Z\t\tabandoned\t{ID}\n"),
        "GET /[~3ae762944b2301a0] -> abandoned \n",
        "7\tDEBUG\torders::shelf\t\t{}\n",
        &format!("first\n{ID}\n{ID}\n"),
        "\tINFO\t\t\t{}\n",
    ] {
        assert!(printed.contains(part), "{part:?}: {printed}");
    }
}
