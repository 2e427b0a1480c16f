//! HAR and `curl` from real exchanges. `DASHCAM_HAR_DIR` is a directory for the document and for
//! the values that other tools must read from it.

#![cfg(all(feature = "full", unix))]

use crate::support_net::{Server, keeping_all_with, kept_of};
use axum::{
    Json, Router,
    body::{Body, Bytes, to_bytes},
    http::{HeaderMap, Request, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use base64ct::{Base64, Encoding as _};
use dashcam::{
    exchange::{self, BodyState, Content, Exchange},
    export::har,
    redact::Policy,
    testing::TestDashcam,
};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::json;
use std::{collections::BTreeMap, env, fs, path::PathBuf, process::Command};
use tower_http::compression::CompressionLayer;

const PAGE: &str = "<!doctype html><title>kept</title><p id=text>Łódź</p>";

fn image() -> Vec<u8> {
    (0..=255).rev().collect()
}

const FORM: &str = "--BbB\r\nContent-Disposition: form-data; name=\"status\"\r\n\r\nnew\r\n\
                    --BbB--\r\n";

fn deflated(text: &str) -> Vec<u8> {
    use std::io::Write as _;
    let mut out = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(text.as_bytes()).unwrap();
    out.finish().unwrap()
}

/// JSON in the requested coding.
async fn coded(Json(coding): Json<String>) -> impl IntoResponse {
    use std::io::Write as _;
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(b"{\"status\":\"new\"}").unwrap();
    let head = [
        (header::CONTENT_TYPE, "application/json".to_owned()),
        (header::CONTENT_ENCODING, coding),
    ];
    (head, out.finish().unwrap())
}

async fn json_echo(body: Bytes) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], body)
}

async fn image_of(body: Bytes) -> impl IntoResponse {
    let mut bytes = body.to_vec();
    bytes.reverse();
    ([(header::CONTENT_TYPE, "image/png")], bytes)
}

async fn login() -> impl IntoResponse {
    (
        StatusCode::SEE_OTHER,
        [
            (header::LOCATION, "/page"),
            (
                header::SET_COOKIE,
                "theme=dark; Path=/; HttpOnly; Max-Age=60",
            ),
        ],
    )
}

fn app() -> Router {
    let html = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
    let plain = [(header::CONTENT_TYPE, "text/plain")];
    let long = "the same again, ".repeat(200);
    Router::new()
        .route("/page", get(move || async move { (html, PAGE) }))
        .route("/json", post(json_echo).get(|| async { "{}" }))
        .route(
            "/image",
            post(image_of).get(|| async { image_of(image().into()).await }),
        )
        .route("/plain", get(move || async move { (plain, "Łódź") }))
        .route("/login", post(login))
        .route("/empty", get(|| async { StatusCode::NO_CONTENT }))
        .route("/fails", get(|| async { (StatusCode::BAD_GATEWAY, "no") }))
        .route("/coded", post(coded))
        .route("/any", any(json_echo))
        .route(
            "/packed",
            get(|| async { long }).layer(CompressionLayer::new()),
        )
}

/// The request of a client.
fn requests() -> Vec<Request<Body>> {
    let request = |method: &str, target: &str| {
        Request::builder()
            .method(method)
            .uri(target)
            .header("host", "shop.example")
            .header("user-agent", "test/1.0 (it's)")
    };
    let none = Body::empty;
    let typed = header::CONTENT_TYPE;
    let all: Vec<u8> = (0..=255).collect();
    [
        request("GET", "/page?x=1&list[]=a%20b")
            .header("cookie", "theme=dark; lang=pl")
            .body(none()),
        request("POST", "/json?limit=5")
            .header(&typed, "application/json")
            .body("{\"status\":\"Łódź\",\"count\":[1,2.50,null]}".into()),
        request("POST", "/image")
            .header(&typed, "application/octet-stream")
            .body(all.into()),
        request("GET", "/image").body(none()),
        request("GET", "/plain").body(none()),
        request("POST", "/login")
            .header(&typed, "application/x-www-form-urlencoded")
            .body("status=new&page=1".into()),
        request("GET", "/empty").body(none()),
        request("HEAD", "/page").body(none()),
        request("GET", "/fails").header("x-empty", "").body(none()),
        request("GET", "/packed")
            .header("accept-encoding", "gzip")
            .body(none()),
        Request::builder()
            .uri("/page")
            .header("host", "[::1]:3000")
            .body(none()),
        request("DELETE", "/json").body(none()),
        request("POST", "/coded")
            .header(&typed, "application/json")
            .body("\"x-gzip\"".into()),
        request("POST", "/coded")
            .header(&typed, "application/json")
            .body("\"GZIP, identity\"".into()),
        request("patch", "/any").body(none()),
        request("POST", "/any")
            .header(
                &typed,
                "Multipart/Form-Data; Charset=utf-8; Boundary=\"BbB\"",
            )
            .header("content-encoding", "x-deflate")
            .body(deflated(FORM).into()),
        request("POST", "/any")
            .header(&typed, "multipart/form-data; boundary=BbB")
            .body(FORM.into()),
    ]
    .map(Result::unwrap)
    .into()
}

