//! A gateway and a backend: two processes, each with a log. One request fails. Both logs
//! have its correlation ID, and it is one trace.
//!
//! ```text
//! cargo run --features full --example two_services             # keeps serving
//! cargo run --features full --example two_services -- --once   # exits
//! ```
//!
//! `DASHCAM_DIR` (default: `./dashcam`) gets `gateway.log` and `backend.log`, and a
//! directory of exchanges for each. If `OTEL_EXPORTER_OTLP_ENDPOINT` is set, both send
//! their spans to that collector.

#[path = "orders/client.rs"]
#[allow(dead_code, reason = "another example uses more of it")]
mod client;
#[path = "shared/otlp.rs"]
mod otlp;

use axum::{
    Json, Router,
    extract::State,
    http::{Response, StatusCode},
    routing::post,
};
use client::{BoxError, HttpClient};
use dashcam::{Dashcam, capture::Replay, correlation::CorrelationIdLayer, redact::Policy};
use opentelemetry_sdk::trace::SdkTracerProvider;
use serde_json::{Value, json};
use std::{
    env,
    fs::{self, File},
    io::{BufRead, BufReader, Read},
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};
use tokio::net::TcpListener;
use tracing::{debug, info, instrument, warn};
use tracing_subscriber::{filter::LevelFilter, prelude::*};

fn directory() -> PathBuf {
    env::var_os("DASHCAM_DIR").map_or_else(|| "dashcam".into(), PathBuf::from)
}

/// The telemetry of a service.
struct Telemetry {
    dashcam: Dashcam,
    spans: Option<SdkTracerProvider>,
}

impl Telemetry {
    fn start(service: &'static str) -> Result<Self, BoxError> {
        let directory = directory();
        fs::create_dir_all(&directory)?;
        let dashcam = Dashcam::builder()
            .service(service, env!("CARGO_PKG_VERSION"))
            .correlation(CorrelationIdLayer::new().server_timing(true))
            // One key for both services, so that equal values have equal pseudonyms. A real
            // key is a secret.
            .policy(Policy::strict().with_key("example", &[7; 32])?)
            .replay(Replay::default())
            .directory(directory.join(service))
            .build()?;
        let log = File::create(directory.join(format!("{service}.log")))?;
        let spans = if env::var_os("OTEL_EXPORTER_OTLP_ENDPOINT").is_some() {
            Some(otlp::provider(service)?)
        } else {
            None
        };
        tracing_subscriber::registry()
            .with(dashcam.gate(LevelFilter::INFO))
            .with(dashcam.json_log_to(log)?)
            .with(spans.as_ref().map(|spans| otlp::layer(spans, service)))
            .init();
        Ok(Self { dashcam, spans })
    }

    /// Flushes exchanges, log and spans.
    async fn end(self) -> Result<(), BoxError> {
        tokio::task::spawn_blocking(move || {
            let written = self.dashcam.flush(Duration::from_secs(5));
            if let Some(spans) = self.spans {
                spans.shutdown()?;
            }
            if written {
                Ok(())
            } else {
                Err("the log was not written in time".into())
            }
        })
        .await?
    }
}

// ---- the backend

/// Bug: it does not work for amounts of four digits.
async fn charge(Json(charge): Json<Value>) -> Result<Json<Value>, StatusCode> {
    let cents = charge["cents"].as_u64().ok_or(StatusCode::BAD_REQUEST)?;
    debug!(
        cents,
        customer = charge["customer"].as_str(),
        "looking at the limit"
    );
    let text = format!("{:02}.{:02}", cents / 100, cents % 100);
    let amount = <[u8; 5]>::try_from(text.as_bytes());
    debug!(bytes = text.len(), "wrote the amount");
    let Ok(amount) = amount else {
        return Err(StatusCode::INTERNAL_SERVER_ERROR);
    };
    info!("charged");
    Ok(Json(json!({ "charged": String::from_utf8_lossy(&amount) })))
}

async fn backend() -> Result<(), BoxError> {
    let telemetry = Telemetry::start("backend")?;
    let app = Router::new()
        .route("/charges", post(charge))
        .layer(telemetry.dashcam.layer());
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("http://{}/charges", listener.local_addr()?);
    // Stops when the parent process ends.
    let parent = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    axum::serve(
        listener,
        app.into_make_service_with_connect_info::<SocketAddr>(),
    )
    .with_graceful_shutdown(async {
        let _ = parent.await;
    })
    .await?;
    telemetry.end().await
}

