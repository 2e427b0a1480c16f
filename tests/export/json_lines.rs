//! Exchange files of several processes, and of processes that are killed.

use crate::Directory;
use dashcam::{
    exchange::Exchange,
    export::{Exporter, JsonLines},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    io::{self, BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

const DIR: &str = "DASHCAM_TEST_EXPORT_DIR";
const NAME: &str = "DASHCAM_TEST_EXPORT_NAME";
const COUNT: &str = "DASHCAM_TEST_EXPORT_COUNT";

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

/// Runs only in a process that [`writer`] started.
#[test]
fn child() {
    let Some(dir) = env::var_os(DIR) else {
        return;
    };
    let name = env::var(NAME).unwrap();
    let count: u32 = env::var(COUNT).unwrap().parse().unwrap();
    let endless = count == u32::MAX;
    let builder = JsonLines::builder(dir).max_file_bytes(if endless { 400_000 } else { 2_000_000 });
    #[cfg(feature = "compression")]
    let builder = builder.compress(endless);
    let mut exporter = builder.build();
    for n in 0..count {
        // Some long lines, so that a kill is likely within one.
        let bytes = if endless && n % 2 == 1 {
            150_000
        } else {
            3_000
        };
        exporter
            .export(&exchange(&format!("{name}-{n}"), bytes))
            .unwrap();
        if endless {
            writeln!(io::stderr(), "{n}").unwrap();
            if n % 5 == 4 {
                exporter.tick();
            }
        }
    }
    assert!(exporter.health().is_ok());
}

/// Starts a process that writes this many exchanges.
fn writer(dir: &Path, name: &str, count: u32) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", "json_lines::child"])
        .env(DIR, dir)
        .env(NAME, name)
        .env(COUNT, count.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
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
    let dir = Directory::new("shared");
    let children = ["a", "b"].map(|name| writer(&dir.0, name, 1_000));
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let found: Vec<_> = JsonLines::read(&dir.0)
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

/// Lets a process write until it reports that this many are written, and kills it. Returns how
/// many it reported.
fn kill_after(mut child: Child, exchanges: usize) -> usize {
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut said = 0;
    while said < exchanges {
        said += usize::from(lines.next().unwrap().unwrap().parse::<u32>().is_ok());
    }
    // At any moment of the following writes.
    thread::sleep(Duration::from_micros(fastrand::u64(0..3_000)));
    child.kill().unwrap();
    child.wait().unwrap();
    // The reports before the signal.
    said + lines
        .map_while(Result::ok)
        .filter(|line| line.parse::<u32>().is_ok())
        .count()
}

/// Everything that the processes reported can be read, once and in order. At most the last line of
/// each is torn.
fn all_is_there(dir: &Path, processes: &[(&str, usize)]) -> usize {
    let mut found: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    let mut torn = Vec::new();
    for item in JsonLines::read(dir).unwrap() {
        match item {
            Ok(exchange) => {
                let (name, n) = exchange.id.split_once('-').unwrap();
                found
                    .entry(name.into())
                    .or_default()
                    .push(n.parse().unwrap());
            }
            Err(error) => torn.push(error),
        }
    }
    for (name, said) in processes {
        let numbers = &found[*name];
        let all: Vec<_> = (0..numbers.len()).collect();
        assert_eq!(numbers, &all, "{name}");
        // The last one may be written and not reported.
        assert!(
            (*said..=said + 1).contains(&numbers.len()),
            "{name} said {said}"
        );
    }
    assert!(torn.len() <= processes.len(), "{torn:?}");
    for error in &torn {
        assert!(error.is_unfinished(), "{error}");
        let behind = JsonLines::read(&error.path)
            .unwrap()
            .skip_while(Result::is_ok)
            .count();
        assert_eq!(behind, 1, "nothing follows a torn line");
        let plain = error.path.extension().is_some_and(|end| end == "jsonl");
        assert!(plain, "{error}");
    }
    torn.len()
}

fn rounds() -> usize {
    if env::var_os("DASHCAM_LONG").is_some() {
        200
    } else {
        5
    }
}

#[test]
fn a_killed_process_tears_at_most_the_last_line() {
    let mut torn = 0;
    for _ in 0..rounds() {
        let dir = Directory::new("killed");
        let said = kill_after(writer(&dir.0, "k", u32::MAX), fastrand::usize(1..25));
        torn += all_is_there(&dir.0, &[("k", said)]);
        // The next process continues beside the remains.
        assert!(writer(&dir.0, "next", 3).wait().unwrap().success());
        all_is_there(&dir.0, &[("k", said), ("next", 3)]);
    }
    assert!(rounds() < 200 || torn > 0, "no kill came within a line");
    eprintln!("{torn} torn lines");
}

#[test]
fn two_killed_processes_tear_at_most_their_last_lines() {
    for _ in 0..rounds() {
        let dir = Directory::new("both-killed");
        let said = thread::scope(|scope| {
            let kill = |name| {
                let child = writer(&dir.0, name, u32::MAX);
                scope.spawn(move || (name, kill_after(child, fastrand::usize(1..20))))
            };
            let killed = [kill("a"), kill("b")];
            killed.map(|killed| killed.join().unwrap())
        });
        all_is_there(&dir.0, &said);
    }
}

/// The retention of one process deletes files that another writes or compresses. Neither fails,
/// and the remaining files are whole.
#[test]
fn two_processes_over_the_total_size() {
    let dir = Directory::new("total");
    thread::scope(|scope| {
        for name in ["a", "b"] {
            let dir = &dir.0;
            scope.spawn(move || {
                let builder = JsonLines::builder(dir)
                    .max_file_bytes(20_000)
                    .max_total_bytes(60_000);
                #[cfg(feature = "compression")]
                let builder = builder.compress(true);
                let mut exporter = builder.build();
                for n in 0..300 {
                    exporter
                        .export(&exchange(&format!("{name}-{n}"), 3_000))
                        .unwrap();
                    exporter.tick();
                    assert!(exporter.health().is_ok());
                }
                assert_eq!(exporter.stats().written(), 300);
            });
        }
    });
    let found: Vec<_> = JsonLines::read(&dir.0)
        .unwrap()
        .map(|item| item.unwrap().id)
        .collect();
    let unique: BTreeSet<_> = found.iter().collect();
    assert_eq!(found.len(), unique.len());
    assert!(!found.is_empty());
    let size: u64 = files(&dir.0)
        .iter()
        .map(|p| fs::metadata(p).unwrap().len())
        .sum();
    assert!(size <= 60_000 + 2 * 20_000, "{size}");
}
