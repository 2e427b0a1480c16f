//! `dashcam top`.

use super::*;

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
