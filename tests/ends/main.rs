//! What a process leaves behind that ends by a panic, or that is a forked child: a service of its
//! own, built with `panic = "abort"` and without. And what the dependency adds to its build.
#![cfg(all(feature = "full", unix))]

mod dependency;

use serde_json::Value;
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::OnceLock,
    time::{Duration, Instant},
};

fn place() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("ends")
}

/// The program, built once with this profile.
fn program(profile: &'static str) -> PathBuf {
    static BUILT: [OnceLock<()>; 2] = [OnceLock::new(), OnceLock::new()];
    let source = place().join("source");
    let name = if profile == "abort" { "abort" } else { "debug" };
    BUILT[usize::from(profile == "abort")].get_or_init(|| {
        let root = env!("CARGO_MANIFEST_DIR");
        let manifest = format!(
            r#"
                [package]
                name = "ends-{profile}"
                version = "0.0.0"
                edition = "2024"

                [[bin]]
                name = "ends"
                path = "{root}/tests/ends/program.rs"

                [dependencies]
                bytes = "1"
                dashcam = {{ path = "{root}", default-features = false, features = [] }}
                http = "1"
                http-body-util = "0.1"
                tokio = {{ version = "1", features = ["rt"] }}
                tower = {{ version = "0.5", features = ["util"] }}
                tracing = "0.1"

                [workspace]

                [profile.dev]
                debug = false
                incremental = false

                [profile.abort]
                inherits = "dev"
                panic = "abort"
            "#
        );
        let source = source.join(profile);
        fs::create_dir_all(&source).unwrap();
        fs::write(source.join("Cargo.toml"), manifest).unwrap();
        let lock = Path::new(root).join("Cargo.lock");
        fs::copy(lock, source.join("Cargo.lock")).unwrap();
        let built = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--offline", "--profile", profile])
            .current_dir(source)
            .env("CARGO_TARGET_DIR", place().join("target"))
            .output()
            .unwrap();
        assert!(built.status.success(), "{}", text(&built.stderr));
    });
    place().join("target").join(name).join("ends")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

struct Left {
    exchanges: Vec<Value>,
    log: Vec<Value>,
    output: Output,
    took: Duration,
}

impl Left {
    fn last(&self) -> &Value {
        let last = self.exchanges.last();
        last.unwrap_or_else(|| panic!("nothing: {}", text(&self.output.stderr)))
    }

    /// The log lines of requests.
    fn lines(&self) -> Vec<&Value> {
        let lines = self.log.iter();
        lines
            .filter(|l| l["target"] == "dashcam::request")
            .collect()
    }
}

/// Runs it to its end.
fn run(profile: &'static str, how: &str) -> Left {
    let program = program(profile);
    let dir = place().join(format!("{profile}-{how}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&dir);
    let began = Instant::now();
    let output = Command::new(program)
        .arg(how)
        .arg(&dir)
        .env_remove("RUST_LOG")
        .output()
        .unwrap();
    let took = began.elapsed();
    let mut files: Vec<_> = fs::read_dir(&dir)
        .map(|entries| entries.map(|e| e.unwrap().path()).collect())
        .unwrap_or_default();
    files.sort();
    let json = |text: String| -> Vec<Value> {
        let lines = text.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    let files = files
        .iter()
        .filter(|f| f.extension().is_some_and(|e| e == "jsonl"));
    let exchanges = files
        .flat_map(|f| json(fs::read_to_string(f).unwrap()))
        .collect();
    // A line that the end cut is no line.
    let log = text(&output.stdout);
    let log = json(log[..log.rfind('\n').map_or(0, |end| end + 1)].to_owned());
    let _ = fs::remove_dir_all(&dir);
    Left {
        exchanges,
        log,
        output,
        took,
    }
}

/// The exchange of the request that ended it, and those before it.
fn is_all_there(left: &Left, message: &str) {
    assert!(!left.output.status.success());
    let paths: Vec<_> = left
        .exchanges
        .iter()
        .map(|e| &e["request"]["path"])
        .collect();
    assert_eq!(paths, ["/0", "/1", "/2", "/9"]);
    let last = left.last();
    assert_eq!(last["outcome"]["kind"], "panicked", "{last}");
    assert_eq!(last["panic"]["message"], message, "{last}");
    let location = last["panic"]["location"].as_str().unwrap();
    assert!(location.contains("tests/ends/program.rs:"), "{location}");
    assert_eq!(last["events"][0]["message"], "just before", "{last}");
    let lines = left.lines();
    assert_eq!(lines.len(), 4, "{:?}", left.log);
    let line = lines[3];
    assert_eq!(line["fields"]["outcome"], "panicked", "{line}");
    assert_eq!(line["fields"]["kept"], true, "{line}");
    assert_eq!(line["correlation_id"], last["correlation"]["id"], "{line}");
    // The previous hook still prints it.
    assert!(text(&left.output.stderr).contains(message));
}

#[test]
fn a_panic_that_aborts_leaves_its_exchange() {
    let left = run("abort", "panic");
    is_all_there(&left, "the last one");
    let warned = |line: &&Value| {
        let message = line["message"].as_str().unwrap_or_default();
        line["level"] == "WARN" && message.contains("panic = \"abort\"")
    };
    assert_eq!(left.log.iter().filter(warned).count(), 1, "{:?}", left.log);
}

#[test]
fn so_does_one_behind_more_lines_than_the_log_takes() {
    let left = run("abort", "flood");
    assert!(!left.output.status.success());
    assert_eq!(left.last()["panic"]["message"], "the last one");
    let lines = left.lines();
    let id = &left.last()["correlation"]["id"];
    let last = lines.iter().find(|line| line["correlation_id"] == *id);
    let last = last.unwrap_or_else(|| panic!("{} of {} lines", lines.len(), left.log.len()));
    assert_eq!(last["fields"]["outcome"], "panicked", "{last}");
    assert!(left.took < Duration::from_secs(60), "{:?}", left.took);
}

#[test]
fn so_does_one_beside_a_subscriber_of_the_services_own() {
    let left = run("abort", "own");
    assert!(!left.output.status.success());
    assert_eq!(left.exchanges.len(), 4);
    assert_eq!(left.last()["panic"]["message"], "the last one");
}

#[test]
fn a_hook_that_exits_ends_it_after_that() {
    let left = run("abort", "exits");
    assert_eq!(left.output.status.code(), Some(3));
    assert_eq!(left.exchanges.len(), 4);
    assert_eq!(left.last()["panic"]["message"], "the last one");
}

#[test]
fn an_exporter_that_is_stuck_keeps_it_for_a_while() {
    let left = run("abort", "stuck");
    assert!(!left.output.status.success());
    assert!(left.took < Duration::from_secs(20), "{:?}", left.took);
    // The log is not stuck.
    let lines = left.lines();
    assert_eq!(lines.len(), 4, "{:?}", left.log);
    assert_eq!(lines[3]["fields"]["outcome"], "panicked");
}

#[test]
fn so_does_one_that_cannot_unwind() {
    let left = run("dev", "double");
    is_all_there(&left, "the first of two");
    let second = &left.last()["panic"]["second"];
    assert_eq!(second["message"], "in a destructor", "{second}");
    let location = second["location"].as_str().unwrap();
    assert!(location.contains("tests/ends/program.rs:"), "{location}");
    for how in ["extern", "caught"] {
        let left = run("dev", how);
        is_all_there(&left, "in extern C");
        assert_eq!(left.last()["panic"]["second"], Value::Null);
    }
}

#[test]
fn a_hook_set_later_is_told() {
    let left = run("dev", "hook");
    assert!(left.output.status.success());
    assert_eq!(left.last()["panic"]["location"], Value::Null);
    let status = text(&left.output.stderr);
    assert!(status.contains("a panic hook was set later"), "{status}");
    // Without such a hook there is no warning.
    for how in ["none", "placed", "resumed"] {
        let left = run("dev", how);
        let status = text(&left.output.stderr);
        assert_eq!(status.lines().last(), Some("[]"), "{how}");
    }
}

#[test]
fn a_forked_child_says_that_it_writes_nothing() {
    let left = run("dev", "fork");
    let status = text(&left.output.stderr);
    assert!(status.starts_with("false Degraded"), "{status}");
    assert!(status.contains("forked"), "{status}");
    assert!(left.took < Duration::from_secs(30), "{:?}", left.took);
    assert_eq!(left.exchanges.len(), 3);
}
