//! The shape of the JSON log line: its members, their order, and no name twice,
//! with the event's fields nested and flattened.

use crate::support_gate::{Body, Buffer, DEADLINE, Fixture};
use dashcam::{log::JsonLayer, redact::Policy};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Value, json};
use std::fmt;
use tracing_subscriber::{EnvFilter, prelude::*};

/// Parses JSON in which no object has a name twice. Returns the outermost names in order.
/// `serde_json` by itself takes the last of several.
struct Strict {
    value: Value,
    names: Vec<String>,
}

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Once;
        impl<'de> Visitor<'de> for Once {
            type Value = Strict;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON without a name twice")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Strict, A::Error> {
                let (mut members, mut names) = (serde_json::Map::new(), Vec::new());
                while let Some((name, value)) = map.next_entry::<String, Strict>()? {
                    if members.insert(name.clone(), value.value).is_some() {
                        return Err(A::Error::custom(format!("{name} occurs twice")));
                    }
                    names.push(name);
                }
                let value = Value::Object(members);
                Ok(Strict { value, names })
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Strict, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element::<Strict>()? {
                    items.push(item.value);
                }
                scalar(items)
            }
            fn visit_bool<E>(self, value: bool) -> Result<Strict, E> {
                scalar(value)
            }
            fn visit_i64<E>(self, value: i64) -> Result<Strict, E> {
                scalar(value)
            }
            fn visit_u64<E>(self, value: u64) -> Result<Strict, E> {
                scalar(value)
            }
            fn visit_f64<E>(self, value: f64) -> Result<Strict, E> {
                scalar(value)
            }
            fn visit_str<E>(self, value: &str) -> Result<Strict, E> {
                scalar(value)
            }
        }
        fn scalar<E>(value: impl Into<Value>) -> Result<Strict, E> {
            let (value, names) = (value.into(), Vec::new());
            Ok(Strict { value, names })
        }
        d.deserialize_any(Once)
    }
}

fn strict(buffer: &Buffer) -> Vec<Strict> {
    let text = buffer.text();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
        .collect()
}

fn lines_of(flat: bool, f: impl Fn()) -> Vec<Strict> {
    let buffer = Buffer::default();
    let lines = JsonLayer::new(buffer.clone(), Policy::by_name()).unwrap();
    let lines = if flat {
        lines.flatten_fields(true)
    } else {
        lines
    };
    let handle = lines.clone();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), f);
    assert!(handle.flush(DEADLINE));
    assert_eq!((handle.dropped(), handle.failed()), (0, 0));
    strict(&buffer)
}

/// The names that a line has or reserves.
fn reserved() {
    tracing::warn!(
        before = 1,
        timestamp = "mine",
        level = 7,
        target = "mine too",
        source = "here",
        correlation_id = "nobody's",
        trace_id = "none",
        span_id = "none",
        fields = true,
        spans = 1,
        replayed = false,
        after = 2,
        "said"
    );
}

fn reserved_fields() -> Value {
    json!({
        "timestamp": "mine", "level": 7, "target": "mine too", "source": "here",
        "correlation_id": "nobody's", "trace_id": "none", "span_id": "none", "fields": true,
        "spans": 1, "replayed": false,
    })
}

#[test]
fn flattened_fields_are_at_the_top_unless_their_name_is_taken() {
    let lines = lines_of(true, || {
        tracing::info!(n = 1, text = "two", ratio = 0.5, flag = true, "said");
        reserved();
        tracing::info!("nothing more");
        tracing::info!(n = 1);
    });
    let top = |n: usize| lines[n].names.join(" ");
    assert_eq!(top(0), "timestamp level target message n text ratio flag");
    let values = json!([1, "two", 0.5, true]);
    let line = &lines[0].value;
    assert_eq!(
        json!([line["n"], line["text"], line["ratio"], line["flag"]]),
        values
    );
    assert_eq!(top(1), "timestamp level target message before after fields");
    let line = &lines[1].value;
    assert_eq!(line["fields"], reserved_fields());
    assert_eq!(line["level"], "WARN");
    assert_eq!(line["message"], "said");
    assert_eq!(top(2), "timestamp level target message");
    assert_eq!(top(3), "timestamp level target n");
}

#[test]
fn nested_fields_take_no_name_from_the_line() {
    let lines = lines_of(false, reserved);
    assert_eq!(
        lines[0].names.join(" "),
        "timestamp level target message fields"
    );
    let mut expected = reserved_fields();
    expected["before"] = json!(1);
    expected["after"] = json!(2);
    assert_eq!(lines[0].value["fields"], expected);
}

