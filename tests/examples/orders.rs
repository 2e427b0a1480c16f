//! The example `orders` as users run it: a process, real sockets, its output and its files.
//!
//! `cargo test` builds the example first. `cargo test --test examples` uses the one that `cargo
//! build --example orders` built last.

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, Request, Response, StatusCode, header::CONTENT_TYPE},
    routing::post,
};
use dashcam::{
    exchange::{Failure, Outcome},
    export::JsonLines,
};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::{Value, json};
use std::{
    env, fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};
use tokio::{net::TcpListener, sync::mpsc as async_mpsc};

const PATIENCE: Duration = Duration::from_secs(60);
const ACCOUNT: &str = "==================== what happened ====================";

/// What must not be written of the unlucky customer of the example.
const SECRETS: [&str; 4] = [
    "Łukaszewicz",
    "zoe.lukaszewicz",
    "correct-horse-battery",
    "4242424242424242",
];

struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let name = format!("example-orders-{name}-{}", std::process::id());
        Self(Path::new(env!("CARGO_TARGET_TMPDIR")).join(name))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The example, which cargo builds beside the tests.
fn example(directory: &Directory) -> Command {
    let test = env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    let program = profile
        .join("examples")
        .join(format!("orders{}", env::consts::EXE_SUFFIX));
    assert!(program.exists(), "`cargo build --example orders` first");
    let mut command = Command::new(program);
    command
        .env("PORT", "0")
        .env("DASHCAM_DIR", &directory.0)
        .env_remove("RUST_LOG")
        .env_remove("RUST_BACKTRACE")
        .stdin(Stdio::null());
    command
}

#[test]
fn the_account_tells_what_the_log_does_not() {
    let directory = Directory::new("account");
    // The second time there is an older file in the directory.
    for _ in 0..2 {
        let output = example(&directory).arg("--once").output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let stdout = String::from_utf8(output.stdout).unwrap();
        let (log, account) = stdout.split_once(ACCOUNT).expect(&stdout);

        // The log is written on its own thread: its first line may precede this one.
        let lines = log.lines().filter(|line| !line.is_empty());
        let (log, said): (Vec<_>, Vec<_>) = lines.partition(|line| line.starts_with('{'));
        let [listening] = said[..] else {
            panic!("{said:?}")
        };
        assert!(listening.starts_with("listening on http://127.0.0.1:"));
        let log: Vec<Value> = log
            .into_iter()
            .map(|line| serde_json::from_str(line).expect(line))
            .collect();
        assert!(
            log.iter()
                .all(|line| line["level"] != "DEBUG" && line["level"] != "TRACE")
        );
        assert!(
            !account.lines().any(|line| line.starts_with('{')),
            "{account}"
        );

        let failed: Vec<_> = log
            .iter()
            .filter(|line| line["fields"]["outcome"] == "panicked")
            .collect();
        let [failed] = failed[..] else {
            panic!("{failed:?}")
        };
        let id = failed["correlation_id"].as_str().unwrap();
        // The provider that the request called has the same ID in its log.
        assert!(
            log.iter()
                .any(|line| line["message"] == "charged" && line["correlation_id"] == id)
        );
        for part in [
            id,
            "panicked",
            "is not a char boundary",
            "orders.rs:",
            "pricing",
            "losses     none",
            "an ERROR event",
            "sold what is not there",
        ] {
            assert!(account.contains(part), "{part}\n{account}");
        }
        for event in [
            "looked at the shelf",
            "took it from the shelf",
            "making the label",
        ] {
            let line = account
                .lines()
                .find(|line| line.contains(event))
                .expect(event);
            assert!(line.contains("DEBUG") && line.contains(" ms "), "{line}");
            assert!(!log.iter().any(|line| line["message"] == event), "{event}");
        }
        jq(account);

        for secret in SECRETS {
            assert!(!stdout.contains(secret), "{secret}\n{stdout}");
        }
    }
    let mut files = 0;
    for entry in fs::read_dir(&directory.0).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        for secret in SECRETS {
            assert!(!text.contains(secret), "{secret}\n{text}");
        }
        files += 1;
    }
    assert_eq!(files, 2);
}

/// The command that the output proposes works unchanged, if there is `jq`.
fn jq(account: &str) {
    let jq = Command::new("jq").arg("--version").output();
    if cfg!(windows) || jq.is_err() {
        return;
    }
    let command = account
        .lines()
        .find(|line| line.starts_with("  jq "))
        .unwrap();
    let output = Command::new("sh").args(["-c", command]).output().unwrap();
    let events = String::from_utf8(output.stdout).unwrap();
    assert!(
        events.contains("\tDEBUG\tmaking the label\n"),
        "{command}\n{events}"
    );
}

