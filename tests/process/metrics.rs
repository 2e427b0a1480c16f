//! What the `metrics` facade receives.

use axum::{
    Router,
    body::{Body, to_bytes},
    http::Request,
    routing::get,
};
use dashcam::{
    Dashcam,
    capture::StormLimits,
    exchange::Exchange,
    export::{ExportError, Exporter},
};
use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use std::{collections::BTreeMap, time::Duration};
use tower::ServiceExt;

/// Accepts every other exchange.
struct Every2nd(u32);

impl Exporter for Every2nd {
    fn export(&mut self, _: &Exchange) -> Result<(), ExportError> {
        self.0 += 1;
        if self.0.is_multiple_of(2) {
            return Err(ExportError::new("not this one"));
        }
        Ok(())
    }
}

#[tokio::test]
async fn counts_by_reason() {
    alone!();
    let recorder = DebuggingRecorder::new();
    let snapshots = recorder.snapshotter();
    recorder.install().unwrap();
    let mut storm = StormLimits::default();
    (storm.full, storm.heads) = (4, 0);
    let dashcam = Dashcam::builder()
        .service("test", "1")
        .storm(storm)
        .exporter(Every2nd(0))
        .build()
        .unwrap();
    let app = Router::new()
        .route("/", get(|| async { "hello" }))
        .route(
            "/panics",
            get(|| async {
                if true {
                    panic!("no")
                }
            }),
        )
        .layer(dashcam.layer());
    for path in ["/"; 3].iter().chain(&["/panics"; 7]) {
        let request = Request::get(*path).body(Body::empty()).unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        to_bytes(response.into_body(), 1024).await.unwrap();
    }
    assert!(dashcam.flush(Duration::from_secs(60)));

    // Differences: a second flush adds nothing.
    let mut counters = BTreeMap::new();
    for flush in [false, true] {
        if flush {
            assert!(dashcam.flush(Duration::from_secs(60)));
        }
        for (key, _, _, value) in snapshots.snapshot().into_vec() {
            let key = key.key();
            let labels: Vec<_> = key.labels().map(|label| label.value().to_owned()).collect();
            let name = [vec![key.name().to_owned()], labels].concat().join(" ");
            let value = match value {
                DebugValue::Counter(n) => n.to_string(),
                DebugValue::Gauge(n) => format!("gauge {n}"),
                DebugValue::Histogram(_) => "histogram".to_owned(),
            };
            if !flush || value != "0" {
                counters.insert(name, value);
            }
        }
    }
    let wanted = [
        ("dashcam_exchanges_dropped_total backlog", "0"),
        ("dashcam_exchanges_dropped_total export_failed", "2"),
        ("dashcam_exchanges_dropped_total queue_full", "0"),
        ("dashcam_exchanges_dropped_total storm_budget", "3"),
        ("dashcam_exchanges_exported_total", "2"),
        ("dashcam_exchanges_held", "gauge 0"),
        ("dashcam_exchanges_kept_total", "4"),
        ("dashcam_requests_in_flight", "gauge 0"),
        ("dashcam_requests_total", "10"),
    ];
    let wanted: BTreeMap<_, _> = wanted
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    assert_eq!(counters, wanted);
}
