//! Rules as text: what is read, what is refused and where, and what is said of
//! them.

use super::{
    tests::{chosen, later},
    *,
};
use http::{HeaderName, HeaderValue, Method};
use std::time::{Duration, SystemTime};

pub(super) const SAMPLE: &str = r#"
[[rule]]
name    = "acme-checkout"
expires = 2026-11-23T12:00:00Z
when    = { method = "POST", route = "/orders/{id}", fact = { tenant = "acme" } }
sample  = { percent = 5, by = "fact:user" }
verbose = "info,my_service=trace,sqlx=debug"
mode    = "live"
budget  = { per_second = 5, total = 500 }
"#;

pub(super) const ALL: &str = r#"
[[rule]]
name = "all of it"
from = 2026-11-23T11:00:00+01:00
expires = "2026-11-23T12:00:00Z"
mode = "record"
sample = { percent = 0.25, by = "header:x-user", seed = "s" }
budget = { at_once = 1, events_per_second = 2, bytes_per_second = 3 }

[rule.when]
method = ["GET", "HEAD"]
path = ["/a/*", "/b/**"]
host = "example.org"
client = "10.0.0.0/8"
content_type = ["application/json", "text/*"]

[rule.when.header]
x-a = "one"
x-b = ["one", "two"]
x-c = { prefix = "o" }
x-d = { present = false }

[rule.when.query]
debug = { present = true }

[rule.when.cookie]
sid = { equals = ["a", "b"] }

[rule.when.fact]
"client.address" = { network = ["192.0.2.0/24", "2001:db8::/32"] }

[[rule.when.all]]
path = { prefix = "/x" }

[[rule.when.any]]
route = ["/a", "/b"]
[[rule.when.any]]
not = { any = [{ fact = { plan = "gold" } }, { header = { x-e = "e" } }] }
"#;

#[test]
fn the_builder_and_both_texts_are_one_model() {
    let mut budget = Budget::unlimited();
    (budget.per_second, budget.total) = (Some(5), Some(500));
    let expires = "2026-11-23T12:00:00Z".parse::<jiff::Timestamp>().unwrap();
    let built = Rules::new([Rule::new("acme-checkout", expires.into())
        .when(
            When::new()
                .method(Method::POST)
                .route("/orders/{id}")
                .fact("tenant", "acme"),
        )
        .sample(5.0)
        .unwrap()
        .sample_by("fact:user")
        .unwrap()
        .verbose("info,my_service=trace,sqlx=debug")
        .unwrap()
        .budget(budget)]);
    assert_eq!(Rules::from_toml(SAMPLE).unwrap(), built);
    let json = serde_json::json!({ "rule": [{
        "name": "acme-checkout",
        "expires": "2026-11-23T12:00:00Z",
        "when": { "method": "POST", "route": "/orders/{id}", "fact": { "tenant": "acme" } },
        "sample": { "percent": 5, "by": "fact:user" },
        "verbose": "info,my_service=trace,sqlx=debug",
        "mode": "live",
        "budget": { "per_second": 5, "total": 500 },
    }]});
    assert_eq!(Rules::from_json(&json.to_string()).unwrap(), built);
    assert_eq!(Rules::from_json_value(&json).unwrap(), built);
    for text in [SAMPLE, ALL, ""] {
        let rules = Rules::from_toml(text).unwrap();
        let json = serde_json::to_string(&rules).unwrap();
        assert_eq!(Rules::from_json(&json).unwrap(), rules, "{json}");
    }
}

