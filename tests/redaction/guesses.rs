//! An attacker who reads the output, and sends requests of his own, cannot confirm a guess of a
//! guessable value. Equal values that cannot be guessed have equal hashes.

use crate::support_gate::{Buffer, DEADLINE, replay_all};
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::Request,
    http::StatusCode,
    routing::post,
};
use dashcam::{
    Dashcam,
    capture::{CaptureLayer, Limits, StormLimits},
    exchange::{Direction, Exchange},
    export::Memory,
    lifecycle::RequestBody,
    redact::{Action, Policy},
};
use serde_json::{Value, json};
use std::{collections::HashSet, convert::Infallible};
use tower::{Layer, ServiceExt, service_fn};
use tracing_subscriber::{EnvFilter, prelude::*};

const BIRTHDAY: &str = "1974-03-21";
const PIN: &str = "482913";
const LONG: &str = "Qm7xWz31kPv0Ls84";
const GUESSES: usize = 10_000;
/// Within one request of the attacker.
const AT_ONCE: usize = 10;

fn policy() -> Policy {
    Policy::strict().with_key("test", &[7; 32]).unwrap()
}

/// The output: exchanges, and log lines with those of replays.
struct Written {
    exchanges: Vec<Exchange>,
    lines: String,
}

impl Written {
    fn lines_of<'w>(&'w self, id: &'w str) -> impl Iterator<Item = &'w str> {
        self.lines.lines().filter(move |line| line.contains(id))
    }

    fn exchanges_of<'w>(&'w self, id: &'w str) -> impl Iterator<Item = &'w Exchange> {
        self.exchanges
            .iter()
            .filter(move |e| e.correlation.id == id)
    }

    /// All hashes of one request and its calls, in every output.
    fn hashes(&self, id: &str) -> HashSet<String> {
        let exchanges = self.exchanges_of(id);
        let exchanges = exchanges.map(|exchange| serde_json::to_string(exchange).unwrap());
        let lines = self.lines_of(id).map(str::to_owned);
        exchanges
            .chain(lines)
            .flat_map(|text| hashes(&text))
            .collect()
    }
}

/// The hashes of placeholders, and those of contents that are not written.
fn hashes(text: &str) -> Vec<String> {
    let starts = ["[~", "%5B~", "\"hash\":\""];
    let at = starts.iter().flat_map(|start| {
        text.match_indices(start)
            .map(|(at, start)| at + start.len())
    });
    let sixteen = at.filter_map(|at| text.get(at..at + 16));
    let hash = |text: &&str| text.bytes().all(|b| b.is_ascii_hexdigit());
    sixteen.filter(hash).map(str::to_owned).collect()
}

/// Repeats all of its input, in events of its own and in a call, and fails.
async fn handler(request: Request, client: CaptureLayer) -> (StatusCode, String) {
    let body = to_bytes(request.into_body(), usize::MAX).await.unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    let all = |name: &str| match &body[name] {
        Value::Array(all) => all.iter().filter_map(Value::as_str).collect::<Vec<_>>(),
        Value::String(one) => vec![one.as_str()],
        _ => Vec::new(),
    };
    for pin in all("pin") {
        tracing::info!(pin, "the PIN is {pin}, they say");
        tracing::debug!("it is {pin}");
    }
    for birthday in all("birthday") {
        tracing::info!("born on {birthday}");
        tracing::debug!(?birthday, "born");
    }
    if let [customer] = all("customer")[..] {
        dashcam::current().unwrap().fact("customer", customer);
    }
    let call = http::Request::post("http://people/find?pin=1")
        .header("content-type", "application/json")
        .body(Body::from(body.to_string()));
    let people = service_fn(|request: http::Request<RequestBody<Body>>| async {
        let _ = to_bytes(Body::new(request.into_body()), usize::MAX).await;
        Ok::<_, Infallible>(http::Response::new(Body::empty()))
    });
    let answer = client.layer(people).oneshot(call.unwrap()).await.unwrap();
    let _ = to_bytes(Body::new(answer.into_body()), usize::MAX).await;
    (StatusCode::BAD_GATEWAY, PIN.to_owned())
}

