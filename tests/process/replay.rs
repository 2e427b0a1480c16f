//! Recorded events of a failing request, replayed to the service's formatting layers.

use crate::support_gate::{Buffer, Fixture, Output, Seen, fmt_json, request};
use dashcam::{capture::Replay, gate::EventTime};
use http::StatusCode;
use serde_json::json;
use std::time::{Duration, SystemTime};
use tracing::{Level, level_filters::LevelFilter};
use tracing_subscriber::{EnvFilter, prelude::*};

#[test]
fn keeps_metadata_types_order_and_time_and_repeats_nothing() {
    alone!();
    let mut replay = Replay::default();
    replay.live = false;
    replay.per_signature = u64::MAX;
    replay.per_second = u64::MAX;
    let fixture = Fixture::with(|builder| builder.replay(replay).slow(Duration::from_secs(3600)));
    let (json, text, at_info, plain) = (
        Buffer::default(),
        Buffer::default(),
        Seen::default(),
        Seen::default(),
    );
    tracing_subscriber::registry()
        .with(fmt_json(&json))
        .with(at_info.clone().with_filter(LevelFilter::INFO))
        .with(fixture.dashcam.gate(EnvFilter::new("info")))
        .with(
            tracing_subscriber::fmt::layer()
                .with_ansi(false)
                .with_timer(EventTime::utc())
                .with_writer(text.clone()),
        )
        .with(plain.clone())
        .init();

    // Nothing of a healthy request.
    fixture.healthy(|| tracing::debug!("healthy debug"));
    assert!(fixture.take().is_empty());
    assert_eq!(plain.count("healthy debug"), 0);

    let began = SystemTime::now();
    let password = "hunter2".to_owned();
    let exchange = fixture.failing(|| {
        let span = tracing::info_span!("work", step = 3);
        let _span = span.enter();
        tracing::debug!(
            int = -7,
            unsigned = 7_u64,
            wide = u128::MAX,
            float = 1.5,
            nan = f64::NAN,
            flag = true,
            text = "wo\"rd",
            debug = ?[1, 2],
            display = %"shown",
            password,
            "first {}", 1
        );
        tracing::info!("shown at once");
        std::thread::sleep(Duration::from_millis(30));
        tracing::debug!(target: "other", "second");
        tracing::debug!("third, {password} again");
    });
    let ended = SystemTime::now();
    assert_eq!(exchange.events.len(), 4);

    // Meanwhile the request's own thread writes the request line.
    let mut order = plain.messages();
    order.retain(|message| message != "request");
    let third = exchange.events[3].message.as_deref().unwrap();
    assert!(third.starts_with("third, [~"), "{third}");
    assert_eq!(
        order,
        [
            "shown at once",
            "recorded events follow",
            "first 1",
            "second",
            third
        ]
    );
    assert_eq!(plain.at(Level::DEBUG), 3);
    assert_eq!(
        at_info.at(Level::DEBUG),
        0,
        "a layer's own filter stays a ceiling"
    );
    assert_eq!(at_info.count("recorded events follow"), 1);

    let first = json.with_message("first 1").remove(0);
    assert_eq!(first["level"], "DEBUG");
    assert_eq!(first["target"], module_path!());
    let fields = &first["fields"];
    for (name, value) in [
        ("int", json!(-7)),
        ("unsigned", json!(7)),
        ("float", json!(1.5)),
        ("flag", json!(true)),
        ("text", json!("wo\"rd")),
        ("debug", json!("[1, 2]")),
        ("display", json!("shown")),
        ("password", exchange.events[0].fields["password"].clone()),
    ] {
        assert_eq!(fields[name], value, "{name}");
    }
    assert_eq!(
        fields["wide"].to_string().trim_matches('"'),
        u128::MAX.to_string()
    );
    let spans: Vec<_> = first["spans"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["name"].clone())
        .collect();
    assert_eq!(spans, ["request", "replay"]);
    assert_eq!(
        first["spans"][0]["correlation_id"],
        exchange.correlation.id.as_str()
    );
    assert_eq!(first["span"]["name"], "replay");
    assert!(!json.text().contains("hunter2") && !text.text().contains("hunter2"));

    // The times of the text layer are those of the events.
    let text = text.text();
    let at = |message: &str| {
        let line = text.lines().find(|l| l.contains(message)).unwrap();
        let stamp: jiff::Timestamp = line.split_whitespace().next().unwrap().parse().unwrap();
        SystemTime::from(stamp)
    };
    let (first, second) = (at("first 1"), at("second"));
    assert!(began - Duration::from_millis(1) < first && second < ended);
    assert!(second.duration_since(first).unwrap() >= Duration::from_millis(30));
    let from_exchange = exchange.events[2].at_us - exchange.events[0].at_us;
    let from_text = second.duration_since(first).unwrap().as_micros() as u64;
    assert!(
        from_exchange.abs_diff(from_text) <= 1,
        "{from_exchange} {from_text}"
    );

    // The slow one is replayed, too. Then nothing is left over for others.
    let slow = Fixture::with(|builder| builder.replay(replay).slow(Duration::ZERO));
    slow.call(request(), StatusCode::OK, || tracing::debug!("slow debug"));
    assert_eq!(slow.take().len(), 1);
    assert_eq!(plain.count("slow debug"), 1);
    tracing::info!("info after");
    tracing::debug!("debug after");
    assert_eq!(
        (plain.count("info after"), at_info.count("info after")),
        (1, 1)
    );
    assert_eq!(plain.count("debug after"), 0);
    let replays = fixture.dashcam.status().replays;
    assert_eq!(
        (replays.replays, replays.events, replays.suppressed),
        (1, 3, 0)
    );
}
