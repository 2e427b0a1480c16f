//! The admin router over sockets, used by operators and by clients without a token.

use crate::support_gate::{Body, Buffer, fmt_json};
use axum::{Router, routing::get};
use dashcam::{
    Dashcam,
    admin::{Admin, AdminError},
    export::Memory,
    kit::DashcamBuilder,
    selection::{Rule, Rules, When},
};
use http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::{
    net::SocketAddr,
    time::{Duration, SystemTime},
};
use tower::ServiceExt;
use tracing_subscriber::{EnvFilter, prelude::*};

const TOKEN: &str = "vErY-lOnG-aNd-rAnDoM-0123456789abcdef";
const OTHER: &str = "another-token-that-is-long-enough-too";

struct Answer {
    status: StatusCode,
    headers: http::HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    #[track_caller]
    fn json(&self, status: u16) -> Value {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status, status, "{text}");
        let media = if status < 400 {
            "application/json"
        } else {
            "application/problem+json"
        };
        assert_eq!(self.headers[header::CONTENT_TYPE], media);
        assert_eq!(self.headers[header::CACHE_CONTROL], "no-store");
        assert_eq!(self.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        let json: Value = serde_json::from_str(&text).unwrap();
        if status >= 400 {
            assert_eq!(json["status"], status);
            assert!(json["detail"].as_str().unwrap().len() > 10, "{json}");
        }
        json
    }
}

struct Fixture {
    dashcam: Dashcam,
    kept: Memory,
    router: Router,
}

impl Fixture {
    fn new() -> Self {
        Self::with(|builder| builder)
    }

    fn with(change: impl FnOnce(DashcamBuilder) -> DashcamBuilder) -> Self {
        let kept = Memory::new(100);
        let builder = Dashcam::builder()
            .service("orders", "1")
            .exporter(kept.clone());
        let dashcam = change(builder).build().unwrap();
        let router = Admin::new(dashcam.handle())
            .bearer_token("alice", TOKEN)
            .bearer_token("bob", OTHER)
            .exchanges(kept.clone())
            .router()
            .unwrap();
        Self {
            dashcam,
            kept,
            router,
        }
    }

    async fn send(&self, request: Request<axum::body::Body>) -> Answer {
        send(&self.router, request).await
    }

    /// As the operator alice.
    async fn ask(&self, method: &str, path: &str, body: impl Into<axum::body::Body>) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {TOKEN}"))
            .body(body.into());
        self.send(request.unwrap()).await
    }

    /// A failing request of the service's traffic.
    async fn traffic(&self, path: &str, tenant: &'static str) {
        let fails = move || async move {
            dashcam::current().unwrap().fact("tenant", tenant);
            dashcam::current().unwrap().fact("status", "paid");
            StatusCode::BAD_GATEWAY
        };
        let service = Router::<()>::new()
            .route("/a", get(fails))
            .route("/b", get(fails))
            .route("/c", get(fails))
            .layer(self.dashcam.layer());
        let request = Request::get(path)
            .header("host", format!("{}.example", path.trim_start_matches('/')))
            .body(axum::body::Body::empty())
            .unwrap();
        let response = service.oneshot(request).await.unwrap();
        response.into_body().collect().await.unwrap();
        assert!(self.dashcam.flush(Duration::from_secs(10)));
    }

    fn names(&self) -> Vec<String> {
        let rules = self.dashcam.steering().in_use();
        rules.iter().map(|rule| rule.name().to_owned()).collect()
    }
}

async fn send(router: &Router, request: Request<axum::body::Body>) -> Answer {
    let (parts, body) = router.clone().oneshot(request).await.unwrap().into_parts();
    Answer {
        status: parts.status,
        headers: parts.headers,
        body: body.collect().await.unwrap().to_bytes().to_vec(),
    }
}

fn rule(name: &str) -> Value {
    json!({
        "name": name,
        "expires": "2100-01-01T00:00:00Z",
        "when": { "fact": { "tenant": "acme" } },
    })
}

fn set(rules: &[Value]) -> String {
    json!({ "rule": rules }).to_string()
}

