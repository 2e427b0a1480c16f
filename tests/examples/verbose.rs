//! The example `verbose` as users run it.
//!
//! `cargo test` builds the example first. `cargo test --test examples` uses the one that `cargo
//! build --example verbose` built last.

use serde_json::Value;
use std::{env, path::Path, process::Command};

const EVENTS: [&str; 4] = [
    "looking into the cache",
    "not cached, asking the store",
    "scanning",
    "the store has answered",
];

#[test]
fn the_one_slow_request_is_told_in_both_formats_with_true_times() {
    let test = env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    let program = profile
        .join("examples")
        .join(format!("verbose{}", env::consts::EXE_SUFFIX));
    assert!(program.exists(), "`cargo build --example verbose` first");
    let output = Command::new(program)
        .env("REQUESTS", "2000")
        .env_remove("RUST_LOG")
        .output()
        .unwrap();
    let (text, json) = (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    );
    assert!(output.status.success(), "{text}{json}");
    let (log, account) = text.trim_end().rsplit_once('\n').unwrap();
    // On a busy machine other requests may have been slow, too. This one must be.
    let counts: Vec<u64> = account
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|n| n.parse().ok())
        .collect();
    let [requests, kept, replayed] = counts[..] else {
        panic!("{account}")
    };
    assert!(requests == 2000 && (1..100).contains(&kept), "{account}");

    let lines: Vec<Value> = json
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let unlucky = lines
        .iter()
        .find(|l| l["message"] == "scanning" && l["fields"]["rows"] == 250_000);
    let id = unlucky.unwrap()["correlation_id"].as_str().unwrap();
    let mine: Vec<&Value> = lines.iter().filter(|l| l["correlation_id"] == id).collect();
    assert_eq!(mine[0]["message"], "recorded events follow");
    assert_eq!(mine[0]["fields"]["events"], 4);
    let events = &mine[1..];
    let messages: Vec<_> = events
        .iter()
        .map(|l| l["message"].as_str().unwrap())
        .collect();
    assert_eq!(messages, EVENTS);
    assert!(
        events
            .iter()
            .all(|l| l["level"] == "DEBUG" && l["replayed"] == true)
    );
    assert_eq!(events[2]["spans"][0]["name"], "query");
    assert_eq!(events[2]["spans"][0]["fields"]["table"], "items");
    let debug = |level: &str| lines.iter().filter(|l| l["level"] == level).count() as u64;
    assert_eq!(debug("DEBUG"), replayed, "nothing of the others");

    let in_text: Vec<&str> = log
        .lines()
        .filter(|l| l.contains(id) && l.contains(" DEBUG "))
        .collect();
    assert_eq!(in_text.len(), 4, "{log}");
    assert_eq!(log.matches(" DEBUG ").count() as u64, replayed);
    for ((line, event), message) in in_text.iter().zip(events).zip(EVENTS) {
        assert!(
            line.contains(":replay: verbose: ") && line.contains(message),
            "{line}"
        );
        // One event has the same time in both.
        let at = line.split(' ').next().unwrap();
        assert_eq!(event["timestamp"], at);
    }
    // The store was slow between the third and the fourth.
    let at = |n: usize| -> jiff::Timestamp {
        let text = events[n]["timestamp"].as_str().unwrap();
        text.parse().unwrap()
    };
    assert!(at(3).duration_since(at(2)).as_millis() >= 800);
}
