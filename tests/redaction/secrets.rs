//! Secrets planted everywhere in real requests are in no file and on no log line, in any encoding.

use crate::support_gate::{Buffer, DEADLINE};
use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    response::Response,
    routing::post,
};
use dashcam::{
    Dashcam,
    capture::{Limits, StormLimits},
    export::JsonLines,
};
use serde_json::Value;
use std::{fs, io, path::PathBuf, sync::Arc};
use tower::ServiceExt;
use tracing_subscriber::{EnvFilter, prelude::*};

/// Stays readable everywhere, which shows that the output was written.
const HARMLESS: &str = "harmless words";
/// A typical password of a user. No detector can recognise it.
const WORDS: &str = "correct horse battery";

#[derive(Clone, Copy, Debug)]
enum End {
    Status(StatusCode),
    Panic,
    BodyError,
}

struct Plan {
    /// What the service logs in its events, errors and reasons.
    says: Vec<String>,
    set_cookie: Option<String>,
    answer: Option<String>,
    end: End,
    /// The service asks to keep it, so it is kept in full whatever else fails.
    asks: bool,
}

async fn handler(State(plan): State<Arc<Plan>>, request: Request) -> Response {
    let _ = to_bytes(request.into_body(), usize::MAX).await;
    let context = dashcam::current().unwrap();
    let span = tracing::info_span!("work", note = tracing::field::Empty);
    let _span = span.enter();
    for (n, said) in plan.says.iter().enumerate() {
        tracing::info!("{HARMLESS}: got {said}, went on");
        tracing::info!(note = %said, wrapped = ?Some(said), "with fields");
        tracing::debug!("debug {said}");
        tracing::debug!(list = ?[said.as_str(), "other"], text = said.as_str(), "debug fields");
        let error = io::Error::other(format!("refused {said}"));
        tracing::warn!(error = &error as &dyn std::error::Error, "an error");
        span.record("note", said.as_str());
        tracing::info!("inside of a span");
        dashcam::decision!("chosen", by = %said);
        // A fact is hidden itself, and known from then on.
        if plan.asks {
            dashcam::keep(format!("because {said}"));
            context.fact(format!("fact{n}"), said);
        }
    }
    let all = plan.says.join(" and ");
    let (status, body) = match plan.end {
        End::Status(status) => (status, plan.answer.clone().unwrap_or_default().into()),
        End::Panic => panic!("no use for {all}"),
        End::BodyError => {
            let parts = [Ok(Bytes::from_static(b"begun")), Err(io::Error::other(all))];
            (
                StatusCode::OK,
                Body::from_stream(futures_util::stream::iter(parts)),
            )
        }
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    if let Some(cookie) = &plan.set_cookie {
        let cookie = format!("session={cookie}; Path=/; HttpOnly");
        headers.append(header::SET_COOKIE, cookie.parse().unwrap());
    }
    response
}

/// One request and the secrets in it.
struct Case {
    name: &'static str,
    uri: String,
    headers: Vec<(&'static str, String)>,
    body: String,
    /// Also logged by the service.
    secrets: Vec<String>,
    set_cookie: Option<String>,
    answer: Option<String>,
}

impl Case {
    fn new(name: &'static str, secrets: &[&str]) -> Self {
        Self {
            name,
            uri: "/orders/7".to_owned(),
            headers: Vec::new(),
            body: String::new(),
            secrets: secrets.iter().map(|s| (*s).to_owned()).collect(),
            set_cookie: None,
            answer: None,
        }
    }

    fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    fn uri(mut self, uri: impl Into<String>) -> Self {
        self.uri = uri.into();
        self
    }

    fn body(self, kind: &str, body: impl Into<String>) -> Self {
        let mut this = self.header("content-type", kind);
        this.body = body.into();
        this
    }

    fn json(self, body: impl Into<String>) -> Self {
        self.body("application/json", body)
    }

    fn request(&self) -> Request {
        let mut request = axum::http::Request::post(&self.uri);
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        request.body(Body::from(self.body.clone())).unwrap()
    }
}

/// Limit of a captured body, in bytes.
const BODY: usize = 512;

fn cases() -> Vec<Case> {
    let basic = base64(format!("alice:{WORDS} basic").as_bytes());
    let mut cases = vec![
        Case::new("bearer", &["q7Xv2LmZ9tRb4KcW8sYd1Nf6"])
            .header("authorization", "Bearer q7Xv2LmZ9tRb4KcW8sYd1Nf6"),
        Case::new("bearer of words", &["correct-horse-battery-bearer"])
            .header("authorization", "Bearer correct-horse-battery-bearer"),
        Case::new("basic", &["correct horse battery basic", basic.as_str()])
            .header("authorization", format!("Basic {basic}")),
        Case::new("cookie", &["Zk3Pq9Vw5Xt1Lm7Rb2Nc", "correct horse battery cookie"])
            .header("cookie", "sid=Zk3Pq9Vw5Xt1Lm7Rb2Nc; theme=correct%20horse%20battery%20cookie"),
        Case::new("api key", &["hR5tY8uJ2kL6mN9pQ3sV"]).header("x-api-key", "hR5tY8uJ2kL6mN9pQ3sV"),
        Case::new("api key of words", &["correct horse battery header"])
            .header("x-api-key", "correct horse battery header"),
        Case::new("query", &["b8Nw+4Kx/7Rt2Vq9Zm1Lc", "correct horse battery query"]).uri(
            "/orders/7?page=2&access_token=b8Nw%2B4Kx%2F7Rt2Vq9Zm1Lc&password=correct+horse+battery%20query",
        ),
        Case::new("nested", &["gT6yH9uJ3kM5nB8vC2xZ", "correct horse battery nested"]).json(
            r#"{"user":{"PassWord":"gT6yH9uJ3kM5nB8vC2xZ","more":[{"API-Key":"correct horse battery nested"}]}}"#,
        ),
        Case::new("in an array", &["wE4rT7yU1iO5pA9sD3fG", "correct horse battery array"]).json(
            r#"[{"password":["wE4rT7yU1iO5pA9sD3fG",{"x":"correct horse battery array"}]}]"#,
        ),
        Case::new("escaped", &["lK8jH5gF2dS9aP6oI3uY", "correct \"horse\" battery\\ tab\t"]).json(
            r#"{"pass\u0077ord":"lK8jH5gF2dS9aP6oI3uY","secret":"correct \"horse\" battery\\ tab\t"}"#,
        ),
        Case::new("malformed", &["xC7vB4nM1qW8eR5tY2uI", "correct horse battery malformed"]).json(
            r#"{"password":"xC7vB4nM1qW8eR5tY2uI", "token":"correct horse battery malformed", oops: ]"#,
        ),
        Case::new("form", &["pO9iU6yT3rE8wQ5aS2dF", "correct horse battery & form"]).body(
            "application/x-www-form-urlencoded",
            "n=1&client_secret=pO9iU6yT3rE8wQ5aS2dF&password=correct+horse+battery+%26+form",
        ),
        Case::new("no format", &["zX4cV7bN1mK8jH5gF2dS"])
            .body("text/plain", "password: zX4cV7bN1mK8jH5gF2dS"),
    ];
    // The value begins inside the captured part and ends outside.
    let padding = "x".repeat(BODY - 40);
    let long = "aS5dF8gH2jK6lQ9wE3rT7yU1iO4pZ0xC5vB8nM2";
    cases.push(
        Case::new("cut", &[long]).json(format!(r#"{{"n":"{padding}","password":"{long}"}}"#)),
    );
    let mut case = Case::new("set-cookie", &["mN3bV6cX9zL2kJ5hG8fD"]);
    case.set_cookie = Some("mN3bV6cX9zL2kJ5hG8fD".to_owned());
    cases.push(case);
    let mut case = Case::new("answer", &["tR8eW5qY2uI9oP6aS3dF"]);
    case.answer = Some(r#"{"session":{"token":"tR8eW5qY2uI9oP6aS3dF"}}"#.to_owned());
    cases.push(case);
    cases
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let n = chunk.iter().fold(0_u32, |n, b| n << 8 | u32::from(*b)) << (8 * (3 - chunk.len()));
        for digit in 0..4 {
            let c = DIGITS[(n >> (18 - 6 * digit)) as usize & 63] as char;
            out.push(if digit <= chunk.len() { c } else { '=' });
        }
    }
    out
}

fn unbase64(text: &str) -> Vec<u8> {
    let (mut out, mut n, mut bits) = (Vec::new(), 0_u32, 0);
    for b in text.bytes() {
        let digit = match b {
            b'A'..=b'Z' => b - b'A',
            b'a'..=b'z' => b - b'a' + 26,
            b'0'..=b'9' => b - b'0' + 52,
            b'+' | b'-' => 62,
            _ => 63,
        };
        n = n << 6 | u32::from(digit);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push((n >> bits) as u8);
        }
    }
    out
}

fn unpercent(text: &str, plus: bool) -> String {
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let hex = text
            .get(at + 1..at + 3)
            .and_then(|h| u8::from_str_radix(h, 16).ok());
        match (bytes[at], hex) {
            (b'%', Some(b)) => {
                out.push(b);
                at += 2;
            }
            (b'+', _) if plus => out.push(b' '),
            (b, _) => out.push(b),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// A text in every way it can be read.
fn readings(text: &str, depth: u32, out: &mut Vec<String>) {
    out.push(text.to_owned());
    if depth == 0 {
        return;
    }
    for plus in [false, true] {
        let decoded = unpercent(text, plus);
        if decoded != text {
            readings(&decoded, depth - 1, out);
        }
    }
    let digit = |c: char| c.is_ascii_alphanumeric() || "+/-_".contains(c);
    for run in text.split(|c| !digit(c)).filter(|run| run.len() >= 8) {
        out.push(String::from_utf8_lossy(&unbase64(run)).into_owned());
    }
    match serde_json::from_str::<Value>(text) {
        Ok(value) => strings(&value, depth, out),
        Err(_) if text.contains('\\') => {
            // Part of a JSON text, or of Rust's `Debug`.
            let unescaped = text.replace("\\\\", "\u{1}").replace("\\\"", "\"");
            let unescaped = unescaped.replace("\\t", "\t").replace('\u{1}', "\\");
            readings(&unescaped, depth - 1, out);
        }
        Err(_) => {}
    }
}

fn strings(value: &Value, depth: u32, out: &mut Vec<String>) {
    match value {
        Value::String(text) => readings(text, depth - 1, out),
        Value::Array(list) => list.iter().for_each(|v| strings(v, depth, out)),
        Value::Object(map) => {
            for (key, value) in map {
                readings(key, depth - 1, out);
                strings(value, depth, out);
            }
        }
        _ => {}
    }
}

fn find<'s>(lines: &str, secrets: &'s [String]) -> Vec<(&'s str, String)> {
    let mut found = Vec::new();
    for line in lines.lines() {
        let mut read = Vec::new();
        readings(line, 4, &mut read);
        for secret in secrets {
            if let Some(text) = read.iter().find(|text| text.contains(secret.as_str())) {
                found.push((secret.as_str(), text.clone()));
            }
        }
    }
    found
}

#[test]
fn the_search_finds_what_is_there() {
    let secret = ["correct \"horse\" battery+ä".to_owned()];
    let json = serde_json::json!({"a": [{"b": secret[0]}]}).to_string();
    let nested = serde_json::json!({"text": json}).to_string();
    let percent = "x=correct%20%22horse%22+battery%2B%C3%A4&y";
    let encoded = serde_json::json!({"a": format!("Basic {}", base64(secret[0].as_bytes()))});
    let debug = serde_json::json!({"a": format!("{:?}", Some(&secret[0]))});
    for text in [
        &json,
        &nested,
        percent,
        &encoded.to_string(),
        &debug.to_string(),
    ] {
        assert_eq!(find(text, &secret).len(), 1, "{text}");
    }
    assert!(find("correct horse", &secret).is_empty());
}

/// The whole output: files, then log lines.
fn run(case: &Case, end: End, asks: bool, storm: StormLimits) -> (String, String) {
    let name = format!("dashcam-secrets-{}-{}", std::process::id(), fastrand());
    let directory: PathBuf = std::env::temp_dir().join(name);
    let mut limits = Limits::default();
    limits.body = BODY;
    let dashcam = Dashcam::builder()
        .service("orders", "1")
        .exporter(JsonLines::builder(&directory).build())
        .limits(limits)
        .storm(storm)
        .build()
        .unwrap();
    let lines = Buffer::default();
    let subscriber = tracing_subscriber::registry()
        .with(dashcam.gate(EnvFilter::new("info")))
        .with(dashcam.json_log_to(lines.clone()).unwrap());
    let plan = Arc::new(Plan {
        says: case.secrets.clone(),
        set_cookie: case.set_cookie.clone(),
        answer: case.answer.clone(),
        end,
        asks,
    });
    let app = Router::new()
        .route("/orders/{id}", post(handler))
        .with_state(plan)
        .layer(dashcam.layer());
    tracing::subscriber::with_default(subscriber, || {
        tokio_test::block_on(async {
            let response = app.oneshot(case.request()).await.unwrap();
            let _ = to_bytes(response.into_body(), usize::MAX).await;
        });
    });
    assert!(dashcam.flush(DEADLINE));
    let mut files = String::new();
    for entry in fs::read_dir(&directory).unwrap() {
        files.push_str(&fs::read_to_string(entry.unwrap().path()).unwrap());
    }
    fs::remove_dir_all(&directory).unwrap();
    (files, lines.text())
}

/// Distinguishes the directories of one process.
fn fastrand() -> usize {
    static NEXT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}

fn check(end: End, asks: bool, storm: StormLimits) {
    let mut leaks = Vec::new();
    for case in cases() {
        let (files, lines) = run(&case, end, asks, storm);
        let name = case.name;
        assert!(
            lines.contains(HARMLESS),
            "{name}: lines were written: {lines}"
        );
        let healthy = matches!(end, End::Status(StatusCode::OK));
        if healthy && !asks {
            assert_eq!(files, "", "{name}: a healthy request was kept");
        } else {
            assert!(
                files.contains(HARMLESS),
                "{name}: events were written: {files}"
            );
            let asked = files.contains(r#""why":"because "#);
            assert_eq!(asked, asks, "{name}: {files}");
        }
        for (place, text) in [("file", &files), ("log", &lines)] {
            for (secret, found) in find(text, &case.secrets) {
                leaks.push(format!("{name}, {end:?}, {place}: {secret:?} in {found}"));
            }
        }
    }
    assert!(leaks.is_empty(), "{}", leaks.join("\n"));
}

fn everything() -> StormLimits {
    let mut storm = StormLimits::default();
    storm.full = u64::MAX;
    storm.per_second = u64::MAX;
    storm
}

#[test]
fn of_requests_that_fail() {
    for asks in [true, false] {
        check(End::Status(StatusCode::BAD_GATEWAY), asks, everything());
    }
}

#[test]
fn of_requests_that_panic() {
    for asks in [true, false] {
        check(End::Panic, asks, everything());
    }
}

#[test]
fn of_requests_whose_body_breaks() {
    for asks in [true, false] {
        check(End::BodyError, asks, everything());
    }
}

#[test]
fn of_healthy_requests() {
    for asks in [true, false] {
        check(End::Status(StatusCode::OK), asks, everything());
    }
}

#[test]
fn of_requests_in_a_storm() {
    let mut storm = everything();
    storm.full = 0;
    storm.heads = u64::MAX;
    let end = End::Status(StatusCode::BAD_GATEWAY);
    let (files, _) = run(&cases()[0], end, false, storm);
    assert!(files.contains(r#""depth":"heads""#), "{files}");
    check(end, false, storm);
}

/// Only for the exchange: a log line does not know other events.
#[test]
fn in_the_text_of_one_event_and_by_name_in_another() {
    let fixture = crate::support_gate::Fixture::new();
    let gate = fixture.dashcam.gate(EnvFilter::new("info"));
    let exchange =
        tracing::subscriber::with_default(tracing_subscriber::registry().with(gate), || {
            fixture.failing(|| {
                // As it came with a request. A literal would stay.
                let [words, of_span, reason] =
                    [WORDS, "something of the span", "was stated as a fact"].map(str::to_owned);
                tracing::debug!("{HARMLESS}: {words} before");
                let span = tracing::info_span!("login", user_password = "of the span");
                span.in_scope(|| tracing::debug!(password = WORDS, "named"));
                tracing::info!(note = words, "after, and {of_span}");
                dashcam::current()
                    .unwrap()
                    .fact("api_key", "stated as a fact");
                dashcam::keep(reason);
            })
        });
    let text = serde_json::to_string(&exchange).unwrap();
    assert!(
        text.contains(HARMLESS) && text.contains("after, and something"),
        "{text}"
    );
    let secrets = [WORDS, "of the span", "stated as a fact"].map(str::to_owned);
    assert_eq!(find(&text, &secrets), []);
}