#[test]
fn nobody_is_let_in_by_default() {
    let dashcam = Dashcam::builder().in_memory(1).build().unwrap();
    let admin = || Admin::new(dashcam.handle());
    let error = |admin: Admin| admin.router().err().unwrap();
    assert_eq!(error(admin()), AdminError::NoAccess);
    let both = admin().bearer_token("a", TOKEN).insecure_no_auth(true);
    assert_eq!(error(both), AdminError::Both);
    let who = || "a".to_owned();
    for bad in [
        "",
        "short",
        "x".repeat(31).as_str(),
        &format!("{TOKEN} "),
        &format!("{TOKEN}é"),
    ] {
        assert_eq!(
            error(admin().bearer_token("a", bad)),
            AdminError::Token { who: who() },
            "{bad}"
        );
    }
    let twice = admin().bearer_token("b", TOKEN).bearer_token("a", TOKEN);
    assert_eq!(error(twice), AdminError::Twice { who: who() });
    let status = dashcam.steering().status();
    assert_eq!(status.sources().count(), 1, "no place was taken");
    assert!(!format!("{:?}", admin().bearer_token("a", TOKEN)).contains(TOKEN));
}

#[tokio::test]
async fn every_path_asks_for_a_token() {
    let paths = [
        "/",
        "/status",
        "/rules",
        "/rules/x",
        "/why",
        "/exchanges",
        "/exchanges/1",
        "/switch/off",
        "/none",
    ];
    for path in paths {
        for method in [
            Method::GET,
            Method::PUT,
            Method::POST,
            Method::DELETE,
            Method::OPTIONS,
        ] {
            let fixture = Fixture::new();
            let request = Request::builder().method(method.clone()).uri(path);
            let answer = fixture
                .send(request.body(axum::body::Body::empty()).unwrap())
                .await;
            answer.json(401);
            assert_eq!(
                answer.headers[header::WWW_AUTHENTICATE],
                "Bearer realm=\"dashcam\""
            );
            assert!(!fixture.dashcam.steering().is_off(), "{method} {path}");
        }
    }
    let upper = TOKEN.to_uppercase();
    for wrong in [
        vec![format!("Bearer {OTHER}x")],
        vec![format!("Bearer {}", &TOKEN[1..])],
        vec![format!("Bearer {upper}")],
        vec![format!("Basic {TOKEN}")],
        vec![TOKEN.to_owned()],
        vec!["Bearer".to_owned()],
        vec!["Bearer ".to_owned()],
        vec![format!("Bearer {TOKEN}"), format!("Bearer {TOKEN}")],
    ] {
        let mut request = Request::get("/status");
        for value in &wrong {
            request = request.header(header::AUTHORIZATION, value);
        }
        let answer = Fixture::new()
            .send(request.body(axum::body::Body::empty()).unwrap())
            .await;
        answer.json(401);
        assert!(
            !String::from_utf8(answer.body)
                .unwrap()
                .contains(&TOKEN[1..])
        );
    }
    let fixture = Fixture::new();
    for right in [format!("Bearer {TOKEN}"), format!("bearer  {OTHER}")] {
        let request = Request::get("/status").header(header::AUTHORIZATION, right);
        fixture
            .send(request.body(axum::body::Body::empty()).unwrap())
            .await
            .json(200);
    }
}

/// Over real connections, because their addresses matter.
#[tokio::test]
async fn guessing_is_slowed_down() {
    let fixture = Fixture::new();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = fixture
        .router
        .clone()
        .into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    let client = hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new())
        .build_http::<Body>();
    let status = async |token: &str| {
        let request = Request::get(format!("http://{address}/status"))
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .body(Body::default());
        let response = client.request(request.unwrap()).await.unwrap();
        (
            response.status(),
            response.headers().get(header::RETRY_AFTER).cloned(),
        )
    };
    for _ in 0..10 {
        assert_eq!(status("wrong").await.0, 401);
        // A correct token does not count as an attempt.
    }
    let (refused, after) = status(TOKEN).await;
    assert_eq!(refused, 429, "the right one, too");
    let after: u64 = after.unwrap().to_str().unwrap().parse().unwrap();
    assert!((1..=61).contains(&after), "{after}");
    assert_eq!(status("wrong").await.0, 429);
    // Other addresses are admitted, and see how many attempts there were.
    let answer = fixture.ask("GET", "/status", "").await.json(200);
    assert_eq!(
        answer["admin"],
        json!({ "wrong_tokens": 10, "refused_attempts": 2 })
    );
}

