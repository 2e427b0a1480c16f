//! Conditions, order, facts and samples, as requests meet them.

use super::{
    engine::{Arrival, Pending},
    *,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use std::{
    borrow::Cow,
    sync::Arc,
    time::{Duration, SystemTime},
};

/// A request as the tests describe it.
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) query: Option<&'static str>,
    pub(super) uri_host: Option<&'static str>,
    pub(super) route: Option<&'static str>,
    pub(super) headers: HeaderMap,
    pub(super) client: Option<std::net::IpAddr>,
    pub(super) at: SystemTime,
    pub(super) facts: Vec<(Cow<'static, str>, String)>,
}

impl Request {
    pub(super) fn new() -> Self {
        Self {
            method: Method::GET,
            path: "/",
            query: None,
            uri_host: None,
            route: None,
            headers: HeaderMap::new(),
            client: None,
            at: SystemTime::now(),
            facts: Vec::new(),
        }
    }

    fn with(header: &'static str, value: &str) -> Self {
        let mut request = Self::new();
        request.add(header, value);
        request
    }

    fn add(&mut self, header: &'static str, value: &str) {
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        self.headers.append(header, value);
    }

    pub(super) fn arrival(&self) -> Arrival<'_> {
        Arrival {
            method: &self.method,
            path: self.path,
            query: self.query,
            uri_host: self.uri_host,
            route: self.route,
            headers: &self.headers,
            client: self.client.map(Into::into),
            seen: engine::Seen::default(),
            correlation_id: "0b1e5f0e-7c8a-4b52-9f0f-6b3f7a1d2c3e",
            at: self.at,
            facts: &self.facts,
        }
    }

    fn selected(&self, steering: &Steering) -> (Option<String>, Pending) {
        let mut pending = Pending::default();
        let set = steering.set();
        let selected = set.evaluate(&self.arrival(), &mut pending);
        (selected.map(|s| s.by.clone()), pending)
    }
}

pub(super) fn later() -> SystemTime {
    SystemTime::now() + Duration::from_secs(3600)
}

fn steering(rules: impl IntoIterator<Item = Rule>) -> Steering {
    Steering::new().rules(Rules::new(rules))
}

/// The rule that selects the request, as an explanation has it.
pub(super) fn chosen(why: &[Why]) -> Option<&str> {
    let selects = why.iter().find(|why| why.selects());
    selects.map(|why| why.name.as_str())
}

fn by(steering: &Steering, request: &Request) -> Option<String> {
    request.selected(steering).0
}

/// Whether these conditions hold for the request, also as one of two and denied twice.
fn holds(when: When, request: &Request) -> bool {
    let alone = steering([Rule::new("alone", later()).when(when.clone())]);
    let twice = When::new().not(When::new().not(when.clone()));
    let twice = steering([Rule::new("twice", later()).when(twice)]);
    let other = When::new().header(HeaderName::from_static("x-none"), "none");
    let either = steering([Rule::new("either", later()).when(When::new().any([other, when]))]);
    let holds = by(&alone, request).is_some();
    assert_eq!(holds, by(&either, request).is_some());
    assert_eq!(holds, by(&twice, request).is_some());
    holds
}

/// As many as are taken apart once for all rules, and more.
#[test]
fn many_cookies_and_keys() {
    for n in [1, 15, 16, 17, 40] {
        let pairs = |between: &str| {
            let all = (0..n).map(|n| format!("k{n}=v{n}"));
            all.collect::<Vec<_>>().join(between)
        };
        let mut request = Request::with("cookie", &pairs("; "));
        request.query = Some(Box::leak(pairs("&").into_boxed_str()));
        let (last, value) = (format!("k{}", n - 1), format!("v{}", n - 1));
        for (name, value, expected) in [
            ("k0", "v0", true),
            (&*last, &*value, true),
            (&*last, "v", false),
            ("k40", "v40", false),
        ] {
            let cookie = When::new().cookie(name, value);
            assert_eq!(holds(cookie, &request), expected, "{n} cookies: {name}");
            let query = When::new().query(name, value);
            assert_eq!(holds(query, &request), expected, "{n} keys: {name}");
        }
    }
}

