//! No written log line is longer than its limit, and a line that was cut has `cut`.

use crate::support_gate::{Body, Buffer, DEADLINE, FAILED, Fixture};
use dashcam::log::JsonLayer;
use proptest::prelude::*;
use serde_json::Value;
use tracing_subscriber::{filter::LevelFilter, prelude::*};

const DEFAULT: usize = 16 * 1024;

/// The lines of a request that runs this, without the request's own.
fn lines_of(
    change: impl FnOnce(JsonLayer) -> JsonLayer,
    work: impl FnOnce() + Send,
) -> Vec<String> {
    let (fixture, buffer) = (Fixture::new(), Buffer::default());
    let lines = change(fixture.dashcam.json_log_to(buffer.clone()).unwrap());
    let subscriber = tracing_subscriber::registry()
        .with(fixture.dashcam.gate(LevelFilter::INFO))
        .with(lines);
    let request = http::Request::get("/").header("x-request-id", "i".repeat(128));
    tracing::subscriber::with_default(subscriber, || {
        fixture.call(request.body(Body::default()).unwrap(), FAILED, work);
    });
    assert!(fixture.dashcam.flush(DEADLINE));
    let text = buffer.text();
    let lines = text.split_inclusive('\n').map(str::to_owned);
    lines
        .filter(|line| !line.contains("dashcam::request"))
        .collect()
}

fn check(line: &str, max: usize) -> Value {
    assert!(line.len() <= max, "{} > {max}", line.len());
    let value: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
    assert_eq!(value["correlation_id"], "i".repeat(128));
    assert_eq!(value["level"], "INFO");
    assert_eq!(value["target"], module_path!());
    assert!(value["timestamp"].as_str().unwrap().ends_with('Z'));
    assert_eq!(value["trace_id"].as_str().unwrap().len(), 32);
    assert_eq!(value["span_id"].as_str().unwrap().len(), 16);
    value
}

#[test]
fn escapes_count() {
    let controls = "\u{1}\u{2}\"\\".repeat(1_000);
    let lines = lines_of(
        |lines| lines,
        || {
            tracing::info!(
                a = controls,
                b = controls,
                c = controls,
                short = "whole",
                "{controls}"
            );
            tracing::info!("short");
        },
    );
    let cut = check(&lines[0], DEFAULT);
    assert!(
        lines[0].len() > DEFAULT - 64,
        "as much as fits: {}",
        lines[0].len()
    );
    assert_eq!(cut["fields"]["short"], "whole");
    let a = cut["fields"]["a"].as_str().unwrap();
    assert!(a.ends_with('…') && controls.starts_with(a.trim_end_matches('…')));
    assert!(cut["cut"].as_u64().unwrap() >= 2, "{cut}");
    assert_eq!(check(&lines[1], DEFAULT).get("cut"), None);
}

/// As from a whole event of 24 KB. The longest values are cut first.
#[test]
fn the_longest_texts_are_cut_first() {
    let (long, less) = ("long ".repeat(1_000), "less ".repeat(100));
    let lines = lines_of(
        |lines| lines.max_line(4096),
        || {
            let span = tracing::info_span!("around", note = less, other = long);
            let _entered = span.entered();
            tracing::info!(text = long, n = 1, "{less}");
        },
    );
    let cut = check(&lines[0], 4096);
    assert_eq!(cut["message"], less);
    assert_eq!(cut["spans"][0]["fields"]["note"].as_str().unwrap(), less);
    assert_eq!(cut["cut"], 2);
    for text in [&cut["fields"]["text"], &cut["spans"][0]["fields"]["other"]] {
        let text = text.as_str().unwrap();
        assert!(text.ends_with('…') && text.len() < long.len(), "{text}");
    }
}

#[test]
fn where_texts_are_not_enough_fields_and_spans_go() {
    let formats: [fn(JsonLayer) -> JsonLayer; 3] =
        [|lines| lines, JsonLayer::datadog, JsonLayer::elastic];
    for format in formats {
        for flat in [false, true] {
            let lines = lines_of(
                |lines| {
                    let lines = format(lines).max_line(2_048);
                    if flat {
                        lines.flatten_fields(true)
                    } else {
                        lines
                    }
                },
                || {
                    let mut spans = Vec::new();
                    for n in 0..100 {
                        spans.push(
                            tracing::info_span!("around", n, note = "x".repeat(100)).entered(),
                        );
                    }
                    tracing::info!(a = "y".repeat(100), b = 2, level = 3, "many");
                    while spans.pop().is_some() {}
                },
            );
            let line = &lines[0];
            assert!(line.len() <= 2_048);
            let value: Value = serde_json::from_str(line).unwrap();
            assert_eq!(value["message"], "many");
            assert_eq!(value["correlation_id"], "i".repeat(128));
            let spans = value["spans"].as_array().unwrap();
            assert!((1..100).contains(&spans.len()), "{}", spans.len());
            let cut = value["cut"].as_u64().unwrap();
            assert!(cut >= 100 - spans.len() as u64, "{cut}: {}", spans.len());
            let b = if flat {
                &value["b"]
            } else {
                &value["fields"]["b"]
            };
            assert_eq!(*b, 2);
        }
    }
}

/// What did not fit into the event is counted on its line, too.
#[test]
fn what_was_cut_before_is_counted() {
    let huge = "word ".repeat(10_000);
    let lines = lines_of(
        |lines| lines.max_line(1024 * 1024),
        || {
            let _span = tracing::info_span!("around", huge).entered();
            tracing::info!(a = huge, b = huge, c = 1, "huge");
        },
    );
    let line = check(&lines[0], 1024 * 1024);
    assert_eq!(
        line["cut"], 4,
        "one of the span, and two texts and a field left out"
    );
}

/// Half of a placeholder would look like a text of the service.
#[test]
fn no_placeholder_is_cut() {
    for max in 2_048..2_120 {
        for hidden in [
            "[~e9b95b1c2b7d4e5a len=12 ascii alnum] ",
            "%5B~e9b95b1c2b7d4e5a%20len%3D12%20ascii%20alnum%5D&",
        ] {
            let text = hidden.repeat(100);
            let lines = lines_of(|lines| lines.max_line(max), || tracing::info!(text, "cut"));
            let cut = check(&lines[0], max);
            let text = cut["fields"]["text"].as_str().unwrap();
            let whole = text.strip_suffix('…').unwrap();
            let last = whole.rfind(&hidden[..2]).unwrap();
            let end = hidden.trim_end_matches([' ', '&']);
            let end = &end[end.len() - 1..];
            let rest = &whole[last..];
            assert!(rest.contains(end), "{max}: {rest}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn whatever_it_holds(
        texts in prop::collection::vec("(?s).{0,600}|[\\x00-\\x1f\"\\\\é…]{0,2000}", 4),
        flat in any::<bool>(),
        max in 2_048_usize..6_000,
    ) {
        let lines = lines_of(
            |lines| if flat { lines.flatten_fields(true) } else { lines }.max_line(max),
            || {
                let [a, b, c, d] = &texts[..] else { panic!() };
                let _span = tracing::info_span!("around", a, b).entered();
                tracing::info!(c, { "odd \"name\",{" } = a, d, message = c, fields = b, "{d}");
            },
        );
        let value = check(&lines[0], max);
        let whole = texts.iter().map(String::len).sum::<usize>() * 3 * 6 + 600 < max;
        prop_assert!(!whole || value.get("cut").is_none());
    }
}
