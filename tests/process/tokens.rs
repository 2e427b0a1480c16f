//! Tokens over sockets: those of unknown clients, and those that are propagated to other services.

use crate::support_gate::{Fixture, Output, Seen};
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode},
    routing::{get, post},
};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use dashcam::{
    correlation::{CorrelationId, CorrelationIdLayer, PropagateCorrelationIdLayer},
    exchange::{Exchange, KeepReason, Mode},
    kit::DashcamBuilder,
    selection::{Budget, Rule, Rules, When},
    token::{Claims, Propagation, Refusal, TokenKey, Tokens},
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use sha2::Sha256;
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, Once},
    time::{Duration, SystemTime},
};
use tokio::net::TcpListener;
use tower::{ServiceBuilder, ServiceExt};
use tracing_subscriber::{EnvFilter, prelude::*};

const HEADER: HeaderName = HeaderName::from_static("x-dashcam-verbose");
const SECRET: [u8; 32] = [8; 32];
const ID: HeaderName = HeaderName::from_static("x-request-id");

/// The output of the process.
fn shown() -> &'static Seen {
    static SEEN: std::sync::LazyLock<Seen> = std::sync::LazyLock::new(Seen::default);
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing_subscriber::registry()
            .with(dashcam::gate::Gate::new(EnvFilter::new("info")))
            .with(SEEN.clone())
            .init();
    });
    &SEEN
}

fn service(change: impl FnOnce(DashcamBuilder) -> DashcamBuilder) -> Fixture {
    shown();
    Fixture::with(|builder| change(builder.request_line(false)))
}

async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(axum::serve(listener, app).into_future());
    address
}

async fn ask(url: String, headers: HeaderMap, body: &str) -> Response<String> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<bytes::Bytes>>();
    let mut request = Request::post(url)
        .body(Full::from(body.to_owned()))
        .unwrap();
    *request.headers_mut() = headers;
    let (head, body) = client.request(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Response::from_parts(head, String::from_utf8(body.to_vec()).unwrap())
}

fn with(values: impl IntoIterator<Item = (HeaderName, String)>) -> HeaderMap {
    let value = |(name, text): (_, String)| (name, HeaderValue::from_str(&text).unwrap());
    values.into_iter().map(value).collect()
}