/// The response, and its exchange.
struct Played {
    sent: Bytes,
    answer: Bytes,
    status: StatusCode,
    headers: HeaderMap,
    exchange: Exchange,
}

fn dashcam() -> TestDashcam {
    keeping_all_with(|builder| builder.policy(Policy::by_name().allow_unmatched_paths()))
}

async fn play(server: &Server, dashcam: &TestDashcam) -> Vec<Played> {
    let client: Client<_, Body> = Client::builder(TokioExecutor::new()).build_http();
    let mut played = Vec::new();
    for request in requests() {
        let (mut head, body) = request.into_parts();
        let target = head.uri.path_and_query().unwrap();
        let absolute = format!("http://{}{target}", server.address);
        head.uri = absolute.parse().unwrap();
        let sent = to_bytes(body, usize::MAX).await.unwrap();
        let request = Request::from_parts(head, Body::from(sent.clone()));
        let answered: Response<_> = client.request(request).await.unwrap();
        let (head, body) = answered.into_parts();
        let answer = to_bytes(Body::new(body), usize::MAX).await.unwrap();
        let kept = kept_of(dashcam, played.len() as u64 + 1).await;
        played.push(Played {
            sent,
            answer,
            status: head.status,
            headers: head.headers,
            exchange: kept.last().unwrap().clone(),
        });
    }
    played
}

/// A body without its content coding, as it is recorded.
fn decoded(body: &exchange::Body) -> Option<&str> {
    match &body.content {
        Some(Content::Text { text, .. }) if body.content_encoding.is_some() => Some(text),
        _ => None,
    }
}

/// The policy omits some bodies. Here they are as they passed.
fn keep_all_of_it(body: &mut exchange::Body, bytes: &[u8], keeps_decoded: bool) {
    let there = match &body.content {
        _ if keeps_decoded && decoded(body).is_some() => true,
        Some(Content::Text { text, .. }) => text.as_bytes() == bytes,
        Some(_) => false,
        None => bytes.is_empty(),
    };
    if !there {
        body.set_raw(bytes);
    }
}

