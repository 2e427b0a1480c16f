//! `dashcam rules`.

use super::*;

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
        (
            &["--for", "10m", "--header", "x-debug=yes"],
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
            "did you mean `debug`?",
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
        let expected = "slip.toml:5:11: rule[0].verbose: \"debgu\" is not a directive: did you";
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
    assert!(lower.contains("methods are case-sensitive"), "{lower}");
    let json = run(&["rules", "check", "--json", office], None);
    let json: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(json["notes"][0]["rule"], "a");

    let key = dir.0.join("key.jwk");
    let key = key.to_str().unwrap();
    run(&["token", "new-key", key, "--id", "k"], None);
    let slip = run(&["token", "mint", key, "--verbose", "debgu"], None);
    assert_eq!((slip.code, slip.out.as_str()), (Some(2), ""));
    assert!(slip.err.contains("did you mean `debug`?"), "{}", slip.err);
    let old = run(&["token", "mint", key, "--route", "/orders/:id"], None);
    assert_eq!(old.code, Some(0));
    assert!(old.err.contains("\"/orders/{id}\""), "{}", old.err);
}