/// Sends bodies, each with the ID of its request.
fn run(policy: Policy, bodies: &[(String, Value)]) -> Written {
    let mut limits = Limits::default();
    limits.queue = 100_000;
    limits.queue_bytes = 1 << 30;
    limits.memory = 1 << 30;
    let mut storm = StormLimits::default();
    storm.full = u64::MAX;
    storm.per_second = u64::MAX;
    let kept = Memory::new(100_000);
    let dashcam = Dashcam::builder()
        .service("people", "1")
        .exporter(kept.clone())
        .policy(policy)
        .limits(limits)
        .storm(storm)
        .replay(replay_all(false))
        .build()
        .unwrap();
    let lines = Buffer::default();
    let dispatch: tracing::Dispatch = tracing_subscriber::registry()
        .with(dashcam.gate(EnvFilter::new("info")))
        .with(dashcam.json_log_to(lines.clone()).unwrap())
        .into();
    tracing::dispatcher::with_default(&dispatch, || {
        tokio_test::block_on(async {
            let client = dashcam.client_layer();
            let app = Router::new()
                .route(
                    "/find",
                    post(move |request| handler(request, client.clone())),
                )
                .layer(dashcam.layer());
            for (id, body) in bodies {
                let request = http::Request::post("/find")
                    .header("content-type", "application/json")
                    .header("x-request-id", id)
                    .body(Body::from(body.to_string()));
                let answer = app.clone().oneshot(request.unwrap()).await.unwrap();
                let _ = to_bytes(answer.into_body(), usize::MAX).await;
            }
            // Outside of any request.
            for _ in 0..2 {
                tracing::info!(pin = PIN, "nobody's: call +49 151 12345678");
            }
        });
        assert!(dashcam.flush(DEADLINE));
    });
    Written {
        exchanges: kept.exchanges(),
        lines: lines.text(),
    }
}

fn one(id: &str, body: Value) -> (String, Value) {
    (id.to_owned(), body)
}

/// The victim's request, then those of an attacker who guesses both values, and is right once.
fn attacked() -> Vec<(String, Value)> {
    let victim = json!({ "pin": PIN, "birthday": BIRTHDAY, "reference": LONG });
    let mut bodies = vec![one("victim", victim)];
    let numbers: Vec<usize> = (0..GUESSES).collect();
    for numbers in numbers.chunks(AT_ONCE) {
        let pins = numbers.iter().map(|n| (480_000 + n).to_string());
        // Days of 30 years, written as dates.
        let day = |n: &usize| {
            let (year, month, day) = (1960 + n / 360, n / 30 % 12 + 1, n % 30 + 1);
            format!("{year}-{month:02}-{day:02}")
        };
        let birthdays = numbers.iter().map(day);
        let guesses = json!({
            "pin": pins.collect::<Vec<_>>(),
            "birthday": birthdays.collect::<Vec<_>>(),
        });
        bodies.push(one(&format!("guess-{}", numbers[0]), guesses));
    }
    let all = bodies[1..].iter().map(|(_, body)| body.to_string());
    let all: String = all.collect();
    assert!(all.contains(PIN) && all.contains(BIRTHDAY));
    bodies
}

/// Hashes of the victim that the attacker's own requests also have.
fn found(written: &Written) -> usize {
    let victims = written.hashes("victim");
    assert!(victims.len() > 2, "{victims:?}");
    let mut guesses = HashSet::new();
    let mut ids: Vec<&str> = Vec::new();
    for exchange in &written.exchanges {
        ids.push(&exchange.correlation.id);
        if exchange.correlation.id != "victim" {
            guesses.extend(hashes(&serde_json::to_string(exchange).unwrap()));
        }
    }
    for line in written.lines.lines().filter(|l| !l.contains("victim")) {
        guesses.extend(hashes(line));
    }
    // This much was written of them, so that a hit would show.
    assert!(guesses.len() > GUESSES, "{}", guesses.len());
    victims.intersection(&guesses).count()
}

#[test]
fn a_birth_date_and_a_pin_are_not_found() {
    let written = run(policy(), &attacked());
    assert_eq!(found(&written), 0);
}

#[test]
fn what_the_policy_joins_is_found() {
    let joins = policy().field("pin", Action::Join);
    let joins = joins.field("birthday", Action::Join);
    let written = run(joins, &attacked());
    assert_eq!(found(&written), 2);
}

