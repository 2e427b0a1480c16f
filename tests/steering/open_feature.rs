//! Rules from flags of an in-memory provider that works, is slow, is gone, or returns garbage.

use dashcam::{
    open_feature::FlagRules,
    selection::{Described, Rule, Steering, When},
};
use http::Method;
use open_feature::{
    Client, EvaluationContext, EvaluationError, EvaluationErrorCode, EvaluationResult, OpenFeature,
    StructValue, Value,
    provider::{FeatureProvider, ProviderMetadata, ResolutionDetails},
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant, SystemTime},
};

const SOON: Duration = Duration::from_millis(2);

/// How the provider responds to a query of a flag.
#[derive(Clone)]
enum Does {
    Says(Value),
    Fails(EvaluationErrorCode),
    Hangs,
    Panics,
}

#[derive(Clone, Default)]
struct InMemory(Arc<Mutex<HashMap<String, Does>>>);

impl InMemory {
    fn set(&self, flag: &str, does: Does) {
        self.0.lock().unwrap().insert(flag.to_owned(), does);
    }

    fn says(&self, flag: &str, value: impl Into<Value>) {
        self.set(flag, Does::Says(value.into()));
    }

    async fn resolve<T>(
        &self,
        flag: &str,
        is: impl Fn(Value) -> Option<T>,
    ) -> EvaluationResult<ResolutionDetails<T>> {
        let does = self.0.lock().unwrap().get(flag).cloned();
        let error = |code| {
            EvaluationError::builder()
                .code(code)
                .message("as told")
                .build()
        };
        match does.unwrap_or(Does::Fails(EvaluationErrorCode::FlagNotFound)) {
            Does::Says(value) => is(value)
                .map(ResolutionDetails::new)
                .ok_or_else(|| error(EvaluationErrorCode::TypeMismatch)),
            Does::Fails(code) => Err(error(code)),
            Does::Hangs => std::future::pending().await,
            Does::Panics => panic!("a provider that panics"),
        }
    }
}

struct Provider(InMemory, ProviderMetadata);

#[open_feature::async_trait]
impl FeatureProvider for Provider {
    fn metadata(&self) -> &ProviderMetadata {
        &self.1
    }