#[test]
fn conditions_expiry_order_and_facts() {
    let now = SystemTime::now();
    let rules = steering([
        Rule::new("over", now),
        Rule::new("not yet", later()).from(now + Duration::from_secs(60)),
        Rule::new("tenant", later()).when(When::new().fact("tenant", "acme")),
        Rule::new("posts", later()).when(
            When::new()
                .method(Method::POST)
                .route("/orders/{id}")
                .path_prefix("/orders/")
                .header(HeaderName::from_static("x-debug"), "yes"),
        ),
        Rule::new("after", later()).when(When::new().fact("tenant", "acme")),
    ]);
    let mut request = Request::with("x-debug", "yes");
    request.method = Method::POST;
    request.path = "/orders/1";
    request.route = Some("/orders/{id}");
    request.at = now;
    assert_eq!(by(&rules, &request).as_deref(), Some("posts"));
    request.method = Method::GET;
    let (selected, mut pending) = request.selected(&rules);
    assert_eq!(selected, None);
    let stated = |value: &str| [("tenant".into(), value.to_owned())];
    assert!(pending.evaluate(&stated("other"), now).is_none());
    let raised = pending.evaluate(&stated("acme"), now).unwrap();
    assert_eq!(raised.by, "tenant");
    assert!(pending.is_empty(), "what comes after it waits no longer");
    request.facts = stated("acme").into();
    assert_eq!(
        by(&rules, &request).as_deref(),
        Some("tenant"),
        "stated before"
    );
    request.at = now + Duration::from_secs(7200);
    request.facts.clear();
    let (selected, mut pending) = request.selected(&rules);
    assert_eq!(selected, None);
    let raised = pending.evaluate(&stated("acme"), request.at);
    assert!(raised.is_none(), "all are over");
}

#[test]
fn each_condition() {
    let request = Request::new;
    let w = When::new;
    let mut post = request();
    post.method = Method::POST;
    assert!(holds(w().method(Method::GET).method(Method::POST), &post));
    assert!(!holds(w().method(Method::GET), &post));
    let own = Method::from_bytes(b"PURGE").unwrap();
    assert!(!holds(w().method(own.clone()), &post));
    post.method = own.clone();
    assert!(holds(w().method(own), &post));

    let mut routed = request();
    routed.route = Some("/orders/{id}");
    routed.path = "/orders/7";
    assert!(holds(w().route("/other").route("/orders/{id}"), &routed));
    assert!(!holds(w().route("/orders/{ID}"), &routed));
    assert!(!holds(w().route("/orders/{id}"), &request()));
    assert!(holds(w().path("/orders/*").unwrap(), &routed));
    assert!(!holds(w().path("/orders").unwrap(), &routed));
    assert!(holds(w().path_prefix("/or"), &routed));
    assert!(!holds(w().path_prefix("/or").path_prefix("/x"), &routed));

    for host in ["Example.org", "example.org:8080", "EXAMPLE.ORG:"] {
        assert!(
            holds(w().host("example.ORG"), &Request::with("host", host)),
            "{host}"
        );
    }
    assert!(!holds(
        w().host("example.org"),
        &Request::with("host", "example.org.evil")
    ));
    // Other spellings of the same hosts.
    for (rule, host) in [
        ("example.org", "example.org.:8080"),
        ("Example.org.:80", "example.org"),
        ("münchen.de", "XN--mnchen-3ya.de:443"),
        ("2001:db8:0::A", "[2001:db8::a]:80"),
        ("[2001:db8::a]", "[2001:DB8:0:0:0:0:0:A]"),
    ] {
        assert!(
            holds(w().host(rule), &Request::with("host", host)),
            "{rule} {host}"
        );
    }
    assert!(holds(w().host("[::1]"), &Request::with("host", "[::1]:80")));
    assert!(holds(w().host("[::1]"), &Request::with("host", "[::1]")));
    let mut uri = Request::with("host", "other");
    uri.uri_host = Some("example.org");
    assert!(holds(w().host(Text::prefix("EXAMPLE.")), &uri));

    let name = || HeaderName::from_static("x-a");
    let mut twice = Request::with("x-a", "one");
    twice.add("x-a", "two");
    for text in [
        Text::equals("two"),
        Text::one_of(["zero", "two"]),
        Text::prefix("tw"),
        Text::present(),
    ] {
        assert!(holds(w().header(name(), text.clone()), &twice), "{text}");
        assert!(
            !holds(w().header(name(), text.clone()), &request()),
            "{text}"
        );
    }
    assert!(
        !holds(w().header(name(), "TWO"), &twice),
        "values have a case"
    );
    assert!(holds(w().header(name(), Text::absent()), &request()));
    assert!(!holds(w().header(name(), Text::absent()), &twice));

    let mut query = request();
    query.query = Some("a=1&b=x%20y&b=+z&flag&%63=d");
    assert!(holds(w().query("a", "1"), &query));
    assert!(holds(w().query("b", "x y"), &query));
    assert!(holds(w().query("b", " z"), &query));
    assert!(holds(w().query("flag", ""), &query));
    assert!(holds(w().query("flag", Text::present()), &query));
    assert!(holds(w().query("c", "d"), &query));
    assert!(!holds(w().query("a", "2"), &query));
    assert!(holds(w().query("d", Text::absent()), &query));
    assert!(!holds(w().query("a", Text::absent()), &query));

    let mut cookies = Request::with("cookie", "a=1; b = x=y ;c");
    cookies.add("cookie", "d=4");
    assert!(holds(w().cookie("a", "1").cookie("d", "4"), &cookies));
    assert!(holds(w().cookie("b", "x=y"), &cookies));
    assert!(!holds(w().cookie("a", "4"), &cookies));
    assert!(holds(w().cookie("z", Text::absent()), &cookies));

    let mut client = request();
    let network = "10.0.0.0/8";
    assert!(!holds(w().client(network).unwrap(), &client));
    client.client = Some("10.1.2.3".parse().unwrap());
    assert!(holds(w().client(network).unwrap(), &client));
    client.client = Some("11.1.2.3".parse().unwrap());
    assert!(!holds(w().client(network).unwrap(), &client));

    let json = Request::with("content-type", "Application/JSON; charset=utf-8");
    assert!(holds(w().content_type("application/json"), &json));
    assert!(holds(
        w().content_type("text/plain").content_type("application/*"),
        &json
    ));
    assert!(!holds(w().content_type("app/*"), &json));
    assert!(!holds(w().content_type("application/json"), &request()));
}