/// Each with a part of what must be said of it, after its position and field.
#[test]
fn errors_say_where_and_what() {
    let head = "[[rule]]\nname = \"a\"\nexpires = 2026-11-23T12:00:00Z\n";
    for (rest, expected) in [
        (
            "when = {}\nwhat = 1",
            "5:1: rule[0].what: unknown field `what`, expected one of `name`",
        ),
        (
            "when = { methd = \"GET\" }",
            "4:10: rule[0].when.methd: unknown field `methd`",
        ),
        (
            "when = { method = \"get\" }",
            "4:19: rule[0].when.method: expected a method",
        ),
        (
            "when = { method = [] }",
            "4:19: rule[0].when.method: invalid length 0, expected a list",
        ),
        (
            "when = { header = { \"a b\" = \"x\" } }",
            "expected the name of a header",
        ),
        (
            "when = { header = { a = 1 } }",
            "4:25: rule[0].when.header.a: invalid type: integer",
        ),
        (
            "when = { header = { a = { regx = \"x\" } } }",
            "unknown field `regx`",
        ),
        (
            "when = { header = { a = { prefix = \"x\", present = true } } }",
            "not two",
        ),
        (
            "when = { header = { a = { regex = \"(\" } } }",
            "a.regex: expected a regular expression",
        ),
        (
            "when = { path = \"orders\" }",
            "rule[0].when.path: expected a pattern of whole paths",
        ),
        (
            "when = { client = \"10.0.0.1/8\" }",
            "rule[0].when.client: expected a network without",
        ),
        (
            "when = { fact = { a = { present = false } } }",
            "rule[0].when.fact: expected no",
        ),
        ("when = { any = [] }", "rule[0].when.any: invalid length 0"),
        (
            "when = {}\nverbose = \"a=b=c\"",
            "5:11: rule[0].verbose: \"a=b=c\" is not a directive",
        ),
        (
            "when = {}\nmode = \"off\"",
            "5:8: rule[0].mode: unknown variant `off`, expected `live`",
        ),
        (
            "when = {}\nsample = { percent = 101 }",
            "rule[0].sample.percent: expected a number from 0",
        ),
        (
            "when = {}\nsample = { percent = 1, by = \"user\" }",
            "rule[0].sample.by: expected `fact:",
        ),
        (
            "when = {}\nbudget = { total = -1 }",
            "rule[0].budget.total: invalid value: integer",
        ),
        (
            "when = {}\nfrom = 2026-11-23T12:00:00Z",
            "1:1: rule[0]: expected `from` to be before",
        ),
        (
            "when = {}\nfrom = 2026-11-23T11:00:00",
            "5:8: rule[0].from: expected a time with an offset",
        ),
        (
            "when = {}\nfrom = 2026-11-23",
            "5:8: rule[0].from: expected a time with an offset",
        ),
        (
            "when = {}\nfrom = 5",
            "5:8: rule[0].from: invalid type: integer `5`, expected a time",
        ),
        ("", "1:1: rule[0]: missing field `when`"),
        ("when = {", "4:9: "),
        (
            "when = {}\nfrom = tomorrow",
            "5:8: expected a time with an offset, such as 2026-12-01T12:00:00Z",
        ),
        ("when = {}\nsample = tomorrow", "5:10: invalid boolean"),
        ("when = {}\nname = \"b\"", "5:1: duplicate key"),
    ] {
        let text = format!("{head}{rest}");
        let error = Rules::from_toml(&text).unwrap_err().to_string();
        assert!(error.contains(expected), "{rest}\n{error}\n{expected}");
    }
    let twice = format!("{SAMPLE}\n{SAMPLE}");
    let error = Rules::from_toml(&twice).unwrap_err().to_string();
    let expected = "12:1: rule[1]: expected each name once, and \"acme-checkout\"";
    assert!(error.contains(expected), "{error}");
    let two = format!("{SAMPLE}\n[[rule]]\nname = \"b\"\nexpires = 2026-11-23T12:00:00Z\n");
    let error = Rules::from_toml(&two).unwrap_err().to_string();
    assert!(
        error.contains("11:1: rule[1]: missing field `when`"),
        "{error}"
    );
    let error = Rules::from_toml("[[rules]]\n").unwrap_err().to_string();
    assert!(
        error.contains("1:3: rules: unknown field `rules`, expected `rule`"),
        "{error}"
    );

    let json = "{ \"rule\": [\n  { \"name\": \"a\", \"expires\": \"tomorrow\", \"when\": {} } ] }";
    let error = Rules::from_json(json).unwrap_err();
    assert_eq!(
        (error.line, error.field.as_str()),
        (Some(2), "rule[0].expires")
    );
    assert!(
        error.message.starts_with("expected a time with an offset"),
        "{error}"
    );
    assert!(Rules::from_json("{} x").is_err() && Rules::from_json("").is_err());
    let long = "x".repeat(129);
    for name in ["", "a\nb", &long] {
        let text = serde_json::json!({ "rule": [{
            "name": name, "expires": "2026-11-23T12:00:00Z", "when": {},
        }]});
        let error = Rules::from_json_value(&text).unwrap_err().to_string();
        assert!(error.contains("rule[0]: expected `name`"), "{error}");
    }
    let many: Vec<_> = (0..65)
        .map(|n| serde_json::json!({ "query": { n.to_string(): "" } }))
        .collect();
    let text = serde_json::json!({ "rule": [{
        "name": "many", "expires": "2026-11-23T12:00:00Z", "when": { "all": many },
    }]});
    assert!(Rules::from_json_value(&text).is_err());
    // Refused at the first that is too many, not after all were compared.
    let names: serde_json::Map<_, _> = (0..65).map(|n| (n.to_string(), "".into())).collect();
    let text = serde_json::json!({ "rule": [{
        "name": "many", "expires": "2026-11-23T12:00:00Z", "when": { "query": names },
    }]});
    let error = Rules::from_json_value(&text).unwrap_err().to_string();
    assert!(error.contains("when.query: expected at most 64"), "{error}");
}