/// The text of a body.
fn body(exchange: &Exchange) -> Value {
    let exchange = serde_json::to_value(exchange).unwrap();
    let text = exchange["request"]["body"]["content"]["text"].as_str();
    serde_json::from_str(text.unwrap()).unwrap()
}

/// The hash in a placeholder.
fn hash(value: &Value) -> &str {
    &value.as_str().unwrap()[2..18]
}

#[test]
fn in_one_request_equal_values_have_equal_hashes() {
    let written = run(
        policy(),
        &[one("one", json!({ "pin": PIN, "birthday": BIRTHDAY }))],
    );
    let exchanges: Vec<&Exchange> = written.exchanges_of("one").collect();
    let of = |direction| exchanges.iter().find(|e| e.direction == direction).unwrap();
    let (request, call) = (of(Direction::Server), of(Direction::Client));
    let (pin, birthday) = (&body(request)["pin"], &body(request)["birthday"]);
    let (pin, birthday) = (hash(pin), hash(birthday));
    assert_eq!(hash(&body(call)["pin"]), pin);
    assert_eq!(hash(&body(call)["birthday"]), birthday);
    assert_eq!(call.redaction.salt, request.redaction.salt);
    let events = serde_json::to_string(&request.events).unwrap();
    // A field and twice in messages; in a message and a field.
    assert_eq!(events.matches(pin).count(), 3, "{events}");
    assert_eq!(events.matches(birthday).count(), 2, "{events}");
    let lines: Vec<Value> = written
        .lines_of("one")
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let said = |message: String| {
        let line = lines.iter().find(|line| line["message"] == message);
        line.unwrap_or_else(|| panic!("{message} in {lines:#?}"))
    };
    let line = said(format!("the PIN is [~{pin}], they say"));
    assert_eq!(hash(&line["fields"]["pin"]), pin);
    said(format!("born on [~{birthday}]"));
    let replayed = said(format!("it is [~{pin}]"));
    assert_eq!(replayed["replayed"], true);
}

#[test]
fn lines_of_no_request_cannot_be_compared() {
    let written = run(policy(), &[]);
    let lines: Vec<&str> = written.lines_of("nobody's").collect();
    assert_eq!(lines.len(), 2);
    let (one, other) = (hashes(lines[0]), hashes(lines[1]));
    assert_eq!((one.len(), other.len()), (2, 2), "{lines:?}");
    assert!(one.iter().all(|hash| !other.contains(hash)), "{lines:?}");
}

/// The exchange of a request, of which only one was sent.
fn exchange(policy: Policy, body: Value) -> Exchange {
    let written = run(policy, &[one("one", body)]);
    let mut exchanges = written.exchanges.into_iter();
    exchanges
        .find(|e| e.direction == Direction::Server)
        .unwrap()
}

#[test]
fn what_cannot_be_guessed_and_facts_are_joined_by_who_has_the_key() {
    let name = format!("dashcam-guesses-{}.key", std::process::id());
    let file = std::env::temp_dir().join(name);
    std::fs::write(&file, format!("{}\n", "0f".repeat(32))).unwrap();
    let toml = format!(
        "[fields]\nplace = \"join\"\n\n[key]\nid = \"k\"\nfile = {}",
        json!(file.to_str())
    );
    let sent = || json!({ "reference": LONG, "customer": "4711", "place": "10115", "pin": PIN });
    // Two processes that read one file.
    let [one, other] = [(); 2].map(|()| exchange(Policy::from_toml(&toml).unwrap(), sent()));
    std::fs::remove_file(&file).unwrap();
    let foreign = exchange(policy(), sent());
    for name in ["reference", "place", "customer"] {
        let of = |exchange: &Exchange| hash(&body(exchange)[name]).to_owned();
        // The fact gives the same value a joinable hash wherever it is.
        assert_eq!(of(&one), of(&other), "{name}");
        assert_ne!(of(&one), of(&foreign), "{name}");
    }
    assert_eq!(one.facts, other.facts);
    assert_ne!(one.facts, foreign.facts);
    assert_eq!(hash(&one.facts["customer"]), hash(&body(&one)["customer"]));
    assert_ne!(hash(&body(&one)["pin"]), hash(&body(&other)["pin"]));
    assert_ne!(one.redaction.salt, other.redaction.salt);
}