#[test]
fn combinations() {
    let w = When::new;
    let a = || HeaderName::from_static("x-a");
    let request = Request::with("x-a", "1");
    let yes = || w().header(a(), "1");
    let no = || w().header(a(), "2");
    assert!(holds(w().any([no(), yes()]), &request));
    assert!(!holds(w().any([no(), no()]), &request));
    assert!(!holds(w().any([]), &request), "one of none");
    let none: [&str; 0] = [];
    assert!(!holds(w().header(a(), Text::one_of(none)), &request));
    assert!(!holds(w().any([yes()]).any([no()]), &request), "both");
    assert!(!holds(w().not(yes()), &request));
    assert!(holds(w().not(no()).not(no()), &request));
    assert!(!holds(w().not(no()).not(yes()), &request));
    assert!(!holds(yes().and(no()), &request));
    assert!(holds(
        yes().and(yes().any([no(), yes().not(no())])),
        &request
    ));
    assert!(
        !holds(yes().header(a(), "2"), &request),
        "both, of one name"
    );
    assert!(holds(w(), &request), "no condition is all traffic");
}

#[cfg(feature = "config")]
#[test]
fn expressions_match_whole_values() {
    let is = |expression: &str, value: &str| {
        let text = Text::regex(expression).unwrap();
        let name = HeaderName::from_static("x-a");
        holds(When::new().header(name, text), &Request::with("x-a", value))
    };
    assert!(is("a|b", "a") && is("a|b", "b") && is("[0-9]{3}", "123"));
    assert!(!is("a|b", "ab") && !is("a", "a\u{e9}") && !is("^a", "ab"));
    assert!(is("a+", &"a".repeat(8 * 1024)));
    assert!(!is("a+", &"a".repeat(8 * 1024 + 1)), "too long");
    for bad in ["a)|(b", "(", "a{1000}{1000}", &"(".repeat(100)] {
        assert!(Text::regex(bad).is_err(), "{bad}");
    }
}