/// The running example. It ends with the test.
struct Serving {
    process: Child,
    base: String,
    /// Returns the arguments that the output proposes after `cargo run … -- ` to send a request
    /// again.
    again: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Serving {
    fn start(directory: &Directory) -> Self {
        let mut process = example(directory)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(process.stdout.take().unwrap());
        let mut serving = Self {
            process,
            base: String::new(),
            again: String::new(),
            client: Client::builder(TokioExecutor::new()).build_http(),
        };
        let (lines, output) = mpsc::channel();
        // Reads to the end, so that the pipe never fills.
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let _ = lines.send(line);
            }
        });
        let wait_for = |start: &str| loop {
            let line = output.recv_timeout(PATIENCE).expect(start);
            if let Some(rest) = line.strip_prefix(start) {
                return rest.to_owned();
            }
        };
        serving.base = wait_for("listening on ");
        serving.again = wait_for("  cargo run -q -p dashcam-cli -- ");
        wait_for("Still listening on ");
        serving
    }

    async fn open(&self, request: Request<Full<Bytes>>) -> Response<Incoming> {
        let what = format!("{} {}", request.method(), request.uri());
        let answer = tokio::time::timeout(PATIENCE, self.client.request(request));
        let answer = answer.await.expect(&what).expect(&what);
        assert!(answer.headers().contains_key("x-request-id"), "{what}");
        answer
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Response<Bytes> {
        let (head, body) = self.open(request).await.into_parts();
        Response::from_parts(head, body.collect().await.unwrap().to_bytes())
    }

    fn request(&self, method: Method, path: &str) -> Request<Full<Bytes>> {
        self.with_body(method, path, None, Bytes::new())
    }

    fn with_body(
        &self,
        method: Method,
        path: &str,
        content_type: Option<&str>,
        body: impl Into<Bytes>,
    ) -> Request<Full<Bytes>> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base));
        if let Some(content_type) = content_type {
            request = request.header(CONTENT_TYPE, content_type);
        }
        request.body(Full::new(body.into())).unwrap()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn id<B>(answer: &Response<B>) -> String {
    answer.headers()["x-request-id"]
        .to_str()
        .unwrap()
        .to_owned()
}