#[test]
fn the_order_of_members_is_the_same_for_every_line_of_a_request() {
    for (flat, expected) in [
        (
            false,
            "timestamp level target message source correlation_id trace_id span_id fields spans",
        ),
        (
            true,
            "timestamp level target message source correlation_id trace_id span_id a b fields spans",
        ),
    ] {
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
        tracing::subscriber::with_default(subscriber, || {
            let request = http::Request::get("/")
                .header(
                    "traceparent",
                    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                )
                .body(Body::default())
                .unwrap();
            fixture.call(request, http::StatusCode::OK, || {
                let _span = tracing::info_span!("work", note = "x").entered();
                // The address is removed, so the line names the origin.
                tracing::info!(a = 1, level = 2, b = 3, "to someone@example.org");
            });
        });
        assert!(fixture.dashcam.flush(DEADLINE));
        let lines = strict(&buffer);
        assert_eq!(lines.len(), 2);
        let line = &lines[0];
        assert_eq!(line.names.join(" "), expected);
        assert_eq!(line.value["trace_id"], "0af7651916cd43dd8448eb211c80319c");
        let span_id = line.value["span_id"].as_str().unwrap();
        assert!(
            span_id.len() == 16 && span_id != "b7ad6b7169203331",
            "{span_id}"
        );
        assert_eq!(
            line.value["spans"],
            json!([{"name": "work", "fields": {"note": "x"}}])
        );
        assert!(line.value["source"].as_str().unwrap().contains(file!()));
        // Our own line is one of them.
        let own = &lines[1].value;
        let fields = if flat { own } else { &own["fields"] };
        assert_eq!(fields["http.request.method"], "GET");
        assert_eq!(fields["kept"], false);
    }
}

#[test]
fn of_a_name_that_occurs_twice_both_are_written() {
    for flat in [false, true] {
        let lines = lines_of(flat, || {
            tracing::info!(a = 1, b = 2, a = "later", "said");
            let span = tracing::info_span!("span", x = 1, y = 2, x = 3);
            span.in_scope(|| tracing::info!("inside"));
            tracing::info!(message = "first", "second");
            tracing::info!(message = 5);
        });
        let line = &lines[0].value;
        let fields = if flat { line } else { &line["fields"] };
        assert_eq!((&fields["a"], &fields["b"]), (&json!(1), &json!(2)));
        assert_eq!(fields["a#2"], "later");
        assert_eq!(
            lines[1].value["spans"],
            json!([{"name": "span", "fields": {"x": 1, "y": 2, "x#2": 3}}])
        );
        assert_eq!(
            lines[2].names.join(" "),
            "timestamp level target message fields",
            "{flat}"
        );
        assert_eq!(lines[2].value["message"], "second");
        assert_eq!(lines[2].value["fields"], json!({"message": "first"}));
        assert_eq!(lines[3].value["message"], "5");
    }
}

#[test]
fn hostile_names_and_texts_stay_inside_of_their_strings() {
    let texts = [
        "\u{0}\u{1}\u{8}\u{b}\u{1f}\u{7f}\u{80}",
        "\u{2028}\u{2029}\u{feff}\u{fffe}",
        r"\ud800 \udfff \u0000 \",
        "\",\"level\":\"ERROR\",\"x\":\"",
        "\r\n{\"level\":\"ERROR\"}",
    ];
    for flat in [false, true] {
        let lines = lines_of(flat, || {
            for text in texts {
                tracing::info!(
                    "a \"name\"\n\u{2028}\\" = text,
                    "\",\"level\":\"ERROR" = 1,
                    nan = f64::NAN,
                    least = f64::NEG_INFINITY,
                    "{text}"
                );
            }
        });
        assert_eq!(lines.len(), texts.len());
        for (line, text) in lines.iter().zip(texts) {
            assert_eq!(line.value["level"], "INFO");
            assert_eq!(line.value["message"], text);
            let fields = if flat {
                &line.value
            } else {
                &line.value["fields"]
            };
            assert_eq!(fields["a \"name\"\n\u{2028}\\"], text);
            assert_eq!(fields["\",\"level\":\"ERROR"], 1);
            assert_eq!(
                (&fields["nan"], &fields["least"]),
                (&json!("NaN"), &json!("-inf"))
            );
        }
    }
}