/// An open condition stays open, whatever is around it.
#[test]
fn facts_that_are_not_stated() {
    let w = When::new;
    let acme = || w().fact("tenant", "acme");
    let name = HeaderName::from_static("x-a");
    let rules = |when: When| steering([Rule::new("rule", later()).when(when)]);
    let stated = |facts: &[(&'static str, &str)]| -> Vec<(Cow<'static, str>, String)> {
        let owned = |(n, v): &(&'static str, &str)| ((*n).into(), (*v).to_owned());
        facts.iter().map(owned).collect()
    };
    let now = SystemTime::now();
    let request = Request::with("x-a", "1");

    // All but one tenant: nothing is known before there is a tenant.
    let (selected, mut pending) = request.selected(&rules(w().not(acme())));
    assert!(selected.is_none());
    assert!(pending.evaluate(&stated(&[("user", "u")]), now).is_none());
    assert!(
        pending
            .evaluate(&stated(&[("tenant", "acme")]), now)
            .is_none()
    );
    assert!(
        pending
            .evaluate(&stated(&[("tenant", "other")]), now)
            .is_some()
    );

    // What was known when it came is remembered.
    let mixed = |value: &str| {
        let header = w().header(name.clone(), value);
        w().any([
            header.and(acme()),
            w().fact("user", "u").not(w().header(name.clone(), "2")),
        ])
    };
    let evaluate = |value: &str, facts: &[(&'static str, &str)]| {
        let (selected, mut pending) = request.selected(&rules(mixed(value)));
        assert!(selected.is_none());
        pending.evaluate(&stated(facts), now).is_some()
    };
    assert!(evaluate("1", &[("tenant", "acme")]));
    assert!(!evaluate("2", &[("tenant", "acme")]));
    assert!(evaluate("2", &[("tenant", "acme"), ("user", "u")]));
    // It is decided by what is known.
    let either = w().any([acme(), w().header(name.clone(), "1")]);
    assert!(by(&rules(either), &request).is_some());
    // A rule that ends meanwhile.
    let (_, mut pending) = request.selected(&rules(acme()));
    let after = now + Duration::from_secs(7200);
    assert!(
        pending
            .evaluate(&stated(&[("tenant", "acme")]), after)
            .is_none()
    );
}

#[test]
fn by_address_that_is_a_fact() {
    let network = Text::network(["192.0.2.0/24"]).unwrap();
    let rules =
        steering([Rule::new("office", later()).when(When::new().fact("client.address", network))]);
    let mut request = Request::new();
    for (address, is) in [("192.0.2.7", true), ("192.0.3.7", false), ("x", false)] {
        request.facts = vec![("client.address".into(), address.to_owned())];
        assert_eq!(by(&rules, &request).is_some(), is, "{address}");
    }
}

#[test]
fn keys_of_samples() {
    let rules = |key: &str| {
        let rule = Rule::new("sampled", later()).sample(100.0).unwrap();
        steering([rule.sample_by(key).unwrap()])
    };
    let mut request = Request::with("x-user", "u");
    request.add("cookie", "sid=1; two=1; two=2");
    request.query = Some("k=%41&empty=");
    request.client = Some("::ffff:10.0.0.1".parse().unwrap());
    for key in [
        "correlation_id",
        "header:x-user",
        "cookie:sid",
        "query:k",
        "client",
    ] {
        assert!(by(&rules(key), &request).is_some(), "{key}");
    }
    for key in [
        "header:x-other",
        "cookie:two",
        "query:empty",
        "query:z",
        "fact:user",
    ] {
        assert!(by(&rules(key), &request).is_none(), "{key}");
    }
    let (_, mut pending) = request.selected(&rules("fact:user"));
    let facts = [("user".into(), "u".to_owned())];
    assert!(pending.evaluate(&facts, SystemTime::now()).is_some());
    for bad in ["", "user", "fact:", "header:a b", "client:x"] {
        let rule = Rule::new("sampled", later());
        assert!(rule.sample_by(bad).is_err(), "{bad}");
    }
    for bad in [-0.1, 100.1, f64::NAN, f64::INFINITY] {
        let rule = Rule::new("sampled", later());
        assert!(rule.sample(bad).is_err(), "{bad}");
    }
}

/// As many as there may be.
#[test]
fn a_hundred_rules_in_order() {
    let rule = |n: usize| {
        let rule = Rule::new(format!("{n}"), later());
        match n % 4 {
            0 => {
                rule.when(When::new().header(HeaderName::from_static("x-n"), format!("{}", n / 4)))
            }
            1 => rule.when(When::new().path(&format!("/{}/*", n / 4)).unwrap()),
            2 => rule.when(When::new().fact("n", format!("{}", n / 4))),
            _ => rule.when(When::new().query("n", format!("{}", n / 4))),
        }
    };
    let rules = steering((0..100).map(rule));
    for n in [0, 1, 12, 24] {
        let mut request = Request::with("x-n", &n.to_string());
        assert_eq!(by(&rules, &request), Some((4 * n).to_string()));
        request.headers.clear();
        request.path = Box::leak(format!("/{n}/x").into_boxed_str());
        assert_eq!(by(&rules, &request), Some((4 * n + 1).to_string()));
        request.path = "/";
        request.query = Some(Box::leak(format!("n={n}").into_boxed_str()));
        let (selected, mut pending) = request.selected(&rules);
        assert_eq!(selected, Some((4 * n + 3).to_string()));
        let facts = [("n".into(), n.to_string())];
        let raised = pending.evaluate(&facts, SystemTime::now()).unwrap();
        assert_eq!(raised.by, (4 * n + 2).to_string());
    }
}

/// Whatever they wait for, and in whatever order it comes.
#[test]
fn rules_that_only_wait_are_found_in_order() {
    let rule = |n: usize| {
        let rule = Rule::new(format!("{n}"), later());
        match n {
            0 => rule.when(When::new().fact("user", Text::prefix("ad"))),
            1 => rule.when(When::new().fact("tenant", Text::one_of(["a", "A", "b"]))),
            2 => rule.when(When::new().fact("plan", "x").fact("tenant", "c")),
            3 => rule
                .when(When::new().fact("tenant", "c"))
                .from(later() - Duration::from_secs(1)),
            4 => rule.when(When::new().path("/none").unwrap().fact("tenant", "c")),
            5 => rule.when(When::new().path("/**").unwrap().fact("plan", "y")),
            6 => rule.when(
                When::new()
                    .fact("tenant", "c")
                    .fact("plan", Text::present()),
            ),
            7 => rule.when(When::new().fact("user", "u")),
            8 => rule.when(When::new().fact("plan", Text::absent())),
            _ => rule.sample_by("fact:user").unwrap(),
        }
    };
    let rules = Rules::new((0..10).map(rule));
    let steering = Steering::new().rules(rules.clone());
    let request = Request::new();
    let values = |name: &'static str, values: &[&'static str]| -> Vec<_> {
        let some = values.iter().map(|value| Some((name, *value)));
        some.chain([None]).collect()
    };
    let (tenants, plans, users) = (
        values("tenant", &["a", "A", "b", "c", "d"]),
        values("plan", &["x", "y", "z"]),
        values("user", &["admin", "u", "other", ""]),
    );
    let mut seen = std::collections::HashSet::new();
    for (tenant, plan) in tenants
        .iter()
        .flat_map(|t| plans.iter().map(move |p| (t, p)))
    {
        for user in &users {
            for turn in 0..3 {
                let mut order = [*tenant, *plan, *user];
                order.rotate_left(turn);
                let mut described = Described::new(Method::GET, "/".parse().unwrap());
                let (mut by, mut pending) = request.selected(&steering);
                let mut facts = Vec::new();
                for (name, value) in order.into_iter().flatten() {
                    described = described.fact(name, value);
                    facts.push((name.into(), value.to_owned()));
                    if let Some(raised) = pending.evaluate(&facts, SystemTime::now()) {
                        by = Some(raised.by.clone());
                    }
                }
                let why = rules.why(&described);
                assert_eq!(by.as_deref(), chosen(&why), "{order:?}");
                seen.insert(by);
            }
        }
    }
    let missing = ["3", "4", "8"].map(|name| Some(name.to_owned()));
    assert!(missing.iter().all(|by| !seen.contains(by)));
    assert_eq!(seen.len(), 10 - missing.len() + 1, "{seen:?}");
}

#[test]
fn a_pending_request_keeps_the_set_it_began_with() {
    let steering = Steering::new();
    let slot = steering.slot("test");
    let rules =
        |name: &str| Rules::new([Rule::new(name, later()).when(When::new().fact("a", "1"))]);
    slot.set(rules("old"));
    let (_, mut pending) = Request::new().selected(&steering);
    slot.set(rules("new"));
    let facts = [("a".into(), "1".to_owned())];
    let selected = pending.evaluate(&facts, SystemTime::now()).unwrap();
    assert_eq!(selected.by, "old");
}

/// Whatever source a rule comes from, and however often the set changes.
#[test]
fn rules_of_one_name_and_end_spend_one_budget() {
    let end = later();
    let mut budget = Budget::unlimited();
    budget.total = Some(2);
    let rules = |names: &[&str]| {
        let rule = |name: &&str| Rule::new(*name, end).budget(budget);
        Rules::new(names.iter().map(rule))
    };
    let steering = Steering::new();
    let (one, other) = (steering.slot("one"), steering.slot("other"));
    one.set(rules(&["a"]));
    other.set(rules(&["a", "b"]));
    let admit = |n: usize| {
        let set = steering.set();
        let selected = Arc::clone(set.entries()[n].selected());
        matches!(selected.admit(), engine::Admission::Granted(_))
    };
    assert!(admit(0) && admit(1));
    assert!(!admit(0) && !admit(1) && admit(2));
    one.set(rules(&[]));
    assert!(!admit(0) && admit(1));
}

/// Which can only be made in code.
#[test]
fn more_conditions_than_a_rule_may_have() {
    let many = (0..65).map(|n| When::new().query(n.to_string(), Text::absent()));
    let when = many.fold(When::new(), When::and);
    let rules = Rules::new([Rule::new("many", later()).when(when)]);
    let described = Described::new(Method::GET, "/".parse().unwrap());
    let why = rules.why(&described);
    assert_eq!(chosen(&why), None);
    assert_eq!(why[0].fails, ["it has more than 64 conditions"]);
    assert_eq!(Steering::new().rules(rules).selects(&described), None);
}

#[test]
fn rules_can_be_rebuilt_with_their_problem() {
    let all = [Rule::new("a", later()), Rule::new("b", later())];
    let rules = Rules::new(all).with_problem("half of it is wrong");
    let some = Rules::new(rules.iter().filter(|rule| rule.name == "b").cloned());
    assert_eq!(some.problem(), None);
    let some = match rules.problem() {
        Some(problem) => some.with_problem(problem),
        None => some,
    };
    let steering = Steering::new();
    steering.set_rules("remote", some);
    let status = steering.status();
    assert_eq!(status.problem_of("remote"), Some("half of it is wrong"));
    // The text of the rules does not have it.
    let text = serde_json::to_string(&rules).unwrap();
    assert_eq!(serde_json::from_str::<Rules>(&text).unwrap(), rules);
}

/// A question that panics costs no later one.
#[test]
fn a_source_that_panics_is_asked_again() {
    struct Panicking(u8);

    impl RuleSource for Panicking {
        fn name(&self) -> String {
            "panicking".to_owned()
        }

        fn poll(&mut self) -> Result<Option<Rules>, Box<dyn std::error::Error + Send + Sync>> {
            self.0 += 1;
            match self.0 {
                1 => panic!("at first"),
                _ => Ok(Some(Rules::new([Rule::new("late", later())]))),
            }
        }

        fn interval(&self) -> Duration {
            panic!("always")
        }
    }

    let steering = Steering::new().source(Panicking(0)).unwrap();
    let problem = steering.status().sources[0].problem.clone();
    assert_eq!(problem.as_deref(), Some("the source panicked"));
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while steering.in_use().is_empty() {
        assert!(std::time::Instant::now() < deadline, "asked again");
        std::thread::yield_now();
    }
}

#[test]
fn a_source_s_error_is_reported_with_its_causes() {
    #[derive(Debug)]
    struct Unreachable(std::io::Error);

    impl std::fmt::Display for Unreachable {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("cannot fetch the rules")
        }
    }

    impl std::error::Error for Unreachable {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }

    /// Its cause is itself.
    #[derive(Debug)]
    struct Endless;

    impl std::fmt::Display for Endless {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("again")
        }
    }

    impl std::error::Error for Endless {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(self)
        }
    }

    struct Failing<F>(F);

    impl<F, E> RuleSource for Failing<F>
    where
        F: FnMut() -> E + Send + 'static,
        E: std::error::Error + Send + Sync + 'static,
    {
        fn name(&self) -> String {
            "remote".to_owned()
        }

        fn poll(&mut self) -> Result<Option<Rules>, Box<dyn std::error::Error + Send + Sync>> {
            Err((self.0)().into())
        }
    }

    let refused = || Unreachable(std::io::Error::other("connection refused"));
    let status = Steering::new().source(Failing(refused)).unwrap().status();
    assert_eq!(
        status.problem_of("remote"),
        Some("cannot fetch the rules: connection refused")
    );
    let status = Steering::new()
        .source(Failing(|| Endless))
        .unwrap()
        .status();
    assert!(status.problem_of("remote").unwrap().len() < 1000);
}

