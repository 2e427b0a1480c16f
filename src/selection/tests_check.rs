use super::{
    Rule, Rules, Steering, When,
    check::WarningKind,
    engine::Pending,
    tests::{Request, later},
};
use http::Method;
use std::time::{Duration, SystemTime};

fn warnings(rest: &str) -> Vec<(WarningKind, String)> {
    let text = format!("[[rule]]\nname = \"a\"\nexpires = 2026-11-23T12:00:00Z\n{rest}\n");
    let rules = Rules::from_toml(&text).unwrap_or_else(|error| panic!("{rest}: {error}"));
    let expires = rules.iter().next().unwrap().expires();
    let found = rules.check(expires - Duration::from_secs(60));
    found.into_iter().map(|w| (w.kind, w.text)).collect()
}

/// Rules that are not in force need nothing, perhaps for ever: requests do not look for
/// what is to be said of them each time.
#[test]
fn what_no_rule_in_force_needs_is_seldom_looked_for() {
    let rule = |name: &str| Rule::new(name, later()).from(later() - Duration::from_secs(1));
    for rule in [
        rule("client").when(When::new().client("10.0.0.0/8").unwrap()),
        rule("route").when(When::new().route("/orders/{id}")),
        rule("fact").when(When::new().fact("tenant", "acme")),
    ] {
        let name = rule.name().to_owned();
        let steering = Steering::new().rules(Rules::new([rule]));
        let set = steering.set();
        let looked = (0..10_000).filter(|_| {
            let mut pending = Pending::default();
            set.evaluate(&Request::new().arrival(), &mut pending);
            pending.reset();
            set.watch().take_due()
        });
        let looked = looked.count();
        assert!(looked < 200, "{name}: {looked}");
    }
}