fn complete(played: &[Played], keeps_decoded: bool) -> Vec<Exchange> {
    let exchanges = played.iter().map(|played| {
        let mut exchange = played.exchange.clone();
        keep_all_of_it(&mut exchange.request.body, &played.sent, keeps_decoded);
        if let Some(response) = &mut exchange.response {
            keep_all_of_it(&mut response.body, &played.answer, keeps_decoded);
        }
        exchange
    });
    exchanges.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn har_has_what_was_recorded() {
    let dashcam = dashcam();
    let server = Server::start(app().layer(dashcam.layer())).await;
    let played = play(&server, &dashcam).await;
    let document = har::from_exchanges(&complete(&played, true));
    let mut wanted = Vec::new();
    for (n, played) in played.iter().enumerate() {
        let entry = &document["log"]["entries"][n];
        let content = &entry["response"]["content"];
        let text = content["text"].as_str().unwrap_or_default();
        let bytes = match content["encoding"].as_str() {
            Some("base64") => Base64::decode_vec(text).unwrap(),
            Some(other) => panic!("{other}"),
            None => text.into(),
        };
        let recorded = &played.exchange;
        let response = recorded.response.as_ref().unwrap();
        let sent = decoded(&recorded.request.body).map_or(&*played.sent, str::as_bytes);
        let answer = decoded(&response.body).map_or(&*played.answer, str::as_bytes);
        assert_eq!(bytes, answer, "{entry:#}");
        assert_eq!(entry["response"]["status"], played.status.as_u16());
        let url = entry["request"]["url"].as_str().unwrap();
        assert!(
            url.starts_with("http://shop.example/") || url == "http://[::1]:3000/page",
            "{url}"
        );
        wanted.push(json!({
            "id": entry["_dashcam"]["correlation_id"],
            "method": entry["request"]["method"],
            "url": url,
            "request": Base64::encode_string(sent),
            "status": played.status.as_u16(),
            "response": Base64::encode_string(answer),
        }));
    }
    // One exchange without a response, one with nothing known.
    let mut lost = played[0].exchange.clone();
    lost.response = None;
    lost.request.headers.clear();
    lost.request.body = exchange::Body::new(BodyState::Unread);
    let mut all = complete(&played, true);
    all.push(lost);
    if let Some(dir) = env::var_os("DASHCAM_HAR_DIR").map(PathBuf::from) {
        fs::write(dir.join("kept.har"), har::from_exchanges(&all).to_string()).unwrap();
        fs::write(dir.join("wanted.json"), json!(wanted).to_string()).unwrap();
    }
}

/// Returns the boundary of the head, and the parts of the body by that.
fn parts(content_type: &str, body: &str) -> Vec<String> {
    let (_, boundary) = content_type.split_once("oundary=").unwrap();
    let boundary = boundary.split(';').next().unwrap().trim_matches('"');
    assert!(
        boundary
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-')
    );
    let inner = body.strip_prefix(&format!("--{boundary}\r\n"));
    let inner = inner.unwrap_or_else(|| panic!("{content_type}\n{body}"));
    let inner = inner
        .strip_suffix(&format!("\r\n--{boundary}--\r\n"))
        .unwrap();
    let delimiter = format!("\r\n--{boundary}\r\n");
    inner.split(&delimiter).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_form_of_parts_can_be_read_by_its_head() {
    let long = "----WebKitFormBoundary7MA4YWxkTrZu0gW";
    let boundaries = ["BbB", long, "dashcam", "dashcam-2", "4111111111111111"];
    let dashcam = keeping_all_with(|builder| builder);
    let server = Server::start(app().layer(dashcam.layer())).await;
    let client: Client<_, Body> = Client::builder(TokioExecutor::new()).build_http();
    for (n, boundary) in boundaries.into_iter().enumerate() {
        // A value contains a delimiter of another boundary.
        let value = if boundary == "dashcam" {
            "a"
        } else {
            "--dashcam"
        };
        let form = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"status\"\r\n\r\n\
             a\r\n--other\r\n--{boundary}\r\n\
             Content-Disposition: form-data; name=\"note\"\r\n\r\n{value}\r\n\
             --{boundary}--\r\n"
        );
        let request = Request::post(format!("http://{}/any", server.address))
            .header(
                "content-type",
                format!("multipart/form-data; boundary=\"{boundary}\""),
            )
            .body(Body::from(form))
            .unwrap();
        client.request(request).await.unwrap();
        let kept = kept_of(&dashcam, n as u64 + 1).await.pop().unwrap();
        let field =
            |(name, value): (&str, &str)| (name == "content-type").then(|| value.to_owned());
        let recorded = kept.request.headers.iter();
        let recorded = recorded
            .map(|h| (h.0.as_str(), h.1.as_str()))
            .find_map(field);
        let Some(Content::Text { text, .. }) = &kept.request.body.content else {
            panic!("{kept:?}")
        };
        let recorded = recorded.unwrap();
        assert_eq!(parts(&recorded, text).len(), 2, "{recorded}\n{text}");
        if boundary == "4111111111111111" {
            assert!(!format!("{kept:?}").contains(boundary), "{kept:?}");
        }
        let document = har::from_exchanges([&kept]);
        let post = &document["log"]["entries"][0]["request"]["postData"];
        let media = post["mimeType"].as_str().unwrap();
        assert_eq!(parts(media, post["text"].as_str().unwrap()).len(), 2);
        let command = kept.to_curl(None);
        assert!(
            command.contains(&format!("content-type: {recorded}")),
            "{command}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn curl_sends_the_request_again() {
    if Command::new("curl").arg("--version").output().is_err() {
        return;
    }
    let dashcam = dashcam();
    let server = Server::start(app().layer(dashcam.layer())).await;
    let played = play(&server, &dashcam).await;
    let base = format!("http://{}", server.address);
    for (n, (first, exchange)) in played.iter().zip(complete(&played, false)).enumerate() {
        let command = exchange.to_curl(Some(&base));
        let run = {
            let command = command.clone();
            move || {
                let mut shell = Command::new("sh");
                shell.args(["-c", &command]).env("no_proxy", "*");
                shell.output().unwrap()
            }
        };
        let output = tokio::task::spawn_blocking(run).await.unwrap();
        assert!(output.status.success(), "{command}\n{output:?}");
        let count = (played.len() + n + 1) as u64;
        let again = kept_of(&dashcam, count).await.pop().unwrap();
        assert_eq!(request_of(&again), request_of(&first.exchange), "{command}");
        assert_eq!(answer_of(&again), answer_of(&first.exchange), "{command}");
        assert_eq!(again.correlation.id, first.exchange.correlation.id);
        if exchange.request.method != "HEAD" && !first.headers.contains_key("content-encoding") {
            assert_eq!(output.stdout, first.answer, "{command}");
        }
    }
}

/// Without its hashes, which for guessable values hold within one request.
fn without_hashes(value: &impl serde::Serialize) -> String {
    let mut text = serde_json::to_string(value).unwrap();
    for start in ["[~", "\"hash\":\""] {
        let mut from = 0;
        while let Some(at) = text[from..].find(start) {
            from += at + start.len();
            if text[from..]
                .bytes()
                .take_while(u8::is_ascii_hexdigit)
                .count()
                >= 16
            {
                text.replace_range(from..from + 16, "#");
            }
        }
    }
    text
}

/// Returns the request without its host and without cookies. No policy shows cookies, and a
/// placeholder that is sent again becomes another placeholder.
fn request_of(exchange: &Exchange) -> impl PartialEq + std::fmt::Debug {
    let mut request = exchange.request.clone();
    let changed = |name: &str| name == "host" || name == "cookie";
    request.headers.retain(|field| !changed(&field.0));
    request.headers.sort_by(|a, b| a.0.cmp(&b.0));
    without_hashes(&request)
}

fn answer_of(exchange: &Exchange) -> impl PartialEq + std::fmt::Debug {
    let response = exchange.response.clone().unwrap();
    let headers: BTreeMap<_, _> = response.headers.into_iter().map(|h| (h.0, h.1)).collect();
    without_hashes(&(response.status, headers, response.body))
}
