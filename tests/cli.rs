//! The program `dashcam`, as it is built, on files as they are written.
#![cfg(feature = "full")]

use dashcam::{
    exchange::{Exchange, Header},
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

#[test]
fn lists_and_filters() {
    let dir = Directory::new("ls");
    written(&dir.0);
    let all = run(&["ls"], Some(&dir.0));
    assert_eq!(all.code, Some(0));
    assert_eq!(
        all.out.lines().count(),
        4,
        "a heading and three: {}",
        all.out
    );
    assert!(
        all.out.contains("502  failed") && all.out.contains("GET /orders/1 (outcome)"),
        "{}",
        all.out
    );
    assert!(
        all.err
            .contains(":4: the file ends within the line (it is being written"),
        "{}",
        all.err
    );

    let of = |args: &[&str]| {
        let args = [&["ls", "--json", dir.0.to_str().unwrap()], args].concat();
        let run = run(&args, None);
        assert_eq!(run.code, Some(i32::from(run.out.is_empty())), "{args:?}");
        ids(&run)
    };
    assert_eq!(of(&[]), ["e1", "e2", "e3"]);
    assert_eq!(of(&["-n", "2"]), ["e2", "e3"]);
    assert_eq!(of(&["--since", "2026-01-02T03:04:02Z"]), ["e2", "e3"]);
    assert_eq!(of(&["--since", "1h"]), [""; 0]);
    assert_eq!(
        of(&["--route", "/orders/{id}", "--route", "/pay"]),
        ["e1", "e2", "e3"]
    );
    assert_eq!(of(&["--route", "/orders/*"]), ["e1", "e2"]);
    assert_eq!(of(&["--status", "5xx"]), ["e1", "e2"]);
    assert_eq!(of(&["--status", "none"]), ["e3"]);
    assert_eq!(
        of(&["--outcome", "panicked", "--outcome", "abandoned"]),
        ["e2", "e3"]
    );
    assert_eq!(of(&["--correlation-id", "c1"]), ["e1", "e3"]);
    assert_eq!(of(&["--kept-for", "selected:acme"]), ["e2"]);
    assert_eq!(of(&["--kept-for", "outcome", "--status", "502"]), ["e1"]);
}

/// A key file as the program makes it, and what a service writes under it: three
/// requests of two customers.
fn written_with_key(dir: &Path) -> String {
    let key = dir.join("made.key");
    let key = key.to_str().unwrap();
    let made = run(&["key", "new", "--out", key], None);
    assert_eq!(made.code, Some(0), "{}", made.err);
    let toml = format!(
        "[headers]\nx-tenant = \"keep\"\n\n{}scope = \"shop\"\n",
        made.out
    );
    let policy = dashcam::redact::Policy::from_toml(&toml).unwrap();
    let camera = dashcam::testing::TestDashcam::with(|builder| builder.policy(policy));
    let app = axum::Router::<()>::new()
        .route(
            "/pay/{customer}",
            axum::routing::post(|request: axum::extract::Request| async {
                let customer = request.uri().path().rsplit_once('/').unwrap().1.to_owned();
                let _ = axum::body::to_bytes(request.into_body(), 1000).await;
                dashcam::current().unwrap().fact("customer", &customer);
                tracing::debug!(attempt = 4711, "paying");
                http::StatusCode::BAD_GATEWAY
            }),
        )
        .layer(camera.layer());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    for (id, customer, body) in [
        ("a", "Quvexastr", r#"{"pin":"482913"}"#),
        (
            "b",
            "Weyland",
            r#"{"pin":"482914","note":"a \"long\" note"}"#,
        ),
        ("c", "Quvexastr", r#"{"pin":482915}"#),
    ] {
        use tower::ServiceExt;
        let request = http::Request::post(format!("/pay/{customer}?day=1990-05-12"))
            .header("x-request-id", id)
            .header("x-tenant", if id == "c" { "globex" } else { "acme" })
            .header("authorization", format!("Bearer {customer}-bearer"))
            .header("content-type", "application/json")
            .body(axum::body::Body::from(body));
        let _ = runtime.block_on(app.clone().oneshot(request.unwrap()));
    }
    let mut exporter = JsonLines::builder(dir).build();
    for exchange in camera.kept() {
        exporter.export(&exchange).unwrap();
    }
    key.to_owned()
}

#[test]
fn a_value_leads_to_its_requests() {
    let dir = Directory::new("values");
    let key = written_with_key(&dir.0);
    let ask = |args: &[&str]| run(&[&["ls", "--json"], args].concat(), Some(&dir.0));
    let correlations = |args: &[&str]| -> Vec<String> {
        let rows = ask(args).out;
        let rows = rows.lines().map(|row| serde_json::from_str(row).unwrap());
        rows.map(|row: Value| row["correlation_id"].as_str().unwrap().to_owned())
            .collect()
    };
    let with_key =
        |args: &[&str]| correlations(&[args, &["--key-file", &key, "--scope", "shop"]].concat());
    for (args, expected) in [
        // In the path and the fact; in a header; in bodies, text and number; in the query.
        (&["--value", "Quvexastr"][..], &["a", "c"][..]),
        (&["--value", "Weyland-bearer"], &["b"]),
        (&["--value", "482913"], &["a"]),
        (&["--value", "482915"], &["c"]),
        (&["--value", "482913", "--value", "482914"], &["a", "b"]),
        (&["--value", "1990-05-12"], &["a", "b", "c"]),
        (&["--value", "1990-05-13"], &[]),
        (&["--value", "a \"long\" note"], &["b"]),
        // In the clear: a header and a field of an event, but no part of a word.
        (&["--value", "globex"], &["c"]),
        (&["--value", "glob"], &[]),
        (&["--value", "4711"], &["a", "b", "c"]),
        (&["--value", "471"], &[]),
        // The status is none of the request's values.
        (&["--value", "502"], &[]),
        (&["--fact", "customer=Weyland"], &["b"]),
        (&["--fact", "customer=globex"], &[]),
        (&["--fact", "other=Weyland"], &[]),
        (&["--header", "x-tenant=acme"], &["a", "b"]),
        (
            &["--header", "X-Tenant=acme", "--fact", "customer=Weyland"],
            &["b"],
        ),
        (
            &["--header", "x-tenant=acme", "--header", "x-tenant=globex"],
            &["a", "b", "c"],
        ),
        (&["--header", "x-tenant=acme", "--header", "host=acme"], &[]),
        (&["--header", "authorization=Quvexastr-bearer"], &["a", "c"]),
    ] {
        assert_eq!(with_key(args), expected, "{args:?}");
    }

    // Without the key, and with another one.
    assert_eq!(correlations(&["--header", "x-tenant=globex"]), ["c"]);
    let none = ask(&["--fact", "customer=Weyland"]);
    assert_eq!(none.code, Some(1), "{}", none.out);
    assert!(none.err.contains("without --key-file"), "{}", none.err);
    let none = ask(&["--value", "Weyland", "--key-file", &key]);
    assert_eq!(none.code, Some(1), "{}", none.out);
    assert!(
        none.err.contains("/shop"),
        "it names the keys: {}",
        none.err
    );
    let short = dir.file("short.key", "too short");
    for args in [
        &["--value", "x", "--key-file", short.to_str().unwrap()][..],
        &["--value", "x", "--key-file", "/does/not/exist"],
        &["--value", "x", "--scope", "shop"],
        &["--fact", "customer"],
    ] {
        assert_eq!(ask(args).code, Some(2), "{args:?}");
    }
}

#[test]
fn a_value_is_read_from_standard_input() {
    let dir = Directory::new("stdin");
    let key = written_with_key(&dir.0);
    let mut command = dashcam();
    command
        .args(["ls", "--json", "--value", "-", "--scope", "shop"])
        .args(["--key-file", &key])
        .env("DASHCAM_DIR", &dir.0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"Weyland\n").unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let row: Value = serde_json::from_str(text.trim_end()).unwrap();
    assert_eq!(row["correlation_id"], "b");
}

#[test]
fn a_key_is_made_once() {
    let dir = Directory::new("key");
    let file = dir.0.join("a \"key\".key");
    let path = file.to_str().unwrap();
    let made = run(&["key", "new", "--out", path], None);
    assert_eq!(made.code, Some(0), "{}", made.err);
    let key = fs::read_to_string(&file).unwrap();
    assert_eq!(key.trim_end().len(), 64);
    assert!(!made.out.contains(key.trim_end()), "{}", made.out);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let policy = dashcam::redact::Policy::from_toml(&made.out).unwrap();
    assert!(policy.key_id().starts_with("20"), "{}", policy.key_id());
    let again = run(&["key", "new", "--out", path], None);
    assert_eq!(again.code, Some(2));
    assert!(again.err.contains("not overwritten"), "{}", again.err);
    assert_eq!(fs::read_to_string(&file).unwrap(), key);

    // In the current directory, where nothing is said.
    let mut command = dashcam();
    let output = command.args(["key", "new", "--json"]).current_dir(&dir.0);
    let output = output.output().unwrap();
    let made: Value = serde_json::from_slice(&output.stdout).unwrap();
    let other = fs::read_to_string(made["file"].as_str().unwrap()).unwrap();
    assert!(dir.0.join("dashcam.key").exists());
    assert_ne!(other, key);
}

#[test]
fn shows_one() {
    let dir = Directory::new("show");
    written(&dir.0);
    let show = |id: &str| run(&["show", id], Some(&dir.0));
    let page = show("e2").out;
    for part in [
        "request    GET /orders/2 -> 500",
        "outcome    panicked; kept for: selected by acme",
        "started    2026-01-02T03:04:02.000000Z, took 1.500 ms",
        "response HTTP/1.1 500",
        "  body: 2 bytes, complete",
        "losses     none",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(show("last").out.contains("GET /pay -> no response"));
    let journey = run(&["show", "--json", "c1"], Some(&dir.0));
    assert_eq!(ids(&journey), ["e1", "e3"], "all of a journey");
    assert_eq!(ids(&run(&["show", "--json", "e"], Some(&dir.0))).len(), 3);
    let none = show("e22");
    assert_eq!(none.code, Some(1));
    assert!(
        none.err
            .contains("begins with \"e22\"; `dashcam ls` lists them"),
        "{}",
        none.err
    );
    let swapped = run(&["show", dir.0.to_str().unwrap()], None);
    assert_eq!(swapped.code, Some(2));
    assert!(
        swapped.err.contains("the ID comes first"),
        "{}",
        swapped.err
    );
}

#[test]
fn what_cannot_be_done_is_said() {
    let dir = Directory::new("errors");
    let missing = dir.0.join("none");
    let missing = missing.to_str().unwrap();
    for (args, part) in [
        (
            &["ls", missing][..],
            "give the directory that the service writes to, or set DASHCAM_DIR",
        ),
        (&["tail", missing], "give the directory"),
        (&["show", "last", missing], "give the directory"),
        (
            &["ls", "--status", "7xx"],
            "expected a status such as 502, a class such as 5xx, or none",
        ),
        (
            &["ls", "--since", "yesterday"],
            "how long ago, such as 15m, 2h or 7d",
        ),
        (
            &["ls", "--outcome", "bad"],
            "expected one of completed, failed",
        ),
        (&["export", missing], "--har|--curl"),
        (&["rules", "check", missing], "cannot be read"),
        (&["rules", "why", missing], "--path <PATH>"),
        (&["lss"], "a similar subcommand exists: 'ls'"),
        (&["token", "mint", missing], "cannot be read"),
    ] {
        let run = run(args, None);
        assert_eq!(run.code, Some(2), "{args:?}");
        assert_eq!(run.out, "", "{args:?}");
        assert!(run.err.contains(part), "{args:?}: {}", run.err);
    }
    let there = dir.0.to_str().unwrap();
    for args in [
        &["show", "last", there][..],
        &["export", "--curl", "--id", "last", there],
    ] {
        let none = run(args, None);
        assert_eq!((none.code, &*none.out), (Some(1), ""), "{args:?}");
        let said = format!("no exchange in {there}\n");
        assert!(none.err.contains(&said), "{args:?}: {}", none.err);
        assert!(!none.err.contains("begins with"), "{}", none.err);
    }
    let empty = run(&["ls", dir.0.to_str().unwrap()], None);
    assert_eq!(empty.code, Some(1));
    for args in [&["--help"][..], &["ls", "--help"], &["--version"]] {
        assert_eq!(run(args, None).code, Some(0), "{args:?}");
    }
}

/// What clients sent reaches no terminal as it is.
#[test]
fn nothing_of_a_stranger_steers_the_terminal() {
    let dir = Directory::new("hostile");
    let evil = "\u{1b}]0;owned\u{7}\u{1b}[2J\r\n\u{9b}31m\u{202e}txt";
    let mut exporter = JsonLines::builder(&dir.0).build();
    let mut hostile = exchange(1, |e| {
        for field in ["id", "started_at"] {
            e[field] = json!(format!("{}{evil}", e[field].as_str().unwrap()));
        }
        e["correlation"]["id"] = json!(evil);
        e["correlation"]["trace_id"] = json!(evil);
        e["service"]["name"] = json!(evil);
        e["keep"] = json!([{ "kind": "asked", "why": evil }]);
        e["mode"] = json!({ "kind": "live", "by": evil });
        e["panic"] = json!({ "message": evil, "location": evil });
        e["error"] = json!(evil);
        e["facts"] = json!({ evil: evil });
        e["outcome"] = json!({ "kind": "failed", "failure": { "custom": evil } });
        e["decisions"] = json!([{ "at_us": 1, "name": evil, "fields": { evil: evil } }]);
        e["losses"] = json!({ "suppressed_before": 3 });
        e["missing"] = json!([{ "what": evil, "why": evil }]);
        e["events"] = json!([{
            "at_us": 1, "level": evil, "target": evil, "message": evil, "fields": { evil: [evil] },
            "spans": [{ "name": evil }],
        }]);
        for field in ["method", "path", "route", "query", "version"] {
            e["request"][field] = json!(evil);
        }
        e["request"]["trailers"] = json!([[evil, evil]]);
        e["request"]["body"] = json!({
            "state": "error", "message": evil, "seen": 1, "kept": 1, "content_type": evil,
            "content_encoding": evil, "content": { "form": "text", "text": evil },
        });
        e["response"]["version"] = json!(evil);
        e["response"]["body"] = json!({
            "state": "skipped", "why": evil, "seen": 1, "kept": 1,
            "content": { "form": "opaque", "length": 1, "hash": evil },
        });
    });
    hostile.request.headers = vec![Header(evil.to_owned(), evil.to_owned())];
    exporter.export(&hostile).unwrap();
    drop(exporter);
    let bad = dir.file("bad.toml", "[[rule]]\n\"\\u001b[2J\\u202e\" = 1\n");
    let file = bad.to_str().unwrap();
    for args in [
        &["ls"][..],
        &["ls", "--json"],
        &["top"],
        &["top", "--json"],
        &["show", "of-nobody"],
        &["show", "last"],
        &["show", "--json", "last"],
        &["show", "\u{1b}[2J"],
        &["export", "--har"],
        &["export", "--curl", "--json"],
        &["rules", "check", file],
        &["rules", "check", "--json", file],
    ] {
        let run = run(args, Some(&dir.0));
        for text in [&run.out, &run.err] {
            let bad = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
            assert!(!text.contains(bad), "{args:?}: {text:?}");
        }
        // Neither can it make up a line.
        assert!(
            !run.out.lines().any(|line| line.starts_with("txt")),
            "{args:?}"
        );
        if args == ["show", "--json", "last"] {
            let same: Exchange = serde_json::from_str(&run.out).unwrap();
            assert_eq!(same, hostile);
        }
    }
}

const RULES: &str = r#"
[[rule]]
name    = "acme"
expires = 2100-01-01T00:00:00Z
when    = { method = "POST", path = "/orders/**", fact = { tenant = "acme" } }

[[rule]]
name    = "qa"
expires = 2100-01-01T00:00:00Z
when    = { header = { x-debug = "yes" }, query = { a = "b c" } }
mode    = "record"
"#;

#[test]
fn rules_are_checked_and_asked() {
    let dir = Directory::new("rules");
    let good = dir.file("rules.toml", RULES);
    let bad = dir.file("bad.toml", &RULES.replace("method", "methd"));
    let (good, bad) = (good.to_str().unwrap(), bad.to_str().unwrap());

    let check = run(&["rules", "check", good], None);
    assert_eq!(check.code, Some(0));
    assert!(check.out.contains("2 rules, 3 warnings"), "{}", check.out);
    assert!(
        check.out.contains("warning: clients select themselves"),
        "{}",
        check.out
    );
    assert_eq!(
        run(&["rules", "check", "--strict", good], None).code,
        Some(1)
    );
    let json: Value =
        serde_json::from_str(&run(&["--json", "rules", "check", good], None).out).unwrap();
    assert_eq!((&json["ok"], &json["rules"]), (&json!(true), &json!(2)));

    let check = run(&["rules", "check", bad], None);
    assert_eq!((check.code, check.out.as_str()), (Some(1), ""));
    assert!(
        check
            .err
            .contains("bad.toml:5:13: rule[0].when.methd: unknown field"),
        "{}",
        check.err
    );
    let json: Value =
        serde_json::from_str(&run(&["rules", "check", "--json", bad], None).out).unwrap();
    assert_eq!(json["error"]["line"], 5);
    assert_eq!(json["error"]["field"], "rule[0].when.methd");

    let why = |args: &[&str]| run(&[&["rules", "why", good], args].concat(), None);
    let acme = why(&[
        "--method",
        "POST",
        "--path",
        "/orders/7",
        "--fact",
        "tenant=acme",
    ]);
    assert_eq!(acme.code, Some(0));
    assert!(acme.out.starts_with("selected by acme\n"), "{}", acme.out);
    let routed = dir.file(
        "routed.toml",
        &RULES.replace("path = \"/orders/**\"", "route = \"/orders/{id}\""),
    );
    let routed = routed.to_str().unwrap();
    for (route, said) in [(&[][..], true), (&["--route", "/orders/{id}"][..], false)] {
        let args = &[
            "rules",
            "why",
            routed,
            "--method",
            "POST",
            "--path",
            "/orders/7",
        ];
        let err = run(&[args, route].concat(), None).err;
        assert_eq!(err.contains("without --route"), said, "{err}");
    }
    let waits = why(&["--method", "POST", "--path", "/orders/7"]);
    assert_eq!(waits.code, Some(1));
    let expected = "acme: waits for a fact\n    is not stated yet: fact tenant = \"acme\"";
    assert!(waits.out.contains(expected), "{}", waits.out);
    let qa = why(&[
        "--path",
        "/x?c=d",
        "--header",
        "X-Debug: yes",
        "--query",
        "a=b c",
        "--json",
    ]);
    let json: Value = serde_json::from_str(&qa.out).unwrap();
    assert_eq!((qa.code, &json["selected"]), (Some(0), &json!("qa")));
    let late = why(&["--path", "/x", "--at", "2100-01-01T00:00:00Z"]);
    assert!(
        late.out.contains("it expired at 2100-01-01"),
        "{}",
        late.out
    );
    for (args, part) in [
        (
            &["--path", "x"][..],
            "--path: expected a path such as /orders/7",
        ),
        (
            &["--path", "/", "--header", "x"],
            "expected a name, : and a value",
        ),
        (
            &["--path", "/", "--fact", "x"],
            "expected a name, = and a value",
        ),
        (&["--path", "/", "--at", "now"], "--at: expected a time"),
        (
            &["--path", "/", "--sample-key", "00"],
            "expected 32 hexadecimal digits",
        ),
    ] {
        let why = why(args);
        assert_eq!(why.code, Some(2), "{args:?}");
        assert!(why.err.contains(part), "{args:?}: {}", why.err);
    }
}

#[test]
fn exports() {
    let dir = Directory::new("export");
    written(&dir.0);
    let har = run(&["export", "--har", "--status", "5xx"], Some(&dir.0));
    assert_eq!(har.code, Some(0));
    let har: Value = serde_json::from_str(&har.out).unwrap();
    assert_eq!(har["log"]["entries"].as_array().unwrap().len(), 2);
    let base = "http://127.0.0.1:3000";
    let curl = run(
        &["export", "--curl", "--id", "e1", "--base", base],
        Some(&dir.0),
    );
    assert_eq!(curl.code, Some(0));
    assert!(
        curl.out.contains("curl") && curl.out.contains("http://127.0.0.1:3000/orders/1"),
        "{}",
        curl.out
    );
    let misused = run(&["export", "--har", "--base", base], Some(&dir.0));
    assert_eq!(misused.code, Some(2), "{}", misused.out);
    assert_eq!(
        run(&["export", "--har", "--id", "e9"], Some(&dir.0)).code,
        Some(1)
    );
}

/// A reader that has seen enough is no error and no panic.
#[test]
fn a_closed_pipe_is_no_error() {
    let dir = Directory::new("pipe");
    let mut exporter = JsonLines::builder(&dir.0).build();
    for n in 0..3000 {
        exporter.export(&exchange(n % 60, |_| {})).unwrap();
    }
    let mut child = dashcam()
        .args(["ls"])
        .env("DASHCAM_DIR", &dir.0)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    let mut out = BufReader::with_capacity(64, child.stdout.take().unwrap());
    out.read_line(&mut first).unwrap();
    drop(out);
    let mut err = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut err)
        .unwrap();
    assert_eq!((child.wait().unwrap().code(), err.as_str()), (Some(0), ""));
    assert!(first.starts_with("started"));
}

/// `tail` of a service that runs: what was there, what comes, in files that are full
/// and deleted meanwhile.
#[test]
fn tail_follows_rotation() {
    let dir = Directory::new("tail");
    let builder = JsonLines::builder(&dir.0)
        .max_file_bytes(2_000)
        .max_total_bytes(20_000);
    let mut exporter = builder.build();
    for n in 0..12 {
        exporter.export(&exchange(n, |_| {})).unwrap();
    }
    let mut child = dashcam()
        .args(["tail", "--json", "-n", "2"])
        .env("DASHCAM_DIR", &dir.0)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (send, lines) = mpsc::channel();
    let out = BufReader::new(child.stdout.take().unwrap());
    std::thread::spawn(move || {
        for line in out.lines() {
            let row: Value = serde_json::from_str(&line.unwrap()).unwrap();
            let _ = send.send(row["id"].as_str().unwrap().to_owned());
        }
    });
    let next = || lines.recv_timeout(DEADLINE).unwrap();
    assert_eq!([next(), next()], ["e10", "e11"]);
    for batch in 1..5 {
        let batch = batch * 12..(batch + 1) * 12;
        for n in batch.clone() {
            exporter.export(&exchange(n, |_| {})).unwrap();
        }
        for n in batch {
            assert_eq!(next(), format!("e{n}"));
        }
    }
    assert!(
        fs::read_dir(&dir.0).unwrap().count() > 5,
        "files were rotated"
    );
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(lines.recv_timeout(Duration::ZERO).is_err(), "nothing twice");
}

#[test]
fn a_token_is_minted() {
    let dir = Directory::new("token");
    let key = dir.0.join("key.jwk");
    let key = key.to_str().unwrap();
    let made = run(&["token", "new-key", key, "--id", "on-call"], None);
    assert_eq!(made.code, Some(0), "{}", made.err);
    assert!(
        !made.out.contains("\"d\""),
        "only the public half is shown: {}",
        made.out
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(
            fs::metadata(key).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
    assert_eq!(run(&["token", "public-key", key], None).out, made.out);
    let again = run(&["token", "new-key", key, "--id", "on-call"], None);
    assert_eq!(again.code, Some(2));
    assert!(
        again.err.contains("keys are not overwritten"),
        "{}",
        again.err
    );
    let public = dir.file("public.jwk", &made.out);
    let refused = run(&["token", "mint", public.to_str().unwrap()], None);
    assert_eq!(refused.code, Some(2));
    assert!(refused.err.contains("the public half"), "{}", refused.err);

    let minted = run(
        &[
            "token",
            "mint",
            key,
            "--subject",
            "alice",
            "--path",
            "/orders/*",
        ],
        None,
    );
    assert_eq!(minted.code, Some(0), "{}", minted.err);
    let token = minted.out.trim();
    assert_eq!(token.split('.').count(), 3, "{token}");

    // A service with the public half takes it.
    let tokens =
        dashcam::token::Tokens::new([dashcam::token::TokenKey::from_jwk(made.out.trim()).unwrap()]);
    let camera = dashcam::testing::TestDashcam::with(|builder| builder.tokens(tokens));
    let app = axum::Router::<()>::new()
        .fallback(|| async { dashcam::current().unwrap().is_live().to_string() })
        .layer(camera.layer());
    let ask = |path: &str, token: &str| {
        use tower::ServiceExt;
        let request = http::Request::get(path)
            .header("x-dashcam-verbose", token)
            .body(axum::body::Body::empty())
            .unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            let response = app.clone().oneshot(request).await.unwrap();
            axum::body::to_bytes(response.into_body(), 100)
                .await
                .unwrap()
        })
    };
    assert_eq!(ask("/orders/7", token), "true");
    assert_eq!(ask("/pay", token), "false");
    let json: Value =
        serde_json::from_str(&run(&["token", "mint", "--json", key], None).out).unwrap();
    assert_eq!(json["header"], "x-dashcam-verbose");
    assert_eq!(ask("/pay", json["token"].as_str().unwrap()), "true");
    for args in [
        &["--for", "0s"][..],
        &["--verbose", "=x="],
        &["--uses", "0"],
        &["--method", "get"],
        // No token waits for a fact.
        &["--fact", "tenant=acme"],
    ] {
        let bad = run(&[&["token", "mint", key], args].concat(), None);
        assert_eq!(bad.code, Some(2), "{args:?} {}", bad.out);
        assert!(!bad.err.contains("read again"), "{}", bad.err);
    }
    for (lifetime, said) in [("1h", false), ("2h", true)] {
        let minted = run(&["token", "mint", key, "--for", lifetime], None);
        assert_eq!(minted.code, Some(0), "{}", minted.err);
        assert_eq!(minted.err.contains("longer than an hour"), said);
    }
}

/// What is printed is a rule that ends when it was asked to, and that other commands
/// read.
#[test]
fn a_rule_is_printed() {
    let dir = Directory::new("new-rule");
    let args = [
        "rules",
        "new",
        "acme \"x\"\u{202e}é",
        "--for",
        "10m",
        "--method",
        "POST",
        "--route",
        "/orders/{id}",
        "--fact",
        "tenant=acme",
        "--fact",
        "tenant=initech",
        "--fact",
        "a b=c\td\u{7f}",
        "--verbose",
        "info,orders=trace",
        "--percent",
        "5",
        "--by",
        "fact:user",
        "--client",
        "10.0.0.0/8",
        "--total",
        "50",
    ];
    let asked = std::time::SystemTime::now();
    let made = run(&args, None);
    assert_eq!((made.code, made.err.as_str()), (Some(0), ""));
    assert!(!made.out.contains(['\u{202e}', '\t', '\u{7f}']));
    assert!(
        made.out.starts_with("[[rule]]\nname = \"acme"),
        "{}",
        made.out
    );
    let file = dir.file("rules.toml", &made.out);
    let rules = dashcam::selection::RulesFile::read(&file).unwrap();
    let rule = rules.iter().next().unwrap();
    assert_eq!(rule.name(), "acme \"x\"\u{202e}é");
    let left = rule.expires().duration_since(asked).unwrap();
    assert!((600..603).contains(&left.as_secs()), "{left:?}");
    let value = serde_json::to_value(&rules).unwrap();
    let mut expected = json!({ "rule": [{
        "name": "acme \"x\"\u{202e}é",
        "when": {
            "method": "POST",
            "route": "/orders/{id}",
            "client": "10.0.0.0/8",
            "fact": { "tenant": ["acme", "initech"], "a b": "c\td\u{7f}" },
        },
        "sample": { "percent": 5.0, "by": "fact:user" },
        "verbose": "info,orders=trace",
        "mode": "live",
        "budget": { "total": 50 },
    }]});
    expected["rule"][0]["expires"] = value["rule"][0]["expires"].clone();
    assert_eq!(value, expected);
    let check = run(
        &["rules", "check", "--strict", file.to_str().unwrap()],
        None,
    );
    assert_eq!(check.code, Some(0), "{}", check.out);
    // The same as JSON, and a second one behind the first.
    let json = run(&[&["--json"], &args[..]].concat(), None);
    let json = dashcam::selection::Rules::from_json(&json.out).unwrap();
    assert_eq!(json.len(), 1);
    let other = run(&["rules", "new", "b", "--for", "1h", "--route", "/b"], None);
    let both = dir.file("both.toml", &format!("{}{}", made.out, other.out));
    let both = run(
        &["rules", "check", "--strict", both.to_str().unwrap()],
        None,
    );
    assert_eq!(both.code, Some(0), "{}", both.out);

    for (args, note) in [
        (&["--for", "10m"][..], "all traffic is live"),
        (&["--for", "10m", "--route", "/a/:id"], "/a/{id}"),
        (&["--for", "30d", "--route", "/a"], "more than seven days"),
        (
            &["--for", "10m", "--header", "x-debug: yes"],
            "prefer a fact",
        ),
    ] {
        let made = run(&[&["rules", "new", "n"], args].concat(), None);
        assert_eq!(made.code, Some(0), "{}", made.err);
        assert!(made.err.contains(note), "{args:?}: {}", made.err);
        dashcam::selection::Rules::from_toml(&made.out).unwrap();
    }
    for (args, why) in [
        (&[][..], "--for"),
        (&["--for", "soon"], "expected a length of time"),
        (&["--for", "0s"], "expected a length of time"),
        (
            &["--for", "10m", "--verbose", "debgu"],
            "`debug` was perhaps meant",
        ),
        (&["--for", "10m", "--fact", "tenant"], "expected a name"),
        (&["--for", "10m", "--percent", "101"], "--percent"),
        (&["--for", "10m", "--percent", "1", "--by", "user"], "--by"),
        (&["--for", "10m", "--per-second", "0"], "per-second"),
        (&["--for", "10m", "--method", "get"], "in capitals"),
    ] {
        let made = run(&[&["rules", "new", "n"], args].concat(), None);
        assert_eq!((made.code, made.out.as_str()), (Some(2), ""), "{args:?}");
        assert!(made.err.contains(why), "{args:?}: {}", made.err);
    }
    let unnamed = run(&["rules", "new", "", "--for", "10m"], None);
    assert_eq!(unnamed.code, Some(2), "{}", unnamed.out);
}

/// `debgu` is no target, whatever takes directives, and routes of other routers are none.
#[test]
fn slips_are_said_wherever_rules_are_taken() {
    let dir = Directory::new("slips");
    let text = |verbose: &str, route: &str| {
        format!(
            "[[rule]]\nname = \"a\"\nexpires = 2100-01-01T00:00:00Z\n\
             when = {{ route = \"{route}\" }}\nverbose = \"{verbose}\"\n"
        )
    };
    let slip = dir.file("slip.toml", &text("info,debgu", "/orders/{id}"));
    for command in ["check", "why"] {
        let file = slip.to_str().unwrap();
        let args = match command {
            "check" => vec!["rules", command, file],
            _ => vec!["rules", command, file, "--path", "/"],
        };
        let said = run(&args, None);
        assert_eq!(said.code, Some(1), "{}", said.out);
        let expected = "slip.toml:5:11: rule[0].verbose: \"debgu\" is no directive: `debug` was";
        assert!(said.err.contains(expected), "{}", said.err);
    }
    let old = dir.file("old.toml", &text("debug", "/orders/:id"));
    let old = old.to_str().unwrap();
    let check = run(&["rules", "check", "--strict", old], None);
    assert_eq!(check.code, Some(1));
    let expected = "no route is \"/orders/:id\": the router writes \"/orders/{id}\"";
    assert!(check.out.contains(expected), "{}", check.out);
    let json = run(&["rules", "check", "--json", old], None);
    let json: Value = serde_json::from_str(&json.out).unwrap();
    let kinds: Vec<_> = json["warnings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|w| &w["kind"])
        .collect();
    assert_eq!(kinds, ["far_expiry", "condition"]);
    let why = [
        "rules",
        "why",
        old,
        "--path",
        "/orders/7",
        "--route",
        "/orders/{id}",
    ];
    let why = run(&why, None);
    assert!(
        why.out.contains(&format!("note: {expected}")),
        "{}",
        why.out
    );
    let office = text("debug", "/").replace("route = \"/\"", "client = \"10.0.0.0/8\"");
    let office = dir.file("office.toml", &office);
    let office = office.to_str().unwrap();
    let why = run(
        &[
            "rules", "why", office, "--path", "/", "--client", "10.0.0.1",
        ],
        None,
    );
    assert_eq!(why.code, Some(0));
    let check = run(&["rules", "check", office], None);
    let expected = "note: it needs the address of the client";
    for said in [why.out, check.out] {
        assert!(said.contains(expected), "{said}");
    }
    let lower = ["rules", "why", office, "--path", "/", "--method", "get"];
    let lower = run(&lower, None).err;
    assert!(lower.contains("methods have a case"), "{lower}");
    let json = run(&["rules", "check", "--json", office], None);
    let json: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(json["notes"][0]["rule"], "a");

    let key = dir.0.join("key.jwk");
    let key = key.to_str().unwrap();
    run(&["token", "new-key", key, "--id", "k"], None);
    let slip = run(&["token", "mint", key, "--verbose", "debgu"], None);
    assert_eq!((slip.code, slip.out.as_str()), (Some(2), ""));
    assert!(
        slip.err.contains("`debug` was perhaps meant"),
        "{}",
        slip.err
    );
    let old = run(&["token", "mint", key, "--route", "/orders/:id"], None);
    assert_eq!(old.code, Some(0));
    assert!(old.err.contains("\"/orders/{id}\""), "{}", old.err);
}

#[test]
fn a_token_is_checked() {
    let dir = Directory::new("check-token");
    let key_file = dir.0.join("key.jwk");
    let key = key_file.to_str().unwrap();
    let made = run(&["token", "new-key", key, "--id", "on-call"], None);
    let public = dir.file("public.jwk", &made.out);
    let public = public.to_str().unwrap();
    let other = dir.0.join("other.jwk");
    let other = other.to_str().unwrap();
    run(&["token", "new-key", other, "--id", "other"], None);
    let mint = |args: &[&str]| {
        let minted = run(
            &[&["token", "mint", key, "--subject", "alice"], args].concat(),
            None,
        );
        assert_eq!(minted.code, Some(0), "{}", minted.err);
        minted.out.trim().to_owned()
    };
    let check = |token: &str, args: &[&str]| {
        let mut child = dashcam()
            .args(["token", "check"])
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(format!("{token}\n").as_bytes()).unwrap();
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        let run = Run {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        };
        // Neither the token nor a key.
        let private = fs::read_to_string(&key_file).unwrap();
        let private: Value = serde_json::from_str(&private).unwrap();
        let secret = private["d"].as_str().unwrap();
        for part in token
            .split('.')
            .chain([secret])
            .filter(|part| part.len() > 20)
        {
            assert!(
                !run.out.contains(part) && !run.err.contains(part),
                "{}",
                run.out
            );
        }
        run
    };

    let token = mint(&[
        "--route",
        "/orders/{id}",
        "--uses",
        "3",
        "--audience",
        "orders",
    ]);
    let good = check(&token, &[public, "--service", "orders"]);
    assert_eq!(good.code, Some(0), "{}{}", good.out, good.err);
    for part in [
        "accepted\n  key: on-call\n  who: alice\n  for: orders\n  ends: 20",
        "Z, in 14 min\n",
        "  uses: 3\n",
        "  when: {\"route\":\"/orders/{id}\"}\n",
    ] {
        assert!(good.out.contains(part), "{part}: {}", good.out);
    }
    let json = check(
        &format!("x-dashcam-verbose: {token}"),
        &[key, "--service", "orders", "--json"],
    );
    let json: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(
        (&json["accepted"], &json["refused"]),
        (&json!(true), &json!(null))
    );
    assert_eq!(json["claims"]["dashcam"]["uses"], 3);
    // As an argument, too.
    let argument = run(
        &["token", "check", public, &token, "--service", "orders"],
        None,
    );
    assert_eq!(argument.code, Some(0), "{}", argument.err);

    let long = mint(&["--for", "2h"]);
    let old = mint(&["--for", "1s"]);
    let end = if token.ends_with("AA") { "BA" } else { "AA" };
    let forged = format!("{}{end}", &token[..token.len() - 2]);
    let of_other = run(&["token", "mint", other], None).out;
    let request = ["--service", "orders", "--path", "/orders/7", "--route"];
    let in_scope = [&[public], &request[..], &["/orders/{id}"]].concat();
    let out_of_scope = [&[public], &request[..], &["/pay"]].concat();
    assert_eq!(check(&token, &in_scope).code, Some(0));
    for (token, args, why, shows) in [
        (
            token.as_str(),
            &[public, "--service", "stock"][..],
            "refused as audience",
            true,
        ),
        (&token, &out_of_scope, "refused as scope", true),
        (&long, &[public], "refused as lifetime", true),
        (&forged, &[public], "refused as signature", false),
        (of_other.trim(), &[public], "refused as key", false),
        ("garbage", &[public], "refused as malformed", false),
        (&"a".repeat(3000), &[public], "refused as oversized", false),
    ] {
        let refused = check(token, args);
        assert_eq!(
            refused.code,
            Some(1),
            "{why}: {}{}",
            refused.out,
            refused.err
        );
        assert!(refused.out.starts_with(why), "{}", refused.out);
        assert_eq!(refused.out.contains("ends: 20"), shows, "{}", refused.out);
    }
    assert_eq!(
        check(of_other.trim(), &[public, "--key", other]).code,
        Some(0)
    );
    assert_eq!(
        check(&long, &[public, "--max-lifetime", "3h"]).code,
        Some(0)
    );
    // Within the skew of clocks it is still good.
    std::thread::sleep(Duration::from_millis(1500));
    let ended = check(&old, &[public]);
    assert_eq!(ended.code, Some(0), "{}", ended.out);
    assert!(ended.out.contains(" s ago"), "{}", ended.out);
    let unnamed = check(&token, &[public]);
    assert_eq!(unnamed.code, Some(0), "{}", unnamed.out);
    assert!(unnamed.err.contains("without --service"), "{}", unnamed.err);
    assert_eq!(check("", &[public]).code, Some(2));
    assert_eq!(check(&token, &["no-such-key"]).code, Some(2));
}

/// Whatever lies in the directory under the name of a file: nothing waits or reads for
/// ever, the rest is read, and what was left out is said.
#[cfg(unix)]
#[test]
fn what_is_no_file_is_not_read() {
    use std::os::unix::{fs::symlink, net::UnixListener};
    let dir = Directory::new("odd");
    written(&dir.0);
    let name = |n: u32, end: &str| {
        let name = format!("exchanges-2025010{n}T000000.000Z-1-000000.{end}");
        dir.0.join(name)
    };
    let fifo = |path: &Path| {
        let made = Command::new("mkfifo").arg(path).status().unwrap();
        assert!(made.success());
    };
    fifo(&name(1, "jsonl"));
    fifo(&name(2, "jsonl.gz"));
    let _socket = UnixListener::bind(name(3, "jsonl")).unwrap();
    symlink("/dev/zero", name(4, "jsonl")).unwrap();
    symlink(name(1, "jsonl"), name(5, "jsonl")).unwrap();
    symlink(dir.0.join("nowhere"), name(6, "jsonl")).unwrap();
    fs::create_dir(name(7, "jsonl")).unwrap();
    // A link to a file is read, and one to a file that seems to be endless to its size.
    let elsewhere = Directory::new("odd-elsewhere");
    let line = serde_json::to_string(&exchange(9, |_| {})).unwrap();
    symlink(elsewhere.file("some", &(line + "\n")), name(8, "jsonl")).unwrap();
    // An index that is none.
    fifo(&name(8, "idx"));
    // What is large enough for one.
    let large = fs::read_dir(&dir.0)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let large = large.filter(|path| path.is_file() && path.extension().unwrap() == "jsonl");
    for file in large.collect::<Vec<_>>() {
        fs::OpenOptions::new()
            .append(true)
            .open(&file)
            .unwrap()
            .write_all(&[b' '; 100_000])
            .unwrap();
    }

    let within = |args: &[&str]| {
        let mut command = Command::new("timeout");
        command
            .args(["20", env!("CARGO_BIN_EXE_dashcam")])
            .args(args)
            .env("DASHCAM_DIR", &dir.0);
        let output = command.output().unwrap();
        Run {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    };
    for args in [
        &["ls", "--json"][..],
        &["ls", "--json", "-n", "10"],
        &["ls", "--json", "--status", "5xx", "--status", "none"],
        &["show", "--json", "e"],
    ] {
        let run = within(args);
        assert_eq!(run.code, Some(0), "{args:?}: {}", run.err);
        assert_eq!(ids(&run), ["e1", "e2", "e3", "e9"], "{args:?}");
        assert!(run.err.contains("skipped"), "{args:?}: {}", run.err);
    }
    let said = within(&["ls"]).err;
    assert!(said.contains(":0: not a regular file"), "{said}");
    assert!(
        said.contains("7 lines and files were skipped in all"),
        "{said}"
    );
    for args in [
        &["export", "--curl"][..],
        &["export", "--har"],
        &["top"],
        &["show", "last"],
        &["show", "e1"],
    ] {
        let run = within(args);
        assert_eq!(run.code, Some(0), "{args:?}: {}", run.err);
    }
    assert_eq!(within(&["show", "none"]).code, Some(1));
    let fifo = within(&["ls", name(1, "jsonl").to_str().unwrap()]);
    assert_eq!(fifo.code, Some(2), "{}", fifo.err);

    // `tail` says it once.
    let mut child = dashcam()
        .args(["tail", "--json"])
        .env("DASHCAM_DIR", &dir.0)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut exporter = JsonLines::builder(&dir.0).build();
    let mut rows = BufReader::new(child.stdout.take().unwrap()).lines();
    for n in 0..4 {
        rows.next().unwrap().unwrap();
        exporter.export(&exchange(20 + n, |_| {})).unwrap();
    }
    let last = rows.by_ref().take(4).last().unwrap().unwrap();
    assert!(last.contains("e23"), "{last}");
    child.kill().unwrap();
    child.wait().unwrap();
    let mut err = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut err)
        .unwrap();
    assert_eq!(err.matches("skipped").count(), 3, "{err}");
}

/// What runs for longer has no end.
#[cfg(unix)]
fn within(args: &[&str], dir: &Path) -> Run {
    let mut command = Command::new("timeout");
    command
        .args(["20", env!("CARGO_BIN_EXE_dashcam")])
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

/// Of a file and its compressed copy, the one is read that is one.
#[cfg(unix)]
#[test]
fn a_copy_that_is_none_hides_nothing() {
    use std::os::unix::fs::symlink;
    let line = serde_json::to_string(&exchange(1, |_| {})).unwrap() + "\n";
    let good = |path: &Path| {
        if path.extension().unwrap() == "gz" {
            let plain = path.with_extension("");
            fs::write(&plain, &line).unwrap();
            let done = Command::new("gzip").arg(&plain).status().unwrap();
            assert!(done.success());
        } else {
            fs::write(path, &line).unwrap();
        }
    };
    type Put<'a> = (&'a str, &'a dyn Fn(&Path));
    let odd: [Put<'_>; 6] = [
        ("fifo", &|path| fifo(path)),
        ("empty", &|path| fs::write(path, "").unwrap()),
        ("torn", &|path| {
            fs::write(path, [0x1f, 0x8b, 8, 0, 0]).unwrap();
        }),
        ("directory", &|path| fs::create_dir(path).unwrap()),
        ("dangling", &|path| {
            symlink("/nowhere/at/all", path).unwrap();
        }),
        ("endless", &|path| symlink("/dev/zero", path).unwrap()),
    ];
    for (what, put) in odd {
        for bad in ["jsonl", "jsonl.gz"] {
            if (what, bad) == ("torn", "jsonl") {
                continue;
            }
            let dir = Directory::new(&format!("copy-{what}-{bad}"));
            let name = |end: &str| {
                let name = format!("exchanges-20250101T000000.000Z-1-000000.{end}");
                dir.0.join(name)
            };
            let other = if bad == "jsonl" { "jsonl.gz" } else { "jsonl" };
            good(&name(other));
            put(&name(bad));
            for args in [
                &["ls", "--json"][..],
                &["ls", "--json", "-n", "1"],
                &["show", "--json", "e1"],
            ] {
                let run = within(args, &dir.0);
                assert_eq!(run.code, Some(0), "{what} {bad} {args:?}: {}", run.err);
                assert_eq!(ids(&run), ["e1"], "{what} {bad} {args:?}: {}", run.err);
            }
            let read = dashcam::export::json_lines::read_dir(&dir.0).unwrap();
            assert_eq!(read.filter(Result::is_ok).count(), 1, "{what} {bad}");
        }
    }
}

/// A file far larger than what it takes on its disk is given up, and that is said.
#[cfg(unix)]
#[test]
fn a_file_without_lines_is_given_up() {
    for what in ["zeros", "compressed zeros", "compressed line ends"] {
        let dir = Directory::new(&format!("bomb-{}", what.replace(' ', "-")));
        let name = |n: u32, end: &str| {
            let name = format!("exchanges-2025010{n}T000000.000Z-1-000000.{end}");
            dir.0.join(name)
        };
        let line = serde_json::to_string(&exchange(1, |_| {})).unwrap() + "\n";
        fs::write(name(1, "jsonl"), &line).unwrap();
        if what == "zeros" {
            let file = fs::File::create(name(2, "jsonl")).unwrap();
            file.set_len(200_000_000_000).unwrap();
        } else {
            // Members follow one another.
            let byte = if what == "compressed zeros" {
                "\\000"
            } else {
                "\\n"
            };
            let bomb = format!("head -c 50000000 /dev/zero | tr '\\000' '{byte}' | gzip -9");
            let member = Command::new("sh").args(["-c", &bomb]).output().unwrap();
            fs::write(name(2, "jsonl.gz"), member.stdout.repeat(400)).unwrap();
        }
        let commands = [&["ls", "-n", "1"][..], &["show", "e1"], &["top"]];
        let some = if what == "zeros" { 3 } else { 1 };
        for args in commands.into_iter().take(some) {
            let run = within(args, &dir.0);
            assert_eq!(run.code, Some(0), "{what} {args:?}: {}", run.err);
            let said = "no line of use in 64 MiB; the rest of the file is not read";
            assert!(run.err.contains(said), "{what} {args:?}: {}", run.err);
        }
    }
}

/// Keys and values come from what has an end.
#[cfg(unix)]
#[test]
fn a_key_is_read_from_a_file() {
    let dir = Directory::new("endless-keys");
    written(&dir.0);
    let path = dir.0.join("fifo");
    fifo(&path);
    let path = path.to_str().unwrap();
    let large = dir.file("large", &"k".repeat(70_000));
    for (file, why) in [
        (path, "not a regular file"),
        ("/dev/zero", "not a regular file"),
        (large.to_str().unwrap(), "larger than 64 KiB"),
    ] {
        for args in [
            &["ls", "--value", "x", "--key-file", file][..],
            &["token", "check", file, "x"],
            &["token", "public-key", file],
        ] {
            let run = within(args, &dir.0);
            assert_eq!(run.code, Some(2), "{args:?}: {}", run.err);
            assert!(run.err.contains(why), "{args:?}: {}", run.err);
        }
    }
    // Where it is asked for, and of a bounded size.
    let input = |from: &str, command: &str| {
        let command = format!("{command} < {from}");
        let mut shell = Command::new("timeout");
        shell.args(["20", "sh", "-c", &command, env!("CARGO_BIN_EXE_dashcam")]);
        shell.env("DASHCAM_DIR", &dir.0).output().unwrap()
    };
    let key = dir.file("key", "0123456789abcdef0123456789abcdef");
    let ls = "\"$0\" ls --value e1 --key-file /dev/stdin";
    let found = input(key.to_str().unwrap(), ls);
    assert_ne!(found.status.code(), Some(2), "{found:?}");
    for command in [ls, "\"$0\" ls --value -"] {
        assert_eq!(input("/dev/zero", command).status.code(), Some(2));
    }
}

/// What an editor puts before the first line is no part of it.
#[test]
fn a_byte_order_mark_costs_nothing() {
    let dir = Directory::new("bom");
    let line = |n| serde_json::to_string(&exchange(n, |_| {})).unwrap();
    let name = "exchanges-20250101T000000.000Z-1-000000.jsonl";
    dir.file(name, &format!("\u{feff}{}\n{}\n", line(1), line(2)));
    for args in [&["ls", "--json"][..], &["show", "--json", "e"]] {
        let run = run(args, Some(&dir.0));
        assert_eq!(
            (ids(&run), run.err.as_str()),
            (vec!["e1".into(), "e2".into()], "")
        );
    }
}

/// The trace ID leads to the exchange where the client has sent an ID of its own.
#[test]
fn a_trace_id_is_an_id() {
    let dir = Directory::new("trace");
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let mut exporter = JsonLines::builder(&dir.0).build();
    for n in 1..60 {
        let exchange = exchange(n, |e| {
            e["error"] = json!("x".repeat(2_000));
            if n % 30 == 7 {
                e["correlation"]["trace_id"] = json!(trace);
            }
        });
        exporter.export(&exchange).unwrap();
    }
    drop(exporter);
    let upper = trace.to_uppercase();
    let blanks = format!(" {trace}\n");
    for id in [trace, &trace[..9], &upper, &blanks] {
        let run = run(&["show", "--json", id], Some(&dir.0));
        assert_eq!(ids(&run), ["e7", "e37"], "{id}: {}", run.err);
        assert_eq!(run.err, "");
    }
    for args in [
        &["show", "--json", " e7 "][..],
        &["show", "--json", "\tc7\n"],
        &["ls", "--json", "--correlation-id", " c7 "],
    ] {
        assert_eq!(ids(&run(args, Some(&dir.0))), ["e7"], "{args:?}");
    }
    let har = run(&["export", "--har", "--id", trace], Some(&dir.0));
    assert_eq!(har.code, Some(0), "{}", har.err);
}

/// `ls` leaves out by method and time, and says in the row what went wrong.
#[test]
fn a_row_says_why() {
    let dir = Directory::new("row");
    let mut exporter = JsonLines::builder(&dir.0).build();
    let panicked = exchange(1, |e| {
        e["outcome"] = json!({ "kind": "panicked" });
        e["panic"] = json!({ "message": "index [~36a11ea64f60212b] out of bounds" });
        e["request"]["method"] = json!("POST");
        e["request"]["query"] = json!("q=%5B~36a11ea64f60212b%20len%3D3%20ascii%20alpha%5D");
    });
    exporter.export(&panicked).unwrap();
    let said = exchange(2, |e| {
        e["events"] = json!([
            { "at_us": 1, "level": "INFO", "target": "a", "message": "fine" },
            { "at_us": 2, "level": "ERROR", "target": "a", "message": "no stock\nat all" },
            { "at_us": 3, "level": "ERROR", "target": "a", "message": "later" },
        ]);
        e["losses"] = json!({
            "suppressed_before": 7,
            "suppressed_first_at": "2026-01-02T02:50:00.100000Z",
            "suppressed_last_at": "2026-01-02T03:00:00.900000Z",
        });
    });
    exporter.export(&said).unwrap();
    exporter
        .export(&exchange(3, |e| e["error"] = json!("x".repeat(500))))
        .unwrap();
    // Of a failure that said nothing at ERROR, the last warning.
    let warned = exchange(4, |e| {
        e["events"] = json!([
            { "at_us": 1, "level": "WARN", "target": "a", "message": "again" },
            { "at_us": 2, "level": "WARN", "target": "a", "message": "no answer" },
        ]);
    });
    exporter.export(&warned).unwrap();
    let of = |args: &[&str]| ids(&run(&[&["ls", "--json"], args].concat(), Some(&dir.0)));
    assert_eq!(of(&["--method", "POST"]), ["e1"]);
    assert_eq!(of(&["--method", "POST", "--method", "get"]).len(), 4);
    let two = "2026-01-02T03:04:02Z";
    assert_eq!(of(&["--until", two]), ["e1"]);
    assert_eq!(
        of(&["--since", two, "--until", "2026-01-02T03:04:03Z"]),
        ["e2"]
    );
    assert_eq!(of(&["--until", "7d"]).len(), 4);

    let list = run(&["ls"], Some(&dir.0));
    for part in [
        "POST /orders/1?q=[~36a11ea64f60212b len=3 ascii alpha] (outcome)  index [~36a11ea64f60212b] out",
        "GET /orders/2 (outcome) (7 like it only counted before, 2026-01-02T02:50:00Z to \
         2026-01-02T03:00:00Z)  no stock …",
        &format!("GET /orders/3 (outcome)  {}…\n", "x".repeat(160)),
        "GET /orders/4 (outcome)  no answer\n",
    ] {
        assert!(list.out.contains(part), "{part}: {}", list.out);
    }
    assert!(list.err.contains("7 more failures"), "{}", list.err);
    let json = run(&["ls", "--json"], Some(&dir.0)).out;
    let rows: Vec<Value> = json
        .lines()
        .map(|row| serde_json::from_str(row).unwrap())
        .collect();
    assert_eq!(rows[0]["panic"], "index [~36a11ea64f60212b] out of bounds");
    assert_eq!(rows[1]["error"], "no stock\nat all");
    assert_eq!(rows[1]["suppressed_before"], 7);
    assert_eq!(
        rows[1]["suppressed_first_at"],
        "2026-01-02T02:50:00.100000Z"
    );
    assert_eq!(rows[1]["suppressed_last_at"], "2026-01-02T03:00:00.900000Z");
    let page = run(&["show", "e2"], Some(&dir.0)).out;
    let line =
        "losses     7 like it only counted before, 2026-01-02T02:50:00Z to 2026-01-02T03:00:00Z\n";
    assert!(page.contains(line), "{page}");
    // What other programs read is a query still.
    assert!(rows[0]["query"].as_str().unwrap().starts_with("q=%5B~"));

    let page = run(&["show", "e1"], Some(&dir.0)).out;
    let line = "request    POST /orders/1?q=[~36a11ea64f60212b len=3 ascii alpha] -> 502";
    assert!(page.contains(line), "{page}");
    let curl = run(&["export", "--curl", "--id", "e1"], Some(&dir.0)).out;
    assert!(curl.contains("?q=%5B~36a11ea64f60212b%20len%3D3"), "{curl}");
}

/// Failures by kind, with those that were only counted.
#[test]
fn the_most_frequent_failures_come_first() {
    let dir = Directory::new("top");
    let mut exporter = JsonLines::builder(&dir.0).build();
    let panic = |e: &mut Value| {
        e["outcome"] = json!({ "kind": "panicked" });
        e["response"]["status"] = json!(500);
        e["panic"] = json!({ "message": "boom", "location": "src/a.rs:7:5" });
    };
    for n in [1, 2, 3] {
        exporter.export(&exchange(n, |_| {})).unwrap();
    }
    exporter.export(&exchange(4, panic)).unwrap();
    let later = exchange(5, |e| {
        panic(e);
        e["depth"] = json!("heads");
        e["losses"] = json!({
            "suppressed_before": 40,
            "suppressed_first_at": "2026-01-02T03:04:03.500000Z",
            "suppressed_last_at": "2026-01-02T03:04:05.500000Z",
        });
        e["missing"] = json!([
            { "what": "bodies and events below INFO", "why": "failure_storm" },
        ]);
    });
    exporter.export(&later).unwrap();
    // By where the first error was emitted; without a route by what paths have in common.
    for (n, line, path) in [(6, 10, "/x/6"), (7, 10, "/x/7"), (8, 11, "/x/[~ab]")] {
        let failed = exchange(n, |e| {
            e["request"].as_object_mut().unwrap().remove("route");
            e["request"]["path"] = json!(path);
            e["outcome"] = json!({ "kind": "failed", "failure": { "grpc": 13 } });
            e["response"]["status"] = json!(200);
            e["response"]["grpc_status"] = json!(13);
            e["events"] = json!([
                { "at_us": 1, "level": "ERROR", "target": "db", "line": line, "message": "gone" },
            ]);
        });
        exporter.export(&failed).unwrap();
    }
    // No failures: healthy ones that were asked for, and one that still runs.
    let healthy = exchange(9, |e| {
        e["outcome"] = json!({ "kind": "completed" });
        e["keep"] = json!([{ "kind": "selected", "by": "acme" }]);
    });
    exporter.export(&healthy).unwrap();
    let upload = exchange(11, |e| {
        e["outcome"] = json!({ "kind": "completed" });
        e["response"]["status"] = json!(400);
        e["keep"] = json!([{ "kind": "request_body" }]);
    });
    exporter.export(&upload).unwrap();
    let open = exchange(10, |e| e["outcome"] = json!({ "kind": "open" }));
    exporter.export(&open).unwrap();

    let top = run(&["top", "--json"], Some(&dir.0));
    assert_eq!(top.code, Some(0), "{}", top.err);
    let kinds: Vec<Value> = top
        .out
        .lines()
        .map(|kind| serde_json::from_str(kind).unwrap())
        .collect();
    let short: Vec<_> = kinds
        .iter()
        .map(|k| {
            (
                k["kept"].as_u64(),
                k["counted"].as_u64(),
                k["id"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        short,
        [
            (Some(2), Some(40), "e4"),
            (Some(3), Some(0), "e3"),
            (Some(2), Some(0), "e7"),
            (Some(1), Some(0), "e11"),
            (Some(1), Some(0), "e8"),
        ]
    );
    assert_eq!(kinds[0]["site"], "src/a.rs:7:5");
    assert_eq!(kinds[0]["first"], "2026-01-02T03:04:03.500000Z");
    assert_eq!(kinds[0]["last"], "2026-01-02T03:04:05.500000Z");
    // What came after it is not known yet.
    assert_eq!(kinds[0]["more"], true);
    assert_eq!(kinds[1]["more"], false);
    assert_eq!(
        (&kinds[2]["route"], &kinds[2]["site"]),
        (&json!("/x/*"), &json!("db:10"))
    );
    assert_eq!(kinds[2]["grpc_status"], 13);

    let text = run(&["top", "-n", "1"], Some(&dir.0)).out;
    let line = text.lines().nth(1).unwrap();
    assert!(
        line.starts_with("      2      40+  2026-01-02T03:04:03Z"),
        "{text}"
    );
    assert!(
        line.contains("c4") && line.contains("GET /orders/{id} panicked at src/a.rs:7:5  boom"),
        "{text}"
    );
    assert_eq!(text.lines().count(), 2);
    let uploads = run(&["top", "--kept-for", "request_body"], Some(&dir.0)).out;
    let how = "GET /orders/{id} completed, upload broke off\n";
    assert!(uploads.contains(how), "{uploads}");
    let since = run(
        &["top", "--json", "--since", "2026-01-02T03:04:06Z"],
        Some(&dir.0),
    );
    assert_eq!(since.out.lines().count(), 3);
    assert_eq!(run(&["top", "--since", "1m"], Some(&dir.0)).code, Some(1));
}

/// An ID that is in no file may be one of those that were only counted.
#[test]
fn an_unknown_id_is_explained() {
    let dir = Directory::new("unknown");
    fs::create_dir_all(&dir.0).unwrap();
    let none = run(&["ls"], Some(&dir.0));
    assert_eq!(none.code, Some(1));
    assert!(
        none.err
            .contains(&format!("no exchange in {}\n", dir.0.display()))
            && none
                .err
                .contains("healthy and 4xx requests are not kept by default"),
        "{}",
        none.err
    );
    let mut exporter = JsonLines::builder(&dir.0).build();
    exporter.export(&exchange(1, |_| {})).unwrap();
    let none = run(&["show", "e99"], Some(&dir.0));
    assert_eq!(none.code, Some(1));
    for part in [
        "\"kept\":false",
        "\"not_kept\"",
        "no exchange here says that others like it were only counted before it",
        "after the last kept one of a kind more may have been only counted",
        "`dropped.suppressed`",
        "\"not_kept\":\"failure_storm\"",
    ] {
        assert!(none.err.contains(part), "{}", none.err);
    }
    let counted = exchange(2, |e| {
        e["losses"] = json!({ "suppressed_before": 497 });
    });
    exporter.export(&counted).unwrap();
    let none = run(&["show", "e99"], Some(&dir.0));
    assert!(
        none.err.contains("497 failures here were only counted"),
        "{}",
        none.err
    );
    assert!(
        none.err
            .contains("497 like c2: GET /orders/{id} -> 502, failed"),
        "{}",
        none.err
    );
    let found = run(&["show", "e2"], Some(&dir.0));
    assert!(
        found.out.contains("497 like it only counted before"),
        "{}",
        found.out
    );
    assert!(found.err.contains("497 more failures"), "{}", found.err);

    // A storm of which no later one tells yet; with times where they are known.
    let storm = exchange(3, |e| {
        e["outcome"] = json!({ "kind": "panicked" });
        e["response"]["status"] = json!(500);
        e["missing"] = json!([
            { "what": "bodies and events below INFO", "why": "failure_storm" },
        ]);
    });
    exporter.export(&storm).unwrap();
    let told = exchange(4, |e| {
        e["response"]["status"] = json!(503);
        e["losses"] = json!({
            "suppressed_before": 2,
            "suppressed_first_at": "2026-01-02T03:04:02.500000Z",
            "suppressed_last_at": "2026-01-02T03:04:03.500000Z",
        });
    });
    exporter.export(&told).unwrap();
    let none = run(&["show", "e99"], Some(&dir.0));
    for part in [
        "2 like c4: GET /orders/{id} -> 503, failed, 2026-01-02T03:04:02Z to 2026-01-02T03:04:03Z",
        "may have been only counted",
        "like c3: GET /orders/{id} -> 500, panicked, 1 here, the last at 2026-01-02T03:04:03Z",
    ] {
        assert!(none.err.contains(part), "{}", none.err);
    }
    assert!(!none.err.contains("no failure here"), "{}", none.err);
    assert_eq!(none.err.matches("like c4").count(), 1, "{}", none.err);

    for args in [
        &["ls", "--correlation-id", "c99"][..],
        &["export", "--curl", "--id", "c99"],
        &["export", "--har", "--correlation-id", "c99"],
    ] {
        let none = run(args, Some(&dir.0));
        assert_eq!(none.code, Some(1), "{args:?}");
        for part in [
            "is like that",
            "\"not_kept\"",
            "499 failures here",
            "497 like c2",
        ] {
            assert!(none.err.contains(part), "{args:?}: {}", none.err);
        }
    }

    for (args, said) in [
        (&["ls", "--status", "404"][..], true),
        (&["ls", "--status", "4xx"], true),
        (&["ls", "--outcome", "completed"], true),
        (&["ls", "--status", "504"], false),
    ] {
        let none = run(args, Some(&dir.0));
        assert_eq!(none.code, Some(1), "{args:?}");
        let note = "healthy and 4xx requests are not kept by default";
        assert_eq!(none.err.contains(note), said, "{args:?}: {}", none.err);
    }
}

/// Files that were written to last before the time that is asked for are not read.
#[test]
fn since_leaves_older_files_alone() {
    let dir = Directory::new("since");
    let old = dir.file(
        "exchanges-20250101T000000.000Z-1-000000.jsonl",
        "what would be told as torn\n",
    );
    let age = |age: u64| {
        let at = std::time::SystemTime::now() - Duration::from_secs(age);
        let file = fs::File::options().append(true).open(&old).unwrap();
        file.set_modified(at).unwrap();
    };
    let said = |args: &[&str]| run(&[&["ls"], args].concat(), Some(&dir.0)).err;
    age(7200);
    assert!(!said(&["--since", "1h"]).contains("skipped"));
    assert!(said(&["--since", "3h"]).contains("skipped"));
    assert!(said(&[]).contains("skipped"));
    age(0);
    assert!(said(&["--since", "1h"]).contains("skipped"));
}

/// A file that is large enough to have an index, of exchanges with these numbers.
fn large(dir: &Path, numbers: std::ops::Range<u32>) -> PathBuf {
    let mut exporter = JsonLines::builder(dir).build();
    for n in numbers {
        let exchange = exchange(n % 60, |e| {
            e["id"] = json!(format!("id-{n:04}"));
            e["correlation"]["id"] = json!(format!("journey-{:04}", n / 2));
            e["error"] = json!("x".repeat(2_000));
        });
        exporter.export(&exchange).unwrap();
    }
    exporter.flush().unwrap();
    let paths = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = paths
        .filter(|path| path.extension().unwrap() == "jsonl")
        .collect();
    paths.sort();
    paths.pop().unwrap()
}

/// What is found with an index is what is in the file, whatever the index says.
#[test]
fn an_index_is_never_needed_and_never_believed() {
    let dir = Directory::new("index");
    let file = large(&dir.0, 0..120);
    let index = file.with_extension("idx");
    let good = fs::read(&index).unwrap();
    assert_eq!(good.len(), 120 * 112, "an entry for each line");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(&index).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let asked = || {
        let of = |args: &[&str]| ids(&run(&[args, &["--json"]].concat(), Some(&dir.0)));
        [
            of(&["show", "id-0077"]),
            of(&["show", "journey-0005"]),
            of(&["show", "id-011"]),
            of(&["show", "last"]),
            of(&["ls", "-n", "3"]),
            of(&["ls", "-n", "3", "--status", "5xx", "--route", "/orders/*"]),
            of(&["ls", "--since", "2026-01-02T03:04:59Z"]),
            of(&["ls", "--correlation-id", "journey-0059"]),
            of(&["ls", "-n", "0"]),
        ]
    };
    let expected = asked();
    assert_eq!(expected[0], ["id-0077"]);
    assert_eq!(expected[1], ["id-0010", "id-0011"]);
    assert_eq!(expected[2].len(), 10);
    assert_eq!(expected[3], ["id-0119"]);
    assert_eq!(expected[4], ["id-0118", "id-0059", "id-0119"]);
    assert_eq!(expected[6], ["id-0059", "id-0119"]);
    assert_eq!(expected[7], ["id-0118", "id-0119"]);

    // Read by the index: of what is broken in between nothing is seen, as its time
    // says that the index is younger.
    let lines = fs::read(&file).unwrap();
    let younger = || {
        let file = fs::File::options().append(true).open(&index).unwrap();
        file.set_modified(std::time::SystemTime::now() + Duration::from_secs(5))
            .unwrap();
    };
    let at = lines.windows(7).position(|w| w == b"id-0050").unwrap();
    let mut broken = lines.clone();
    broken[at - 8] = b'x';
    fs::write(&file, &broken).unwrap();
    younger();
    let read = run(&["show", "id-0077"], Some(&dir.0));
    assert_eq!((read.code, read.err.as_str()), (Some(0), ""));
    assert_eq!(run(&["ls", "-n", "3"], Some(&dir.0)).err, "");
    // What the index leads to is not there: the file is read.
    let gone = run(&["show", "id-0050"], Some(&dir.0));
    assert_eq!(gone.code, Some(1), "{}", gone.out);
    fs::write(&file, &lines).unwrap();

    let other = Directory::new("index-other");
    let foreign = fs::read(large(&other.0, 500..620).with_extension("idx")).unwrap();
    let mut flipped = good.clone();
    flipped[112 * 60 + 3] ^= 1;
    let mut swapped = good.clone();
    swapped[112..224].copy_from_slice(&good[224..336]);
    for (what, bytes) in [
        ("missing", None),
        ("empty", Some(Vec::new())),
        ("torn", Some(good[..112 * 70 + 5].to_vec())),
        ("foreign", Some(foreign)),
        ("flipped", Some(flipped)),
        ("swapped", Some(swapped)),
        ("garbage", Some(vec![7; 20_000])),
        ("longer", Some([good.clone(), vec![0; 500]].concat())),
    ] {
        match bytes {
            Some(bytes) => fs::write(&index, bytes).unwrap(),
            None => fs::remove_file(&index).unwrap(),
        }
        assert_eq!(asked(), expected, "{what}");
    }

    // Of another version of the file: one line less, an edit in its place, and more.
    fs::write(&index, &good).unwrap();
    let end = lines.iter().position(|b| *b == b'\n').unwrap() + 1;
    fs::write(&file, &lines[end..]).unwrap();
    assert_eq!(asked(), expected, "cut at its start");
    let edited = String::from_utf8(lines.clone()).unwrap();
    std::thread::sleep(Duration::from_millis(20));
    fs::write(&file, edited.replace("id-0077", "id-9999")).unwrap();
    let found = run(&["show", "--json", "id-9999"], Some(&dir.0));
    assert_eq!(ids(&found), ["id-9999"]);
    fs::write(&file, &lines).unwrap();
    younger();
    let more = serde_json::to_string(&exchange(59, |e| e["id"] = json!("id-0777"))).unwrap();
    let mut out = fs::File::options().append(true).open(&file).unwrap();
    out.write_all((more + "\n{\"id\":\"tor").as_bytes())
        .unwrap();
    let found = run(&["show", "--json", "id-0777"], Some(&dir.0));
    assert_eq!(ids(&found), ["id-0777"]);
    assert!(
        found.err.contains(":122: the file ends within the line"),
        "{}",
        found.err
    );
    assert_eq!(asked()[0], ["id-0077"]);
}

/// Whatever became of the indexes, the service makes them again when it starts.
#[test]
fn an_index_is_made_anew_when_the_service_starts() {
    let dir = Directory::new("index-anew");
    let other = Directory::new("index-anew-other");
    let foreign = fs::read(large(&other.0, 500..620).with_extension("idx")).unwrap();
    type Damage<'a> = &'a dyn Fn(&Path, &[u8]);
    let cut = |at: usize| move |index: &Path, good: &[u8]| fs::write(index, &good[..at]).unwrap();
    let put = |bytes: Vec<u8>| move |index: &Path, _: &[u8]| fs::write(index, &bytes).unwrap();
    let damages: &[Damage<'_>] = &[
        &|index, _| fs::remove_file(index).unwrap(),
        &cut(0),
        &cut(5),
        &cut(112),
        &cut(112 * 60),
        &cut(112 * 60 + 7),
        &cut(112 * 120 - 1),
        &put(foreign),
        &put(vec![7; 20_000]),
        &|index, good| fs::write(index, [good, &[0; 500]].concat()).unwrap(),
        &|index, good| {
            let mut flipped = good.to_vec();
            flipped[112 * 70 + 3] ^= 1;
            fs::write(index, flipped).unwrap();
        },
        // A file of that name, which was edited since.
        &|index, good| {
            fs::write(index, good).unwrap();
            let old = fs::File::options().append(true).open(index).unwrap();
            let at = std::time::SystemTime::now() - Duration::from_secs(3600);
            old.set_modified(at).unwrap();
        },
        #[cfg(unix)]
        &|index, _| {
            fs::remove_file(index).unwrap();
            let made = Command::new("mkfifo").arg(index).status().unwrap();
            assert!(made.success());
        },
        #[cfg(unix)]
        &|index, good| {
            let elsewhere = index.with_extension("else");
            fs::write(&elsewhere, &good[..1000]).unwrap();
            fs::remove_file(index).unwrap();
            std::os::unix::fs::symlink(elsewhere, index).unwrap();
        },
    ];
    let mut wanted = Vec::new();
    for (n, damage) in (0..).zip(damages) {
        let file = large(&dir.0, n * 120..n * 120 + 120);
        let index = file.with_extension("idx");
        let good = fs::read(&index).unwrap();
        damage(&index, &good);
        wanted.push((index, good, fs::read(&file).unwrap()));
    }
    // What has such a name and is no file, is not read.
    #[cfg(unix)]
    {
        let name = |n| {
            let name = format!("exchanges-2025010{n}T000000.000Z-1-000000.jsonl");
            dir.0.join(name)
        };
        let made = Command::new("mkfifo").arg(name(1)).status().unwrap();
        assert!(made.success());
        std::os::unix::fs::symlink("/dev/zero", name(2)).unwrap();
        let linked = wanted[0].0.with_extension("jsonl");
        std::os::unix::fs::symlink(linked, name(3)).unwrap();
    }

    let service = dashcam::Dashcam::builder()
        .service("test", "1")
        .directory(&dir.0);
    let service = service.build().unwrap();
    let since = std::time::Instant::now();
    let is_whole = |index: &Path, good: &[u8]| {
        let meta = fs::symlink_metadata(index);
        meta.is_ok_and(|meta| meta.is_file()) && fs::read(index).unwrap() == good
    };
    for (n, (index, good, lines)) in wanted.iter().enumerate() {
        while !is_whole(index, good) {
            assert!(since.elapsed() < DEADLINE, "{n} is not made anew");
            std::thread::sleep(Duration::from_millis(5));
        }
        let file = index.with_extension("jsonl");
        assert_eq!(&fs::read(file).unwrap(), lines, "{n}");
    }
    let found = run(&["show", "--json", "id-0177"], Some(&dir.0));
    assert_eq!(ids(&found), ["id-0177"]);
    drop(service);
    let odd = fs::read_dir(&dir.0).unwrap().filter(|entry| {
        let path = entry.as_ref().unwrap().path();
        let end = path.extension().unwrap().to_str().unwrap();
        !["jsonl", "idx", "else"].contains(&end)
            || path.to_str().unwrap().contains("-2025010") && end == "idx"
    });
    assert_eq!(odd.count(), 0);
}

/// Runs it with a standard input that has no end; it has to end by itself.
#[cfg(unix)]
fn run_endless(args: &[&str]) -> Run {
    let mut command = dashcam();
    let zeros = fs::File::open("/dev/zero").unwrap();
    command.args(args).stdin(zeros);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let since = std::time::Instant::now();
    while child.try_wait().unwrap().is_none() {
        if since.elapsed() > DEADLINE {
            child.kill().unwrap();
            panic!("{args:?} reads on");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let Output {
        status,
        stdout,
        stderr,
    } = child.wait_with_output().unwrap();
    Run {
        code: status.code(),
        out: String::from_utf8(stdout).unwrap(),
        err: String::from_utf8(stderr).unwrap(),
    }
}

/// Devices, pipes and endless input are refused, not read for ever.
#[cfg(unix)]
#[test]
fn what_has_no_end_is_not_read() {
    let directory = Directory::new("endless");
    let key = directory.0.join("key.jwk");
    let key = key.to_str().unwrap();
    let made = run(&["token", "new-key", key, "--id", "on-call"], None);
    assert_eq!(made.code, Some(0), "{}", made.err);
    let secret = directory.0.join("dashcam.key");
    let secret = secret.to_str().unwrap();
    assert_eq!(run(&["key", "new", "--out", secret], None).code, Some(0));
    let pipe = directory.0.join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let pipe = pipe.to_str().unwrap();
    let large = directory.file("large.jwk", &" ".repeat(100_000));
    let large = large.to_str().unwrap();
    let exchanges = directory.0.to_str().unwrap();
    for file in ["/dev/zero", pipe, large] {
        let why = if file == large {
            "larger than"
        } else {
            "regular file"
        };
        let cases: [&[&str]; 6] = [
            &["token", "mint", file],
            &["token", "public-key", file],
            &["token", "check", file, "e30.e30.e30"],
            &["token", "check", key, "e30.e30.e30", "--key", file],
            &["ls", exchanges, "--value", "x", "--key-file", file],
            &["rules", "check", file],
        ];
        for args in cases {
            if args[0] == "rules" && file == large {
                continue;
            }
            let refused = run_endless(args);
            let said = format!("{}{}", refused.err, refused.out);
            assert!(said.contains(why), "{args:?}: {said}");
            assert_ne!(refused.code, Some(0), "{args:?}");
        }
    }
    for args in [
        &["token", "check", key, "-"][..],
        &["ls", exchanges, "--value", "-", "--key-file", secret],
    ] {
        let refused = run_endless(args);
        assert!(
            refused.err.contains("larger than 1 MiB"),
            "{args:?}: {}",
            refused.err
        );
        assert_eq!(refused.code, Some(2), "{args:?}");
    }
    // One among the exchanges holds nobody up.
    let name = exchange_file(&directory);
    fs::remove_file(&name).unwrap();
    assert!(
        Command::new("mkfifo")
            .arg(&name)
            .status()
            .unwrap()
            .success()
    );
    let listed = run_endless(&["ls", exchanges]);
    assert_eq!(listed.out.lines().count(), 0, "{}", listed.out);
    assert!(!listed.err.is_empty());
}

/// The name of a file as it is written.
#[cfg(unix)]
fn exchange_file(directory: &Directory) -> PathBuf {
    let mut exporter = dashcam::export::JsonLines::builder(&directory.0).build();
    exporter.export(&exchange(1, |_| {})).unwrap();
    drop(exporter);
    let entries = fs::read_dir(&directory.0)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let is = |path: &PathBuf| path.extension().is_some_and(|e| e == "jsonl");
    entries.into_iter().find(is).unwrap()
}