#[tokio::test]
async fn without_authentication_no_browser_is_answered() {
    let dashcam = Dashcam::builder().in_memory(1).build().unwrap();
    let router = Admin::new(dashcam.handle())
        .insecure_no_auth(true)
        .router()
        .unwrap();
    let off = async |headers: &[(&str, &str)]| {
        let mut request = Request::post("/switch/off");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        send(&router, request.body(axum::body::Body::empty()).unwrap()).await
    };
    for headers in [
        &[][..],
        &[("host", "evil.example")],
        &[("host", "evil.example:9000")],
        &[
            ("host", "127.0.0.1:9000"),
            ("origin", "http://127.0.0.1:9000"),
        ],
        &[("host", "127.0.0.1:9000"), ("origin", "null")],
        &[("host", "localhost"), ("sec-fetch-site", "cross-site")],
        &[("host", "localhost"), ("sec-fetch-site", "same-origin")],
    ] {
        off(headers).await.json(403);
        assert!(!dashcam.steering().is_off(), "{headers:?}");
    }
    off(&[("host", "127.0.0.1:9000")]).await.json(200);
    assert!(dashcam.steering().is_off());
}

#[tokio::test]
async fn rules_are_put_and_deleted() {
    let soon = SystemTime::now() + Duration::from_secs(3600);
    let fixed = Rules::new([Rule::new("fixed", soon).when(When::new().path("/fixed").unwrap())]);
    let fixture = Fixture::with(|builder| builder.rules(fixed));
    let put = fixture
        .ask("PUT", "/rules", set(&[rule("a"), rule("b")]))
        .await
        .json(200);
    assert_eq!(fixture.names(), ["fixed", "a", "b"]);
    assert_eq!(put["rules"].as_array().unwrap().len(), 2);
    assert_eq!(put["rules"][0]["expires"], "2100-01-01T00:00:00Z");
    let kinds: Vec<_> = put["warnings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|w| &w["kind"])
        .collect();
    assert_eq!(kinds, ["far_expiry", "far_expiry", "shadowed"]);

    let toml = "\n[[rule]]\nname = \"c\"\nexpires = 2100-01-01T00:00:00Z\nwhen = {}\n";
    fixture.ask("PUT", "/rules", toml).await.json(200);
    assert_eq!(fixture.names(), ["fixed", "c"]);

    let mut one = rule("d");
    one.as_object_mut().unwrap().remove("name");
    fixture
        .ask("PUT", "/rules/d", one.to_string())
        .await
        .json(200);
    assert_eq!(fixture.names(), ["fixed", "c", "d"]);
    one["mode"] = json!("record");
    let put = fixture
        .ask("PUT", "/rules/d", one.to_string())
        .await
        .json(200);
    assert_eq!(put["rules"][1]["mode"], "record");
    fixture
        .ask("PUT", "/rules/with%20space", one.to_string())
        .await
        .json(200);
    assert_eq!(fixture.names(), ["fixed", "c", "d", "with space"]);

    let list = fixture.ask("GET", "/rules", "").await.json(200);
    assert_eq!(list["sources"][0]["name"], "fixed");
    assert_eq!(list["sources"][0]["rules"][0]["name"], "fixed");
    assert_eq!(list["sources"][1]["name"], "admin");
    // A listed rule can be put again.
    let again = json!({ "rule": list["sources"][1]["rules"] }).to_string();
    fixture.ask("PUT", "/rules", again).await.json(200);
    assert_eq!(fixture.names(), ["fixed", "c", "d", "with space"]);

    fixture.ask("DELETE", "/rules/c", "").await.json(200);
    assert_eq!(fixture.names(), ["fixed", "d", "with space"]);
    fixture.ask("DELETE", "/rules/c", "").await.json(404);
    let elsewhere = fixture.ask("DELETE", "/rules/fixed", "").await.json(404);
    assert_eq!(
        elsewhere["detail"],
        "this rule comes from fixed; delete it there"
    );
    fixture.ask("DELETE", "/rules", "").await.json(200);
    assert_eq!(fixture.names(), ["fixed"]);
}

#[tokio::test]
async fn what_is_invalid_changes_nothing() {
    let soon = SystemTime::now() + Duration::from_secs(3600);
    let fixture = Fixture::with(|builder| builder.rules(Rules::new([Rule::new("fixed", soon)])));
    fixture
        .ask("PUT", "/rules", set(&[rule("good")]))
        .await
        .json(200);
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut rule = rule("bad");
        change(&mut rule);
        set(&[rule])
    };
    let cases = [
        (
            changed(&|r| r["expires"] = json!("2020-01-01T00:00:00Z")),
            422,
            "rule[0].expires",
            "",
        ),
        (
            changed(&|r| drop(r.as_object_mut().unwrap().remove("expires"))),
            422,
            "rule[0]",
            "missing field `expires`",
        ),
        (
            changed(&|r| r["when"]["methd"] = json!("GET")),
            422,
            "rule[0].when.methd",
            "unknown field",
        ),
        (
            changed(&|r| r["verbose"] = json!("=,=")),
            422,
            "rule[0].verbose",
            "",
        ),
        (
            changed(&|r| r["name"] = json!("fixed")),
            409,
            "rule[0].name",
            "",
        ),
        (
            set(&[rule("x"), rule("x")]),
            422,
            "rule[1]",
            "expected each name once",
        ),
        (
            "[[rule]]\nname = \"x\"\nexpires = 5\n".to_owned(),
            422,
            "rule[0].expires",
            "expected a time",
        ),
    ];
    for (body, status, field, message) in cases {
        let problem = fixture
            .ask("PUT", "/rules", body.clone())
            .await
            .json(status);
        assert_eq!(problem["field"], field, "{problem}");
        let said = problem["message"]
            .as_str()
            .or(problem["detail"].as_str())
            .unwrap();
        assert!(said.contains(message), "{problem}");
        assert_eq!(fixture.names(), ["fixed", "good"], "{body}");
    }
    let toml = fixture
        .ask("PUT", "/rules", "[[rule]]\nname = \"x\"\nexpires = 5\n")
        .await
        .json(422);
    assert_eq!((&toml["line"], &toml["column"]), (&json!(3), &json!(11)));
    for (body, status) in [
        (String::new(), 422),
        ("{}".to_owned(), 422),
        ("{".to_owned(), 422),
        (" ".repeat((1 << 20) + 1), 413),
        (
            set(&(0..101).map(|n| rule(&n.to_string())).collect::<Vec<_>>()),
            422,
        ),
    ] {
        fixture.ask("PUT", "/rules", body).await.json(status);
    }
    fixture
        .ask("PUT", "/rules", vec![0xff, 0xfe])
        .await
        .json(400);
    for body in ["", "[]", "\"x\"", "{\"name\":\"y\"}", "{\"expires\":1}"] {
        let answer = fixture.ask("PUT", "/rules/x", body).await;
        assert!(answer.status.is_client_error(), "{body}");
    }
    assert_eq!(fixture.names(), ["fixed", "good"]);
    fixture.ask("PATCH", "/rules", "").await.json(405);
    fixture.ask("PUT", "/rules/%ff", "{}").await.json(400);
    fixture.ask("GET", "/exchanges/%ff", "").await.json(400);
    fixture.ask("GET", "/nothing", "").await.json(404);
}