/// Each with a part of what must be said.
#[test]
fn what_can_hold_for_no_request() {
    for (when, part) in [
        ("route = \"/orders/:id\"", "\"/orders/{id}\""),
        ("route = \"/files/*path\"", "\"/files/{*path}\""),
        ("route = \"/files/*\"", "\"/files/{*rest}\""),
        ("route = \"/files/**\"", "or `path` for a pattern"),
        ("route = \"/a/<id>/b\"", "\"/a/{id}/b\""),
        ("route = \"/a/<int:id>\"", "\"/a/{id}\""),
        ("route = \"/a/{id:[0-9]+}\"", "\"/a/{id}\""),
        ("route = [\"/a\", \"/b/:id\"]", "\"/b/{id}\""),
        ("route = \"orders\"", "routes begin with /"),
        ("route = \"\"", "routes begin with /"),
        ("route = \"https://x/orders\"", "without host and query"),
        ("route = \"/orders?x=1\"", "without host and query"),
        ("route = \"/orders/{id\"", "expected a template"),
        ("not = { route = \"/orders/:id\" }", "\"/orders/{id}\""),
        (
            "any = [{ route = \"/a/:b\" }, { route = \"/b\" }]",
            "\"/a/{b}\"",
        ),
        ("path = \"/orders/{id}\"", "expected \"/orders/*\""),
        ("path = \"/orders/:id\"", "expected \"/orders/*\""),
        ("path = \"/orders?x=1\"", "`query`"),
        ("path = \"/caf\u{e9}\"", "percent-encoded"),
        ("path = { prefix = \"orders\" }", "paths begin with /"),
        ("method = \"PSOT\"", "POST?"),
        ("host = \"https://x.example\"", "without scheme and path"),
        ("host = \"x.example/a\"", "without scheme and path"),
        ("host = \"x.example:8080\"", "without their port"),
        ("host = \"[::1]:80\"", "without their port"),
        ("host = \"::1\"", "in brackets"),
        ("host = \"\"", "empty `host`"),
        ("host = \"*.example\"", "`*` is literal here"),
        ("content_type = \"json\"", "application/json"),
        (
            "content_type = \"text/html; charset=utf-8\"",
            "without parameters",
        ),
        ("content_type = \"*/*\"", "no content type"),
        ("header = { a = \"b \" }", "the header a is never \"b \""),
        ("header = { a = \"b\\n\" }", "the header a is never"),
        (
            "header = { x-dashcam-verbose = \"1\" }",
            "rules do not see the header",
        ),
        ("cookie = { \"a b;\" = \"b\" }", "no cookie has the name"),
        ("cookie = { a = \"b;c\" }", "the cookie a is never"),
        ("fact = { \"\" = \"x\" }", "a fact has no name"),
        ("query = { q = \"a%20b\" }", "compared decoded"),
    ] {
        let found = warnings(&format!("when = {{ {when} }}"));
        let found: Vec<_> = found
            .into_iter()
            .filter(|(kind, _)| *kind == WarningKind::Condition)
            .collect();
        assert_eq!(found.len(), 1, "{when}: {found:?}");
        assert!(found[0].1.contains(part), "{when}: {found:?}");
    }
    for when in [
        "route = \"/orders/{id}\"",
        "route = \"/{*rest}\"",
        "route = \"/\"",
        "route = \"/orders:batch\"",
        "route = \"/a/{x}.json\"",
        "path = \"/orders/*/items\"",
        "path = \"/v1/things:batch\"",
        "path = \"**/x\"",
        "path = \"/caf%C3%A9\"",
        "path = [\"/a\", \"/b/**\"]",
        "method = [\"GET\", \"PURGE\", \"PROPFIND\"]",
        "fact = { tenant = \"acme*\" }",
    ] {
        assert_eq!(warnings(&format!("when = {{ {when} }}")), [], "{when}");
    }
    for when in [
        "host = \"X.example\"",
        "host = \"[::1]\"",
        "host = { prefix = \"qa-\" }",
        "content_type = [\"application/json\", \"text/*\"]",
        "header = { a = \"\" }",
        "cookie = { a = \"b=c\" }",
    ] {
        let found = warnings(&format!("when = {{ {when} }}"));
        let kinds: Vec<_> = found.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, [WarningKind::ClientControlled], "{when}: {found:?}");
    }
}

#[test]
fn budgets_samples_and_directives_that_leave_nothing() {
    let when = "when = { fact = { tenant = \"acme\" } }";
    for (rest, kind, part) in [
        (
            "budget = { per_second = 0 }",
            WarningKind::Budget,
            "`per_second = 0`",
        ),
        (
            "budget = { at_once = 0 }",
            WarningKind::Budget,
            "`at_once = 0`",
        ),
        (
            "budget = { total = 0 }",
            WarningKind::Budget,
            "selects no request",
        ),
        (
            "budget = { events_per_second = 0 }",
            WarningKind::Budget,
            "lets live requests show nothing",
        ),
        (
            "budget = { bytes_per_second = 0 }",
            WarningKind::Budget,
            "show nothing",
        ),
        (
            "sample = { percent = 0 }",
            WarningKind::Sample,
            "selects nobody",
        ),
        ("verbose = \"off\"", WarningKind::Verbose, "shows nothing"),
        (
            "verbose = \"info,hyper=trace\"",
            WarningKind::Verbose,
            "events of hyper",
        ),
        (
            "budget = { bytes_per_second = 1 }",
            WarningKind::Budget,
            "smaller than any event",
        ),
        (
            "verbose = \"orders:payments=debug\"",
            WarningKind::Verbose,
            "`::` between",
        ),
        (
            "verbose = \"warn\"",
            WarningKind::Verbose,
            "a base filter at INFO",
        ),
        (
            "verbose = \"warn,orders=info\"",
            WarningKind::Verbose,
            "names no DEBUG",
        ),
        (
            "verbose = \"my-service=trace\"",
            WarningKind::Verbose,
            "\"my_service\"",
        ),
    ] {
        let found = warnings(&format!("{when}\n{rest}"));
        let [(found_kind, text)] = found.as_slice() else {
            panic!("{rest}: {found:?}");
        };
        assert_eq!(*found_kind, kind, "{rest}");
        assert!(text.contains(part), "{rest}: {text}");
    }
    for rest in [
        "budget = { per_second = 1 }",
        "verbose = \"info,my_service=trace,hyper=off\"",
        "mode = \"record\"\nbudget = { events_per_second = 0 }",
        "mode = \"record\"\nbudget = { bytes_per_second = 1 }",
        "mode = \"record\"\nverbose = \"warn\"",
        "verbose = \"orders::payments=debug,sqlx::=debug\"",
    ] {
        assert_eq!(warnings(&format!("{when}\n{rest}")), [], "{rest}");
    }
}

