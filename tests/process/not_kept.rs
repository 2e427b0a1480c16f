//! The log line of a failure that is not kept has the reason. That of a healthy request has none.

use crate::support_gate::Buffer;
use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode},
    routing::get,
};
use dashcam::{
    Dashcam,
    capture::{CaptureOptions, Limits, StormLimits},
    exchange::Exchange,
    export::{ExportError, Exporter, Memory},
};
use serde_json::Value;
use std::{
    sync::mpsc::{Receiver, channel},
    time::Duration,
};
use tower::ServiceExt;
use tracing_subscriber::{EnvFilter, prelude::*};

const DEADLINE: Duration = Duration::from_secs(60);

struct Stalled(Receiver<()>, Memory);

impl Exporter for Stalled {
    fn export(&mut self, exchange: &Exchange) -> Result<(), ExportError> {
        let _ = self.0.recv();
        self.1.export(exchange)
    }
}

#[tokio::test]
async fn the_line_of_a_failure_that_is_not_kept_says_why() {
    alone!();
    let mut storm = StormLimits::default();
    (storm.full, storm.heads) = (1, 0);
    storm.window = Duration::from_millis(1);
    let mut limits = Limits::default();
    limits.queue = 2;
    limits.baseline_per_second = 0;
    let (release, open) = channel();
    let kept = Memory::new(100);
    let built = |storm, baseline| {
        let builder = Dashcam::builder()
            .service("test", "1")
            .limits(limits)
            .storm(storm);
        let builder = builder.for_path("/off*", CaptureOptions::off());
        builder.baseline(baseline)
    };
    let dashcam = built(storm, 0.0)
        .exporter(Stalled(open, kept.clone()))
        .build()
        .unwrap();
    let log = Buffer::default();
    tracing_subscriber::registry()
        .with(dashcam.gate(EnvFilter::new("info")))
        .with(dashcam.json_log_to(log.clone()).unwrap())
        .init();
    // The last two members of the one line of a request.
    let said = async |of: &Dashcam, path: &str| {
        let fails = || get(|| async { StatusCode::INTERNAL_SERVER_ERROR });
        let app = Router::new()
            .route("/ok", get(|| async { "hello" }))
            .route("/off", fails())
            .route("/off/ok", get(|| async { "hello" }))
            .route(
                "/asked",
                get(|| async {
                    dashcam::keep("why");
                    "hello"
                }),
            )
            .route("/{any}", fails())
            .layer(of.layer());
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = app.oneshot(request).await.unwrap();
        axum::body::to_bytes(response.into_body(), 1024)
            .await
            .unwrap();
        loop {
            let text = log.take();
            let line = text.lines().find(|line| line.contains("dashcam::request"));
            if let Some(line) = line {
                let fields = &serde_json::from_str::<Value>(line).unwrap()["fields"];
                let why = fields
                    .get("not_kept")
                    .map(|why| why.as_str().unwrap().to_owned());
                return (fields["kept"].as_bool().unwrap(), why);
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let no = |why: &str| (false, Some(why.to_owned()));
    assert_eq!(said(&dashcam, "/ok").await, (false, None));
    assert_eq!(said(&dashcam, "/off/ok").await, (false, None));
    assert_eq!(said(&dashcam, "/off").await, no("options"));
    assert_eq!(said(&dashcam, "/a").await, (true, None));
    // The exporter has the first one, and two may wait.
    let mut kept_or_full = Vec::new();
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(2)).await;
        kept_or_full.push(said(&dashcam, "/a").await);
    }
    assert_eq!(kept_or_full.last(), Some(&no("queue_full")));

    let mut storm = StormLimits::default();
    (storm.full, storm.heads) = (1, 0);
    let other = built(storm, 1.0).exporter(Memory::new(9)).build().unwrap();
    assert_eq!(said(&other, "/a").await, (true, None));
    assert_eq!(said(&other, "/a").await, no("failure_storm"));
    assert_eq!(said(&other, "/ok").await, no("sample_budget"));

    let mut storm = StormLimits::default();
    storm.per_second = 0;
    let other = built(storm, 0.0).exporter(Memory::new(9)).build().unwrap();
    assert_eq!(said(&other, "/asked").await, no("per_second"));

    // Exchanges that are kept after those report how many they were, and when.
    let before = std::time::SystemTime::now();
    drop(release);
    assert!(dashcam.flush(DEADLINE));
    tokio::time::sleep(Duration::from_millis(2)).await;
    assert_eq!(said(&dashcam, "/a").await, (true, None));
    assert!(dashcam.flush(DEADLINE));
    let last = kept.exchanges().pop().unwrap();
    let losses = &last.losses;
    assert!(losses.suppressed_before > 0);
    let at = |text: &Option<String>| text.as_ref().unwrap().parse::<jiff::Timestamp>().unwrap();
    let (first, latest) = (
        at(&losses.suppressed_first_at),
        at(&losses.suppressed_last_at),
    );
    let started: jiff::Timestamp = last.started_at.parse().unwrap();
    assert!(first <= latest && latest < started);
    assert!(std::time::SystemTime::from(latest) <= before);
}