    async fn resolve_bool_value(
        &self,
        flag: &str,
        _: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<bool>> {
        self.0.resolve(flag, |value| value.as_bool()).await
    }

    async fn resolve_int_value(
        &self,
        flag: &str,
        _: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<i64>> {
        self.0.resolve(flag, |value| value.as_i64()).await
    }

    async fn resolve_float_value(
        &self,
        flag: &str,
        _: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<f64>> {
        self.0.resolve(flag, |value| value.as_f64()).await
    }

    async fn resolve_string_value(
        &self,
        flag: &str,
        _: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<String>> {
        self.0
            .resolve(flag, |value| value.as_str().map(str::to_owned))
            .await
    }

    async fn resolve_struct_value(
        &self,
        flag: &str,
        _: &EvaluationContext,
    ) -> Result<ResolutionDetails<StructValue>, EvaluationError> {
        self.0
            .resolve(flag, |value| value.as_struct().cloned())
            .await
    }
}

/// A client of a provider of its own.
fn client(name: &str) -> (InMemory, Client) {
    let flags = InMemory::default();
    let provider = Provider(flags.clone(), ProviderMetadata::new("in memory"));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let client = runtime.block_on(async {
        OpenFeature::singleton_mut()
            .await
            .set_named_provider(name, provider)
            .await;
        OpenFeature::singleton().await.create_named_client(name)
    });
    (flags, client)
}

fn object(json: &serde_json::Value) -> StructValue {
    let Value::Struct(value) = flag(json) else {
        panic!("{json}");
    };
    value
}

fn flag(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Bool(is) => Value::Bool(*is),
        // As providers with a single type of numbers do.
        serde_json::Value::Number(n) => Value::Float(n.as_f64().unwrap()),
        serde_json::Value::String(text) => Value::String(text.clone()),
        serde_json::Value::Array(all) => Value::Array(all.iter().map(flag).collect()),
        serde_json::Value::Object(all) => Value::Struct(StructValue {
            fields: all.iter().map(|(k, v)| (k.clone(), flag(v))).collect(),
        }),
        serde_json::Value::Null => panic!("no flag"),
    }
}

fn rules(name: &str, expires: &str) -> StructValue {
    object(&serde_json::json!({ "rule": [{
        "name": name,
        "expires": expires,
        "when": { "path": "/x" },
        "sample": { "percent": 100, "by": "correlation_id" },
        "budget": { "per_second": 5 },
    }] }))
}

const FAR: &str = "2100-01-01T00:00:00Z";

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

struct Fixture {
    flags: InMemory,
    steering: Steering,
}

impl Fixture {
    fn new(name: &str, more: impl FnOnce(FlagRules) -> FlagRules) -> Self {
        let (flags, client) = client(name);
        let source = more(
            FlagRules::new(client)
                .every(SOON)
                .timeout(Duration::from_millis(200)),
        );
        let steering = Steering::new().source(source).unwrap();
        Self { flags, steering }
    }

    fn names(&self) -> Vec<String> {
        let rules = self.steering.in_use();
        rules.iter().map(|rule| rule.name().to_owned()).collect()
    }

    fn problem(&self) -> String {
        let status = self.steering.status();
        let name = status.sources().next().unwrap();
        status.problem_of(name).unwrap_or_default().to_owned()
    }

    fn selected(&self) -> Option<String> {
        let request = Described::new(Method::GET, "/x".parse().unwrap()).correlation_id("1");
        let why = self.steering.why(&request).into_iter();
        let mut selected = why.filter(dashcam::selection::Why::selects);
        selected.next().map(|why| why.name)
    }

    #[track_caller]
    fn until_names(&self, names: &[&str]) {
        until(&format!("{names:?}"), || self.names() == names);
    }

    #[track_caller]
    fn until_problem(&self, part: &str) {
        until(part, || self.problem().contains(part));
    }
}

#[test]
fn an_object_and_a_text() {
    let fixture = Fixture::new("object", |f| f.rules("set").rules_text("text"));
    fixture.until_problem("flag set: FLAG_NOT_FOUND: as told; flag text: FLAG_NOT_FOUND");
    fixture.flags.says("set", rules("one", FAR));
    fixture.until_names(&["one"]);
    assert_eq!(fixture.selected().unwrap(), "one");
    fixture.until_problem("flag text");
    let toml = format!("[[rule]]\nname = \"two\"\nexpires = {FAR}\nwhen = {{}}\n");
    fixture.flags.says("text", toml.as_str());
    fixture.until_names(&["one", "two"]);
    until("no problem", || fixture.problem().is_empty());
    let json = format!(r#" {{"rule":[{{"name":"three","expires":"{FAR}","when":{{}}}}]}}"#);
    fixture.flags.says("text", json.as_str());
    fixture.until_names(&["one", "three"]);
    fixture.flags.says("set", StructValue::default());
    fixture.until_names(&["three"]);
    fixture.flags.says("text", "");
    fixture.until_names(&[]);
    assert_eq!(fixture.problem(), "");
}

#[test]
fn what_is_larger_than_a_file_may_be_is_refused() {
    let fixture = Fixture::new("large", |f| f.rules("set").rules_text("text"));
    fixture.flags.says("set", rules("set", FAR));
    fixture.flags.says("text", "");
    fixture.until_names(&["set"]);
    let long = "x".repeat(1024 * 1024);
    fixture.flags.says("set", rules(&long, FAR));
    fixture.until_problem("flag set: it is larger than 1 MiB");
    fixture.flags.says("text", long.as_str().repeat(2).as_str());
    fixture.until_problem("flag text: it is larger than 1 MiB");
    assert_eq!(fixture.names(), ["set"]);
}

#[test]
fn the_last_good_rules_stay_until_they_expire() {
    let fixture = Fixture::new("down", |f| f.rules("set").rules("other"));
    let end = SystemTime::now() + Duration::from_secs(3);
    let expires = jiff::Timestamp::try_from(end).unwrap().to_string();
    fixture.flags.says("set", rules("good", &expires));
    fixture.flags.says("other", rules("other", FAR));
    fixture.until_names(&["good", "other"]);
    let general = EvaluationErrorCode::General("connection refused".to_owned());
    let far = "x".repeat(10_000);
    let troubles = [
        (
            Does::Fails(general),
            "flag set: connection refused: as told",
        ),
        (
            Does::Hangs,
            "flag set: the provider did not answer within 200ms",
        ),
        (Does::Says(Value::Int(5)), "flag set: TYPE_MISMATCH"),
        (
            Does::Says(object(&serde_json::json!({ "rule": "?" })).into()),
            "flag set: rule: ",
        ),
        (
            Does::Says(object(&serde_json::json!({ far.clone(): 1 })).into()),
            "flag set: x",
        ),
        (Does::Panics, "flag set: the provider panicked"),
    ];
    for (n, (does, problem)) in troubles.into_iter().enumerate() {
        fixture.flags.set("set", does);
        fixture.until_problem(problem);
        assert!(fixture.problem().len() < 600, "{}", fixture.problem());
        assert_eq!(fixture.names()[0], "good", "{problem}");
        let selected = fixture.selected();
        assert!(selected.as_deref() == Some("good") || SystemTime::now() >= end);
        // The other one is not delayed.
        let other = format!("other {n}");
        fixture.flags.says("other", rules(&other, FAR));
        fixture.until_names(&["good", &other]);
    }
    // Without any action: it ends, while the server still fails.
    fixture.flags.says("other", StructValue::default());
    until("its own end", || fixture.selected().is_none());
    assert!(SystemTime::now() >= end);
    assert_eq!(fixture.names()[0], "good");
    assert!(!fixture.steering.status().rules[0].in_force);

    fixture.flags.says("set", rules("back", FAR));
    fixture.until_names(&["back"]);
    until("no problem", || fixture.problem().is_empty());
    // A removed flag is not a failure.
    fixture
        .flags
        .set("set", Does::Fails(EvaluationErrorCode::FlagNotFound));
    fixture.until_names(&[]);
}

#[test]
fn a_switch_ends_by_itself() {
    let lasting = Duration::from_secs(2);
    let fixture = Fixture::new("switch", |f| {
        f.switch("on", lasting, |end| {
            Rule::new("checkout", end).when(When::new().path("/x").unwrap())
        })
    });
    let end = || fixture.steering.in_use().iter().next().map(Rule::expires);
    fixture.flags.says("on", false);
    until("it is asked", || fixture.problem().is_empty());
    assert_eq!(end(), None);
    let before = SystemTime::now();
    fixture.flags.says("on", true);
    fixture.until_names(&["checkout"]);
    let first = end().unwrap();
    assert!(first >= before + lasting && first <= SystemTime::now() + lasting);
    until("its end", || fixture.selected().is_none());
    assert_eq!(
        end(),
        Some(first),
        "a flag that stays on does not prolong it"
    );
    // A failure does not, either.
    fixture.flags.set("on", Does::Hangs);
    fixture.until_problem("did not answer");
    fixture.flags.says("on", true);
    until("no problem", || fixture.problem().is_empty());
    assert_eq!(end(), Some(first));
    fixture.flags.says("on", false);
    fixture.until_names(&[]);
    fixture.flags.says("on", true);
    fixture.until_names(&["checkout"]);
    assert!(end() > Some(first));
    assert_eq!(fixture.selected().unwrap(), "checkout");
}

/// Each source has its own thread. Nothing waits for the first response, not even on the one
/// thread of a runtime.
#[tokio::test(flavor = "current_thread")]
async fn a_provider_that_hangs_holds_nobody_back() {
    let (flags, hanging) = tokio::task::spawn_blocking(|| client("hangs"))
        .await
        .unwrap();
    flags.set("set", Does::Hangs);
    let (other, answering) = tokio::task::spawn_blocking(|| client("answers"))
        .await
        .unwrap();
    other.says("set", rules("answered", FAR));
    let never = Duration::from_secs(3600);
    let here = tokio::runtime::Handle::current();
    let steering = Steering::new()
        .source(FlagRules::new(hanging).rules("set").timeout(never))
        .unwrap()
        .source(FlagRules::new(answering).rules("set").every(SOON).on(here))
        .unwrap();
    while steering.in_use().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(steering.in_use().iter().next().unwrap().name(), "answered");
}