/// Also where something else than the pair decides; what is not sure is not said.
#[test]
fn conditions_that_exclude_each_other() {
    let nevers = |when: &str| {
        let found = warnings(&format!("when = {{ {when} }}"));
        let never = |(kind, _): &&(WarningKind, String)| *kind == WarningKind::Never;
        found.iter().filter(never).count()
    };
    for when in [
        r#"all = [{ method = "GET" }, { method = "POST" }]"#,
        r#"method = "GET", not = { method = "GET" }"#,
        r#"method = ["GET", "PUT"], not = { any = [{ method = "GET" }, { method = "PUT" }] }"#,
        r#"method = "GET", any = [{ method = "PUT" }, { method = "POST", route = "/a" }]"#,
        r#"route = "/a", all = [{ route = "/b" }]"#,
        r#"all = [{ route = "/a" }, { route = "/b" }]"#,
        r#"all = [{ route = ["/a", "/b"] }, { route = ["/b", "/c"] }, { route = ["/a", "/c"] }]"#,
        r#"all = [{ host = "a" }, { host = "b" }]"#,
        r#"all = [{ host = "a.x" }, { host = { prefix = "b" } }]"#,
        r#"all = [{ path = "/a" }, { path = "/b/*" }]"#,
        r#"all = [{ path = { prefix = "/a/" } }, { path = { prefix = "/b/" } }]"#,
        r#"all = [{ client = "10.0.0.0/8" }, { client = "11.0.0.0/8" }]"#,
        r#"all = [{ content_type = "text/html" }, { content_type = "image/*" }]"#,
        r#"all = [{ fact = { t = "a" } }, { fact = { t = "b" } }]"#,
        r#"fact = { tenant = "acme" }, not = { fact = { tenant = "acme" } }"#,
        r#"header = { a = "b" }, not = { header = { a = { present = true } } }"#,
        r#"all = [{ header = { a = "b" } }, { header = { a = { present = false } } }]"#,
        r#"route = "/a", method = "GET", not = { route = "/a", method = "GET" }"#,
    ] {
        assert_eq!(nevers(when), 1, "{when}");
    }
    for when in [
        r#"all = [{ method = ["GET", "PUT"] }, { method = ["PUT", "POST"] }]"#,
        r#"method = ["GET", "PUT"], not = { method = "GET" }"#,
        r#"method = "GET", not = { method = "GET", route = "/a" }"#,
        r#"method = "GET", any = [{ method = "PUT" }, { route = "/a" }]"#,
        r#"all = [{ header = { a = "b" } }, { header = { a = "c" } }]"#,
        r#"header = { a = "b" }, not = { header = { a = "c" } }"#,
        r#"all = [{ query = { a = "b" } }, { query = { a = "c" } }]"#,
        r#"all = [{ cookie = { a = "b" } }, { cookie = { a = "c" } }]"#,
        r#"all = [{ host = "A.x" }, { host = "a.x." }]"#,
        r#"all = [{ host = { prefix = "a" } }, { host = { regex = "A.*" } }]"#,
        r#"all = [{ path = "/a/*" }, { path = "/*/b" }]"#,
        r#"all = [{ path = "/a/b" }, { path = "/a/*" }]"#,
        r#"all = [{ client = "10.0.0.0/8" }, { client = "10.1.0.0/16" }]"#,
        r#"all = [{ content_type = "text/html" }, { content_type = "Text/*" }]"#,
        r#"all = [{ fact = { t = "a" } }, { fact = { u = "b" } }]"#,
        r#"fact = { t = "a" }, not = { fact = { u = "a" } }"#,
        r#"fact = { t = { prefix = "a" } }, not = { fact = { t = "ab" } }"#,
    ] {
        assert_eq!(nevers(when), 0, "{when}");
    }
}