#[test]
fn a_mark_of_the_byte_order_is_skipped() {
    let rules = Rules::from_toml(SAMPLE).unwrap();
    let json = serde_json::to_string(&rules).unwrap();
    let marked = |text: &str| format!("\u{feff}{text}");
    assert_eq!(Rules::from_toml(&marked(SAMPLE)), Ok(rules.clone()));
    assert_eq!(Rules::from_json(&marked(&json)), Ok(rules));
}

/// However deep, on the stack of a thread.
#[test]
fn nesting_has_an_end() {
    for depth in [20, 60, 100, 126, 10_000] {
        let (open, close) = ("{\"not\":".repeat(depth), "}".repeat(depth));
        let when = format!("{open}{{}}{close}");
        let json = format!(
            "{{\"rule\":[{{\"name\":\"n\",\"expires\":\"2100-01-01T00:00:00Z\",\"when\":{when}}}]}}"
        );
        let read = Rules::from_json(&json);
        assert_eq!(read.is_ok(), depth <= 20, "{depth}");
        let toml = format!(
            "[[rule]]\nname = \"n\"\nexpires = 2100-01-01T00:00:00Z\nwhen = {}{{}}{}",
            "{ not = ".repeat(depth),
            "}".repeat(depth)
        );
        assert_eq!(Rules::from_toml(&toml).is_ok(), depth <= 20, "{depth}");
    }
}

/// As JSON has them.
fn verdicts(why: &[Why]) -> Vec<String> {
    let verdict = |why: &Why| serde_json::to_value(why).unwrap()["verdict"].clone();
    let verdicts = why
        .iter()
        .map(|why| verdict(why).as_str().map(str::to_owned));
    verdicts.map(Option::unwrap).collect()
}

#[test]
fn why_says_which_condition() {
    let now = SystemTime::now();
    let rules = Rules::new([
        Rule::new("over", now - Duration::from_secs(1)),
        Rule::new("acme", later()).when(
            When::new()
                .method(Method::POST)
                .path("/orders/*")
                .unwrap()
                .fact("tenant", "acme"),
        ),
        Rule::new("header", later()).when(When::new().header(HeaderName::from_static("x-a"), "1")),
        Rule::new("nobody", later())
            .sample(0.0)
            .unwrap()
            .sample_by("fact:user")
            .unwrap(),
        Rule::new("rest", later()),
    ]);
    let why = |request: Described| rules.why(&request.at(now));
    let request = || Described::new(Method::POST, "/orders/7?q=1".parse().unwrap());
    let answer = why(request());
    assert_eq!(chosen(&answer), Some("rest"));
    assert_eq!(
        verdicts(&answer),
        ["fails", "waits", "fails", "waits", "selects"]
    );
    assert!(
        answer[0].fails[0].starts_with("it expired at 2"),
        "{answer:?}"
    );
    assert_eq!(answer[1].waits, ["fact tenant = \"acme\""]);
    assert_eq!(answer[2].fails, ["header x-a = \"1\""]);
    assert_eq!(answer[3].waits, ["sample by fact:user"]);

    let answer = why(request().fact("tenant", "acme").fact("user", "u"));
    assert_eq!(chosen(&answer), Some("acme"));
    assert_eq!(
        verdicts(&answer),
        ["fails", "selects", "fails", "fails", "comes_after"]
    );
    assert!(answer[4].matches() && !answer[4].selects());
    assert_eq!(
        answer[3].fails,
        ["sample by fact:user: not among these 0 %"]
    );
    let answer = why(request().header(
        HeaderName::from_static("x-a"),
        HeaderValue::from_static("1"),
    ));
    assert_eq!(chosen(&answer), Some("header"));
    let steering = Steering::new().rules(rules.clone());
    let expected = why(request());
    assert_eq!(chosen(&steering.why(&request())), chosen(&expected));
    assert_eq!(steering.selects(&request()).as_deref(), chosen(&expected));
}