/// Starts the backend in a process of its own, and returns its URL.
fn start_backend() -> Result<(Child, String), BoxError> {
    let mut child = Command::new(env::current_exe()?)
        .arg("backend")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut url = String::new();
    let output = child.stdout.take().ok_or("no output")?;
    BufReader::new(output).read_line(&mut url)?;
    Ok((child, url.trim().to_owned()))
}

// ---- the gateway

#[derive(Clone)]
struct Backend {
    client: HttpClient,
    url: String,
}

impl Backend {
    #[instrument(name = "charge", skip_all)]
    async fn charge(&self, order: &Value) -> Result<Value, StatusCode> {
        debug!("asking the backend");
        let answer = self.client.post_json(&self.url, order).await;
        let answer = answer.map_err(|error| {
            warn!(%error, "no answer of the backend");
            StatusCode::BAD_GATEWAY
        })?;
        debug!(status = answer.status().as_u16(), "the backend answered");
        if !answer.status().is_success() {
            return Err(StatusCode::BAD_GATEWAY);
        }
        serde_json::from_slice(answer.body()).map_err(|_| StatusCode::BAD_GATEWAY)
    }
}

async fn checkout(
    State(backend): State<Backend>,
    Json(order): Json<Value>,
) -> Result<Json<Value>, StatusCode> {
    debug!(customer = order["customer"].as_str(), "checking out");
    Ok(Json(backend.charge(&order).await?))
}

async fn gateway(once: bool) -> Result<(), BoxError> {
    let telemetry = Telemetry::start("gateway")?;
    let (mut child, url) = start_backend()?;
    let client = HttpClient::new();
    let backend = Backend {
        client: client.clone(),
        url,
    };
    let app = Router::new()
        .route("/checkout", post(checkout))
        .with_state(backend)
        .layer(telemetry.dashcam.layer());
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let url = format!("http://{}/checkout", listener.local_addr()?);
    tokio::spawn(
        axum::serve(
            listener,
            app.into_make_service_with_connect_info::<SocketAddr>(),
        )
        .into_future(),
    );

    println!("cents  status  x-request-id                          server-timing");
    let mut failed = None;
    for cents in [990, 4_900, 129_000, 1_250] {
        let order = json!({ "customer": "Ada Byron", "cents": cents });
        let answer = client.post_json(&url, &order).await?;
        let id = header(&answer, "x-request-id");
        let trace = header(&answer, "server-timing");
        println!("{cents:>6}  {}    {id}  {trace}", answer.status().as_u16());
        if answer.status().is_server_error() {
            failed = Some(id.to_owned());
        }
    }
    if !once {
        println!("\nStill listening; press Ctrl-C to stop. Try\n");
        println!("  curl -i -H 'content-type: application/json' -d '{{\"cents\":100000}}' {url}");
        tokio::signal::ctrl_c().await?;
    }
    telemetry.end().await?;
    drop(child.stdin.take());
    tokio::task::spawn_blocking(move || child.wait()).await??;
    tell(&failed.ok_or("nothing failed")?)
}

fn header<'a>(answer: &'a Response<axum::body::Bytes>, name: &str) -> &'a str {
    let value = answer.headers().get(name);
    value.and_then(|value| value.to_str().ok()).unwrap_or("-")
}

/// Joins the two logs by the ID, as `grep` or any log system does.
fn tell(id: &str) -> Result<(), BoxError> {
    let mut lines = Vec::new();
    for service in ["gateway", "backend"] {
        let log = fs::read_to_string(directory().join(format!("{service}.log")))?;
        for line in log.lines() {
            let line: Value = serde_json::from_str(line)?;
            if line["correlation_id"] == id {
                lines.push((line["timestamp"].to_string(), service, line));
            }
        }
    }
    lines.sort_by(|a, b| a.0.cmp(&b.0));
    println!("\nAll lines of {id} in both logs:\n");
    for (time, service, line) in &lines {
        let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
        let fields = line.get("fields").map(Value::to_string);
        println!(
            "{}  {service}  {} {:<5} {}  {}",
            time.trim_matches('"'),
            text("span_id"),
            text("level"),
            text("message"),
            fields.unwrap_or_default(),
        );
    }
    let traces: std::collections::BTreeSet<_> = lines
        .iter()
        .map(|(_, _, line)| line["trace_id"].to_string())
        .collect();
    println!(
        "\n{} trace: {}",
        traces.len(),
        traces.into_iter().collect::<String>()
    );
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let mut arguments = env::args().skip(1);
    match arguments.next().as_deref() {
        Some("backend") => backend().await,
        first => gateway(first == Some("--once")).await,
    }
}