/// What only code can say.
#[test]
fn rules_in_code() {
    let now = SystemTime::now();
    let later = now + Duration::from_secs(3600);
    let get = Method::from_bytes(b"get").unwrap();
    for (rule, kind, part) in [
        (
            Rule::new("a", later).when(When::new().method(get)),
            WarningKind::Condition,
            "did you mean GET?",
        ),
        (
            Rule::new("a", later)
                .from(later)
                .when(When::new().route("/a")),
            WarningKind::Never,
            "`from` to be before",
        ),
        (
            Rule::new("", later).when(When::new().route("/a")),
            WarningKind::Never,
            "expected `name`",
        ),
        (
            Rule::new("a", now - Duration::from_secs(1)).when(When::new().route("/a")),
            WarningKind::Expired,
            "it expired",
        ),
        (
            Rule::new("a", later)
                .when(When::new().fact("a", "b"))
                .sample(0.0)
                .unwrap(),
            WarningKind::Sample,
            "nobody",
        ),
    ] {
        let found = Rules::new([rule]).check(now);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].kind, kind);
        assert!(found[0].text.contains(part), "{found:?}");
    }
}

/// A slip is said wherever directives are taken.
#[test]
fn a_slip_of_a_level_is_an_error() {
    let text = "[[rule]]\nname = \"a\"\nexpires = 2026-11-23T12:00:00Z\nwhen = {}\n\
                verbose = \"debgu\"\n";
    let error = Rules::from_toml(text).unwrap_err();
    assert_eq!(
        (error.line, error.field.as_str()),
        (Some(5), "rule[0].verbose")
    );
    assert!(error.message.contains("did you mean `debug`?"), "{error}");
    let later = SystemTime::now() + Duration::from_secs(3600);
    assert!(Rule::new("a", later).verbose("info,trcae").is_err());
}

/// A source has at most a hundred rules, wherever they come from; whoever has more is
/// told what to do, and what was in use before stays.
#[test]
fn more_than_a_hundred_are_refused() {
    let later = SystemTime::now() + Duration::from_secs(3600);
    let rule = |n: usize| {
        Rule::new(format!("r{n}"), later).when(When::new().fact("tenant", n.to_string()))
    };
    let rules = |count| Rules::new((0..count).map(rule));
    let text = |count| serde_json::to_string(&rules(count)).unwrap();
    assert_eq!(Rules::from_json(&text(100)), Ok(rules(100)));
    let error = Rules::from_json(&text(101)).unwrap_err();
    assert_eq!(error.field, "rule[100]");
    assert!(error.message.contains("at most 100 rules"), "{error}");
    assert!(error.message.contains("delete rules"), "{error}");

    let steering = Steering::new();
    let slot = steering.slot("mine");
    slot.set(rules(100));
    slot.set(rules(101));
    assert_eq!(steering.in_use(), rules(100));
    let problem = steering.status().sources[0].problem.clone().unwrap();
    assert!(
        problem.contains("101 rules are more than the 100"),
        "{problem}"
    );
    assert!(problem.contains("stay in use"), "{problem}");
    slot.set(rules(99));
    assert_eq!(steering.in_use(), rules(99));
    assert_eq!(steering.status().sources[0].problem, None);
}