#[test]
fn check_warns() {
    let now = SystemTime::now();
    let name = || HeaderName::from_static("x-a");
    let far = now + Duration::from_secs(8 * 24 * 3600);
    let sampled = |percent| {
        let rule = Rule::new("r", later()).sample(percent).unwrap();
        rule.sample_by("fact:user").unwrap()
    };
    let kinds = |rules: Vec<Rule>| -> Vec<(String, super::check::WarningKind)> {
        let warnings = Rules::new(rules).check(now);
        warnings.into_iter().map(|w| (w.rule, w.kind)).collect()
    };
    use super::check::WarningKind::{
        AllTraffic, ClientControlled, Expired, FarExpiry, Never, Sample as Sampled, Shadowed,
    };
    for (rule, kind) in [
        (
            Rule::new("r", now).when(When::new().fact("a", "b")),
            Some(Expired),
        ),
        (
            Rule::new("r", far).when(When::new().fact("a", "b")),
            Some(FarExpiry),
        ),
        (Rule::new("r", later()), Some(AllTraffic)),
        (sampled(0.0), Some(Sampled)),
        (
            Rule::new("r", later()).when(When::new().header(name(), "1")),
            Some(ClientControlled),
        ),
        (
            Rule::new("r", later()).when(When::new().any([When::new().cookie("a", "b")])),
            Some(ClientControlled),
        ),
        (
            Rule::new("r", later()).when(When::new().header(name(), "1").fact("a", "b")),
            None,
        ),
        (
            Rule::new("r", later()).when(When::new().fact("a", Text::absent())),
            Some(Never),
        ),
        (
            Rule::new("r", later()).when(When::new().any([])),
            Some(Never),
        ),
        (
            Rule::new("r", later()).when(When::new().fact("a", "b")),
            None,
        ),
        (Rule::new("r", later()).when(When::new().route("/a")), None),
    ] {
        let found = kinds(vec![rule.clone()]);
        let found: Vec<_> = found.into_iter().map(|(_, kind)| kind).collect();
        assert_eq!(found, Vec::from_iter(kind), "{rule:?}");
    }
    let all = Rule::new("all", far);
    let some = Rule::new("some", later()).when(When::new().route("/a"));
    let found = kinds(vec![all.clone(), some.clone()]);
    assert!(found.contains(&("some".to_owned(), Shadowed)), "{found:?}");
    let found = kinds(vec![some, all]);
    assert!(
        !found.iter().any(|(_, kind)| *kind == Shadowed),
        "{found:?}"
    );
    let text =
        Rules::new([Rule::new("r", later()).when(When::new().header(name(), "1"))]).check(now);
    assert!(
        text[0]
            .to_string()
            .starts_with("r: clients select themselves"),
        "{}",
        text[0]
    );
}

#[test]
fn errors_of_several_rules() {
    let rule = |name: &str, rest: &str| {
        format!("[[rule]]\nname = \"{name}\"\nexpires = 2100-01-01T00:00:00Z\n{rest}\n")
    };
    let text = [
        rule("good", "when = {}"),
        rule("first", "when = { methd = \"GET\" }"),
        rule("second", "when = {}\nmode = \"loud\""),
        rule("good too", "when = {}"),
        rule("third", ""),
    ];
    let error = Rules::from_toml(&text.concat()).unwrap_err();
    let all = std::iter::once(&error).chain(error.others());
    let found: Vec<_> = all.map(|e| (e.line.unwrap(), e.field.as_str())).collect();
    let expected = [
        (8, "rule[1].when.methd"),
        (13, "rule[2].mode"),
        (18, "rule[4]"),
    ];
    assert_eq!(found, expected, "{error}");
    let shown = error.in_file("rules.toml").to_string();
    for part in [
        "rules.toml:8:",
        "; rules.toml:13:",
        "; rules.toml:18:",
        "`when`",
    ] {
        assert!(shown.contains(part), "{shown}");
    }

    let json = r#"{"rule":[{"name":1},{"name":"b"}]}"#;
    let error = Rules::from_json(json).unwrap_err();
    assert_eq!(error.others()[0].field, "rule[1]");
    let value = serde_json::from_str(json).unwrap();
    let error = Rules::from_json_value(&value).unwrap_err();
    assert_eq!(error.others().len(), 1);
    // Where it is no TOML there are no rules to look at.
    assert!(Rules::from_toml("[[rule").unwrap_err().others().is_empty());

    let many = (0..30)
        .map(|n| rule(&n.to_string(), ""))
        .collect::<String>();
    let shown = Rules::from_toml(&many).unwrap_err().to_string();
    assert!(shown.ends_with("; and errors in 20 more rules"), "{shown}");
}
