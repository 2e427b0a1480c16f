//! The log reports what was not kept, by itself and in numbers.

use crate::support_gate::Buffer;
use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, StatusCode},
    routing::get,
};
use dashcam::{
    Dashcam,
    capture::{Limits, StormLimits},
    exchange::Exchange,
    export::{ExportError, Exporter},
};
use serde_json::Value;
use std::{
    sync::mpsc::{Receiver, channel},
    time::{Duration, Instant},
};
use tower::ServiceExt;
use tracing_subscriber::{EnvFilter, prelude::*};

/// Signals that it has begun and waits until the other channel is closed. Then it accepts nothing.
/// Its tick panics each time, which must not prevent the report of the losses.
struct Stuck(std::sync::mpsc::Sender<()>, Receiver<()>);

impl Exporter for Stuck {
    fn export(&mut self, _: &Exchange) -> Result<(), ExportError> {
        let _ = self.0.send(());
        let _ = self.1.recv();
        Err(ExportError::new("no room"))
    }

    fn tick(&mut self) {
        panic!("a tick");
    }
}

#[tokio::test]
#[cfg_attr(not(feature = "axum"), ignore = "needs routes of axum")]
async fn what_was_not_kept_is_told_by_reason() {
    alone!();
    let (release, open) = channel();
    let (begun, begins) = channel();
    let mut limits = Limits::default();
    limits.queue = 2;
    let mut storm = StormLimits::default();
    (storm.full, storm.heads) = (3, 0);
    let dashcam = Dashcam::builder()
        .service("test", "1")
        .limits(limits)
        .storm(storm)
        .exporter(Stuck(begun, open))
        .build()
        .unwrap();
    let log = Buffer::default();
    tracing_subscriber::registry()
        .with(dashcam.gate(EnvFilter::new("info")))
        .with(dashcam.json_log_to(log.clone()).unwrap())
        .init();
    let fails = get(|| async { StatusCode::INTERNAL_SERVER_ERROR });
    let app = Router::new()
        .route("/", fails.clone())
        .route("/other", fails)
        .layer(dashcam.layer());
    let send = async |path| {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        to_bytes(response.into_body(), 1024).await.unwrap();
    };
    // The exporter has one, two wait, four are over the budget of their signature, and two of
    // another one find the queue full.
    send("/").await;
    begins.recv().unwrap();
    for path in ["/"; 6].iter().chain(&["/other"; 2]) {
        send(path).await;
    }
    assert_eq!(log.of_status(), [] as [Value; 0]);
    drop(release);
    let deadline = Instant::now() + Duration::from_secs(60);
    while log.of_status().is_empty() {
        assert!(Instant::now() < deadline, "no line reports the losses");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let lines = log.of_status();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(lines[0]["level"], "WARN");
    assert_eq!(lines[0]["message"], "exchanges were not kept");
    let expected = serde_json::json!({
        "suppressed": 4, "queue_full": 2, "export_failed": 3, "backlog": 0,
    });
    assert_eq!(lines[0]["fields"], expected);
    let dropped = dashcam.status().dropped;
    assert_eq!(
        (
            dropped.suppressed,
            dropped.queue_full,
            dropped.export_failed
        ),
        (4, 2, 3)
    );
}
