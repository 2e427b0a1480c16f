//! `dashcam ls` and `tail`.

use super::*;

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
        (&["rules", "check", missing], "cannot read"),
        (&["rules", "why", missing], "--path <PATH>"),
        (&["lss"], "a similar subcommand exists: 'ls'"),
        (&["token", "mint", missing], "cannot read"),
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

/// Messages show the default directory, and a bare name, as a path.
#[test]
fn the_default_directory_is_named() {
    let dir = Directory::new("default");
    let said = |args: &[&str]| {
        let output = dashcam().args(args).current_dir(&dir.0).output().unwrap();
        String::from_utf8(output.stderr).unwrap()
    };
    let none = said(&["ls"]);
    assert!(none.contains("cannot read ./dashcam: "), "{none}");
    std::fs::create_dir(dir.0.join("dashcam")).unwrap();
    for args in [
        &["ls", "--status", "5xx"][..],
        &["ls", "dashcam", "--status", "5xx"],
    ] {
        let none = said(args);
        for part in [
            "no exchange in ./dashcam matches the conditions",
            "set DASHCAM_DIR",
        ] {
            assert!(none.contains(part), "{args:?}: {none}");
        }
    }
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
        "GET /orders/2 (outcome) (7 more like it were only counted, 2026-01-02T02:50:00Z to \
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
    let line = "losses     7 more like it were only counted, 2026-01-02T02:50:00Z to 2026-01-02T03:00:00Z\n";
    assert!(page.contains(line), "{page}");
    // What other programs read is a query still.
    assert!(rows[0]["query"].as_str().unwrap().starts_with("q=%5B~"));

    let page = run(&["show", "e1"], Some(&dir.0)).out;
    let line = "request    POST /orders/1?q=[~36a11ea64f60212b len=3 ascii alpha] -> 502";
    assert!(page.contains(line), "{page}");
    let curl = run(&["export", "--curl", "--id", "e1"], Some(&dir.0)).out;
    assert!(curl.contains("?q=%5B~36a11ea64f60212b%20len%3D3"), "{curl}");
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
