//! What a service reports of its own failures stays readable.

use crate::false_alarms::world::{Answered, World};
use axum::{
    Extension, Form, Json, Router,
    body::Body,
    extract::{Path, Query, Request},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use dashcam::exchange::Content;
use serde_json::{Value, json};
use tracing::{error, info};

/// How services write an error into their responses.
#[derive(Clone, Copy, Debug)]
enum Format {
    Json,
    Message,
    Problem,
    Nested,
    Text,
}

const FORMATS: [Format; 5] = [
    Format::Json,
    Format::Message,
    Format::Problem,
    Format::Nested,
    Format::Text,
];

impl Format {
    fn answer(self, status: StatusCode, error: &str) -> Response {
        match self {
            Self::Json => (status, Json(json!({ "error": error }))).into_response(),
            Self::Message => {
                (status, Json(json!({ "code": 17, "message": error }))).into_response()
            }
            Self::Problem => {
                let problem = json!({ "type": "about:blank", "title": error, "status": status.as_u16(), "detail": error });
                let kind = [("content-type", "application/problem+json")];
                (status, kind, problem.to_string()).into_response()
            }
            Self::Nested => {
                let error = json!({ "error": { "reason": error, "description": error } });
                (status, Json(error)).into_response()
            }
            Self::Text => (status, error.to_owned()).into_response(),
        }
    }
}

/// Errors that hold nothing of a request.
fn errors() -> Vec<Box<dyn std::error::Error + Send + Sync>> {
    let io = |text: &str| std::io::Error::other(text.to_owned());
    vec![
        Box::new("x".parse::<u32>().unwrap_err()),
        Box::new("".parse::<f64>().unwrap_err()),
        Box::new(serde_json::from_str::<Value>("{").unwrap_err()),
        Box::new(serde_json::from_str::<u8>("300").unwrap_err()),
        Box::new(std::fs::read("/nowhere/at/all").unwrap_err()),
        Box::new(std::io::Error::from(std::io::ErrorKind::ConnectionRefused)),
        Box::new(String::from_utf8(vec![0xff]).unwrap_err()),
        Box::new("1.2.3".parse::<std::net::IpAddr>().unwrap_err()),
        Box::new(io("pool timed out while waiting for an open connection")),
        Box::new(io("relation \"order_lines\" does not exist")),
        Box::new(io("the warehouse is closed for stocktaking")),
        Box::new(io("upstream answered with status 503 after 3 attempts")),
    ]
}

fn content(answered: &Answered) -> String {
    match &answered.exchange.response.as_ref().unwrap().body.content {
        Some(Content::Text { text, .. }) => text.clone(),
        other => format!("{other:?}"),
    }
}

/// Text of all events and of all lines.
fn told(answered: &Answered) -> [String; 2] {
    let events = answered.exchange.events.iter();
    let events: Vec<_> = events
        .map(|event| serde_json::to_value(event).unwrap())
        .collect();
    [Value::from(events), Value::from(answered.lines.clone())].map(|json| strings(&json))
}

/// Strings, before they are JSON.
fn strings(json: &Value) -> String {
    match json {
        Value::String(text) => text.clone() + "\n",
        Value::Array(all) => all.iter().map(strings).collect(),
        Value::Object(members) => members.values().map(strings).collect(),
        _ => String::new(),
    }
}

/// The strings of a body that is JSON, or all of it.
fn body_text(text: &str) -> String {
    serde_json::from_str(text).map_or_else(|_| text.to_owned(), |json| strings(&json))
}

fn request(method: &str, uri: &str, kind: &str, body: &str) -> Request {
    axum::http::Request::builder()
        .method(method)
        .uri(uri)
        .header("content-type", kind)
        .body(Body::from(body.to_owned()))
        .unwrap()
}

const ORDER: &str = r#"{"customer":"Alma Rivera","items":[{"sku":"A-00017","quantity":2}],"email":"alma@example.org"}"#;

#[test]
fn an_error_is_shown_beside_the_answer_that_has_it() {
    let world = World::new();
    let mut hidden = Vec::new();
    let mut shown = 0;
    for (n, _) in errors().iter().enumerate() {
        for format in FORMATS {
            let handler = move |_: String| async move {
                let e = errors().swap_remove(n);
                error!(error = %e, attempt = n, "cannot place the order");
                let status = if n % 2 == 0 {
                    StatusCode::BAD_GATEWAY
                } else {
                    StatusCode::UNPROCESSABLE_ENTITY
                };
                format.answer(status, &e.to_string())
            };
            let routes = Router::new().route("/orders", post(handler));
            let answered = world.ask(
                routes,
                request("POST", "/orders", "application/json", ORDER),
            );
            let text = errors()[n].to_string();
            let sent = body_text(&answered.body);
            assert!(sent.contains(&text), "{answered:?}");
            let [events, lines] = told(&answered);
            for (place, found) in [
                ("answer", body_text(&content(&answered))),
                ("event", events),
                ("log", lines),
            ] {
                if found.contains(&text) {
                    shown += 1;
                } else {
                    hidden.push(format!("{format:?}, {place}: {text:?} in {found:?}"));
                }
            }
        }
    }
    println!("{shown} shown");
    assert!(shown + hidden.len() >= 150);
    assert!(
        hidden.is_empty(),
        "{} of {}:\n{}",
        hidden.len(),
        shown + hidden.len(),
        hidden[..hidden.len().min(20)].join("\n")
    );
}

/// axum's own responses to requests that it cannot parse: their texts stay, and so do those of
/// tuples.
#[test]
fn rejections_and_short_answers_are_shown() {
    #[derive(serde::Deserialize)]
    #[allow(dead_code)] // never read
    struct Order {
        customer: String,
        quantity: u32,
    }
    #[derive(serde::Deserialize)]
    #[allow(dead_code)] // never read
    struct Page {
        page: u32,
    }
    let routes = || {
        Router::new()
            .route("/json", post(|_: Json<Order>| async {}))
            .route("/form", post(|_: Form<Order>| async {}))
            .route("/query", get(|_: Query<Page>| async {}))
            .route("/path/{id}", get(|_: Path<u32>| async {}))
            .route("/two/{a}/{b}", get(|_: Path<u32>| async {}))
            .route("/extension", get(|_: Extension<u64>| async {}))
            .route("/text", post(|_: String| async {}))
            .route(
                "/gone",
                get(|| async { (StatusCode::GONE, "the cart has been emptied") }),
            )
            .route(
                "/conflict",
                get(|| async { (StatusCode::CONFLICT, "somebody else was faster") }),
            )
            .route(
                "/teapot",
                get(|| async {
                    (
                        StatusCode::IM_A_TEAPOT,
                        format!("no coffee for {} minutes", 7),
                    )
                }),
            )
            .route(
                "/busy",
                get(|| async {
                    (
                        StatusCode::SERVICE_UNAVAILABLE,
                        [("retry-after", "7")],
                        "draining",
                    )
                }),
            )
            .route(
                "/result",
                get(|| async { Err::<(), _>((StatusCode::BAD_REQUEST, "no such page")) }),
            )
    };
    let json = "application/json";
    let form = "application/x-www-form-urlencoded";
    // Everything in the response except values of the request.
    let asked: &[(&str, &str, &str, &str, &[&str])] = &[
        (
            "POST",
            "/json",
            "text/plain",
            "hello there",
            &["Expected request with `Content-Type: application/json`"],
        ),
        (
            "POST",
            "/json",
            json,
            "",
            &[
                "Failed to parse the request body as JSON: EOF while parsing a value at line 1 column 0",
            ],
        ),
        (
            "POST",
            "/json",
            json,
            "{\"customer\":",
            &[
                "Failed to parse the request body as JSON",
                "EOF while parsing a value at line 1 column 12",
            ],
        ),
        (
            "POST",
            "/json",
            json,
            "[1,]",
            &["Failed to", "at line 1 column"],
        ),
        (
            "POST",
            "/json",
            json,
            "{\"customer\":\"Alma Rivera\"}",
            &[
                "Failed to deserialize the JSON body into the target type",
                "missing field `quantity` at line 1 column 26",
            ],
        ),
        (
            "POST",
            "/json",
            json,
            "{\"customer\":\"Alma Rivera\",\"quantity\":\"Zwölfhundert\"}",
            &[
                "quantity: invalid type: string",
                "expected u32 at line 1 column",
            ],
        ),
        (
            "POST",
            "/json",
            json,
            "{\"customer\":\"Alma Rivera\",\"quantity\":-4}",
            &["quantity: invalid value: integer", "expected u32"],
        ),
        (
            "POST",
            "/json",
            json,
            "{\"customer\":null,\"quantity\":4}",
            &["customer: invalid type: null, expected a string"],
        ),
        (
            "POST",
            "/json",
            json,
            "{\"customer\":\"a\" \"b\"}",
            &["expected `,` or `}` at line 1 column"],
        ),
        (
            "POST",
            "/form",
            json,
            "{}",
            &["Form requests must have `Content-Type: application/x-www-form-urlencoded`"],
        ),
        (
            "POST",
            "/form",
            form,
            "customer=Alma",
            &["Failed to deserialize form body: missing field `quantity`"],
        ),
        (
            "POST",
            "/form",
            form,
            "customer=Alma&quantity=Zwanzigtausend",
            &["Failed to deserialize form body: quantity: invalid digit found in string"],
        ),
        (
            "GET",
            "/query",
            json,
            "",
            &["Failed to deserialize query string: missing field `page`"],
        ),
        (
            "GET",
            "/query?page=Quvexastr",
            json,
            "",
            &["Failed to deserialize query string: page: invalid digit found in string"],
        ),
        (
            "GET",
            "/query?page=-1",
            json,
            "",
            &["Failed to deserialize query string: page: invalid digit found in string"],
        ),
        (
            "GET",
            "/query?page=",
            json,
            "",
            &["Failed to deserialize query string: page: cannot parse integer from empty string"],
        ),
        (
            "GET",
            "/path/Quvexastr",
            json,
            "",
            &["Invalid URL: Cannot parse", "to a `u32`"],
        ),
        (
            "GET",
            "/path/4294967296",
            json,
            "",
            &["Invalid URL: Cannot parse", "to a `u32`"],
        ),
        (
            "GET",
            "/two/1/2",
            json,
            "",
            &["Wrong number of path arguments for `Path`. Expected 1 but got 2."],
        ),
        (
            "GET",
            "/extension",
            json,
            "",
            &["Missing request extension: Extension of type `u64` was not found."],
        ),
        ("GET", "/gone", json, "", &["the cart has been emptied"]),
        ("GET", "/conflict", json, "", &["somebody else was faster"]),
        ("GET", "/teapot", json, "", &["no coffee for 7 minutes"]),
        ("GET", "/busy", json, "", &["draining"]),
        ("GET", "/result", json, "", &["no such page"]),
    ];
    let world = World::new();
    let mut hidden = Vec::new();
    for (method, uri, kind, body, parts) in asked {
        let answered = world.ask(routes(), request(method, uri, kind, body));
        assert!(
            answered.status.is_client_error() || answered.status.is_server_error(),
            "{uri}"
        );
        let recorded = content(&answered);
        for part in *parts {
            assert!(
                answered.body.contains(part),
                "{method} {uri} {body}: {part} in {}",
                answered.body
            );
            if !recorded.contains(part) {
                hidden.push(format!("{method} {uri} {body}: {part:?} in {recorded:?}"));
            }
        }
        // And no value that the client sent is in it.
        for value in [
            "Alma",
            "Rivera",
            "Zwölfhundert",
            "Zwanzigtausend",
            "Quvexastr",
        ] {
            assert!(!recorded.contains(value), "{method} {uri}: {recorded}");
        }
    }
    assert!(
        hidden.is_empty(),
        "{}:\n{}",
        hidden.len(),
        hidden[..hidden.len().min(20)].join("\n")
    );
}

/// The program's own texts are never rewritten, whatever bodies contain.
#[test]
fn literals_stay() {
    let world = World::new();
    let handler = |_: String| async {
        info!(total = 7, "an order");
        info!(state = "delivered", "customer asked for {} boots", 2);
        "an order"
    };
    let routes = || Router::new().route("/orders", post(handler));
    let body = r#"{"text":"an order","state":"delivered","name":"customer","kind":"asked for","size":"boots"}"#;
    for n in 0..20 {
        let answered = world.ask(
            routes(),
            request("POST", "/orders", "application/json", body),
        );
        let [events, lines] = told(&answered);
        for (place, text) in [("event", events), ("log", lines)] {
            for literal in ["an order\n", "customer asked for 2 boots\n", "delivered\n"] {
                assert!(
                    text.contains(literal),
                    "request {n}, {place}: {literal:?} in {text:?}"
                );
            }
        }
        let recorded = content(&answered);
        assert!(
            !recorded.contains("an order"),
            "an answer that is well hides its text: {recorded}"
        );
    }
}