/// Waits until this many requests have ended. Returns what was kept of them.
async fn kept(fixture: &Fixture, finished: u64) -> Vec<Exchange> {
    let ended = async {
        while fixture.dashcam.status().finished < finished {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(crate::support_gate::DEADLINE, ended)
        .await
        .unwrap();
    fixture.take()
}

fn on_call() -> TokenKey {
    TokenKey::ed25519_private("on-call", &[7; 32]).unwrap()
}

fn ten_minutes() -> Claims {
    Claims::new(Duration::from_secs(600)).subject("alice")
}

/// A token with the shared secret of these tests that expired a while ago.
fn expired() -> String {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = since.unwrap().as_secs();
    let claims =
        serde_json::json!({"iat": now - 900, "exp": now - 300, "sub": "alice", "dashcam": {}});
    let [header, claims] = [r#"{"alg":"HS256","kid":"shared"}"#, &claims.to_string()]
        .map(|part| Base64UrlUnpadded::encode_string(part.as_bytes()));
    let text = format!("{header}.{claims}");
    let mut mac = Hmac::<Sha256>::new_from_slice(&SECRET).unwrap();
    mac.update(text.as_bytes());
    let signature = mac.finalize().into_bytes();
    format!("{text}.{}", Base64UrlUnpadded::encode_string(&signature))
}

fn selected(by: &str) -> KeepReason {
    KeepReason::Selected { by: by.to_owned() }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_stranger_makes_a_request_verbose() {
    alone!();
    let public = on_call().public().unwrap();
    let fixture = service(|builder| {
        let secret = TokenKey::hs256("shared", &SECRET).unwrap();
        builder.tokens(Tokens::new([public, secret]).tell_in_response(true))
    });
    let handler = |headers: HeaderMap| async move {
        tracing::debug!("strangers");
        format!("{}", headers.contains_key(HEADER))
    };
    let app = Router::new().route("/orders/{id}", post(handler));
    let address = serve(app.layer(fixture.dashcam.layer())).await;
    let url = format!("http://{address}/orders/7");
    let send = async |values: &[&str]| {
        let values = values.iter().map(|value| (HEADER, (*value).to_owned()));
        let response = ask(url.clone(), with(values), "").await;
        assert_eq!(response.status(), StatusCode::OK);
        // The handler sees no token, whichever client sent it.
        assert_eq!(response.body(), "false");
        response.headers().get(HEADER).cloned()
    };

    let key = on_call();
    let good = key.mint(&ten_minutes()).unwrap();
    let get_only = ten_minutes().when(When::new().method(http::Method::GET));
    let begins = SystemTime::now() + Duration::from_secs(300);
    let forged = TokenKey::ed25519_private("on-call", &[9; 32]).unwrap();
    let elsewhere = CorrelationId::new("elsewhere").unwrap();
    let once = key.mint(&ten_minutes().uses(1)).unwrap();
    let other_key = TokenKey::ed25519_private("other", &[7; 32]).unwrap();
    let jwk: serde_json::Value = serde_json::from_str(&key.public().unwrap().to_jwk()).unwrap();
    let confused = TokenKey::hs256("on-call", jwk["x"].as_str().unwrap().as_bytes()).unwrap();
    let none = "eyJhbGciOiJub25lIiwia2lkIjoib24tY2FsbCJ9";
    let payload = good.split('.').nth(1).unwrap();
    // The last character has two bits of the signature.
    let last = if good.ends_with('A') { 'Q' } else { 'A' };
    let altered = format!("{}{last}", &good[..good.len() - 1]);

    let (once_header, live) = (send(&[&once]).await, HeaderValue::from_static("live"));
    assert_eq!(once_header.as_ref(), Some(&live));
    let bad = [
        (Refusal::Signature, forged.mint(&ten_minutes()).unwrap()),
        (Refusal::Expired, expired()),
        (
            Refusal::NotYet,
            key.mint(&ten_minutes().not_before(begins)).unwrap(),
        ),
        (
            Refusal::Lifetime,
            key.mint(&Claims::new(Duration::from_secs(7200))).unwrap(),
        ),
        (Refusal::Algorithm, format!("{none}.{payload}.AA")),
        (Refusal::Algorithm, confused.mint(&ten_minutes()).unwrap()),
        (Refusal::Key, other_key.mint(&ten_minutes()).unwrap()),
        (Refusal::Uses, once),
        (Refusal::Oversized, "a".repeat(5000)),
        (Refusal::Malformed, "debug".to_owned()),
        (Refusal::Malformed, "1".to_owned()),
        (Refusal::Malformed, format!("{none}.{payload}.")),
        (Refusal::Scope, key.mint(&get_only).unwrap()),
        (
            Refusal::Audience,
            key.mint(&ten_minutes().audience("stock")).unwrap(),
        ),
        (
            Refusal::Request,
            key.mint(&ten_minutes().for_request(&elsewhere)).unwrap(),
        ),
        (Refusal::Signature, altered),
    ];
    let mut expected = std::collections::BTreeMap::<_, u64>::new();
    for (why, token) in &bad {
        assert_eq!(send(&[token]).await, None, "{why} {token}");
        *expected.entry(*why).or_default() += 1;
    }
    assert_eq!(send(&[&good, &good]).await, None);
    expected.insert(Refusal::Repeated, 1);

    assert_eq!(send(&[&good]).await, Some(live));
    let status = fixture.dashcam.status();
    assert_eq!(status.tokens.refused, expected);
    assert_eq!(status.tokens.accepted, 2);
    assert_eq!(status.verbose.by_header.live, 2);
    assert_eq!(shown().count("strangers"), 2, "those that were accepted");
    let kept = kept(&fixture, 3 + bad.len() as u64).await;
    assert_eq!(kept.len(), 2);
    for exchange in &kept {
        assert_eq!(exchange.keep, [selected("token:alice")]);
        let written = serde_json::to_string(exchange).unwrap();
        for part in good.split('.') {
            assert!(!written.contains(part), "{written}");
        }
        assert!(
            written.contains("x-dashcam-verbose"),
            "the exchange names the header"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_under_the_overall_budget() {
    alone!();
    let mut budget = Budget::unlimited();
    budget.per_second = Some(0);
    let tokens = || Tokens::new([on_call()]).tell_in_response(true);
    let none = service(|builder| builder.verbose_budget(budget).tokens(tokens()));
    let mut live = Budget::unlimited();
    live.total = Some(1);
    let one = service(|builder| builder.verbose_budget(live).tokens(tokens()));
    let off = service(|builder| builder.tokens(tokens()));
    off.dashcam.steering().switch_off();
    let token = on_call().mint(&ten_minutes()).unwrap();
    let app = || Router::new().route("/", post(|| async { tracing::debug!("budgeted") }));
    for (fixture, expected) in [
        (&none, &[Some("budget"), Some("budget")][..]),
        (&one, &[Some("live"), Some("budget")]),
        (&off, &[None, None]),
    ] {
        let address = serve(app().layer(fixture.dashcam.layer())).await;
        for expected in expected {
            let headers = with([(HEADER, token.clone())]);
            let response = ask(format!("http://{address}/"), headers, "").await;
            let said = response.headers().get(HEADER);
            assert_eq!(said.map(|v| v.to_str().unwrap()), *expected);
        }
    }
    assert_eq!(none.dashcam.status().verbose.spent.refused, 2);
    assert_eq!(off.dashcam.status().tokens.accepted, 0);
    assert_eq!(shown().count("budgeted"), 1);
}

/// A boundary between two services: what passed it, and whether it strips.
#[derive(Clone)]
struct Boundary {
    to: SocketAddr,
    strips: bool,
    passed: Arc<Mutex<Vec<HeaderMap>>>,
}

async fn pass(State(boundary): State<Boundary>, request: Request<Body>) -> StatusCode {
    let (mut head, body) = request.into_parts();
    boundary.passed.lock().unwrap().push(head.headers.clone());
    if boundary.strips {
        head.headers.remove(HEADER);
    }
    let body = to_bytes(body, 1 << 20).await.unwrap();
    let to = format!("http://{}{}", boundary.to, head.uri.path());
    head.headers.remove("host");
    let body = String::from_utf8(body.to_vec()).unwrap();
    ask(to, head.headers, &body).await.status()
}

/// How the first service calls the URL that it gets.
fn calling() -> Router {
    async fn layer(url: String) {
        tracing::debug!("calling by layer");
        let client = Client::builder(TokioExecutor::new()).build_http::<Full<bytes::Bytes>>();
        let client = ServiceBuilder::new()
            .layer(PropagateCorrelationIdLayer::new())
            .service(client);
        let request = Request::post(url).body(Full::default()).unwrap();
        client.oneshot(request).await.unwrap();
    }
    async fn function(url: String) {
        let headers = dashcam::correlation::headers(&url.parse().unwrap());
        ask(url, headers, "").await;
    }
    async fn unknown(url: String) {
        ask(
            url,
            dashcam::correlation::headers(&http::Uri::default()),
            "",
        )
        .await;
    }
    async fn fact(url: String) {
        let before = dashcam::correlation::headers(&url.parse().unwrap());
        assert!(!before.contains_key(HEADER));
        dashcam::current().unwrap().fact("tenant", "acme");
        function(url).await;
    }
    Router::new()
        .route("/layer", post(layer))
        .route("/function", post(function))
        .route("/unknown", post(unknown))
        .route("/fact", post(fact))
}

struct Two {
    orders: Fixture,
    stock: Fixture,
    first: SocketAddr,
    boundary: SocketAddr,
    passed: Arc<Mutex<Vec<HeaderMap>>>,
    message: &'static str,
}

/// Two services that share nothing but a key.
async fn two(strips: bool, rules: Rules, message: &'static str) -> Two {
    let calls = TokenKey::ed25519_private("orders", &[1; 32]).unwrap();
    let public = calls.public().unwrap().for_calls_only();
    let stock = service(|builder| builder.tokens(Tokens::new([public])));
    let handler = move || async move {
        tracing::debug!("{message}");
        tracing::trace!("{message} trace");
    };
    let app = Router::new().route("/items", post(handler));
    let second = serve(app.layer(stock.dashcam.layer())).await;

    let passed = Arc::default();
    let state = Boundary {
        to: second,
        strips,
        passed: Arc::clone(&passed),
    };
    let app = Router::new().fallback(pass).with_state(state);
    let boundary = serve(app).await;

    let propagation = Propagation::new(calls.for_calls_only())
        .unwrap()
        .to(&boundary.to_string())
        .unwrap();
    let orders = service(|builder| {
        builder
            .rules(rules)
            .tokens(Tokens::new([on_call().public().unwrap()]))
            .propagate_selection(propagation)
    });
    let first = serve(calling().layer(orders.dashcam.layer())).await;
    Two {
        orders,
        stock,
        first,
        boundary,
        passed,
        message,
    }
}

impl Two {
    async fn ask(&self, path: &str, token: Option<String>) -> String {
        let url = format!("http://{}/items", self.boundary);
        self.ask_for(path, token, &url).await
    }

    async fn ask_for(&self, path: &str, token: Option<String>, url: &str) -> String {
        let headers = with(token.map(|token| (HEADER, token)));
        let to = format!("http://{}{path}", self.first);
        let response = ask(to, headers, url).await;
        assert_eq!(response.status(), StatusCode::OK);
        response.headers()[ID].to_str().unwrap().to_owned()
    }

    fn passed(&self) -> Option<String> {
        let headers = self.passed.lock().unwrap().pop().unwrap();
        assert!(headers.contains_key(ID), "the ID is always propagated");
        let token = headers.get(HEADER)?;
        Some(token.to_str().unwrap().to_owned())
    }

    fn shown(&self) -> usize {
        shown().count(self.message)
    }
}

async fn goes_on(path: &str, message: &'static str) {
    let two = two(false, Rules::default(), message).await;
    let claims = ten_minutes().verbose("trace").unwrap();
    let token = on_call().mint(&claims).unwrap();
    let id = two.ask(path, Some(token.clone())).await;
    let first = kept(&two.orders, 1).await.remove(0);
    let second = kept(&two.stock, 1).await.remove(0);
    assert_eq!((&first.correlation.id, &second.correlation.id), (&id, &id));
    let live = Mode::Live {
        by: "token:alice".to_owned(),
    };
    assert_eq!((&first.mode, &second.mode), (&live, &live));
    assert_eq!(second.keep, [selected("token:alice")]);
    assert_eq!(two.shown(), 1, "in the log, too");
    assert_eq!(shown().count(&format!("{message} trace")), 1, "as deep");
    let passed = two.passed().unwrap();
    assert_ne!(passed, token, "the client's token is not propagated");
    // A client that saw it cannot use it in a request of its own.
    let to = format!("http://{}/items", two.boundary);
    ask(to.clone(), with([(HEADER, passed.clone())]), "").await;
    let other = with([(HEADER, passed), (ID, "mine".to_owned())]);
    ask(to, other, "").await;
    assert!(kept(&two.stock, 3).await.is_empty());
    assert_eq!(two.shown(), 1);
    let refused = two.stock.dashcam.status().tokens.refused;
    let refused: Vec<_> = refused.into_iter().collect();
    assert_eq!(refused, [(Refusal::Request, 2)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_service_is_live_too() {
    alone!();
    goes_on("/layer", "by the layer").await;
    goes_on("/function", "by the function").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stripped_at_the_boundary() {
    alone!();
    let two = two(true, Rules::default(), "behind the boundary").await;
    let token = on_call().mint(&ten_minutes()).unwrap();
    let id = two.ask("/layer", Some(token)).await;
    assert!(two.passed().is_some(), "it was sent");
    let first = kept(&two.orders, 1).await;
    assert_eq!(first[0].correlation.id, id);
    assert!(matches!(first[0].mode, Mode::Live { .. }));
    assert!(kept(&two.stock, 1).await.is_empty());
    assert_eq!(two.shown(), 0);
    assert_eq!(two.stock.dashcam.status().tokens.accepted, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_nowhere() {
    alone!();
    let two = two(false, Rules::default(), "nowhere").await;
    let token = || Some(on_call().mint(&ten_minutes()).unwrap());
    // Nothing is selected.
    two.ask("/layer", None).await;
    assert_eq!(two.passed(), None);
    two.ask("/function", Some("forged".to_owned())).await;
    assert_eq!(two.passed(), None);
    // Its destination is unknown.
    two.ask("/unknown", token()).await;
    assert_eq!(two.passed(), None);
    // Another name for the same host is another host.
    let url = format!("http://localhost:{}/items", two.boundary.port());
    two.ask_for("/layer", token(), &url).await;
    assert_eq!(two.passed(), None);
    // Everything is off.
    two.orders.dashcam.steering().switch_off();
    two.ask("/layer", token()).await;
    assert_eq!(two.passed(), None);
    assert!(kept(&two.stock, 5).await.is_empty());
    assert_eq!(two.shown(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_rule_selects_goes_on_as_well() {
    alone!();
    let hour = SystemTime::now() + Duration::from_secs(3600);
    let rules = Rules::new([
        Rule::new("deep", hour)
            .when(When::new().path_prefix("/layer"))
            .record_only(),
        Rule::new("acme", hour).when(When::new().fact("tenant", "acme")),
    ]);
    let two = two(false, rules, "by rule").await;
    let id = two.ask("/layer", None).await;
    let second = kept(&two.stock, 1).await;
    assert_eq!(second[0].keep, [selected("token:deep")]);
    assert_eq!(
        (&second[0].mode, &second[0].correlation.id),
        (&Mode::Recorded, &id)
    );
    assert_eq!(two.shown(), 0);
    // A fact selects in the middle of the request.
    two.ask("/fact", None).await;
    let second = kept(&two.stock, 2).await;
    assert_eq!(second[0].keep, [selected("token:acme")]);
    assert_eq!(two.shown(), 1);
}

/// A receiver that trusts no ID trusts no selection either.
#[tokio::test(flavor = "multi_thread")]
async fn behind_an_edge() {
    alone!();
    let key = TokenKey::hs256("calls", &[3; 32]).unwrap();
    let stock = service(|builder| {
        builder
            .correlation(CorrelationIdLayer::new().edge(true))
            .tokens(Tokens::new([key.clone()]))
    });
    let app = Router::new().route("/", get(|| async {}).post(|| async {}));
    let address = serve(app.layer(stock.dashcam.layer())).await;
    let id = CorrelationId::new("known").unwrap();
    let token = key.mint(&ten_minutes().for_request(&id)).unwrap();
    let headers = with([(HEADER, token), (ID, "known".to_owned())]);
    ask(format!("http://{address}/"), headers, "").await;
    let refused = stock.dashcam.status().tokens.refused;
    assert_eq!(refused.get(&Refusal::Request), Some(&1));
}

/// `.ci/checks/pyjwt` runs it, with the code of `docs/tokens.md`. It issues a token with the given
/// private key, and verifies the given token.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Python and PyJWT"]
async fn another_library() {
    alone!();
    let [python, script] = ["DASHCAM_PYTHON", "DASHCAM_PYJWT"].map(|n| std::env::var(n).unwrap());
    let shared = TokenKey::generate_hs256("shared").unwrap();
    let key = TokenKey::generate_ed25519("on-call").unwrap();
    let fixture = service(|builder| {
        let keys = [shared.clone(), key.public().unwrap()];
        builder.tokens(Tokens::new(keys).tell_in_response(true))
    });
    let app = Router::new().route("/orders/{id}", post(|| async {}));
    let address = serve(app.layer(fixture.dashcam.layer())).await;
    for key in [shared, key] {
        let ours = key.mint(&ten_minutes()).unwrap();
        let output = std::process::Command::new(&python)
            .args(["-c", &script, &key.to_jwk(), &ours])
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{said}{errors}");
        let (token, verified) = said.trim().split_once('\n').unwrap();
        assert_eq!(verified, "alice");
        for (path, expected) in [("/orders/7", Some("live")), ("/", None)] {
            let headers = with([(HEADER, token.to_owned())]);
            let response = ask(format!("http://{address}{path}"), headers, "").await;
            let said = response.headers().get(HEADER);
            assert_eq!(said.map(|v| v.to_str().unwrap()), expected);
        }
    }
}

/// The log has the reason once. The response has no more than a client without a key may know.
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_token_is_said() {
    alone!();
    let key = TokenKey::ed25519_private("of-this-test", &[5; 32]).unwrap();
    let forged = TokenKey::ed25519_private("of-this-test", &[6; 32]).unwrap();
    let unknown = TokenKey::ed25519_private("of-nobody", &[5; 32]).unwrap();
    let get_only = || ten_minutes().when(When::new().method(http::Method::GET));
    for tells in [false, true] {
        let fixture = service(|builder| {
            let tokens = Tokens::new([key.public().unwrap()]);
            builder.tokens(match tells {
                true => tokens.tell_refusals_in_response(true),
                false => tokens,
            })
        });
        let app = Router::new().route("/", post(|| async {}));
        let address = serve(app.layer(fixture.dashcam.layer())).await;
        let lines = || {
            let messages = shown().messages().into_iter();
            let messages = messages.filter(|m| m.starts_with("a token was refused: "));
            messages.collect::<Vec<_>>()
        };
        let before = lines();
        let send = async |token: String| {
            let headers = with([(HEADER, token)]);
            let response = ask(format!("http://{address}/"), headers, "").await;
            response.headers().get(HEADER).cloned()
        };
        for _ in 0..3 {
            for (token, category) in [
                (forged.mint(&ten_minutes()).unwrap(), "refused"),
                (unknown.mint(&ten_minutes()).unwrap(), "refused"),
                ("garbage".to_owned(), "refused"),
                (key.mint(&get_only()).unwrap(), "refused; scope"),
                (
                    key.mint(&Claims::new(Duration::from_secs(7200))).unwrap(),
                    "refused; time",
                ),
                (
                    key.mint(&ten_minutes().audience("stock")).unwrap(),
                    "refused; scope",
                ),
            ] {
                let expected = tells.then(|| HeaderValue::from_static(category));
                assert_eq!(send(token.clone()).await, expected, "{token}");
            }
        }
        // A good token is not refused. Its verdict is another setting.
        assert_eq!(send(key.mint(&ten_minutes()).unwrap()).await, None);
        let said = &lines()[before.len()..];
        // Other tests of this process may have caused some, too.
        for why in [
            "its signature is invalid",
            "no key of the service has its `kid`",
            "it is not a JSON Web Token in compact form",
            "it is not for requests like this one",
            "it has no end, or one that is too far away",
            "it is for another service",
        ] {
            let n = said.iter().filter(|m| m.ends_with(why)).count();
            assert!((1..=2).contains(&n), "{why}: {said:?}");
        }
        assert_eq!(fixture.dashcam.status().tokens.refused[&Refusal::Scope], 3);
    }
}