#[tokio::test]
async fn why_says_who_would_be_selected() {
    let fixture = Fixture::new();
    fixture
        .ask("PUT", "/rules", set(&[rule("acme")]))
        .await
        .json(200);
    let why = async |body: Value| fixture.ask("POST", "/why", body.to_string()).await;
    let waits = why(json!({ "path": "/x" })).await.json(200);
    assert_eq!(
        (&waits["selected"], &waits["rules"][0]["verdict"]),
        (&Value::Null, &json!("waits"))
    );
    let request = json!({
        "method": "POST", "path": "/x?a=b", "route": "/{x}", "header": { "x-a": ["1", "2"] },
        "query": { "c": "d e" }, "fact": { "tenant": "acme" }, "client": "10.0.0.1",
        "correlation_id": "c", "at": "2099-01-01T00:00:00Z",
    });
    assert_eq!(why(request).await.json(200)["selected"], "acme");
    for (body, field) in [
        (json!({ "path": "x" }), "path"),
        (json!({ "path": "/", "methd": "GET" }), "methd"),
        (json!({ "path": "/", "header": { "a b": "c" } }), "header"),
        (json!({ "path": "/", "client": "localhost" }), "client"),
        (json!({ "path": "/", "at": "now" }), "at"),
    ] {
        assert_eq!(why(body).await.json(422)["field"], field);
    }
    fixture.ask("POST", "/why", "{").await.json(422);
}

