//! The program `dashcam`, as it is built, on files as they are written.

mod index;
mod ls;
mod manual;
mod odd_files;
mod rules;
mod show;
mod token;
mod top;
mod values;

use dashcam::{
    exchange::Exchange,
    export::{Exporter, JsonLines},
};
use serde_json::{Value, json};
use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::mpsc,
    time::Duration,
};

const DEADLINE: Duration = Duration::from_secs(30);

/// A directory of its own for each test.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let name = format!("dashcam-cli-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn dashcam() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dashcam"));
    command.env_remove("DASHCAM_DIR").env_remove("NO_COLOR");
    command
}

struct Run {
    code: Option<i32>,
    out: String,
    err: String,
}

fn run(args: &[&str], dir: Option<&Path>) -> Run {
    let mut command = dashcam();
    command.args(args);
    if let Some(dir) = dir {
        command.env("DASHCAM_DIR", dir);
    }
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let run = Run {
        code: status.code(),
        out: String::from_utf8(stdout).unwrap(),
        err: String::from_utf8(stderr).unwrap(),
    };
    assert!(!run.err.contains("panicked at"), "{}", run.err);
    run
}

fn exchange(n: u32, change: impl FnOnce(&mut Value)) -> Exchange {
    let mut value = json!({
        "schema": "dashcam.exchange/1",
        "id": format!("e{n}"),
        "service": { "name": "orders", "version": "1" },
        "correlation": { "id": format!("c{n}"), "source": "minted" },
        "started_at": format!("2026-01-02T03:04:{n:02}.000000Z"),
        "timing": { "duration_us": 1500 },
        "in_flight": 1,
        "outcome": { "kind": "failed", "failure": { "status": 502 } },
        "slow": false,
        "keep": [{ "kind": "outcome" }],
        "mode": { "kind": "recorded" },
        "depth": "full",
        "request": {
            "method": "GET", "path": format!("/orders/{n}"), "route": "/orders/{id}",
            "version": "HTTP/1.1", "headers": [["host", "x"]],
            "body": { "state": "none", "seen": 0, "kept": 0 },
        },
        "response": {
            "status": 502, "version": "HTTP/1.1", "headers": [],
            "body": { "state": "complete", "seen": 2, "kept": 2 },
        },
        "redaction": { "policy": "strict", "key_id": "k" },
        "environment": { "dashcam": "0", "pid": 1, "platform": "x" },
    });
    change(&mut value);
    serde_json::from_value(value).unwrap()
}

/// Three exchanges, as an exporter writes them, and a torn line.
fn written(dir: &Path) {
    let mut exporter = JsonLines::builder(dir).build();
    exporter.export(&exchange(1, |_| {})).unwrap();
    let second = exchange(2, |e| {
        e["outcome"] = json!({ "kind": "panicked" });
        e["response"]["status"] = json!(500);
        e["keep"] = json!([{ "kind": "selected", "by": "acme" }]);
    });
    exporter.export(&second).unwrap();
    let third = exchange(3, |e| {
        e["outcome"] = json!({ "kind": "abandoned" });
        e["request"]["path"] = json!("/pay");
        e["request"].as_object_mut().unwrap().remove("route");
        e.as_object_mut().unwrap().remove("response");
        e["correlation"]["id"] = json!("c1");
    });
    exporter.export(&third).unwrap();
    drop(exporter);
    let file = fs::read_dir(dir).unwrap().next().unwrap().unwrap().path();
    let mut file = fs::File::options().append(true).open(file).unwrap();
    file.write_all(br#"{"schema":"dashcam.exchange/1","id":"torn"#)
        .unwrap();
}

fn ids(run: &Run) -> Vec<String> {
    let rows = run
        .out
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    rows.map(|row| row["id"].as_str().unwrap().to_owned())
        .collect()
}

/// What runs for longer has no end.
#[cfg(unix)]
fn within(args: &[&str], dir: &Path) -> Run {
    let mut command = Command::new("timeout");
    command
        .args(["120", env!("CARGO_BIN_EXE_dashcam")])
        .args(args)
        .env("DASHCAM_DIR", dir)
        .stdin(Stdio::null());
    let output = command.output().unwrap();
    Run {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

#[cfg(unix)]
fn fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}
