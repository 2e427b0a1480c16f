//! Rules from a flag server over the network (OFREP), which is paused, ended, and replaced by one
//! that responds with garbage. `.ci/checks/open-feature` runs it.
#![cfg(all(feature = "full", unix))]

use dashcam::{
    open_feature::FlagRules,
    selection::{Described, Rule, Steering, When},
};
use http::Method;
use open_feature::{
    EvaluationContext, EvaluationError, EvaluationErrorCode, EvaluationResult, OpenFeature,
    StructValue,
    provider::{FeatureProvider, ProviderMetadata, ResolutionDetails},
};
use serde_json::{Value, json};
use std::{
    io::{Read, Write},
    net::TcpListener,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::SeqCst},
    },
    thread::JoinHandle,
    time::{Duration, Instant, SystemTime},
};

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Queries a server by the OpenFeature Remote Evaluation Protocol.
struct Remote {
    base: String,
    client: reqwest::Client,
    metadata: ProviderMetadata,
}

impl Remote {
    async fn resolve<T>(
        &self,
        flag: &str,
        is: impl Fn(&Value) -> Option<T>,
    ) -> EvaluationResult<ResolutionDetails<T>> {
        let error = |code, message: String| {
            let error = EvaluationError::builder().code(code).message(message);
            error.build()
        };
        let general = |problem: reqwest::Error| {
            let code = EvaluationErrorCode::General("no answer".to_owned());
            error(code, problem.to_string())
        };
        let url = format!("{}/ofrep/v1/evaluate/flags/{flag}", self.base);
        let asked = self.client.post(url).json(&json!({ "context": {} }));
        let answer = asked.send().await.map_err(general)?;
        let status = answer.status();
        let answer: Value = answer.json().await.map_err(general)?;
        if status == 404 {
            let code = EvaluationErrorCode::FlagNotFound;
            return Err(error(code, answer["errorCode"].to_string()));
        }
        is(&answer["value"])
            .map(ResolutionDetails::new)
            .ok_or_else(|| {
                error(
                    EvaluationErrorCode::TypeMismatch,
                    format!("status {status}"),
                )
            })
    }
}

#[open_feature::async_trait]
impl FeatureProvider for Remote {
    fn metadata(&self) -> &ProviderMetadata {
        &self.metadata
    }

