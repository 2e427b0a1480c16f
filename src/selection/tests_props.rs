//! Properties of conditions, and of texts that are nearly rules.

use super::{
    tests_text::{ALL, SAMPLE},
    *,
};
use http::{HeaderName, HeaderValue, Method};
use proptest::prelude::*;
use std::time::SystemTime;

fn conditions() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::json!({ "method": "GET" })),
        "[ab]".prop_map(|v| serde_json::json!({ "header": { "x-a": v } })),
        "[ab]".prop_map(|v| serde_json::json!({ "query": { "q": v } })),
        "[ab]".prop_map(|v| serde_json::json!({ "fact": { "f": v } })),
        "[ab]".prop_map(|v| serde_json::json!({ "fact": { "g": v } })),
    ];
    leaf.prop_recursive(3, 16, 3, |inner| {
        let some = prop::collection::vec(inner.clone(), 1..4);
        prop_oneof![
            some.clone()
                .prop_map(|all| serde_json::json!({ "all": all })),
            some.prop_map(|any| serde_json::json!({ "any": any })),
            inner.prop_map(|not| serde_json::json!({ "not": not })),
        ]
    })
}

/// What a condition is by the definition: facts that are not there leave it open.
fn by_definition(
    when: &serde_json::Value,
    header: &str,
    query: &str,
    facts: &[Option<&str>],
) -> Option<bool> {
    let (kind, value) = when.as_object().unwrap().iter().next().unwrap();
    let each = || {
        value
            .as_array()
            .cloned()
            .unwrap_or_else(|| vec![value.clone()])
    };
    let parts = || {
        each()
            .iter()
            .map(|w| by_definition(w, header, query, facts))
            .collect::<Vec<_>>()
    };
    match kind.as_str() {
        "method" => Some(true),
        "header" => Some(value["x-a"] == header),
        "query" => Some(value["q"] == query),
        "fact" if value.get("f").is_some() => facts[0].map(|f| value["f"] == f),
        "fact" => facts[1].map(|g| value["g"] == g),
        "all" if parts().contains(&Some(false)) => Some(false),
        "all" => (!parts().contains(&None)).then_some(true),
        "any" if parts().contains(&Some(true)) => Some(true),
        "any" => (!parts().contains(&None)).then_some(false),
        _ => parts()[0].map(|holds| !holds),
    }
}

proptest! {
    /// At arrival and after each fact a rule selects exactly where its conditions
    /// are known to hold.
    #[test]
    fn conditions_are_as_defined(
        when in conditions(),
        header in "[ab]",
        query in prop_oneof![Just("a"), Just("b")],
        stated in prop::collection::vec((0..2_usize, prop_oneof![Just("a"), Just("b")]), 0..4),
    ) {
        let text = serde_json::json!({ "rule": [
            { "name": "r", "expires": "2100-01-01T00:00:00Z", "when": when.clone() },
        ]});
        let rules = Rules::from_json_value(&text).unwrap();
        let found = rules.check(SystemTime::now());
        let never = found.iter().any(|warning| warning.kind == super::check::WarningKind::Never);
        let steering = Steering::new().rules(rules);
        let mut request = super::tests::Request::new();
        request.headers.insert("x-a", header.parse().unwrap());
        let whole = format!("q={query}");
        request.query = Some(Box::leak(whole.into_boxed_str()));
        let mut pending = super::engine::Pending::default();
        let set = steering.set();
        let mut selected = set.evaluate(&request.arrival(), &mut pending).is_some();
        let mut known = [None, None];
        prop_assert_eq!(selected, by_definition(&when, &header, query, &known) == Some(true));
        let mut facts: Vec<(std::borrow::Cow<'static, str>, String)> = Vec::new();
        for (n, value) in stated {
            known[n] = Some(value);
            let name = ["f", "g"][n];
            facts.retain(|(other, _)| other != name);
            facts.push((name.into(), value.to_owned()));
            let raised = pending.evaluate(&facts, SystemTime::now()).is_some();
            let holds = by_definition(&when, &header, query, &known) == Some(true);
            prop_assert_eq!(raised, holds && !selected);
            selected |= raised;
        }
        prop_assert!(!(never && selected), "{when}");
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC*") {
        let _ = Rules::from_toml(&text);
        let _ = Rules::from_json(&text);
    }

    /// What is still read is written and read as the same, and selects what its
    /// explanation says.
    #[test]
    fn texts_that_were_changed(
        whole in prop_oneof![Just(SAMPLE), Just(ALL)],
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0..12_usize, "[a-z0-9\\[\\]{}=\",. \\n*/-]{0,3}"), 0..3),
    ) {
        // So that more than the one of now is selected.
        let mut text = whole.replace("2026-11-23T12", "2100-01-01T12").replace("/orders/{id}", "/");
        for (at, len, with) in changes {
            let chars: Vec<char> = text.chars().collect();
            let at = at.index(chars.len());
            let end = (at + len).min(chars.len());
            text = chars[..at].iter().chain(with.chars().collect::<Vec<_>>().iter()).chain(&chars[end..]).collect();
        }
        if let Ok(rules) = Rules::from_toml(&text) {
            let written = serde_json::to_string(&rules).unwrap();
            prop_assert_eq!(Rules::from_json(&written), Ok(rules.clone()), "{}", written);
            let _ = rules.check(SystemTime::now());
            let mut request = Described::new(Method::POST, "/a/7?debug=1".parse().unwrap()).route("/");
            for (name, value) in [("host", "example.org:80"), ("cookie", "sid=a"), ("x-a", "one"), ("x-user", "u")] {
                let name = HeaderName::from_static(name);
                request = request.header(name, HeaderValue::from_static(value));
            }
            for facts in [&[][..], &[("tenant", "acme"), ("user", "u"), ("client.address", "192.0.2.1")]] {
                for (name, value) in facts {
                    request = request.fact(*name, *value);
                }
                let why = rules.why(&request);
                let steering = Steering::new().rules(rules.clone());
                let chosen = super::tests::chosen(&why);
                let selected = steering.selects(&request);
                prop_assert_eq!(selected.as_deref(), chosen, "{}", written);
            }
        }
    }
}
