//! A field may have any name: the exchange, the log line and `dashcam show` have it once, under
//! that name.

use crate::support_gate::{Buffer, DEADLINE, Fixture};
use serde_json::{Value, json};
use tracing_subscriber::{EnvFilter, prelude::*};

#[tracing::instrument]
fn named_as_members(message: &'static str, name: &'static str, fields: u8, target: &'static str) {
    tracing::info!("in a span");
}

fn work() {
    named_as_members("own", "also", 3, "there");
    // Named as a record of the `log` crate names its origin.
    tracing::info!(
        log.target = "billing",
        log.line = 7,
        log.file = true,
        "origin"
    );
    tracing::info!(target: "log", { "log.target" = "billing" }, "of the target log");
    tracing::info!(
        name = "n",
        level = 1,
        target = "t",
        spans = 2,
        error = "e",
        "members"
    );
    tracing::info!(r#type = "card", r#match = 1, "raw");
    tracing::info!(a = 1, a = 2, "alike");
    tracing::info!(message = "mine", "two texts");
    tracing::info!({ "" = 1, "a \"b\"\u{7}=c" = 2, otel.name = "o" }, "odd");
    tracing::info!(
        r#type = 1,
        "type" = 2,
        r#password = "hunter22",
        "raw and alike"
    );
    dashcam::decision!("pricing", rule = "vip", "with a text");
    dashcam::decision!("stock", decision = "mine");
}

fn exchange_and_lines(flat: bool) -> (dashcam::exchange::Exchange, Vec<Value>) {
    let (fixture, buffer) = (Fixture::new(), Buffer::default());
    let lines = fixture.dashcam.json_log_to(buffer.clone()).unwrap();
    let lines = if flat {
        lines.flatten_fields(true)
    } else {
        lines
    };
    let subscriber = tracing_subscriber::registry()
        .with(fixture.dashcam.gate(EnvFilter::new("info")))
        .with(lines);
    let exchange = tracing::subscriber::with_default(subscriber, || fixture.failing(work));
    assert!(fixture.dashcam.flush(DEADLINE));
    (exchange, buffer.lines())
}

/// Each text, and the fields of its event.
fn expected() -> Vec<(&'static str, Value)> {
    vec![
        ("in a span", json!({})),
        (
            "origin",
            json!({"log.target": "billing", "log.line": 7, "log.file": true}),
        ),
        ("of the target log", json!({"log.target": "billing"})),
        (
            "members",
            json!({"name": "n", "level": 1, "target": "t", "spans": 2, "error": "e"}),
        ),
        ("raw", json!({"type": "card", "match": 1})),
        ("two texts", json!({"message": "mine"})),
        ("odd", json!({"": 1, "a \"b\"\u{7}=c": 2, "otel.name": "o"})),
    ]
}

#[test]
fn in_the_exchange() {
    let (exchange, _) = exchange_and_lines(false);
    for (text, fields) in expected() {
        let event = exchange
            .events
            .iter()
            .find(|e| e.message.as_deref() == Some(text));
        let event = event.unwrap_or_else(|| panic!("{text}: {exchange:#?}"));
        assert_eq!(Value::Object(event.fields.clone()), fields, "{text}");
    }
    let event = &exchange.events[0];
    assert_eq!(event.spans[0].name, "named_as_members");
    assert_eq!(
        json!(event.spans[0].fields),
        json!({"message": "own", "name": "also", "fields": 3, "target": "there"})
    );
    let of_log = &exchange.events[2];
    assert_eq!(of_log.target, "log", "no field is its target");
    assert!(of_log.line.is_some());
    let decisions: Vec<_> = exchange
        .decisions
        .iter()
        .map(|d| json!([d.name, d.fields]))
        .collect();
    assert_eq!(
        decisions,
        [
            json!(["pricing", {"rule": "vip", "message": "with a text"}]),
            json!(["stock", {"decision#2": "mine"}]),
        ]
    );
    assert_eq!(exchange.losses.values_cut, 0);
}

#[test]
fn in_the_log_line() {
    for flat in [false, true] {
        let (_, lines) = exchange_and_lines(flat);
        for (text, fields) in expected() {
            let line = lines.iter().find(|line| line["message"] == text);
            let line = line.unwrap_or_else(|| panic!("{text}: {lines:#?}"));
            for (name, value) in fields.as_object().unwrap() {
                let at_top = flat && line.get(name) == Some(value);
                assert!(
                    at_top || line["fields"][name] == *value,
                    "{flat} {name}: {line}"
                );
            }
            assert_eq!(line["level"], "INFO");
        }
        assert_eq!(
            lines[0]["spans"],
            json!([{
                "name": "named_as_members",
                "fields": {"message": "own", "name": "also", "fields": 3, "target": "there"},
            }])
        );
        let of_log = lines
            .iter()
            .find(|l| l["message"] == "of the target log")
            .unwrap();
        assert_eq!(of_log["target"], "log");
    }
}

#[test]
fn of_two_of_one_name_both() {
    let (exchange, lines) = exchange_and_lines(false);
    let of = |text: &str| {
        let event = exchange
            .events
            .iter()
            .find(|e| e.message.as_deref() == Some(text));
        let line = lines.iter().find(|line| line["message"] == text).unwrap();
        let fields = json!(event.unwrap().fields);
        assert_eq!(fields, line["fields"], "{text}");
        fields
    };
    assert_eq!(of("alike"), json!({"a": 1, "a#2": 2}));
    let fields = of("raw and alike");
    assert_eq!((&fields["type"], &fields["type#2"]), (&json!(1), &json!(2)));
    // A raw identifier hides what its plain name hides.
    assert!(
        fields["password"].as_str().unwrap().starts_with("[~"),
        "{fields}"
    );
}

/// Values that do not fit are counted for spans as for events.
#[test]
fn of_spans_what_is_cut_is_counted() {
    let mut limits = dashcam::capture::Limits::default();
    limits.recording = 1024 * 1024;
    let fixture = Fixture::with(|builder| builder.limits(limits));
    let subscriber =
        tracing_subscriber::registry().with(fixture.dashcam.gate(EnvFilter::new("info")));
    let long = "word ".repeat(4_000);
    let exchange = tracing::subscriber::with_default(subscriber, || {
        fixture.failing(|| {
            let span = tracing::info_span!("wide", a = long, b = long, c = long);
            span.in_scope(|| tracing::info!("inside"));
        })
    });
    let fields = &exchange.events[0].spans[0].fields;
    assert!(fields["a"].as_str().unwrap().ends_with('…'));
    assert!(!fields.contains_key("c"), "{:?}", fields.keys());
    assert_eq!(exchange.losses.values_cut, 3);
}