#[test]
fn a_megabyte_says_that_it_was_cut() {
    for flat in [false, true] {
        let huge = "\u{1}\"ä".repeat(250_000);
        let lines = lines_of(flat, || {
            tracing::info!(text = huge.as_str(), n = 1, "{huge}");
        });
        let line = &lines[0].value;
        let fields = if flat { line } else { &line["fields"] };
        let texts = [&line["message"], &fields["text"]];
        let kept = texts.map(|text| text.as_str().unwrap().strip_suffix('…').unwrap());
        assert!(kept.iter().all(|text| huge.starts_with(text)));
        assert!(kept[0].len() > 1000);
    }
}

#[test]
fn times_are_rfc_3339_with_microseconds_and_go_on() {
    let lines = lines_of(false, || (0..2_000).for_each(|n| tracing::info!(n)));
    let times: Vec<_> = lines
        .iter()
        .map(|line| line.value["timestamp"].as_str().unwrap().to_owned())
        .collect();
    let form = "0000-00-00T00:00:00.000000Z";
    for time in &times {
        let same: String = time
            .chars()
            .map(|c| if c.is_ascii_digit() { '0' } else { c })
            .collect();
        assert_eq!(same, form, "{time}");
    }
    assert!(times.is_sorted());
    assert_ne!(
        times.first(),
        times.last(),
        "the microseconds are filled in"
    );
}

#[test]
fn each_format_names_the_same_things_in_its_own_way() {
    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    let google = "projects/my-project/traces/0af7651916cd43dd8448eb211c80319c";
    type Format = fn(JsonLayer) -> JsonLayer;
    let formats: [(Format, _, _, _); 4] = [
        (
            |lines| lines,
            "timestamp level target message correlation_id trace_id span_id n fields",
            "WARN",
            TRACE,
        ),
        (
            JsonLayer::datadog,
            "timestamp status logger.name message correlation_id dd.trace_id dd.span_id level n fields",
            "warn",
            TRACE,
        ),
        (
            |lines| lines.google_cloud("my-project"),
            "time severity target message correlation_id logging.googleapis.com/trace \
             logging.googleapis.com/spanId logging.googleapis.com/trace_sampled level n fields",
            "WARNING",
            google,
        ),
        (
            JsonLayer::elastic,
            "@timestamp ecs.version log.level log.logger message correlation_id trace.id span.id level n fields",
            "warn",
            TRACE,
        ),
    ];
    for (format, names, level, trace) in formats {
        let (fixture, buffer) = (Fixture::new(), Buffer::default());
        let lines = fixture.dashcam.json_log_to(buffer.clone()).unwrap();
        let own = names.split_whitespace().collect::<Vec<_>>();
        let subscriber = tracing_subscriber::registry()
            .with(fixture.dashcam.gate(EnvFilter::new("info")))
            .with(format(lines.flatten_fields(true)));
        let mut span_id = None;
        tracing::subscriber::with_default(subscriber, || {
            let request = http::Request::get("/")
                .header("traceparent", format!("00-{TRACE}-b7ad6b7169203331-01"))
                .body(Body::default())
                .unwrap();
            fixture.call(request, http::StatusCode::OK, || {
                let context = dashcam::current().unwrap();
                span_id = Some(context.trace_context().span_id());
                tracing::warn!(level = "mine", n = 1, spans = 2, "said");
            });
        });
        assert!(fixture.dashcam.flush(DEADLINE));
        let lines = strict(&buffer);
        let line = &lines[0];
        assert_eq!(line.names, own);
        // A field with the name of a member stays in `fields`, on each line.
        assert_eq!(line.value["fields"]["spans"], 2);
        let elsewhere = if own.contains(&"severity") || own.contains(&"status") {
            &line.value["level"]
        } else {
            line.value["fields"]
                .get("level")
                .unwrap_or(&line.value["level"])
        };
        assert_eq!(elsewhere, "mine");
        let at = |n: usize| line.value[own[n]].clone();
        let shift = usize::from(own[1] == "ecs.version");
        if shift == 1 {
            assert_eq!(at(1), "8.11.0");
        }
        assert!(at(0).as_str().unwrap().ends_with('Z'));
        assert_eq!(at(1 + shift), level);
        assert_eq!(at(2 + shift), module_path!());
        assert_eq!(at(5 + shift), trace);
        let span_id = span_id.unwrap();
        let decimal = u64::from_be_bytes(span_id.to_bytes()).to_string();
        let hex = span_id.to_string();
        let expected = if own[1] == "status" { decimal } else { hex };
        assert_eq!(at(6 + shift), expected);
        if own[1] == "severity" {
            assert_eq!(at(7), true);
        }
    }
}
