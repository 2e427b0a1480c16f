//! Exchange files under several processes, and under processes that are killed.

#![cfg(feature = "capture")]

use dashcam::{
    exchange::Exchange,
    export::{
        Exporter, JsonLines,
        json_lines::{TornReason, read_dir, read_file},
    },
};
use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

const DIR: &str = "DASHCAM_TEST_EXPORT_DIR";
const NAME: &str = "DASHCAM_TEST_EXPORT_NAME";
const COUNT: &str = "DASHCAM_TEST_EXPORT_COUNT";

struct TempDir(PathBuf);

impl TempDir {
    fn new(name: &str) -> Self {
        let name = format!("export-{name}-{}", std::process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn exchange(id: &str, bytes: usize) -> Exchange {
    let text = r#"{
        "schema": "dashcam.exchange/1", "id": "", "service": {"name": "orders", "version": "1"},
        "correlation": {"id": "c", "source": "minted"}, "started_at": "2025-01-02T03:04:05.678901Z",
        "timing": {"duration_us": 5}, "in_flight": 1, "outcome": {"kind": "panicked"},
        "slow": false, "keep": [{"kind": "outcome"}], "mode": {"kind": "recorded"},
        "depth": "full", "request": {"method": "GET", "path": "/", "version": "HTTP/1.1",
        "headers": [], "body": {"state": "none", "seen": 0, "kept": 0}},
        "redaction": {"policy": "default", "key_id": "k"}, "environment": {}
    }"#;
    let mut exchange: Exchange = serde_json::from_str(text).unwrap();
    exchange.id = id.into();
    exchange.error = Some("x".repeat(bytes));
    exchange
}

/// Does something only in a process started by [`writer`].
#[test]
fn child() {
    let Some(dir) = env::var_os(DIR) else {
        return;
    };
    let name = env::var(NAME).unwrap();
    let count: u32 = env::var(COUNT).unwrap().parse().unwrap();
    let mut exporter = JsonLines::builder(dir).max_file_bytes(2_000_000).build();
    for n in 0..count {
        // Long lines, so that a kill is likely to come within one.
        let bytes = if count == u32::MAX { 300_000 } else { 3_000 };
        exporter
            .export(&exchange(&format!("{name}-{n}"), bytes))
            .unwrap();
    }
    assert!(exporter.health().is_ok());
}

/// Starts a process that writes so many exchanges.
fn writer(dir: &Path, name: &str, count: u32) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", "child"])
        .env(DIR, dir)
        .env(NAME, name)
        .env(COUNT, count.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

#[test]
fn two_processes_share_a_directory() {
    let dir = TempDir::new("shared");
    let children = ["a", "b"].map(|name| writer(&dir.0, name, 1_000));
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let found: Vec<_> = read_dir(&dir.0)
        .unwrap()
        .map(|item| item.unwrap().id)
        .collect();
    let unique: BTreeSet<_> = found.iter().cloned().collect();
    let wanted: BTreeSet<_> = ["a", "b"]
        .iter()
        .flat_map(|name| (0..1_000).map(move |n| format!("{name}-{n}")))
        .collect();
    assert_eq!(found.len(), 2_000);
    assert_eq!(unique, wanted);
}

#[test]
fn a_killed_process_tears_at_most_the_last_line() {
    for round in 0_u64..10 {
        let dir = TempDir::new("killed");
        let mut child = writer(&dir.0, "k", u32::MAX);
        let size = || -> u64 {
            let paths = files(&dir.0);
            paths
                .iter()
                .filter_map(|p| Some(fs::metadata(p).ok()?.len()))
                .sum()
        };
        while size() < 1_000_000 + round * 777_777 {
            assert!(child.try_wait().unwrap().is_none());
            thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();

        let mut ids = Vec::new();
        let paths = files(&dir.0);
        let last = paths.last().unwrap();
        for path in &paths {
            let mut torn = 0;
            for item in read_file(path).unwrap() {
                assert_eq!(torn, 0, "nothing follows a torn line");
                match item {
                    Ok(exchange) => ids.push(exchange.id),
                    Err(error) => {
                        assert_eq!(error.reason, TornReason::EndOfFile);
                        assert_eq!(path, last);
                        torn += 1;
                    }
                }
            }
        }
        let wanted: Vec<_> = (0..ids.len()).map(|n| format!("k-{n}")).collect();
        assert!(!ids.is_empty());
        assert_eq!(ids, wanted);
    }
}
