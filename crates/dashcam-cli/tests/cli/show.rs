//! `dashcam show` and `export`.

use super::*;

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
    hostile.request.headers = vec![(evil.to_owned(), evil.to_owned())];
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
        "no exchange here reports failures like it that were only counted",
        "more may have been only counted since the last kept one of a kind",
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
        found.out.contains("497 more like it were only counted"),
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
    assert!(!none.err.contains("no exchange here"), "{}", none.err);
    assert_eq!(none.err.matches("like c4").count(), 1, "{}", none.err);

    for args in [
        &["ls", "--correlation-id", "c99"][..],
        &["export", "--curl", "--id", "c99"],
        &["export", "--har", "--correlation-id", "c99"],
    ] {
        let none = run(args, Some(&dir.0));
        assert_eq!(none.code, Some(1), "{args:?}");
        for part in [
            " matches",
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