#[tokio::test]
async fn kept_exchanges_are_shown() {
    let fixture = Fixture::new();
    fixture
        .ask("PUT", "/rules", set(&[rule("acme")]))
        .await
        .json(200);
    for (path, tenant) in [("/a", "acme"), ("/b", "other"), ("/c", "other")] {
        fixture.traffic(path, tenant).await;
    }
    let list = async |query: &str| {
        let path = format!("/exchanges{query}");
        let list = fixture.ask("GET", &path, "").await.json(200);
        let rows = list["exchanges"].as_array().unwrap().clone();
        let paths = rows
            .iter()
            .map(|row| row["path"].as_str().unwrap().to_owned());
        (paths.collect::<Vec<_>>(), rows)
    };
    assert_eq!(list("").await.0, ["/c", "/b", "/a"], "newest first");
    assert_eq!(list("?limit=1").await.0, ["/c"]);
    assert_eq!(list("?kept_for=selected:acme").await.0, ["/a"]);
    // The path was not hidden when it was written. A hidden path cannot be found here without the
    // key.
    assert_eq!(list("?header=host=b.example").await.0, ["/b"]);
    assert_eq!(list("?fact=tenant=acme").await.0, [""; 0]);
    assert_eq!(
        list("?fact=status=paid&fact=status=open").await.0,
        ["/c", "/b", "/a"]
    );
    assert_eq!(
        list("?route=/b&route=/c&status=5xx&outcome=failed&since=1h")
            .await
            .0,
        ["/c", "/b"]
    );
    assert_eq!(list("?status=404").await.0, [""; 0]);
    let (_, rows) = list("").await;
    let (id, correlation) = (
        rows[2]["id"].as_str().unwrap(),
        rows[2]["correlation_id"].as_str().unwrap(),
    );
    assert_eq!(
        list(&format!("?correlation_id={correlation}")).await.0,
        ["/a"]
    );
    let one = fixture
        .ask("GET", &format!("/exchanges/{id}"), "")
        .await
        .json(200);
    let exchange: dashcam::exchange::Exchange = serde_json::from_value(one).unwrap();
    assert!(fixture.kept.exchanges().contains(&exchange));

    let har = fixture
        .ask("GET", &format!("/exchanges/{id}/har"), "")
        .await
        .json(200);
    assert_eq!(har["log"]["entries"].as_array().unwrap().len(), 1);
    let har = fixture.ask("GET", "/har?limit=2", "").await.json(200);
    assert_eq!(har["log"]["entries"].as_array().unwrap().len(), 2);
    let curl = fixture
        .ask(
            "GET",
            &format!("/exchanges/{id}/curl?base=http://127.0.0.1:3000"),
            "",
        )
        .await;
    assert_eq!(
        curl.headers[header::CONTENT_TYPE],
        "text/plain; charset=utf-8"
    );
    let curl = String::from_utf8(curl.body).unwrap();
    assert!(
        curl.contains("curl") && curl.contains("http://127.0.0.1:3000/a"),
        "{curl}"
    );

    for (path, status) in [
        ("/exchanges/none", 404),
        ("/exchanges/none/har", 404),
        ("/exchanges/none/curl", 404),
        ("/exchanges/%ff", 400),
        ("/exchanges?status=bad", 400),
        ("/exchanges?limit=0", 400),
        ("/exchanges?limit=1001", 400),
        ("/exchanges?unknown=1", 400),
    ] {
        fixture.ask("GET", path, "").await.json(status);
    }
    let plain = Admin::new(fixture.dashcam.handle())
        .bearer_token("alice", TOKEN)
        .router()
        .unwrap();
    let request =
        Request::get("/exchanges").header(header::AUTHORIZATION, format!("Bearer {TOKEN}"));
    let answer = send(&plain, request.body(axum::body::Body::empty()).unwrap()).await;
    assert!(
        answer.json(404)["detail"]
            .as_str()
            .unwrap()
            .contains("in memory")
    );
}

#[tokio::test]
async fn the_switch_and_the_status() {
    let fixture = Fixture::new();
    fixture
        .ask("PUT", "/rules", set(&[rule("acme")]))
        .await
        .json(200);
    let off = fixture.ask("POST", "/switch/off", "").await.json(200);
    assert_eq!(off["off_by"], "call");
    fixture.traffic("/a", "acme").await;
    let status = fixture.ask("GET", "/status", "").await.json(200);
    let verbose = &status["dashcam"]["verbose"];
    assert_eq!(verbose["off_by"], "call");
    assert_eq!(verbose["spent"]["live"], 0);
    assert_eq!(verbose["rules"][0]["expires"], "2100-01-01T00:00:00Z");
    assert_eq!(status["dashcam"]["exporter"]["state"], "ok");
    assert_eq!(status["dashcam"]["kept"], 1);
    fixture
        .ask("POST", "/why", "{\"path\":\"/\"}")
        .await
        .json(200);
    let on = fixture.ask("POST", "/switch/on", "").await.json(200);
    assert_eq!(on["off_by"], Value::Null);
    fixture.ask("GET", "/switch/off", "").await.json(405);
}