#[test]
fn directives_must_say_something() {
    use tracing::level_filters::LevelFilter;
    for bad in [
        "",
        " ",
        ",",
        "debug,",
        "a=b=c",
        "a=",
        "=debug",
        "info, my app=debug",
        "a[span]=debug",
        "a=louder",
        &"a=debug,".repeat(10_000),
    ] {
        let error = bad.parse::<Directives>().unwrap_err().to_string();
        assert!(error.len() < 300, "{error}");
    }
    let error = "info,my_app=louder".parse::<Directives>().unwrap_err();
    assert!(error.to_string().contains("\"my_app=louder\""), "{error}");
    for (good, max) in [
        ("info, my_app=debug", LevelFilter::DEBUG),
        ("my_app", LevelFilter::TRACE),
        ("off", LevelFilter::OFF),
        ("warn,my_app::db=3", LevelFilter::INFO),
    ] {
        let directives: Directives = good.parse().unwrap();
        assert_eq!(directives.max_level(), max, "{good}");
    }
    let d: Directives = "info,my_app=trace".parse().unwrap();
    assert_eq!(d.max_level(), LevelFilter::TRACE);
    assert_eq!(
        "debug".parse::<Directives>().unwrap().max_level(),
        LevelFilter::DEBUG
    );
}

/// What somebody pushes is one source, found by its name.
#[test]
fn pushed_rules_and_problems() {
    let steering = Steering::new();
    let rule = |name: &str| Rules::new([Rule::new(name, later())]);
    let names = || {
        let rules = steering.in_use();
        let names = rules.iter().map(|rule| rule.name().to_owned());
        names.collect::<Vec<_>>()
    };
    steering.set_rules("one", rule("a"));
    steering.set_rules("two", rule("b"));
    steering.set_rules("one", rule("c"));
    assert_eq!(names(), ["c", "b"]);

    steering.set_problem("one", "it is down");
    assert_eq!(names(), ["c", "b"], "those from before stay");
    let status = steering.status();
    assert_eq!(status.sources().collect::<Vec<_>>(), ["one", "two"]);
    assert_eq!(status.problem_of("one"), Some("it is down"));
    assert_eq!(
        (status.problem_of("two"), status.rules_of("two")),
        (None, 1)
    );
    assert_eq!(status.rules_of("none"), 0);

    steering.set_rules("one", rule("d").with_problem("a part of it"));
    assert_eq!(names(), ["d", "b"]);
    assert_eq!(steering.status().problem_of("one"), Some("a part of it"));
    steering.set_rules("one", rule("d"));
    assert_eq!(steering.status().problem_of("one"), None);
    let json = serde_json::to_value(steering.status()).unwrap();
    assert_eq!(json["sources"][1]["name"], "two");
    assert_eq!(json["off_by"], serde_json::Value::Null);
}

/// The word of a warning is that of its JSON.
#[test]
fn kinds_of_warnings_are_those_of_json() {
    use super::check::WarningKind::{
        AllTraffic, Budget, ClientControlled, Condition, Expired, FarExpiry, Never, NoClient,
        NoFact, NoRoute, Sample, Shadowed, Verbose, Work,
    };
    let rule = Rule::new("all", later());
    for kind in [
        AllTraffic,
        Budget,
        ClientControlled,
        Condition,
        Expired,
        FarExpiry,
        Never,
        NoClient,
        NoFact,
        NoRoute,
        Sample,
        Shadowed,
        Verbose,
        Work,
    ] {
        let warning = Warning::new(&rule, kind, String::new());
        let json = serde_json::to_value(&warning).unwrap();
        assert_eq!(json["kind"], warning.kind());
    }
}
