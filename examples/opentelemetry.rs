//! A service with OpenTelemetry: spans that follow the conventions for HTTP servers, with
//! the debug events of the one request that fails, and of no other.
//!
//! ```text
//! cargo run --features full --example opentelemetry
//! ```
//!
//! The spans go to `OTEL_EXPORTER_OTLP_ENDPOINT` (default: `http://localhost:4318`), the log
//! lines to standard error, and the kept exchange to `DASHCAM_DIR` (default: `./dashcam`).
//! If no collector listens, `opentelemetry_sdk` logs errors.

#[path = "orders/client.rs"]
#[allow(dead_code, reason = "another example uses more of it")]
mod client;
#[path = "shared/otlp.rs"]
mod otlp;

use axum::{Json, Router, extract::Path, http::StatusCode, routing::post};
use client::{BoxError, HttpClient};
use dashcam::{
    Dashcam,
    capture::Replay,
    correlation::CorrelationIdLayer,
    selection::{Rule, Rules, When},
};
use serde_json::{Value, json};
use std::{
    net::{Ipv4Addr, SocketAddr},
    time::{Duration, SystemTime},
};
use tokio::net::TcpListener;
use tracing::{debug, error, instrument};
use tracing_subscriber::{filter::LevelFilter, prelude::*};

/// The example has the name of a library whose events are never recorded.
const SHOP: &str = "shop";

async fn pay(Path(id): Path<u64>, Json(order): Json<Value>) -> Result<Json<Value>, StatusCode> {
    // Without the customer: the collector gets the events of a live request unredacted.
    debug!(target: SHOP, id, "looking for the order");
    let cents = order["cents"].as_u64().ok_or(StatusCode::BAD_REQUEST)?;
    let points = points(cents).ok_or(StatusCode::INTERNAL_SERVER_ERROR)?;
    debug!(target: SHOP, points, "paid");
    Ok(Json(json!({ "points": points })))
}

/// Bug: the type is too small for the cents.
#[instrument(target = "shop")]
fn points(cents: u64) -> Option<u16> {
    debug!(target: SHOP, "counting points");
    let points = u16::try_from(cents);
    if let Err(error) = &points {
        error!(target: SHOP, %error, "no points");
    }
    points.ok()
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let provider = otlp::provider("shop")?;
    let in_an_hour = SystemTime::now() + Duration::from_secs(3600);
    let dashcam = Dashcam::builder()
        .service("shop", env!("CARGO_PKG_VERSION"))
        .correlation(CorrelationIdLayer::new().server_timing(true))
        .replay(Replay::default())
        .bodies_on_spans(4096)
        .rules(Rules::new([Rule::new("order-7", in_an_hour)
            .when(When::new().path("/orders/7/**")?)
            .verbose("debug")?]))
        .build()?;
    tracing_subscriber::registry()
        .with(dashcam.gate(LevelFilter::INFO))
        .with(dashcam.json_log_to(std::io::stderr())?)
        .with(otlp::layer(&provider, "shop"))
        .init();
    let app = Router::new()
        .route("/orders/{id}/payment", post(pay))
        .layer(dashcam.layer());
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let base = format!("http://{}/orders", listener.local_addr()?);
    tokio::spawn(
        axum::serve(
            listener,
            app.into_make_service_with_connect_info::<SocketAddr>(),
        )
        .into_future(),
    );

    let client = HttpClient::new();
    for (id, cents) in [(1, 4_900), (2, 990), (3, 129_000), (7, 1_200)] {
        let order = json!({ "customer": "Ada Byron", "cents": cents });
        let url = format!("{base}/{id}/payment");
        let answer = client.post_json(&url, &order).await?;
        let header = |name| answer.headers().get(name).and_then(|v| v.to_str().ok());
        println!(
            "order {id}: {} {} {}",
            answer.status().as_u16(),
            header("x-request-id").unwrap_or("-"),
            header("server-timing").unwrap_or("-"),
        );
    }

    // This blocks until the last span is at the collector.
    tokio::task::spawn_blocking(move || {
        let written = dashcam.flush(Duration::from_secs(5));
        println!(
            "kept {} of {}",
            dashcam.status().kept,
            dashcam.status().finished
        );
        provider.shutdown()?;
        if written {
            Ok(())
        } else {
            Err("the log was not written in time".into())
        }
    })
    .await?
}