/// Each change leaves its log line whatever the base filter is. A refused change leaves none, and
/// no line has a token.
#[test]
fn every_change_is_audited() {
    alone!();
    const GUESS: &str = "guess-that-nobody-was-ever-given-000";
    let fixture = Fixture::new();
    let (log, ours) = (Buffer::default(), Buffer::default());
    let subscriber = tracing_subscriber::registry()
        .with(fixture.dashcam.gate(EnvFilter::new("off")))
        .with(fmt_json(&log))
        .with(fixture.dashcam.json_log_to(ours.clone()).unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    // The work runs on threads of the runtime, which have the global subscriber.
    tracing::subscriber::set_global_default(subscriber).unwrap();
    runtime.block_on(async {
        fixture
            .ask("PUT", "/rules", set(&[rule("a"), rule("b")]))
            .await
            .json(200);
        fixture.ask("PUT", "/rules", "{").await.json(422);
        fixture.ask("DELETE", "/rules/none", "").await.json(404);
        fixture.ask("DELETE", "/rules/a", "").await.json(200);
        fixture
            .ask("PUT", "/rules/b", rule("b").to_string())
            .await
            .json(200);
        fixture.ask("DELETE", "/rules", "").await.json(200);
        let request = Request::post("/switch/off")
            .header(header::AUTHORIZATION, format!("Bearer {OTHER}"))
            .extension(axum::extract::ConnectInfo(SocketAddr::from((
                [10, 0, 0, 7],
                1,
            ))));
        fixture
            .send(request.body(axum::body::Body::empty()).unwrap())
            .await
            .json(200);
        let request = Request::post("/switch/on")
            .body(axum::body::Body::empty())
            .unwrap();
        fixture.send(request).await.json(401);
        fixture.ask("GET", "/rules", "").await.json(200);
        // An attacker who guesses: the first and the last attempt that an address has.
        for n in 0..12 {
            let request = Request::get("/rules")
                .header(header::AUTHORIZATION, format!("Bearer {GUESS}"))
                .extension(axum::extract::ConnectInfo(SocketAddr::from((
                    [10, 0, 0, 9],
                    1,
                ))));
            let status = if n < 10 { 401 } else { 429 };
            fixture
                .send(request.body(axum::body::Body::empty()).unwrap())
                .await
                .json(status);
        }
    });
    let lines: Vec<_> = log
        .lines()
        .into_iter()
        .filter(|line| line["target"] == "dashcam::audit")
        .map(|line| line["fields"].clone())
        .collect();
    // A second may have begun since the first one.
    let seconds = lines.last().and_then(|line| line["seconds"].as_u64());
    assert!(
        seconds.is_some_and(|left| (50..=60).contains(&left)),
        "{lines:?}"
    );
    let expected = [
        json!({ "message": "rules replaced", "who": "alice", "rules": 2, "names": "a, b", "until": "2100-01-01T00:00:00Z" }),
        json!({ "message": "rule deleted", "who": "alice", "rule": "a", "removed": "a", "rules": 1, "names": "b", "until": "2100-01-01T00:00:00Z" }),
        json!({ "message": "rule put", "who": "alice", "rule": "b", "rules": 1, "names": "b", "until": "2100-01-01T00:00:00Z" }),
        json!({ "message": "rules deleted", "who": "alice", "removed": "b", "rules": 0, "names": "" }),
        json!({ "message": "switched off", "who": "bob", "peer": "10.0.0.7" }),
        json!({ "message": "a wrong admin token", "peer": "10.0.0.9", "wrong": 1, "untold": 0 }),
        json!({
            "message": "too many wrong admin tokens; everything from this address is refused",
            "peer": "10.0.0.9", "wrong": 10, "untold": 8, "seconds": seconds,
        }),
    ];
    assert_eq!(lines, expected);
    // A log that hides values by the names of their fields does not hide these.
    assert!(fixture.dashcam.flush(std::time::Duration::from_secs(30)));
    let ours_audit = ours.lines().into_iter().filter_map(|mut line| {
        let message = line["message"].clone();
        line["fields"]["message"] = message;
        (line["target"] == "dashcam::audit").then(|| line["fields"].clone())
    });
    assert_eq!(ours_audit.collect::<Vec<_>>(), expected);
    for token in [TOKEN, OTHER, GUESS] {
        assert!(!log.text().contains(token) && !ours.text().contains(token));
    }
}