/// Returns how a request ended, once that was written.
async fn outcome(directory: &Directory, id: &str) -> Outcome {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        let kept = JsonLines::read(&directory.0).unwrap().flatten();
        if let Some(exchange) = kept.into_iter().find(|kept| kept.correlation.id == id) {
            return exchange.outcome;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{id} was not kept");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_goes_on_serving() {
    let directory = Directory::new("serving");
    let serving = Serving::start(&directory);
    echoes(&serving).await;
    panics(&serving, &directory).await;
    streams(&serving).await;
    fans_out(&serving).await;
    refuses(&serving).await;
    fails_again(&serving, &directory).await;
}

/// A shell sends the kept request again as a `curl` command, and gets the kept response, if there
/// is `curl`.
async fn fails_again(serving: &Serving, directory: &Directory) {
    if cfg!(windows) || Command::new("curl").arg("--version").output().is_err() {
        return;
    }
    let kept = JsonLines::read(&directory.0).unwrap().flatten();
    let mut kept = kept.filter(|kept| serving.again.contains(&kept.correlation.id));
    let command = kept.next().unwrap().to_curl(Some(&serving.base));
    let mut shell = Command::new("sh");
    shell.args(["-c", &command]).env("NO_PROXY", "*");
    let output = tokio::task::spawn_blocking(move || shell.output())
        .await
        .unwrap()
        .unwrap();
    assert!(output.status.success(), "{command}\n{output:?}");
    let answer = String::from_utf8(output.stdout).unwrap();
    assert_eq!(answer, r#"{"error":"no payment possible"}"#, "{command}");

    let start = Instant::now();
    let both = loop {
        let mut kept: Vec<_> = JsonLines::read(&directory.0).unwrap().flatten().collect();
        kept.retain(|kept| serving.again.contains(&kept.correlation.id));
        match <[_; 2]>::try_from(kept) {
            Ok(both) => break both,
            Err(kept) => assert!(start.elapsed() < PATIENCE, "{kept:?}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    // Equal pseudonyms stand for equal bodies.
    let [first, again] = both.map(|kept| {
        assert_eq!(
            kept.outcome,
            Outcome::Failed {
                failure: Failure::Status(502)
            }
        );
        let mut response = kept.response.unwrap();
        response.headers.retain(|field| field.0 != "date");
        (response, kept.request.body.content)
    });
    assert_eq!(first.0, again.0);
    assert_ne!(first.1, again.1, "the card was sent");
}

async fn echoes(serving: &Serving) {
    let text = Some("text/plain; charset=utf-8");
    let request = serving.with_body(Method::POST, "/echo?status=418", text, "tea, or tée");
    let answer = serving.send(request).await;
    assert_eq!(answer.status(), StatusCode::IM_A_TEAPOT);
    assert_eq!(answer.headers()[CONTENT_TYPE], "text/plain; charset=utf-8");
    assert_eq!(answer.body(), "tea, or tée");

    let start = Instant::now();
    let answer = serving
        .send(serving.request(Method::GET, "/echo?delay_ms=150"))
        .await;
    assert!(start.elapsed() >= Duration::from_millis(150));
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(answer.body().is_empty() && !answer.headers().contains_key(CONTENT_TYPE));

    let answer = serving.send(serving.request(Method::HEAD, "/echo")).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(answer.body().is_empty());

    let mut request = serving.request(Method::GET, "/echo");
    request
        .headers_mut()
        .insert("x-request-id", "my-own-id".parse().unwrap());
    assert_eq!(id(&serving.send(request).await), "my-own-id");

    for query in [
        "status=99",
        "status=101",
        "status=1000",
        "status=x",
        "delay_ms=-1",
    ] {
        let request = serving.request(Method::GET, &format!("/echo?{query}"));
        let answer = serving.send(request).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{query}");
    }
}

async fn panics(serving: &Serving, directory: &Directory) {
    let answer = serving.send(serving.request(Method::GET, "/panic")).await;
    assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(answer.headers()[CONTENT_TYPE], "application/problem+json");
    let problem: Value = serde_json::from_slice(answer.body()).unwrap();
    assert_eq!(problem["correlation_id"], id(&answer));
    assert!(!problem.to_string().contains("asked for"));
    assert_eq!(outcome(directory, &id(&answer)).await, Outcome::Panicked);
}

async fn streams(serving: &Serving) {
    let mut answer = serving.open(serving.request(Method::GET, "/events")).await;
    assert_eq!(answer.headers()[CONTENT_TYPE], "text/event-stream");
    let first = tokio::time::timeout(PATIENCE, answer.frame())
        .await
        .unwrap();
    let first = first.unwrap().unwrap().into_data().unwrap();
    assert_eq!(first, "data: tick 0\n\n");
}

async fn fans_out(serving: &Serving) {
    type Seen = (HeaderMap, Bytes);
    async fn receive(
        State(seen): State<async_mpsc::Sender<Seen>>,
        headers: HeaderMap,
        body: Bytes,
    ) {
        seen.send((headers, body)).await.unwrap();
    }
    let (sender, mut seen) = async_mpsc::channel(10);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let receiver = Router::new().route("/", post(receive)).with_state(sender);
    tokio::spawn(axum::serve(listener, receiver).into_future());

    let calls = json!([
        { "url": url, "arguments": { "n": 1 } },
        { "url": url.replace("http:", "https:"), "arguments": {} },
        { "url": "no URL", "arguments": [] },
        { "url": url, "arguments": ["n", 2] },
    ]);
    let json = Some("application/json");
    let request = serving.with_body(Method::POST, "/fanout", json, calls.to_string());
    let answer = serving.send(request).await;
    assert_eq!(answer.status(), StatusCode::OK);
    for arguments in [json!({ "n": 1 }), json!(["n", 2])] {
        let (headers, body) = seen.try_recv().unwrap();
        assert_eq!(headers["x-request-id"], id(&answer));
        assert_eq!(headers[CONTENT_TYPE], "application/json");
        assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), arguments);
    }
    assert!(seen.try_recv().is_err());
}

async fn refuses(serving: &Serving) {
    const LIMIT: usize = 2 * 1024 * 1024;
    let json = Some("application/json");
    let post =
        |path, content_type, body: Bytes| serving.with_body(Method::POST, path, content_type, body);
    for (request, status) in [
        (serving.request(Method::GET, "/nowhere"), 404),
        (serving.request(Method::GET, "/orders/4711"), 404),
        (serving.request(Method::DELETE, "/echo"), 405),
        (serving.request(Method::GET, "/fanout"), 405),
        (post("/orders", json, "{}".into()), 422),
        (post("/orders", json, "{".into()), 400),
        (post("/orders", None, "{}".into()), 415),
        (post("/echo", None, vec![b'x'; LIMIT].into()), 200),
        (post("/echo", None, vec![b'x'; LIMIT + 1].into()), 413),
        (serving.request(Method::GET, "/echo"), 200),
    ] {
        let what = format!("{} {}", request.method(), request.uri());
        let answer = serving.send(request).await;
        assert_eq!(answer.status().as_u16(), status, "{what}");
    }
}