    async fn resolve_bool_value(
        &self,
        flag: &str,
        _: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<bool>> {
        self.resolve(flag, Value::as_bool).await
    }

    async fn resolve_int_value(
        &self,
        flag: &str,
        _: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<i64>> {
        self.resolve(flag, Value::as_i64).await
    }

    async fn resolve_float_value(
        &self,
        flag: &str,
        _: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<f64>> {
        self.resolve(flag, Value::as_f64).await
    }

    async fn resolve_string_value(
        &self,
        flag: &str,
        _: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<String>> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        self.resolve(flag, text).await
    }

    async fn resolve_struct_value(
        &self,
        flag: &str,
        _: &EvaluationContext,
    ) -> Result<ResolutionDetails<StructValue>, EvaluationError> {
        self.resolve(flag, |value| object(value.as_object()?)).await
    }
}

fn object(from: &serde_json::Map<String, Value>) -> Option<StructValue> {
    let fields = from
        .iter()
        .map(|(key, value)| Some((key.clone(), flag(value)?)));
    let fields = fields.collect::<Option<_>>()?;
    Some(StructValue { fields })
}

fn flag(value: &Value) -> Option<open_feature::Value> {
    use open_feature::Value as Flag;
    Some(match value {
        Value::Bool(is) => Flag::Bool(*is),
        Value::Number(n) => n
            .as_i64()
            .map(Flag::Int)
            .or_else(|| n.as_f64().map(Flag::Float))?,
        Value::String(text) => Flag::String(text.clone()),
        Value::Array(all) => Flag::Array(all.iter().map(flag).collect::<Option<_>>()?),
        Value::Object(fields) => Flag::Struct(object(fields)?),
        Value::Null => return None,
    })
}

struct Server {
    child: Child,
    base: String,
}

impl Server {
    /// `fast-feature`, whose path is in the environment.
    fn start(port: u16) -> Self {
        let program = std::env::var_os("FAST_FEATURE").expect("see .ci/checks/open-feature");
        let child = Command::new(program)
            .args(["serve", "--host", "127.0.0.1", "--port", &port.to_string()])
            .env("FAST_FEATURE_ADMIN", "true")
            .current_dir(std::env::temp_dir())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let base = format!("http://127.0.0.1:{port}");
        let server = Self { child, base };
        let flags = format!("{}/admin/api/flags", server.base);
        until("the server answers", || {
            reqwest::blocking::get(&flags).is_ok()
        });
        server
    }

    /// Creates or changes a flag.
    fn flag(&self, key: &str, value: &Value) {
        let flags = format!("{}/admin/api/flags", self.base);
        let client = reqwest::blocking::Client::builder()
            .no_proxy()
            .build()
            .unwrap();
        let mut flag = json!({ "variants": { "now": value }, "default_variant": "now" });
        let put = client
            .put(format!("{flags}/{key}"))
            .json(&flag)
            .send()
            .unwrap();
        if !put.status().is_success() {
            flag["key"] = json!(key);
            let post = client.post(flags).json(&flag).send().unwrap();
            assert!(post.status().is_success(), "{}", post.text().unwrap());
        }
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &pid])
                .status()
                .unwrap()
                .success()
        );
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Responds to every request on this port with this, until it is stopped.
fn rubbish(
    port: u16,
    answer: &'static str,
    served: Arc<AtomicU32>,
    done: Arc<AtomicBool>,
) -> JoinHandle<()> {
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    listener.set_nonblocking(true).unwrap();
    std::thread::spawn(move || {
        while !done.load(SeqCst) {
            let Ok((mut stream, _)) = listener.accept() else {
                std::thread::sleep(Duration::from_millis(1));
                continue;
            };
            let _ = stream.set_nonblocking(false);
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(answer.as_bytes());
            served.fetch_add(1, SeqCst);
        }
    })
}

const RUBBISH: [&str; 4] = [
    "\u{1b}[31mnot even HTTP\r\n\r\n",
    "HTTP/1.1 200 OK\r\ncontent-length: 13\r\nconnection: close\r\n\r\n<html></html>",
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 15\r\n\
     connection: close\r\n\r\n{\"value\":\"rule\"",
    "HTTP/1.1 500 Oops\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
];

fn rules(name: &str, end: SystemTime) -> Value {
    let expires = jiff::Timestamp::try_from(end).unwrap().to_string();
    json!({ "rule": [{
        "name": name,
        "expires": expires,
        "when": { "path": "/x" },
        "budget": { "per_second": 5 },
    }] })
}

#[test]
#[ignore = "needs a flag server: .ci/checks/open-feature"]
fn a_real_server_that_goes_down_hangs_and_talks_rubbish() {
    alone!();
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let client = runtime.block_on(async {
        let provider = Remote {
            base: format!("http://127.0.0.1:{port}"),
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            metadata: ProviderMetadata::new("remote"),
        };
        OpenFeature::singleton_mut()
            .await
            .set_provider(provider)
            .await;
        OpenFeature::singleton().await.create_client()
    });
    let source = FlagRules::new(client)
        .rules("dashcam-rules")
        .switch("verbose-checkout", Duration::from_secs(3600), |end| {
            Rule::new("checkout", end).when(When::new().path("/checkout").unwrap())
        })
        .every(Duration::from_millis(50))
        .timeout(Duration::from_millis(700));
    let steering = Steering::new().source(source).unwrap();
    let problem = || {
        let status = steering.status();
        let name = status.sources().next().unwrap();
        status.problem_of(name).unwrap_or_default().to_owned()
    };
    let selected = |path: &str| {
        let request = Described::new(Method::GET, path.parse().unwrap());
        let why = steering.why(&request).into_iter();
        let mut selected = why.filter(dashcam::selection::Why::selects);
        selected.next().map(|why| why.name)
    };
    until("there is no server yet", || !problem().is_empty());
    println!("no server yet: {}", problem());
    assert!(steering.in_use().is_empty());

    let server = Server::start(port);
    until("it knows no flag", || problem().contains("FLAG_NOT_FOUND"));
    println!("no flag yet: {}", problem());
    let end = SystemTime::now() + Duration::from_secs(20);
    server.flag("dashcam-rules", &rules("one", end));
    server.flag("verbose-checkout", &json!(false));
    until("the rules come", || {
        selected("/x").as_deref() == Some("one")
    });
    until("no problem", || problem().is_empty());
    assert_eq!(selected("/checkout"), None);
    server.flag("verbose-checkout", &json!(true));
    until("the switch is on", || selected("/checkout").is_some());
    server.flag("verbose-checkout", &json!(false));
    until("the switch is off", || selected("/checkout").is_none());
    server.flag("dashcam-rules", &json!({ "rule": "none" }));
    until("a value that is no rules", || problem().contains("rule: "));
    println!("no rules: {}", problem());
    let stay = |when: &str| {
        let selected = selected("/x");
        assert!(
            selected.as_deref() == Some("one") || SystemTime::now() >= end,
            "{when}"
        );
    };
    stay("a value that is no rules");
    server.flag("dashcam-rules", &rules("one", end));
    until("no problem", || problem().is_empty());

    server.signal("-STOP");
    until("it hangs", || problem().contains("did not answer within"));
    println!("it hangs: {}", problem());
    stay("it hangs");
    server.signal("-CONT");
    until("no problem", || problem().is_empty());
    stay("it goes on");

    drop(server);
    until("it is down", || !problem().is_empty());
    println!("it is down: {}", problem());
    stay("it is down");
    for (n, answer) in RUBBISH.into_iter().enumerate() {
        let done = Arc::new(AtomicBool::new(false));
        let served = Arc::new(AtomicU32::new(0));
        let thread = rubbish(port, answer, Arc::clone(&served), Arc::clone(&done));
        // Two flags per poll: the problem is that of a response like this.
        until("it is asked", || served.load(SeqCst) > 4);
        println!("rubbish {n}: {}", problem());
        assert!(!problem().is_empty());
        stay("rubbish");
        done.store(true, SeqCst);
        thread.join().unwrap();
    }
    // Without any action, while the server is still gone.
    until("its own end", || selected("/x").is_none());
    assert!(SystemTime::now() >= end);
    println!("ended by itself: {}", problem());

    let server = Server::start(port);
    server.flag("verbose-checkout", &json!(false));
    server.flag(
        "dashcam-rules",
        &rules("two", SystemTime::now() + Duration::from_secs(3600)),
    );
    until("it is back", || selected("/x").as_deref() == Some("two"));
    until("no problem", || problem().is_empty());
}
